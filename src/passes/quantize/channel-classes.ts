// Channels that must be scaled together. Multiplying channel c of a value by s > 0 changes nothing in the end when every
// layer that computes it has its row c multiplied by s and every layer that reads it has its column c divided by s; what
// stands between must pass the factor on (positively homogeneous operators, sums of equal channels, moves of channels).
// A class is a set of (value, channel) pairs tied in this way, found by union of channel numbers, so that residual sums,
// Concat, Split and Slice need no cases of their own.
import type { Facts } from '../../analysis/facts.js';
import { isStatic } from '../../ir/dim.js';
import type { Model } from '../../ir/model.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { isRefusal } from '../plan.js';
import { tensorLayerOf, type TensorLayer } from '../tensor-layer.js';
import { clippingOf } from '../value-range.js';

/** Union-find over numbers. */
class Unions {
  readonly #parents: number[] = [];

  /** `count` new numbers, each alone; returns the first. */
  add(count: number): number {
    const first = this.#parents.length;
    for (let i = 0; i < count; i++) this.#parents.push(first + i);
    return first;
  }

  find(id: number): number {
    let root = id;
    for (let next = this.#parents[root]; next !== undefined && next !== root; next = this.#parents[root]) root = next;
    for (let at = id; at !== root;) {
      const next = this.#parents[at] ?? root;
      this.#parents[at] = root;
      at = next;
    }
    return root;
  }

  join(a: number, b: number): void {
    this.#parents[this.find(a)] = this.find(b);
  }
}

/** An upper bound that a Clip puts on a channel: scaled values must not reach it where they did not before. */
export interface ClippedValue {
  readonly value: Value;
  readonly high: number;
}

export interface ChannelClasses {
  /** Values with channels (axis 1), and how many. */
  readonly channels: ReadonlyMap<Value, number>;
  /** Layers whose rows and columns follow the classes. */
  readonly layers: readonly TensorLayer[];
  readonly clipped: readonly ClippedValue[];
  /** The class of channel `channel` of `value`; undefined when it may not be scaled. */
  classOf(value: Value, channel: number): number | undefined;
}

/** Operators that pass positive factors of channels on, channel by channel. */
const HOMOGENEOUS: ReadonlySet<string> = new Set([
  'Relu',
  'LeakyRelu',
  'MaxPool',
  'AveragePool',
  'GlobalAveragePool',
  'GlobalMaxPool',
  'Identity',
  'Dropout',
]);

/** The classes of the main graph. */
export function findChannelClasses(model: Model, facts: Facts): ChannelClasses {
  return new Finder(model, facts).run();
}

class Finder {
  readonly #model: Model;
  readonly #facts: Facts;
  readonly #unions = new Unions();
  readonly #firsts = new Map<Value, number>();
  readonly #channels = new Map<Value, number>();
  readonly #frozen = new Set<number>();
  readonly #layers: TensorLayer[] = [];
  readonly #clipped: ClippedValue[] = [];

  constructor(model: Model, facts: Facts) {
    this.#model = model;
    this.#facts = facts;
  }

  run(): ChannelClasses {
    const { graph } = this.#model;
    for (const node of graph.nodes()) {
      if (!this.#follow(node)) for (const value of [...node.inputs, ...node.outputs]) if (value) this.#freeze(value);
    }
    for (const value of [...graph.inputs, ...graph.outputs]) this.#freeze(value);
    for (const value of this.#firsts.keys())
      if (value.consumers().some((node) => node.graph !== graph)) this.#freeze(value);
    const frozen = new Set([...this.#frozen].map((id) => this.#unions.find(id)));
    return {
      channels: this.#channels,
      layers: this.#layers,
      clipped: this.#clipped,
      classOf: (value, channel) => {
        const first = this.#firsts.get(value);
        if (first === undefined) return undefined;
        const root = this.#unions.find(first + channel);
        return frozen.has(root) ? undefined : root;
      },
    };
  }

  /** Ties the channels around `node`; false when it is none that factors pass through. */
  #follow(node: Node): boolean {
    const [input] = node.inputs;
    const { output } = node;
    if (!input || !output || node.domain !== '') return false;
    const layer = tensorLayerOf(node, this.#facts);
    if (layer && !isRefusal(layer)) return this.#followLayer(layer);
    if (HOMOGENEOUS.has(node.opType)) return this.#tie([[input, 0]], [[output, 0]]);
    if (node.opType === 'Clip') return this.#followClip(node, input, output);
    if (node.opType === 'Add') return this.#followAdd(node, output);
    if (node.opType === 'Concat') return this.#followConcat(node, output);
    if (node.opType === 'Flatten' || node.opType === 'Reshape') return this.#followFlatten(node, input, output);
    return false;
  }

  /** A layer ends classes: it takes any factor of a row or column into its weights. */
  #followLayer(layer: TensorLayer): boolean {
    const { data, output, layout, inputAxis, outputAxis } = layer;
    const takesRows = layer.node.int('transA', 0) === 0 && !(layer.op === 'MatMul' && outputAxis.rank !== 2);
    const isChannelled = inputAxis.rank !== undefined;
    const reads = this.#first(data, layout.inputs);
    const writes = this.#first(output, layout.outputs);
    if (!takesRows || !isChannelled || reads === undefined || writes === undefined) return false;
    if (layer.op === 'Gemm' && layer.node.float('beta', 1) !== 1) return false;
    this.#layers.push(layer);
    return true;
  }

  #followClip(node: Node, input: Value, output: Value): boolean {
    const clipping = clippingOf(node, this.#facts);
    if (!clipping || clipping.low !== 0 || !this.#tie([[input, 0]], [[output, 0]])) return false;
    if (clipping.high !== Infinity) this.#clipped.push({ value: output, high: clipping.high });
    return true;
  }

  #followAdd(node: Node, output: Value): boolean {
    const [a, b] = node.inputs;
    const rank = this.#facts.of(output).shape?.length;
    const isAlike = [a, b].every((value) => value && !value.constant && this.#facts.of(value).shape?.length === rank);
    if (!a || !b || !isAlike || this.#count(a) !== this.#count(b)) return false;
    return this.#tie([[a, 0]], [[output, 0]]) && this.#tie([[b, 0]], [[output, 0]]);
  }

  #followConcat(node: Node, output: Value): boolean {
    const rank = this.#facts.of(output).shape?.length ?? 0;
    const axis = node.int('axis', 0);
    if ((axis < 0 ? axis + rank : axis) !== 1) return false;
    let offset = 0;
    for (const value of node.inputs) {
      const count = value && !value.constant ? this.#count(value) : undefined;
      if (!value || count === undefined || !this.#tie([[value, 0]], [[output, offset]], count)) return false;
      offset += count;
    }
    return true;
  }

  /** Channels survive where one number per channel is flattened: [N, C, 1, 1] to [N, C]. */
  #followFlatten(_node: Node, input: Value, output: Value): boolean {
    const from = this.#facts.of(input).shape;
    const to = this.#facts.of(output).shape;
    const isPooled = from !== undefined && from.slice(2).every((dim) => dim === 1);
    if (!isPooled || to?.length !== 2 || from[1] !== to[1]) return false;
    return this.#tie([[input, 0]], [[output, 0]]);
  }

  #tie(from: readonly [Value, number][], to: readonly [Value, number][], count?: number): boolean {
    for (const [i, [a, aOffset]] of from.entries()) {
      const [b, bOffset] = to[i] ?? [];
      const n = count ?? this.#count(a);
      const first = this.#first(a);
      const second = b && this.#first(b);
      if (n === undefined || first === undefined || second === undefined || bOffset === undefined) return false;
      for (let c = 0; c < n; c++) this.#unions.join(first + aOffset + c, second + bOffset + c);
    }
    return true;
  }

  /** Size of axis 1, when known. */
  #count(value: Value): number | undefined {
    const size = this.#facts.of(value).shape?.[1];
    return isStatic(size) ? size : undefined;
  }

  /** The number of the first channel of `value`; undefined when its channels are not known, or not `expected` many. */
  #first(value: Value, expected?: number): number | undefined {
    const known = this.#firsts.get(value);
    const count = this.#channels.get(value) ?? this.#count(value);
    if (count === undefined || (expected !== undefined && expected !== count)) return undefined;
    if (known !== undefined) return known;
    const first = this.#unions.add(count);
    this.#firsts.set(value, first);
    this.#channels.set(value, count);
    return first;
  }

  #freeze(value: Value): void {
    const first = this.#first(value);
    const count = this.#channels.get(value) ?? 0;
    if (first === undefined) return;
    for (let c = 0; c < count; c++) this.#frozen.add(first + c);
  }
}
