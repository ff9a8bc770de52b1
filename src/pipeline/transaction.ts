// Passes under a check. The model after all passes is compared with the original; when it disagrees, the journal is
// searched by bisection for the first rewrite after which it does, that rewrite is forbidden, and the passes run again.
// So one wrong rewrite costs only itself.
import { InterruptError } from '../base/errors.js';
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
  /** Compares the model as it stands with the original; undefined when nothing can be compared. */
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

/** Wrong rewrites taken back one by one; beyond that everything is. */
const MAX_UNDONE = 16;

/** Runs `passes` and checks the result. When nothing helps, the model is as it was before and `check` says why. */
export async function runChecked(
  model: Model,
  passes: readonly ConfiguredPass[],
  environment: PassEnvironment,
  hooks: TransactionHooks,
): Promise<TransactionResult> {
  const start = model.journal.mark();
  const vetoes = new Set(environment.vetoes);
  const undone: Undone[] = [];
  for (;;) {
    const log = await runPasses(model, passes, { ...environment, vetoes });
    const check = await hooks.check(model, log);
    if (check === undefined || check.agrees || log.rewrites.length === 0) return { log, undone, check };
    const found = undone.length < MAX_UNDONE ? await findGuilty(model, log, hooks, { start, check }) : undefined;
    if (!found) {
      model.journal.seek(start);
      return { log: new RewriteLog(), undone, check };
    }
    model.journal.seek(found.rewrite.before);
    await hooks.onDefect?.(model, found);
    undone.push(found);
    vetoes.add(rewriteKey(found.rewrite.pass, found.rewrite.site));
    model.journal.seek(start);
    model.names.forgetIssued();
    if (environment.signal.aborted) throw new InterruptError('interrupted');
  }
}

/**
 * The first rewrite after which the model disagrees: agreement is known before the first, disagreement after the last.
 * Undefined when the unchanged model disagrees too (a model whose outputs are random).
 */
async function findGuilty(
  model: Model,
  log: RewriteLog,
  hooks: TransactionHooks,
  { start, check }: { start: Mark; check: CheckResult },
): Promise<Undone | undefined> {
  const end = model.journal.mark();
  const stateAfter = (count: number): Mark => log.rewrites[count]?.before ?? end;
  const checkAt = async (mark: Mark): Promise<CheckResult | undefined> => {
    model.journal.seek(mark);
    return hooks.check(model, log);
  };
  if ((await checkAt(start))?.agrees !== true) return undefined;
  let good = 0;
  let bad = log.rewrites.length;
  let badCheck = check;
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    const result = await checkAt(stateAfter(middle));
    if (result?.agrees === true) good = middle;
    else {
      bad = middle;
      badCheck = result ?? badCheck;
    }
  }
  const rewrite = log.rewrites[bad - 1];
  return rewrite && { rewrite, check: badCheck };
}
