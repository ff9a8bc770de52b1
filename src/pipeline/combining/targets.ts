// What a model has to be: within a loss, and as small or fast as asked.
import { BROKEN_LOSS } from '../evaluation/broken-loss.js';
import type { Loss } from '../evaluation/compare-answers.js';
import { gateVerdict } from '../evaluation/evaluate-model.js';
import { latencyLimit, partOf } from '../setting-table.js';
import { countedBudgets } from '../trading/budgets.js';
import type { CombineRun } from './combine-run.js';
import { hasTarget } from './settings.js';
import type { Variant } from './variant.js';

/** Where nothing but targets says how much goes, losses up to that of a model that is taken for broken are allowed. */
export const limitOf = ({ request: { settings } }: CombineRun, { unit }: Loss): number =>
  settings.maxDrop ?? BROKEN_LOSS[unit];

/** Whether a loss is allowed. */
export const isWithin = (run: CombineRun, loss: Loss): boolean => gateVerdict(loss, limitOf(run, loss)) === 'met';

/** How far a variant is from the targets: at most 1 where all are met; 0 where there are none. */
export function targetShare({ request: { settings }, slimmed }: CombineRun, { step, ms }: Variant): number {
  if (!hasTarget(settings)) return 0;
  const { figures, file } = slimmed.before;
  const was = { macs: figures.cost.macs, params: figures.cost.parameters, size: file.bytes };
  const now = { macs: step.macs, params: step.parameters, size: step.bytes };
  const counted = countedBudgets({ ...settings, for: 'auto' }).map(
    ([key, part]) => now[key] / Math.max(1, partOf(part) * was[key]),
  );
  const limit = settings.latency === undefined ? undefined : latencyLimit(settings.latency);
  const timed = limit === undefined ? [] : ['times' in limit ? step.latencyRatio / limit.times : ms / limit.ms];
  return Math.max(...counted, ...timed);
}

/**
 * Parts of what may be lost that are tried one after the other: half of it, then all, or, towards a target, ever more. Smaller steps than halves
 * find nothing as a rule, and take as long.
 */
const TOWARDS_LOSS = [1 / 2, 1] as const;
const TOWARDS_TARGET = [0.05, 0.1, 0.2, 0.4, 0.8] as const;

/** Limits on the loss that are tried one after the other; `kept`: what of it 8-bit integers will need. */
export function limitSteps(run: CombineRun, start: Loss, kept: number): readonly number[] {
  const limit = limitOf(run, start);
  const most = limit - Math.min(Math.max(0, kept), limit / 2);
  const { maxDrop } = run.request.settings;
  return (maxDrop === undefined ? TOWARDS_TARGET : TOWARDS_LOSS).map((part) => part * most);
}
