// What became of every layer with weights.
import type { Model } from '../../ir/model.js';
import type { LayerTimes } from '../layer-times.js';
import { pairOf, timeOfLayer } from './keep-paying.js';
import type { FactorizedModel } from './make-factorized.js';
import type { FactorizedLayer, StayReason } from './outcome.js';
import type { LayerStart } from './planner.js';

export interface LayerFates {
  readonly made: FactorizedModel | undefined;
  readonly putBack: readonly string[];
  /** Why layers that have chains stayed whole. */
  readonly otherwise: StayReason;
  readonly models: { readonly before: Model; readonly after: Model };
  readonly times: { readonly before: LayerTimes; readonly after: LayerTimes } | undefined;
}

/** One row per layer, in order of execution. */
export function layerRows(starts: readonly LayerStart[], fates: LayerFates): FactorizedLayer[] {
  return starts.map((start) => layerRow(start, fates));
}

function layerRow(start: LayerStart, { made, putBack, otherwise, models, times }: LayerFates): FactorizedLayer {
  const { name, opType, sizes, curves, priced } = start;
  const [, option] = made?.plan.find(([planned]) => planned === name) ?? [];
  const whole = priced?.whole;
  const after = option?.costs ?? whole;
  const chain = option && {
    scheme: option.scheme,
    ranks: option.ranks,
    error: option.error,
    loss: option.loss,
    refitError: made?.errors.get(name),
  };
  return {
    name,
    opType,
    sizes,
    chain,
    macs: pairOf(whole?.macs, after?.macs),
    params: pairOf(whole?.params, after?.params),
    us: {
      predicted: pairOf(whole?.latency, after?.latency),
      measured:
        times && pairOf(timeOfLayer(models.before, times.before, name), timeOfLayer(models.after, times.after, name)),
    },
    reason: option ? undefined : (start.reason ?? (putBack.includes(name) ? 'no-gain' : otherwise)),
    curves,
  };
}
