// DropNet (Tan and Motani 2020), variant minimum: the units of the smallest mean magnitude of all groups leave first. The mean
// is that of |x|, as in the paper; its code takes |mean of x| over positions, and breaks ties at random.
import { meanMagnitude, scoreActivations } from './activations.js';
import type { Score } from './score.js';

export const DROPNET_MINIMUM: Score = {
  name: 'dropnet-minimum',
  summary: 'mean magnitude behind the activation, the smallest of all groups first',
  needs: ['activations'],
  scope: { over: 'all', normalize: 'none' },
  score: (evidence, options) => scoreActivations(evidence, options, meanMagnitude),
};
