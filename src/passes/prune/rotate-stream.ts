// Streams of channels that only linear layers and sums touch, such as the residual streams of MobileNetV2: the layers that make
// them and those that read them may speak of them in any basis, and the model computes the same. In a good basis channels carry
// what no other does, and can leave (SliceGPT, Ashkboos et al. 2024, does so to the streams of transformers).
import type { ChannelGroup, GroupReader } from '../../analysis/channel-group.js';
import type { Facts } from '../../analysis/facts.js';
import { invariant } from '../../base/errors.js';
import { layerSizes, type LinearLayer } from '../../fit/patch-geometry.js';
import type { StreamBasis } from '../../fit/stream-basis.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { multiply } from '../../linalg/gemm.js';
import { matrix, transpose, type Matrix } from '../../linalg/matrix.js';
import { Tensor } from '../../tensor/tensor.js';
import { linearLayer, readerLayer } from '../linear-layer.js';

/** Constants along the axis of which the channels of a stream lie. */
export interface StreamWeights {
  readonly value: Value;
  readonly axis: number;
}

export interface LinearStream {
  readonly group: ChannelGroup;
  /** What lies along the stream as its channels do: filters of the makers, their biases, constants that are added. */
  readonly made: readonly StreamWeights[];
  /** What the readers multiply the channels by. */
  readonly read: readonly StreamWeights[];
}

/** Operators that combine their inputs with fixed factors, element by element. */
const SUMS: ReadonlySet<string> = new Set(['Add', 'Sub', 'Sum', 'Identity']);
/** Types in which another basis rounds no worse than the model does anyway. */
const PRECISE: ReadonlySet<string> = new Set(['float32', 'float64']);

/** What one slot of one node takes of a constant: `made` or `read` by axis. */
type Uses = Map<Value, Map<string, Map<number, keyof Pick<LinearStream, 'made' | 'read'>>>>;

/**
 * The group as a linear stream. Undefined where it is frozen; where anything but linear layers (Conv and ConvTranspose of one
 * group, Gemm, MatMul, with stored weights), sums and Identity makes or reads its values; where layers see more or less than its
 * units in their order; and where its weights are used elsewhere too, or are of less precision than float32.
 */
export function linearStream(group: ChannelGroup, facts: Facts): LinearStream | undefined {
  const { width, members, makers, readers } = group;
  const isWhole = members.every(
    ({ value, axis, indices }) =>
      facts.of(value).shape?.[axis] === width && indices.every((own, unit) => own.length === 1 && own[0] === unit),
  );
  if (group.frozen || makers.length === 0 || readers.length === 0 || !isWhole) return undefined;
  const computed = members.filter(({ value }) => value.constant === undefined);
  const axes = new Map(computed.map(({ value, axis }) => [value, axis]));
  const uses: Uses = new Map();
  const isLinear =
    axes.size === computed.length &&
    [...axes].every(([value, axis]) => isReadWithin(value, axes, readers) && isMade(value, axis)) &&
    readers.every((reader) => isRead(reader));
  return isLinear ? collected(group, uses) : undefined;

  function isMade({ producer }: Value, axis: number): boolean {
    if (!producer || producer.outputs.length !== 1) return false;
    if (makers.includes(producer)) return noteMaker(producer, axis, { uses, facts });
    return producer.domain === '' && SUMS.has(producer.opType) && noteSum(producer, axis, { axes, uses, facts });
  }

  function isRead(reader: GroupReader): boolean {
    const layer = readerLayer(reader, facts);
    if (!layer || layerSizes(layer).groups !== 1 || layer.inputs !== width) return false;
    note(uses, { node: reader.node, slot: 1, axis: inputAxis(layer) }, 'read');
    return true;
  }
}

/** The value goes to readers, as their data, and to sums of the stream; nowhere else. */
function isReadWithin(value: Value, axes: ReadonlyMap<Value, number>, readers: readonly GroupReader[]): boolean {
  return (
    !value.isGraphOutput &&
    [...value.slots].every(([node, slots]) => {
      const isReader = readers.some((reader) => reader.node === node && reader.slot === 0);
      if (isReader) return slots === 1 && node.inputs[0] === value;
      return SUMS.has(node.opType) && node.output !== undefined && axes.has(node.output);
    })
  );
}

interface Place {
  readonly node: Node;
  readonly slot: number;
  readonly axis: number;
}

function note(uses: Uses, { node, slot, axis }: Place, way: 'made' | 'read'): void {
  const value = node.inputs[slot];
  if (!value) return;
  const own = uses.get(value) ?? new Map<string, Map<number, 'made' | 'read'>>();
  uses.set(value, own);
  const key = `${node.order} ${slot}`;
  own.set(key, (own.get(key) ?? new Map<number, 'made' | 'read'>()).set(axis, way));
}

/** Filters and biases of a layer. False where it is no linear layer, or its bias is not one constant per channel. */
function noteMaker(node: Node, axis: number, { uses, facts }: { readonly uses: Uses; readonly facts: Facts }): boolean {
  const layer = linearLayer(node, facts);
  const rank = node.output && facts.of(node.output).shape?.length;
  if (!layer || rank === undefined || layerSizes(layer).groups !== 1) return false;
  if (axis !== (layer.kind === 'rows' ? rank - 1 : 1)) return false;
  note(uses, { node, slot: 1, axis: outputAxis(layer) }, 'made');
  const bias = node.inputs[2];
  if (bias) note(uses, { node, slot: 2, axis: (bias.constant?.dims.length ?? 0) - 1 }, 'made');
  return bias === undefined || bias.constant !== undefined;
}

interface StreamView {
  readonly axes: ReadonlyMap<Value, number>;
  readonly uses: Uses;
  readonly facts: Facts;
}

/** Summands are values of the stream, or constants along its channels. `axis`: of the sum. */
function noteSum(node: Node, axis: number, { axes, uses, facts }: StreamView): boolean {
  const rank = node.output && facts.of(node.output).shape?.length;
  return node.inputs.every((input, slot) => {
    const own = input && facts.of(input).shape?.length;
    if (!input || own === undefined || rank === undefined) return false;
    const place = axis - (rank - own);
    if (input.constant === undefined) return axes.get(input) === place;
    note(uses, { node, slot, axis: place }, 'made');
    return true;
  });
}

const outputAxis = (layer: LinearLayer): number =>
  layer.kind === 'conv-transpose' || (layer.kind === 'rows' && layer.weights === 'input-output') ? 1 : 0;
const inputAxis = (layer: LinearLayer): number => 1 - outputAxis(layer);

/** Undefined where constants are not all known by their uses, and alike in all of these. */
function collected(group: ChannelGroup, uses: Uses): LinearStream | undefined {
  const [made, read]: [StreamWeights[], StreamWeights[]] = [[], []];
  for (const [value, places] of uses) {
    const slots = [...value.slots.values()].reduce((sum, count) => sum + count, 0);
    const [first, ...others] = [...places.values()];
    const isAlike = others.every((ways) => waysText(ways) === waysText(first));
    if (!first || slots !== places.size || !isAlike || value.isGraphOutput || value.isInput) return undefined;
    if (!value.constant || !PRECISE.has(value.constant.dtype)) return undefined;
    for (const [axis, way] of first) (way === 'made' ? made : read).push({ value, axis });
  }
  const known = [...made, ...read];
  const constants = group.members.filter(({ value }) => value.constant !== undefined);
  const isKnown = constants.every((member) =>
    known.some((one) => one.value === member.value && one.axis === member.axis),
  );
  return isKnown && known.length === constants.length ? { group, made, read } : undefined;
}

const waysText = (ways: ReadonlyMap<number, string> | undefined): string => JSON.stringify([...(ways ?? [])].sort());

/**
 * Rewrites the weights around a stream so that it carries `forward` x where it carried x. Worked out in float64 and rounded to
 * the type of the weights. Layers without a bias stay without: none of this adds one.
 */
export function rotateStream(
  { group, made, read }: LinearStream,
  { forward, back }: Omit<StreamBasis, 'variances'>,
): void {
  for (const { rows, columns } of [forward, back])
    invariant(rows === group.width && columns === group.width, `a basis of ${rows} x ${columns} for ${group.name}`);
  for (const weights of made) applyAlong(weights, forward);
  const turned = transpose(back);
  for (const weights of read) applyAlong(weights, turned);
}

/** Each run of numbers along the axis is multiplied by the matrix. */
function applyAlong({ value, axis }: StreamWeights, factor: Matrix): void {
  const tensor = value.constant;
  invariant(tensor && value.graph, `${value.name} is no stored constant`);
  const numbers = tensor.toFloat64();
  const width = factor.columns;
  const inner = tensor.dims.slice(axis + 1).reduce((all, dim) => all * dim, 1);
  const runs = numbers.length / width;
  const place = (channel: number, run: number): number =>
    (Math.floor(run / inner) * width + channel) * inner + (run % inner);
  const columns = matrix(width, runs);
  for (let c = 0; c < width; c++) for (let r = 0; r < runs; r++) columns.data[c * runs + r] = numbers[place(c, r)] ?? 0;
  const product = multiply(factor, columns);
  for (let c = 0; c < width; c++) for (let r = 0; r < runs; r++) numbers[place(c, r)] = product.data[c * runs + r] ?? 0;
  const rotated = Tensor.fromNumbers(tensor.dtype, tensor.dims, numbers);
  value.graph.setInitializer(value, { kind: 'dense', tensor: rotated });
}
