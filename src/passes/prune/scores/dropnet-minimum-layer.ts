// DropNet, variant minimum_layer: the units of the smallest mean magnitude leave first, the same share in every group.
import { meanMagnitude, scoreActivations } from './activations.js';
import type { Score } from './score.js';

export const DROPNET_MINIMUM_LAYER: Score = {
  name: 'dropnet-minimum-layer',
  summary: 'mean magnitude behind the activation, the smallest of each group first',
  needs: ['activations'],
  scope: { over: 'group' },
  score: (evidence, options) => scoreActivations(evidence, options, meanMagnitude),
};
