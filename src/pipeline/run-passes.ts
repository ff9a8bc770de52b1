// Runs a group of passes over a model to a joint fixed point. Neighbouring local passes share a worklist; global passes
// run between. A group is done when a whole round changed nothing.
import { setImmediate } from 'node:timers/promises';
import { InterruptError, invariant } from '../base/errors.js';
import { createRng } from '../base/rng.js';
import type { Facts } from '../analysis/facts.js';
import type { Model } from '../ir/model.js';
import type { Evaluator, GlobalPass, PassContext } from '../passes/pass.js';
import type { ConfiguredPass } from './configured-pass.js';
import { RewriteLog, rewriteKey, siteName } from './rewrite-log.js';
import { runWorklist, type BoundPass } from './worklist.js';

/** What a run of passes may use. */
export interface PassEnvironment {
  /** Facts of the model as it stands: asked for anew in every round, as folding makes more known. */
  createFacts(model: Model): Facts;
  readonly evaluator?: Evaluator | undefined;
  readonly seed: number;
  readonly signal: AbortSignal;
  /** Rewrites that must not be made again: `pass@site`, see `rewriteKey`. */
  readonly vetoes?: ReadonlySet<string>;
  /** Called as each pass (or shared worklist) starts: for progress lines. */
  onStage?(names: readonly string[], round: number): void;
}

const MAX_ROUNDS = 20;

/**
 * Runs `passes` until nothing changes.
 * @throws InterruptError when the signal fires; InternalError invariant when no fixed point is reached
 */
export async function runPasses(
  model: Model,
  passes: readonly ConfiguredPass[],
  environment: PassEnvironment,
  log = new RewriteLog(),
): Promise<RewriteLog> {
  const stages = groupStages(passes);
  const settledAt = new Map<readonly ConfiguredPass[], number>();
  for (let round = 1; ; round++) {
    const start = model.revision;
    let facts = environment.createFacts(model);
    for (const stage of stages) {
      if (settledAt.get(stage) === model.revision) continue;
      const names = stage.map(({ pass }) => pass.name);
      environment.onStage?.(names, round);
      await setImmediate();
      if (environment.signal.aborted) throw new InterruptError('interrupted');
      const before = model.revision;
      await runStage(model, stage, facts, environment, log);
      if (model.revision === before) settledAt.set(stage, before);
      else if (stage[0]?.pass.kind === 'global') facts = environment.createFacts(model);
    }
    if (model.revision === start) return log;
    invariant(round < MAX_ROUNDS, `passes reach no fixed point after ${MAX_ROUNDS} rounds`);
  }
}

/** Neighbouring local passes together, each global pass alone. */
function groupStages(passes: readonly ConfiguredPass[]): ConfiguredPass[][] {
  const stages: ConfiguredPass[][] = [];
  for (const configured of passes) {
    const last = stages.at(-1);
    if (configured.pass.kind === 'local' && last?.[0]?.pass.kind === 'local') last.push(configured);
    else stages.push([configured]);
  }
  return stages;
}

async function runStage(
  model: Model,
  stage: readonly ConfiguredPass[],
  facts: Facts,
  environment: PassEnvironment,
  log: RewriteLog,
): Promise<void> {
  const locals: BoundPass[] = [];
  for (const configured of stage) {
    const context = createContext(model, configured, facts, environment, log);
    if (configured.pass.kind === 'local') locals.push({ pass: configured.pass, context });
    else if (!environment.vetoes?.has(rewriteKey(configured.pass.name, model.graph.name)))
      await runGlobal(model, configured.pass, context, log);
  }
  if (locals.length > 0)
    await runWorklist(model, locals, { log, signal: environment.signal, vetoes: environment.vetoes ?? new Set() });
}

async function runGlobal(model: Model, pass: GlobalPass, context: PassContext, log: RewriteLog): Promise<void> {
  const tally = log.tally(pass.name);
  const { nodeTotal, parameterTotal } = model;
  const mark = model.journal.mark();
  const rewrites = log.rewrites.length;
  const start = performance.now();
  log.forgetPass(pass.name);
  await pass.run(model, context);
  tally.milliseconds += performance.now() - start;
  tally.nodes += model.nodeTotal - nodeTotal;
  tally.parameters += model.parameterTotal - parameterTotal;
  // What it changed before it first asked is a rewrite too, at the whole model.
  if (model.journal.mark() !== mark && log.rewrites[rewrites]?.before !== mark)
    log.rewrites.splice(rewrites, 0, { pass: pass.name, site: model.graph.name, before: mark });
  tally.rewrites += log.rewrites.length - rewrites;
}

function createContext(
  model: Model,
  configured: ConfiguredPass,
  facts: Facts,
  environment: PassEnvironment,
  log: RewriteLog,
): PassContext {
  const { pass, options } = configured;
  return {
    model,
    options,
    facts,
    evaluator: environment.evaluator,
    rng: createRng(`${environment.seed}/${pass.name}`),
    signal: environment.signal,
    decline(node, code, details = {}) {
      log.decline(pass.name, node, code, pass.declines[code] ?? code, details);
      return false;
    },
    count(stat, by = 1) {
      log.count(pass.name, stat, by);
    },
    permit(site) {
      const name = siteName(site);
      if (environment.vetoes?.has(rewriteKey(pass.name, name))) return false;
      log.rewrites.push({ pass: pass.name, site: name, before: model.journal.mark() });
      return true;
    },
  };
}
