// What becomes of a model that a budget has broken and whose user set no limit on the loss: it misses a gate. Nobody should take it for
// one that works; who wants it all the same says so with a limit.
import { isSurelyBroken } from './evaluation/broken-loss.js';
import type { Loss } from './evaluation/compare-answers.js';
import { gateVerdict } from './evaluation/evaluate-model.js';

interface LimitedRun {
  readonly request: { readonly settings: { readonly maxDrop: number | undefined } };
  readonly samples: { readonly dataFree: boolean };
}

/** What was made of the model, and what that loses. */
export interface Lossy {
  readonly loss: Loss | undefined;
  /** Whether more was done to it than slimming. */
  readonly change: 'slimmed' | 'changed';
}

function isBroken({ request, samples }: LimitedRun, { loss, change }: Lossy): boolean {
  const isOpen = request.settings.maxDrop === undefined && !samples.dataFree && change === 'changed';
  return isOpen && loss !== undefined && isSurelyBroken(loss);
}

/** The gate of the loss: that of the user, or, without one, that the model is not surely broken. The original loses nothing. */
export function lossGate(run: LimitedRun, lossy: Lossy): 'met' | 'missed' | undefined {
  const { maxDrop } = run.request.settings;
  if (maxDrop === undefined) return isBroken(run, lossy) ? 'missed' : undefined;
  return lossy.loss ? gateVerdict(lossy.loss, maxDrop) : 'met';
}

/** What to do about it. */
export function brokenWarnings(run: LimitedRun, lossy: Lossy): string[] {
  const { loss } = lossy;
  if (!loss || !isBroken(run, lossy)) return [];
  return [
    `the budget costs ${loss.value.toFixed(1)} ${loss.unit}, and such a model is taken for broken: give more samples, ask for a larger ` +
      'budget, or allow the loss with --max-drop and train the model again',
  ];
}
