// How the time of a model divides between tensor layers (with learned weights of higher order) and all others (DeepRebirth 2018, table 1).
import { createFacts } from '../../analysis/inference.js';
import type { Model } from '../../ir/model.js';
import type { LayerTimes } from '../layer-times.js';
import type { KindTimes } from './outcome.js';

/** Microseconds per run. */
export function kindTimes(model: Model, { of, attribution }: LayerTimes): KindTimes {
  const facts = createFacts(model);
  let [tensor, nonTensor] = [0, 0];
  for (const [node, { us }] of of) {
    if (facts.record(node)?.traits.layer === 'tensor') tensor += us;
    else nonTensor += us;
  }
  const rest = [...attribution.inserted, ...attribution.unknown];
  return { tensor, nonTensor, runtime: rest.reduce((sum, { us }) => sum + us, 0) };
}
