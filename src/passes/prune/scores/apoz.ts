// Average percentage of zeros (Hu 2016): units that are zero most often leave first.
import { scoreActivations } from './activations.js';
import type { Score } from './score.js';

export const APOZ: Score = {
  name: 'apoz',
  summary: 'share of elements behind the activation that are not zero',
  needs: ['activations'],
  scope: { over: 'all', normalize: 'none' },
  score: (evidence, options) =>
    // A share does not change with the scale of the unit: there is nothing to correct.
    scoreActivations(
      evidence,
      { ...options, correction: 'none' },
      ({ zeros, count }, channel) => 1 - (zeros[channel] ?? 0) / count,
    ),
};
