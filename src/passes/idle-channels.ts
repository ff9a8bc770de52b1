// Channels of a lane that need not be computed: nobody reads them, they are the same everywhere, or the same as another.
import type { Facts } from '../analysis/facts.js';
import type { Lane } from './channel-lane.js';
import { isUnpadded, windowGeometry } from './conv-geometry.js';
import type { TensorLayer } from './tensor-layer.js';

/** Why a channel is idle: `twin` names the channel that it equals. */
export type Idleness =
  | { readonly kind: 'unread' }
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'twin'; readonly of: number };

export interface IdleChannels {
  readonly idle: ReadonlyMap<number, Idleness>;
  /** Constant channels that the reader has no place for: it pads them with zeros, or has no bias. */
  readonly stuck: number;
}

/** Idle channels of `lane`, in ascending order. */
export function idleChannels(lane: Lane, facts: Facts): IdleChannels {
  const { producer, consumer, steps } = lane;
  const { outputs } = producer.layout;
  const idle = new Map<number, Idleness>();
  const numbers = producer.weights.toFloat64();
  const read = touched(consumer, 'inputs', consumer.weights.toFloat64());
  const made = touched(producer, 'outputs', numbers);
  const beta = producer.op === 'Gemm' ? producer.node.float('beta', 1) : 1;
  const start = Float64Array.from({ length: outputs }, (_, c) =>
    made[c] === 1 ? Number.NaN : beta * (producer.bias?.[c] ?? 0),
  );
  const values = steps.reduce<Float64Array>((v, step) => step.constant(v), start);
  const absorbs = takesConstants(consumer, facts);
  let stuck = 0;
  for (let c = 0; c < outputs; c++) {
    const value = values[c] ?? Number.NaN;
    if (read[c] === 0) idle.set(c, { kind: 'unread' });
    else if (Number.isFinite(value) && (value === 0 || absorbs)) idle.set(c, { kind: 'constant', value });
    else if (Number.isFinite(value)) stuck++;
  }
  for (const [c, of] of twinsOf(lane, numbers, idle)) idle.set(c, { kind: 'twin', of });
  return { idle: new Map([...idle].sort(([a], [b]) => a - b)), stuck };
}

/** 1 for each output (or input) channel that has a weight other than 0. */
function touched({ layout }: TensorLayer, side: 'inputs' | 'outputs', numbers: Float64Array): Uint8Array {
  const { kernel, stride } = layout;
  const along = side === 'inputs' ? stride.input : stride.output;
  const [across, count] = side === 'inputs' ? [stride.output, layout.outputs] : [stride.input, layout.inputs];
  return Uint8Array.from({ length: layout[side] }, (_, channel) => {
    for (let other = 0; other < count; other++) {
      const start = channel * along + other * across;
      for (let k = start; k < start + kernel; k++) if (numbers[k] !== 0) return 1;
    }
    return 0;
  });
}

function takesConstants({ op, node, outputAxis }: TensorLayer, facts: Facts): boolean {
  if (op === 'Gemm') return true;
  // Windows of a ConvTranspose overlap unevenly at the border.
  if (op === 'ConvTranspose') return false;
  if (op === 'MatMul') return outputAxis.rank === 2 && facts.site(node).opset >= 7;
  const geometry = windowGeometry(node, facts);
  return geometry !== undefined && isUnpadded(geometry);
}

/** Channels that are made and treated as an earlier one is, with that one. */
function* twinsOf(
  { producer, steps }: Lane,
  numbers: Float64Array,
  idle: ReadonlyMap<number, Idleness>,
): Generator<readonly [number, number]> {
  const { layout, bias } = producer;
  const parameters = [...(bias ? [bias] : []), ...steps.flatMap((step) => step.parameters)];
  const first = new Map<string, number[]>();
  const offset = (c: number, i: number): number => c * layout.stride.output + i * layout.stride.input;
  const equal = (a: number, b: number): boolean => {
    if (parameters.some((list) => list[a] !== list[b])) return false;
    for (let i = 0; i < layout.inputs; i++) {
      const [x, y] = [offset(a, i), offset(b, i)];
      for (let k = 0; k < layout.kernel; k++) if (numbers[x + k] !== numbers[y + k]) return false;
    }
    return true;
  };
  for (let c = 0; c < layout.outputs; c++) {
    if (idle.has(c)) continue;
    // A few of its numbers tell almost all others from it.
    const key = [0, layout.inputs >> 1, layout.inputs - 1].map((i) => numbers[offset(c, i)]).join();
    const like = first.get(key) ?? [];
    const twin = like.find((other) => equal(other, c));
    if (twin === undefined) first.set(key, [...like, c]);
    else yield [c, twin];
  }
}
