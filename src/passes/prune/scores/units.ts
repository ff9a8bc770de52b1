// Where the units of a group lie: the channels of values, the columns of the layers that read them, the filters that make them.
import type { ChannelGroup, GroupReader } from '../../../analysis/channel-group.js';
import type { Facts } from '../../../analysis/facts.js';
import { layerSizes, weightRows } from '../../../fit/patch-geometry.js';
import { matrix, type Matrix } from '../../../linalg/matrix.js';
import type { Value } from '../../../ir/value.js';
import { isRefusal, refuse, type Refusal } from '../../plan.js';
import { linearLayer, readerLayer, weightFactor } from '../../linear-layer.js';
import type { ScoreRefusal } from './score.js';

/** Values that readers read, each once, with the axis of the units; in the order of the readers. */
export function valuesRead({ readers }: ChannelGroup): Map<Value, number> {
  const values = new Map<Value, number>();
  for (const { node, slot, axis } of readers) {
    const value = node.inputs[slot];
    if (value && !values.has(value)) values.set(value, axis);
  }
  return values;
}

/** By unit, its indices along an axis of a value; undefined where the group does not lie along it. */
export function unitIndices(group: ChannelGroup, value: Value, axis: number): GroupIndices | undefined {
  return group.members.find((member) => member.value === value && member.axis === axis)?.indices;
}

export type GroupIndices = readonly (readonly number[])[];

/** What a reader multiplies the units by. */
export interface ReaderRows {
  /** All outputs x patch, groups one after the other. */
  readonly rows: Matrix;
  /** By unit, its channels in the input. */
  readonly channels: GroupIndices;
  /** Outputs of one group of the layer, its inputs, and kernel positions. */
  readonly outputs: number;
  readonly inputs: number;
  readonly taps: number;
}

/** The weights of a reader (times the alpha of a Gemm), and where the units of the group stand among its inputs. */
export function readerRows(
  group: ChannelGroup,
  reader: GroupReader,
  facts: Facts,
): ReaderRows | Refusal<'unsupported-reader' | 'unsupported-layout'> {
  const layer = readerLayer(reader, facts);
  const weights = reader.node.inputs[1]?.constant;
  if (!layer || !weights) return refuse('unsupported-reader');
  const data = reader.node.inputs[0];
  const channels = data && unitIndices(group, data, reader.axis);
  if (!channels) return refuse('unsupported-layout');
  const { groups, outputs, inputs, taps, patch } = layerSizes(layer);
  const factor = weightFactor(reader.node);
  const rows = weightRows(layer, weights.toFloat64()).map((weight) => weight * factor);
  return { rows: matrix(groups * outputs, patch, rows), channels, outputs, inputs, taps };
}

/** By unit, the Euclidean norm of the weights that a reader multiplies it by. */
export function readingNorms({ rows, channels, outputs, inputs, taps }: ReaderRows): Float64Array {
  const squares = new Float64Array(inputs * (rows.rows / outputs));
  for (let o = 0; o < rows.rows; o++) {
    const first = Math.floor(o / outputs) * inputs;
    for (let column = 0; column < rows.columns; column++) {
      const channel = first + Math.floor(column / taps);
      squares[channel] = (squares[channel] ?? 0) + (rows.data[o * rows.columns + column] ?? 0) ** 2;
    }
  }
  return Float64Array.from(channels, (own) =>
    Math.sqrt(own.reduce((sum, channel) => sum + (squares[channel] ?? 0), 0)),
  );
}

/**
 * The filters of each unit as one row: those of all layers that make it, one after the other (through a residual sum the
 * filters of every summand). `with`: each filter followed by its bias.
 */
export function unitFilters(
  group: ChannelGroup,
  facts: Facts,
  biases: 'with' | 'without' = 'without',
): Matrix | Refusal<'weights-not-constant' | 'unsupported-layout' | 'no-filters'> {
  const pieces: number[][] = Array.from({ length: group.width }, () => []);
  for (const node of group.makers) {
    const layer = linearLayer(node, facts);
    const weights = node.inputs[1]?.constant;
    if (!layer || !weights) return refuse('weights-not-constant');
    const member = group.members.find(({ value }) => value === node.output);
    if (!member) return refuse('unsupported-layout');
    const rows = weightRows(layer, weights.toFloat64());
    const { patch } = layerSizes(layer);
    const bias = biases === 'with' ? biasNumbers(node.inputs[2]) : undefined;
    for (const [unit, outputs] of member.indices.entries()) {
      for (const output of outputs) {
        const piece = pieces[unit];
        for (let j = output * patch; j < (output + 1) * patch; j++) piece?.push(rows[j] ?? 0);
        if (bias) piece?.push(bias[output] ?? 0);
      }
    }
  }
  const [first] = pieces;
  if (!first || first.length === 0 || pieces.some(({ length }) => length !== first.length)) return refuse('no-filters');
  return matrix(group.width, first.length, Float64Array.from(pieces.flat()));
}

function biasNumbers(value: Value | undefined): Float64Array | undefined {
  return value?.constant?.toFloat64();
}

/** A number per unit from one per row of its filters. */
export function scoreFilters(
  group: ChannelGroup,
  facts: Facts,
  ofRow: (row: Float64Array) => number,
): { readonly values: Float64Array } | Refusal<ScoreRefusal> {
  const filters = unitFilters(group, facts);
  if (isRefusal(filters)) return filters;
  const { columns, data } = filters;
  return {
    values: Float64Array.from({ length: group.width }, (_, u) => ofRow(data.subarray(u * columns, (u + 1) * columns))),
  };
}
