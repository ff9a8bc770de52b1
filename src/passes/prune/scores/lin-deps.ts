// Linear dependence (LinDeps 2025): units that are combinations of others on the samples leave first, at next to no loss once
// the readers take up the combination. Constants count as combinations only where no reader pads the value: at the border
// a padding zero is not the constant.
import type { GroupReader } from '../../../analysis/channel-group.js';
import type { Facts } from '../../../analysis/facts.js';
import { unitDependence, type DependencePart } from '../../../fit/dependent-units.js';
import { refuse } from '../../plan.js';
import { readerLayer } from '../../linear-layer.js';
import type { Score } from './score.js';
import { unitIndices, valuesRead } from './units.js';

const ROWS_PER_CHANNEL = 2;

/** Its numbers are parts of a unit's own energy that the others do not explain, 0 to 1: the same in every group. */
export const LIN_DEPS: Score = {
  name: 'lin-deps',
  summary: 'part of a unit that is no combination of the others',
  needs: ['covariance'],
  scope: { over: 'all', normalize: 'none' },
  score: ({ group, covariance }, { facts }) => {
    const parts: DependencePart[] = [];
    for (const [value, axis] of valuesRead(group)) {
      const moments = covariance.get(value);
      const channels = unitIndices(group, value, axis);
      if (!channels) return refuse('unsupported-layout');
      if (!moments) return refuse('not-observed');
      // Of more channels than positions each is a combination of others, whatever they are.
      if (moments.rows < ROWS_PER_CHANNEL * moments.columns) return refuse('too-few-samples');
      const own = group.readers.filter(({ node, slot }) => node.inputs[slot] === value);
      const constants = own.every((reader) => takesConstants(reader, facts)) ? 'absorbed' : 'kept';
      parts.push({ moments, channels, constants });
    }
    if (parts.length === 0) return refuse('not-observed');
    const found = unitDependence(parts, group.width);
    if (!found) return refuse('not-finite');
    return { values: found.residuals, removal: { order: found.order, errors: found.errors } };
  },
};

function takesConstants(reader: GroupReader, facts: Facts): boolean {
  const layer = readerLayer(reader, facts);
  return layer !== undefined && (layer.kind === 'rows' || [...layer.begins, ...layer.ends].every((pad) => pad === 0));
}
