// Model folding (Wang 2025), without data: units with like filters are merged, the filter of the centroid stands for all of a
// cluster, and readers sum what they read of it.
import type { ChannelGroup } from '../../../analysis/channel-group.js';
import type { Facts } from '../../../analysis/facts.js';
import { clusterRows, mergeRows, type Clusters } from '../../../fit/clusters.js';
import { isRefusal, type Refusal } from '../../plan.js';
import { removalScores, type Score, type ScoreRefusal } from './score.js';
import { unitFilters } from './units.js';

/**
 * Errors: sum of squared distances of the filters (with their biases) to the centroids of their clusters, against the sum
 * of their squares. Units leave in the order of Ward's merges; the last, when nothing stands for it, at an error of 1.
 */
export const FOLDING: Score = {
  name: 'folding',
  summary: 'how far filters are from those of other units that can stand for them',
  needs: ['weights'],
  scope: { over: 'group' },
  score: ({ group }, { facts }) => {
    const filters = unitFilters(group, facts, 'with');
    if (isRefusal(filters)) return filters;
    const total = filters.data.reduce((sum, w) => sum + w * w, 0);
    const merges = mergeRows(filters);
    const order = merges.map(({ gone }) => gone);
    const errors = new Float64Array(group.width + 1);
    for (const [at, { cost }] of merges.entries()) errors[at + 1] = (errors[at] ?? 0) + (total > 0 ? cost / total : 0);
    errors[group.width] = 1;
    const last = Array.from({ length: group.width }, (_, unit) => unit).find((unit) => !order.includes(unit));
    return removalScores({ order: last === undefined ? order : [...order, last], errors });
  },
};

/** The units of a group in `kept` clusters, with the centroids of their filters (each followed by its bias), by k-means. */
export function foldUnits(group: ChannelGroup, facts: Facts, kept: number): Clusters | Refusal<ScoreRefusal> {
  const filters = unitFilters(group, facts, 'with');
  return isRefusal(filters) ? filters : clusterRows(filters, mergeRows(filters), kept);
}
