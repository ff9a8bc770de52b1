// A factorized model that may be the result: made when it is asked for, and tidied up by the exact passes.
import { openModel } from '../../onnx/open.js';
import { assumedSizes, figuresOf } from '../model-facts.js';
import { tidied } from '../slimmed-start.js';
import type { ChainPlan } from './choose-chains.js';
import type { FactorizeRun } from './factorize-run.js';
import { makeFactorized, type FactorizedModel } from './make-factorized.js';
import type { FactorizeStep } from './outcome.js';

export interface Candidate {
  /** In words, as the journal and the report call it. */
  readonly name: string;
  readonly plan: ChainPlan;
  /** The model as it would be published: the same bytes every time, made once. */
  file(): Promise<FactorizedModel>;
}

/** A candidate of this plan. */
export function candidateOf(run: FactorizeRun, name: string, plan: ChainPlan): Candidate {
  let made: Promise<FactorizedModel> | undefined;
  const make = async (): Promise<FactorizedModel> => {
    const model = await makeFactorized(run, plan);
    return { ...model, path: await tidied(run, model.path, run.slimmed.path) };
  };
  return { name, plan, file: () => (made ??= make()) };
}

/** A candidate judged on the samples for selection, unless the journal knows. */
export function judgeCandidate(
  run: FactorizeRun,
  { name, plan, file }: Candidate,
  latencyRatio: number | undefined,
): Promise<FactorizeStep> {
  return run.journal.recall(`step ${name}`, async () => {
    const { path } = await file();
    run.request.onStage?.(`judging ${name}`);
    const { loss } = await run.scorers.select.score(path);
    const { model } = await openModel(path, { keepOverridable: run.request.keepOverridable });
    const { cost } = figuresOf(model, assumedSizes(model, run.shapes, undefined));
    return { name, chains: plan.length, macs: cost.macs, parameters: cost.parameters, loss, latencyRatio };
  });
}
