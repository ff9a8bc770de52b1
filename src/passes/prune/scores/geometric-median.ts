// FPGM (He 2019): the filters nearest to the geometric median of all are the ones that others can stand in for, those with
// the smallest sum of distances to the others.
import { squaredDistances } from '../../../fit/clusters.js';
import { isRefusal } from '../../plan.js';
import type { Score } from './score.js';
import { unitFilters } from './units.js';

export const GEOMETRIC_MEDIAN: Score = {
  name: 'geometric-median',
  summary: 'sum of distances of a filter to the others of its group',
  needs: ['weights'],
  scope: { over: 'group' },
  score: ({ group }, { facts }) => {
    const filters = unitFilters(group, facts);
    if (isRefusal(filters)) return filters;
    const { rows, data } = squaredDistances(filters);
    const sumOf = (unit: number): number =>
      data.subarray(unit * rows, (unit + 1) * rows).reduce((sum, square) => sum + Math.sqrt(square), 0);
    return { values: Float64Array.from({ length: rows }, (_, unit) => sumOf(unit)) };
  },
};
