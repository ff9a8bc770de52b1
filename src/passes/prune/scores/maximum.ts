// DropNet's control: the units of the largest mean magnitude leave first.
import { isRefusal } from '../../plan.js';
import { meanMagnitude, scoreActivations } from './activations.js';
import type { Score } from './score.js';

export const MAXIMUM: Score = {
  name: 'maximum',
  summary: 'mean magnitude behind the activation, the largest first: a control',
  needs: ['activations'],
  scope: { over: 'all', normalize: 'none' },
  score: (evidence, options) => {
    const found = scoreActivations(evidence, options, meanMagnitude);
    return isRefusal(found) ? found : { values: found.values.map((x) => -x) };
  },
};
