// A control: units leave in an order drawn by the seed.
import type { Score } from './score.js';

export const RANDOM: Score = {
  name: 'random',
  summary: 'drawn by the seed: a control',
  needs: [],
  scope: { over: 'group' },
  score: ({ group }, { rng }) => {
    const own = rng.fork(group.name);
    return { values: Float64Array.from({ length: group.width }, () => own.uniform()) };
  },
};
