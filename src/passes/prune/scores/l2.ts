// Euclidean norm of the filters, those of all layers that make the unit taken as one vector.
import type { Score } from './score.js';
import { scoreFilters } from './units.js';

export const L2: Score = {
  name: 'l2',
  summary: 'Euclidean norm of the filters',
  needs: ['weights'],
  scope: { over: 'group' },
  score: ({ group }, { facts }) =>
    scoreFilters(group, facts, (row) => Math.sqrt(row.reduce((sum, w) => sum + w * w, 0))),
};
