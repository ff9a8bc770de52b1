// L1 norm of the filters (Li 2017), summed over all layers that make the unit.
import type { Score } from './score.js';
import { scoreFilters } from './units.js';

export const L1: Score = {
  name: 'l1',
  summary: 'sum of absolute weights of the filters',
  needs: ['weights'],
  scope: { over: 'group' },
  score: ({ group }, { facts }) => scoreFilters(group, facts, (row) => row.reduce((sum, w) => sum + Math.abs(w), 0)),
};
