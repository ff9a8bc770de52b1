// Scores from the magnitudes of the values that the readers of a group read: behind normalization and activation.
import type { ChannelMagnitudes } from '../../../fit/channel-magnitudes.js';
import { isRefusal, refuse } from '../../plan.js';
import type { GroupEvidence, ScoreOptions, ScoreResult } from './score.js';
import { readerRows, readingNorms, unitIndices, valuesRead } from './units.js';

type Figure = (magnitudes: ChannelMagnitudes, channel: number) => number;

/** Mean of |x| over samples and positions. */
export const meanMagnitude: Figure = ({ absolute, count }, channel) => (absolute[channel] ?? 0) / count;

/**
 * A figure per unit: its mean over the channels of the unit where it has several, and over the values where the readers
 * read several. With the correction for `readers` the sum over readers instead, each times the norm of its weights.
 */
export function scoreActivations(
  { group, activations }: GroupEvidence,
  { facts, correction = 'none' }: ScoreOptions,
  figure: Figure,
): ScoreResult {
  const found = new Map<unknown, Float64Array>();
  for (const [value, axis] of valuesRead(group)) {
    const magnitudes = activations.get(value);
    const indices = unitIndices(group, value, axis);
    if (!indices) return refuse('unsupported-layout');
    if (!magnitudes || magnitudes.count === 0) return refuse('not-observed');
    const mean = (channels: readonly number[]): number =>
      channels.reduce((sum, channel) => sum + figure(magnitudes, channel), 0) / Math.max(1, channels.length);
    found.set(value, Float64Array.from(indices, mean));
  }
  const values = new Float64Array(group.width);
  const add = (figures: Float64Array, factor: (unit: number) => number): void =>
    figures.forEach((x, unit) => (values[unit] = (values[unit] ?? 0) + x * factor(unit)));
  if (correction === 'none') for (const figures of found.values()) add(figures, () => 1 / found.size);
  else {
    for (const reader of group.readers) {
      const figures = found.get(reader.node.inputs[reader.slot]);
      const rows = readerRows(group, reader, facts);
      if (isRefusal(rows)) return rows;
      const norms = readingNorms(rows);
      if (figures) add(figures, (unit) => norms[unit] ?? 0);
    }
  }
  return values.every((x) => Number.isFinite(x)) ? { values } : refuse('not-finite');
}
