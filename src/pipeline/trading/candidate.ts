// A model that may be the result: made from its plan when it is asked for, and tidied up by the exact passes.
import { createHash } from 'node:crypto';
import { openModel } from '../../onnx/open.js';
import type { Loss } from '../evaluation/compare-answers.js';
import { assumedSizes, figuresOf } from '../model-facts.js';
import { tidied } from '../slimmed-start.js';
import type { Plan, Priced } from './choose.js';
import type { MadeModel, Trade, TradeRun } from './trade-run.js';

export interface Candidate<O extends Priced, M extends MadeModel> {
  /** In words, as the report calls it. */
  readonly name: string;
  /** Its name in the journal: that of its plan, since more time, or another limit, may give the same words to another one. */
  readonly key: string;
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
  const key = `${name} (${planDigest(plan)})`;
  return { name, key, plan, changes: count(plan), file: () => (made ??= makeTidy()) };
}

/** Characters of a digest that tell plans apart. */
const DIGITS = 12;

const planDigest = (plan: unknown): string =>
  createHash('sha256').update(JSON.stringify(plan)).digest('hex').slice(0, DIGITS);

/** A candidate judged on the samples for selection, unless the journal knows. */
export function judgeCandidate<O extends Priced, M extends MadeModel>(
  run: TradeRun,
  { name, key, changes, file }: Candidate<O, M>,
  latency: number | ((path: string) => Promise<number>) | undefined,
): Promise<TradeStep> {
  return run.journal.recall(`step ${key}`, async () => {
    const { path } = await file();
    run.request.onStage?.(`judging ${name}`);
    const { loss } = await run.scorers.select.score(path);
    const { model } = await openModel(path, { keepOverridable: run.request.keepOverridable });
    const { cost } = figuresOf(model, assumedSizes(model, run.shapes, undefined));
    const latencyRatio = typeof latency === 'function' ? await latency(path) : latency;
    return { name, changes, macs: cost.macs, parameters: cost.parameters, loss, latencyRatio };
  });
}
