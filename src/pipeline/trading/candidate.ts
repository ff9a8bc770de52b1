// A model that may be the result: made from its plan when it is asked for, and tidied up by the exact passes.
import { openModel } from '../../onnx/open.js';
import type { Loss } from '../evaluation/compare-answers.js';
import { assumedSizes, figuresOf } from '../model-facts.js';
import { tidied } from '../slimmed-start.js';
import type { Plan, Priced } from './choose.js';
import type { MadeModel, Trade, TradeRun } from './trade-run.js';

export interface Candidate<O extends Priced, M extends MadeModel> {
  /** In words, as the journal and the report call it. */
  readonly name: string;
  readonly plan: Plan<O>;
  /** What is changed in it: chains, or blocks. */
  readonly changes: number;
  /** The model as it would be published: the same bytes every time, made once. */
  file(): Promise<M>;
}

/** One model that was tried on the way. */
export interface TradeStep {
  /** In words: `candidate 3 of 20`. */
  readonly name: string;
  /** What was changed in it: chains, or blocks. */
  readonly changes: number;
  readonly macs: number;
  readonly parameters: number;
  /** On the samples for selection. */
  readonly loss: Loss;
  /** Against the original: below 1 is faster. Undefined when not timed. */
  readonly latencyRatio: number | undefined;
}

/** A candidate of this plan. */
export function candidateOf<O extends Priced, M extends MadeModel>(
  { run, make, count }: Trade<O, M>,
  name: string,
  plan: Plan<O>,
): Candidate<O, M> {
  let made: Promise<M> | undefined;
  const makeTidy = async (): Promise<M> => {
    const model = await make(plan);
    return { ...model, raw: model.path, path: await tidied(run, model.path, run.slimmed.path) };
  };
  return { name, plan, changes: count(plan), file: () => (made ??= makeTidy()) };
}

/** A candidate judged on the samples for selection, unless the journal knows. */
export function judgeCandidate<O extends Priced, M extends MadeModel>(
  run: TradeRun,
  { name, changes, file }: Candidate<O, M>,
  latency: number | ((path: string) => Promise<number>) | undefined,
): Promise<TradeStep> {
  return run.journal.recall(`step ${name}`, async () => {
    const { path } = await file();
    run.request.onStage?.(`judging ${name}`);
    const { loss } = await run.scorers.select.score(path);
    const { model } = await openModel(path, { keepOverridable: run.request.keepOverridable });
    const { cost } = figuresOf(model, assumedSizes(model, run.shapes, undefined));
    const latencyRatio = typeof latency === 'function' ? await latency(path) : latency;
    return { name, changes, macs: cost.macs, parameters: cost.parameters, loss, latencyRatio };
  });
}
