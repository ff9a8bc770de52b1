// Never slower. A result that ONNX Runtime takes longer over than over the original is not kept: the passes are bisected
// for the first one that slows the model down, that pass is left out, and the rest runs again. When nothing else helps,
// the passes change nothing.
import type { ConfiguredPass } from './configured-pass.js';
import type { TransactionResult } from './transaction.js';
import type { TimedPair } from './measure.js';

/** A pass that was left out because the model was slower with it. */
export interface Rejected {
  readonly pass: string;
  /** The model as slowed by it, against the original. */
  readonly timing: TimedPair;
}

export interface SpeedHooks {
  /** Takes everything back and runs `passes` under the usual check. */
  apply(passes: readonly ConfiguredPass[]): Promise<TransactionResult>;
  /** Times the model as it stands against the original. */
  time(): Promise<TimedPair>;
}

export interface GatedResult {
  readonly result: TransactionResult;
  readonly timing: TimedPair;
  readonly rejected: readonly Rejected[];
}

/** Passes left out one by one; beyond that all go. Each costs some ten timings. */
const MAX_REJECTED = 3;

/** Whether a model may not stand: it runs slower, or loads slower and runs no faster. */
export function isSlower({ latency, load }: TimedPair): boolean {
  return latency.verdict === 'slower' || (load.verdict === 'slower' && latency.verdict !== 'faster');
}

/**
 * What remains of `passes`, of which `result` came, when those that slow the model down are left out. `keep` are never
 * left out: what the user asked for in so many words. A first finding is confirmed by a second timing.
 */
export async function keepFast(
  passes: readonly ConfiguredPass[],
  keep: readonly ConfiguredPass[],
  result: TransactionResult,
  hooks: SpeedHooks,
): Promise<GatedResult> {
  let timing = await hooks.time();
  const rejected: Rejected[] = [];
  let allowed = passes;
  let current = result;
  const isGood = async (): Promise<boolean> => {
    if (current.log.rewrites.length === 0 || !isSlower(timing)) return true;
    timing = await hooks.time();
    return !isSlower(timing);
  };
  while (!(await isGood())) {
    const guilty = rejected.length < MAX_REJECTED ? await firstSlow(allowed, current, hooks, timing) : undefined;
    const found = guilty ? [guilty] : allSlow(allowed, current, timing);
    const removed = found.filter(({ pass }) => !keep.includes(pass));
    if (removed.length === 0) {
      // The search has left the model with some of the passes only.
      current = await hooks.apply(allowed);
      break;
    }
    rejected.push(...removed.map((one) => ({ pass: one.pass.pass.name, timing: one.timing })));
    allowed = allowed.filter((pass) => removed.every((one) => one.pass !== pass));
    current = await hooks.apply(allowed);
    timing = await hooks.time();
  }
  return { result: current, timing, rejected };
}

interface Slow {
  readonly pass: ConfiguredPass;
  readonly timing: TimedPair;
}

function allSlow(passes: readonly ConfiguredPass[], result: TransactionResult, timing: TimedPair): Slow[] {
  return activePasses(passes, result).map((pass) => ({ pass, timing }));
}

function activePasses(passes: readonly ConfiguredPass[], { log }: TransactionResult): ConfiguredPass[] {
  return passes.filter(({ pass }) => (log.tallies.get(pass.name)?.rewrites ?? 0) > 0);
}

/**
 * The pass with which a growing list of passes first makes the model slower: with none of them it is the original,
 * with all of them it is slower.
 */
async function firstSlow(
  passes: readonly ConfiguredPass[],
  result: TransactionResult,
  hooks: SpeedHooks,
  slow: TimedPair,
): Promise<Slow | undefined> {
  const active = activePasses(passes, result);
  let good = 0;
  let bad = active.length;
  let timing = slow;
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    await hooks.apply(active.slice(0, middle));
    const found = await hooks.time();
    if (isSlower(found)) {
      bad = middle;
      timing = found;
    } else good = middle;
  }
  const pass = active[bad - 1];
  return pass && { pass, timing };
}
