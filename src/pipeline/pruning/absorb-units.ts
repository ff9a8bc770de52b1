// The readers of a group without some of its units: their weights on these become zero, the others and the bias take over what
// they can, from the moments of what the readers see (block form of the optimal brain surgeon). The model keeps its shape.
import type { GroupReader } from '../../analysis/channel-group.js';
import type { Facts } from '../../analysis/facts.js';
import { placedParts, type PlacedPart } from '../../fit/layer-weights.js';
import { layerSizes, storedWeights, weightRows } from '../../fit/patch-geometry.js';
import type { PatchMoments } from '../../fit/patch-moments.js';
import { absorbInputs } from '../../fit/refit.js';
import { matrix } from '../../linalg/matrix.js';
import { readerLayer } from '../../passes/linear-layer.js';
import type { GroupEvidence } from '../../passes/prune/scores/score.js';
import { unitIndices } from '../../passes/prune/scores/units.js';
import { readLayer, withBias, writeLayer } from '../../passes/linear-weights.js';

/**
 * Changes all readers of a group that are linear layers with stored weights. Where nothing was observed of a reader, its weights
 * on the units become zero and nothing takes over. Readers of other kinds stay as they are.
 */
export function absorbUnits({ group, moments }: GroupEvidence, units: readonly number[], facts: Facts): void {
  for (const reader of group.readers) {
    const data = reader.node.inputs[reader.slot];
    const channels = data && unitIndices(group, data, reader.axis);
    if (channels)
      absorbChannels(
        reader,
        units.flatMap((unit) => channels[unit] ?? []),
        { moments: moments.get(reader), facts },
      );
  }
}

interface ReaderView {
  readonly moments: PatchMoments | undefined;
  readonly facts: Facts;
}

function absorbChannels(reader: GroupReader, channels: readonly number[], { moments, facts }: ReaderView): void {
  const layer = readerLayer(reader, facts);
  const before = layer && readLayer(reader.node, layer.outputs);
  if (!layer || !before) return;
  const { groups, outputs, inputs, taps, patch } = layerSizes(layer);
  const rows = weightRows(layer, before.weights);
  const bias = Float64Array.from(before.bias);
  const gone = (group: number): number[] =>
    channels
      .filter((channel) => Math.floor(channel / inputs) === group)
      .flatMap((channel) => Array.from({ length: taps }, (_, tap) => (channel - group * inputs) * taps + tap));
  for (const place of moments ? placedParts(layer, moments) : [])
    absorbPart({ rows, bias, patch, outputs }, place, gone(place.group));
  for (let group = 0; group < groups; group++)
    for (const column of gone(group))
      for (let o = group * outputs; o < (group + 1) * outputs; o++) rows[o * patch + column] = 0;
  writeLayer(withBias(reader.node), { weights: storedWeights(layer, rows), bias });
}

interface RowsOfLayer {
  readonly rows: Float64Array;
  readonly bias: Float64Array;
  readonly patch: number;
  /** Of a group. */
  readonly outputs: number;
}

/** `gone`: columns of the group's patch; those of other parts do not count. */
function absorbPart(
  { rows, bias, patch, outputs }: RowsOfLayer,
  { group, from, part }: PlacedPart,
  gone: readonly number[],
): void {
  const width = part.columns - 1;
  const removed = gone.map((column) => column - from).filter((column) => column >= 0 && column < width);
  if (removed.length === 0) return;
  const old = matrix(outputs, part.columns);
  for (let o = 0; o < outputs; o++) {
    const at = (group * outputs + o) * patch + from;
    old.data.set(rows.subarray(at, at + width), o * part.columns);
  }
  const refit = absorbInputs(part, old, removed);
  if (!refit) return;
  for (let o = 0; o < outputs; o++) {
    const row = refit.rows.data.subarray(o * part.columns, (o + 1) * part.columns);
    rows.set(row.subarray(0, width), (group * outputs + o) * patch + from);
    bias[group * outputs + o] = (bias[group * outputs + o] ?? 0) + (row[width] ?? 0);
  }
}
