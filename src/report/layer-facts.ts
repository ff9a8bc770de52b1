// One node of a model as every report shows it.
import type { LayerTimes } from '../pipeline/layer-times.js';
import type { LayerFigures } from '../pipeline/model-facts.js';
import type { LayerFacts } from './facts.js';

/** The figures of a layer, with its time where it was profiled, and alone where it was timed so. */
export function layerFacts(
  { node, opType, kind, shape, macs, parameters, bytesMoved }: LayerFigures,
  times: LayerTimes | undefined,
  aloneUs?: number,
): LayerFacts {
  const time = times?.of.get(node);
  const into = time?.fusedInto === undefined ? undefined : (times?.labels.get(time.fusedInto) ?? time.fusedInto);
  const ranAs = into === undefined ? time?.ranAs : `part of ${into}`;
  const timeUs = time?.us;
  const shownAs = ranAs === opType ? undefined : ranAs;
  return { opType, kind, shape, macs, parameters, bytesMoved, timeUs, aloneUs, ranAs: shownAs };
}
