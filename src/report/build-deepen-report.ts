// The report value of a run of learned slimming, from what the pipeline hands back.
import type { DeepenedBlock, DeepenOutcome, DeepenRequest, KindTimes } from '../pipeline/deepening/outcome.js';
import { RULE_NAMES } from '../pipeline/deepening/settings.js';
import { lossFacts } from './build-eval-report.js';
import { finite, sampledReport, tradeGates, type SampledSetting } from './build-sampled-report.js';
import type { BlockReport, DeepenReport } from './deepen-report.js';
import { blockReason } from './deepen-words.js';

/** The report of one run. */
export function buildDeepenReport(
  request: DeepenRequest,
  outcome: DeepenOutcome,
  setting: SampledSetting,
): DeepenReport {
  const { settings } = request;
  const { name: dataName, preparation = [] } = setting.data ?? {};
  const { start, repair, rules } = settings;
  return {
    ...sampledReport(request, outcome, setting, outcome.comparison?.samples ?? 0),
    kind: 'deepen',
    kept: outcome.kept,
    gates: tradeGates(settings, outcome),
    method: {
      aim: outcome.aim,
      rules: rules.length > 0 ? rules : RULE_NAMES,
      start,
      repair,
      refitted: outcome.refitted,
      last: outcome.last,
    },
    kinds: kindsReport(outcome.kinds),
    blocks: outcome.blocks.map(blockReport),
    declined: outcome.declined,
    steps: outcome.steps.map(({ loss: lost, changes, ...step }) => ({
      ...step,
      blocks: changes,
      loss: lossFacts(lost),
    })),
    samples: { ...outcome.samples, dataName, preparation },
  };
}

const kindReport = ({ tensor, nonTensor, runtime }: KindTimes) => ({
  tensorUs: tensor,
  nonTensorUs: nonTensor,
  runtimeUs: runtime,
});

/** Time by kinds of layers, as reports hold it. */
export const kindsReport = (kinds: DeepenOutcome['kinds']): DeepenReport['kinds'] =>
  kinds && { before: kindReport(kinds.before), after: kindReport(kinds.after) };

function blockReport({ rule, form, block, operators, ...found }: DeepenedBlock): BlockReport {
  const { ms, macs, us, reason } = found;
  return {
    ...{ rule, form, block, operators },
    code: reason,
    message: reason && blockReason(reason),
    msBefore: ms?.before,
    msAfter: ms?.after,
    macsBefore: macs.before,
    macsAfter: macs.after,
    error: finite(found.error),
    loss: finite(found.loss),
    refitError: finite(found.refitError),
    usBefore: us?.before,
    usAfter: us?.after,
  };
}
