// Scale of the normalization (network slimming, Liu 2017): its magnitude, the mean over all normalizations in the group.
import type { Node } from '../../../ir/node.js';
import { refuse } from '../../plan.js';
import type { Score } from './score.js';

/** Normalizations that keep channels apart, with the scale in slot 1. */
const NORMALIZATIONS: readonly string[] = ['BatchNormalization', 'InstanceNormalization'];

const isNormalization = ({ domain, opType }: Node): boolean => domain === '' && NORMALIZATIONS.includes(opType);

export const GAMMA: Score = {
  name: 'gamma',
  summary: 'magnitude of the scale of the normalization',
  needs: ['weights'],
  scope: { over: 'all', normalize: 'none' },
  score: ({ group }) => {
    const values = new Float64Array(group.width);
    let found = 0;
    for (const { value, indices } of group.members) {
      const scales = value.constant?.toFloat64();
      const isScale = value.consumers().some((node) => isNormalization(node) && node.inputs[1] === value);
      if (!scales || !isScale) continue;
      found++;
      for (const [unit, channels] of indices.entries()) {
        const sum = channels.reduce((all, channel) => all + Math.abs(scales[channel] ?? 0), 0);
        values[unit] = (values[unit] ?? 0) + sum / Math.max(1, channels.length);
      }
    }
    return found === 0 ? refuse('no-normalization') : { values: values.map((x) => x / found) };
  },
};
