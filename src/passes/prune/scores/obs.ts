// Group optimal brain surgeon (Hassibi 1993; blocks as in ZipLM, Kurtic 2023): what the outputs of all readers lose when a unit
// leaves and the weights of the others are refitted, in closed form from second moments; greedy, one unit at a time. Where a
// patch is so large that its moments come in runs of channels, correlations between the runs are left out.
import type { ChannelGroup, GroupReader } from '../../../analysis/channel-group.js';
import type { Facts } from '../../../analysis/facts.js';
import { placedParts, type PlacedPart } from '../../../fit/layer-weights.js';
import type { PatchMoments } from '../../../fit/patch-moments.js';
import { energyOf } from '../../../fit/refit.js';
import { removalCurve, type RemovalPart } from '../../../fit/unit-removal.js';
import { matrix, packedRow, unpackSymmetric, type Matrix } from '../../../linalg/matrix.js';
import { isRefusal, refuse, type Refusal } from '../../plan.js';
import { readerLayer } from '../../linear-layer.js';
import { removalScores, type GroupEvidence, type Score, type ScoreOptions, type ScoreRefusal } from './score.js';
import { readerRows, type ReaderRows } from './units.js';

export const OBS: Score = {
  name: 'obs',
  summary: 'what the readers lose without the unit after a refit, one after the other',
  needs: ['moments'],
  scope: { over: 'all', normalize: 'none' },
  score: (evidence, options) => {
    const { group, moments } = evidence;
    const parts: RemovalPart[] = [];
    for (const reader of group.readers) {
      const own = moments.get(reader);
      const found = own ? readerParts(evidence, reader, own, options) : refuse('not-observed');
      if (isRefusal(found)) return found;
      parts.push(...found);
    }
    if (parts.length === 0) return refuse('not-observed');
    const { lambda, estimate = 'unseen' } = options;
    const removal = removalCurve(parts, group.width, { estimate, ...(lambda === undefined ? {} : { lambda }) });
    return removal ? removalScores(removal) : refuse('not-finite');
  },
};

function readerParts(
  { group }: GroupEvidence,
  reader: GroupReader,
  moments: PatchMoments,
  { facts, errors = 'relative' }: ScoreOptions,
): RemovalPart[] | Refusal<ScoreRefusal> {
  const read = readerRows(group, reader, facts);
  if (isRefusal(read)) return read;
  const placed = placedPartsOf(reader, moments, facts);
  if (!placed) return refuse('unsupported-reader');
  const parts = placed.map((place) => ({
    moments: place.part,
    rows: partRows(read, place),
    columns: partColumns(group, read, place),
  }));
  const energy = parts.reduce((sum, part) => sum + outputVariance(part), 0);
  // A reader that gives a constant cannot lose anything.
  const weight = errors === 'absolute' ? 1 : energy > 0 ? 1 / energy : 0;
  return parts.map((part) => ({ ...part, weight }));
}

function placedPartsOf(reader: GroupReader, moments: PatchMoments, facts: Facts): PlacedPart[] | undefined {
  const layer = readerLayer(reader, facts);
  return layer && placedParts(layer, moments);
}

/** The weights of the outputs of a part's group on its columns, and a bias of 0. */
function partRows({ rows, outputs }: ReaderRows, { group, from, part }: PlacedPart): Matrix {
  const width = part.columns - 1;
  const result = matrix(outputs, part.columns);
  for (let o = 0; o < outputs; o++) {
    const at = (group * outputs + o) * rows.columns + from;
    result.data.set(rows.data.subarray(at, at + width), o * part.columns);
  }
  return result;
}

function partColumns(group: ChannelGroup, { channels, inputs, taps }: ReaderRows, place: PlacedPart): number[][] {
  const first = place.group * inputs * taps + place.from;
  const isHere = (column: number): boolean => column >= 0 && column < place.part.columns - 1;
  return Array.from({ length: group.width }, (_, unit) =>
    (channels[unit] ?? []).flatMap((channel) =>
      Array.from({ length: taps }, (_tap, tap) => channel * taps + tap - first).filter(isHere),
    ),
  );
}

/** Variance of the outputs over the positions, summed over outputs. */
function outputVariance({ moments, rows }: Pick<RemovalPart, 'moments' | 'rows'>): number {
  const { columns, gram } = moments;
  const bias = columns - 1;
  const centred = matrix(rows.rows, columns, Float64Array.from(rows.data));
  for (let o = 0; o < rows.rows; o++) {
    let sum = 0;
    for (let j = 0; j < bias; j++) sum += (rows.data[o * columns + j] ?? 0) * (gram[packedRow(columns, j) + bias] ?? 0);
    centred.data[o * columns + bias] = -sum / moments.rows;
  }
  return energyOf(unpackSymmetric(gram, columns), centred) / moments.rows;
}
