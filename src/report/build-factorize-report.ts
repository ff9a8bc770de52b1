// The report value of a factorization run, from what the pipeline hands back.
import type { FactorizedLayer, FactorizeOutcome, FactorizeRequest } from '../pipeline/factorizing/outcome.js';
import type { FactorizeSettings } from '../pipeline/factorizing/settings.js';
import { lossFacts } from './build-eval-report.js';
import { finite, sampledReport, tradeGates, type SampledSetting } from './build-sampled-report.js';
import type { FactorizeLayerReport, FactorizeReport } from './factorize-report.js';
import { stayReason } from './factorize-words.js';

/** The report of one run. */
export function buildFactorizeReport(
  request: FactorizeRequest,
  outcome: FactorizeOutcome,
  setting: SampledSetting,
): FactorizeReport {
  const { settings } = request;
  const { name: dataName, preparation = [] } = setting.data ?? {};
  const { metric, ranks, groupSize, repair } = settings;
  return {
    ...sampledReport(request, outcome, setting, outcome.comparison?.samples ?? 0),
    kind: 'factorize',
    kept: outcome.kept,
    gates: tradeGates(settings, outcome),
    method: {
      aim: outcome.aim,
      metric: outcome.dataFree ? 'plain' : metric,
      ranks: ruleOf(settings) ?? ranks,
      groupSize,
      repair,
      refitted: outcome.refitted,
    },
    layers: outcome.layers.map(layerReport),
    steps: outcome.steps.map(({ loss: lost, ...step }) => ({ ...step, loss: lossFacts(lost) })),
    samples: { ...outcome.samples, dataFree: outcome.dataFree ? 'yes' : 'no', dataName, preparation },
  };
}

const ruleOf = ({ ratio, energy }: FactorizeSettings): string | undefined => {
  if (ratio !== undefined) return `ratio ${ratio}`;
  return energy === undefined ? undefined : `energy ${energy}`;
};

function layerReport({
  name,
  opType,
  sizes,
  chain,
  macs,
  params,
  us,
  reason,
  curves,
}: FactorizedLayer): FactorizeLayerReport {
  return {
    name,
    opType,
    inputs: sizes?.inputs,
    outputs: sizes?.outputs,
    kernel: sizes?.kernel,
    chain: chain && { ...chain, loss: finite(chain.loss), refitError: finite(chain.refitError) },
    code: reason,
    message: reason && stayReason(reason),
    macsBefore: macs?.before,
    macsAfter: macs?.after,
    paramsBefore: params?.before,
    paramsAfter: params?.after,
    aloneUsBefore: us.predicted?.before,
    aloneUsAfter: us.predicted?.after,
    usBefore: us.measured?.before,
    usAfter: us.measured?.after,
    curves: curves.map(({ scheme, points }) => ({ scheme, points })),
  };
}
