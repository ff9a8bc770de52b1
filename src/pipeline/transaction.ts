// Passes under a check. The model after all passes is compared with the original; when it disagrees, the journal is
// searched by bisection for the first rewrite after which it does, that rewrite is forbidden, and the passes run again.
// So one wrong rewrite costs only itself, and a pass that is wrong again and again costs only itself too.
import { InterruptError, invariant } from '../base/errors.js';
import type { Mark } from '../ir/journal.js';
import type { Model } from '../ir/model.js';
import type { ConfiguredPass } from './configured-pass.js';
import { RewriteLog, rewriteKey, type Rewrite } from './rewrite-log.js';
import { runPasses, type PassEnvironment } from './run-passes.js';
import type { CheckResult } from './verification.js';

/** A rewrite that was found wrong and taken back. */
export interface Undone {
  readonly rewrite: Rewrite;
  readonly check: CheckResult;
}

export interface TransactionHooks {
  /** What earlier runs over the same model found wrong: not tried again, and reported again. */
  readonly known?: readonly Undone[];
  /** Compares the model as it stands, after the rewrites of `log`, with the original; undefined when nothing can be compared. */
  check(model: Model, log: RewriteLog): Promise<CheckResult | undefined>;
  /** The model stands just before the wrong rewrite: the moment to keep a reproducer. */
  onDefect?(model: Model, undone: Undone): Promise<void>;
}

export interface TransactionResult {
  readonly log: RewriteLog;
  readonly undone: readonly Undone[];
  /** The last comparison; undefined when none could be made. */
  readonly check: CheckResult | undefined;
}

/** A pass that was wrong at this many sites is not run any more. */
const MAX_UNDONE_PER_PASS = 3;
/** Wrong rewrites taken back one by one; beyond that everything is. */
const MAX_UNDONE = 24;
/** Rounds over passes that are checked one by one. */
const MAX_ROUNDS = 20;

/** What was found wrong so far, and is not to be made again. */
class Findings {
  readonly undone: Undone[] = [];
  readonly vetoes: Set<string>;

  constructor(vetoes: ReadonlySet<string> = new Set(), known: readonly Undone[] = []) {
    this.vetoes = new Set(vetoes);
    for (const undone of known) this.add(undone);
  }

  add(found: Undone): void {
    this.undone.push(found);
    this.vetoes.add(rewriteKey(found.rewrite.pass, found.rewrite.site));
  }

  /** A log that names the passes that were wrong, so that a report speaks of them when nothing of theirs stays. */
  emptyLog(): RewriteLog {
    const log = new RewriteLog();
    for (const { rewrite } of this.undone) log.tally(rewrite.pass);
    return log;
  }

  /** Whether `pass` is past trusting. */
  distrusts({ pass }: ConfiguredPass): boolean {
    return this.undone.filter(({ rewrite }) => rewrite.pass === pass.name).length >= MAX_UNDONE_PER_PASS;
  }
}

/** Runs `passes` and checks the result. When nothing helps, the model is as it was before and `check` says why. */
export async function runChecked(
  model: Model,
  passes: readonly ConfiguredPass[],
  environment: PassEnvironment,
  hooks: TransactionHooks,
): Promise<TransactionResult> {
  const findings = new Findings(environment.vetoes, hooks.known);
  const result = await attempt(model, passes, { environment, hooks, findings, done: new RewriteLog() });
  return { ...result, undone: findings.undone };
}

/**
 * Runs `passes` one at a time, each under its own check, until a round over all of them changes nothing.
 * @throws InternalError invariant when no such round comes
 */
export async function runCheckedEach(
  model: Model,
  passes: readonly ConfiguredPass[],
  environment: PassEnvironment,
  hooks: TransactionHooks,
): Promise<TransactionResult> {
  const findings = new Findings(environment.vetoes, hooks.known);
  const done = new RewriteLog();
  let check: CheckResult | undefined;
  for (let round = 1, changed = true; changed; round++) {
    invariant(round <= MAX_ROUNDS, `passes reach no fixed point after ${MAX_ROUNDS} rounds`);
    changed = false;
    for (const pass of passes) {
      const start = model.journal.mark();
      const result = await attempt(model, [pass], { environment, hooks, findings, done, known: check });
      changed ||= model.journal.mark() !== start;
      check = result.check;
      done.absorb(result.log);
    }
  }
  return { log: done, undone: findings.undone, check };
}

interface Attempt {
  readonly environment: PassEnvironment;
  readonly hooks: TransactionHooks;
  /** Added to. */
  readonly findings: Findings;
  /** What was done to the model before and stays. */
  readonly done: RewriteLog;
  /** How the model compares as it stands, where that is known. */
  readonly known?: CheckResult | undefined;
}

async function attempt(
  model: Model,
  passes: readonly ConfiguredPass[],
  { environment, hooks, findings, done, known }: Attempt,
): Promise<Omit<TransactionResult, 'undone'>> {
  const start = model.journal.mark();
  const check = (log: RewriteLog): Promise<CheckResult | undefined> => hooks.check(model, joined(done, log));
  for (;;) {
    const trusted = passes.filter((pass) => !findings.distrusts(pass));
    const log = findings.emptyLog();
    await runPasses(model, trusted, { ...environment, vetoes: findings.vetoes }, log);
    if (log.rewrites.length === 0 && known !== undefined) return { log, check: known };
    const result = await check(log);
    if (result === undefined || result.agrees || log.rewrites.length === 0) return { log, check: result };
    const found = await findGuilty(model, log, () => check(log), { start, check: result });
    if (found === undefined) {
      takeBack(model, start);
      return { log: findings.emptyLog(), check: result };
    }
    model.journal.seek(found.rewrite.before);
    await hooks.onDefect?.(model, found);
    findings.add(found);
    takeBack(model, start);
    if (findings.undone.length >= MAX_UNDONE)
      return { log: findings.emptyLog(), check: known ?? (await check(new RewriteLog())) };
    if (environment.signal.aborted) throw new InterruptError('interrupted');
  }
}

function takeBack(model: Model, start: Mark): void {
  model.journal.seek(start);
  model.names.forgetIssued();
}

function joined(first: RewriteLog, second: RewriteLog): RewriteLog {
  const both = new RewriteLog();
  both.absorb(first);
  both.absorb(second);
  return both;
}

/**
 * The first rewrite after which the model disagrees: agreement is known before the first, disagreement after the last.
 * Undefined when the unchanged model disagrees too.
 */
async function findGuilty(
  model: Model,
  log: RewriteLog,
  check: () => Promise<CheckResult | undefined>,
  { start, check: last }: { start: Mark; check: CheckResult },
): Promise<Undone | undefined> {
  const end = model.journal.mark();
  const checkAt = async (mark: Mark): Promise<CheckResult | undefined> => {
    model.journal.seek(mark);
    return check();
  };
  if ((await checkAt(start))?.agrees !== true) return undefined;
  let good = 0;
  let bad = log.rewrites.length;
  let badCheck = last;
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    const result = await checkAt(log.rewrites[middle]?.before ?? end);
    if (result?.agrees === true) good = middle;
    else {
      bad = middle;
      badCheck = result ?? badCheck;
    }
  }
  const rewrite = log.rewrites[bad - 1];
  return rewrite && { rewrite, check: badCheck };
}
