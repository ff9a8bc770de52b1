// What says how much of a model may go, whatever takes it away: bounds on figures, and on the loss.
import type { LatencyBudget, Part } from '../setting-table.js';
import { COUNTED, type CostKind, type Counted } from './costs.js';

export const AIMS = ['auto', 'latency', 'macs', 'params', 'size'] as const;

export interface Budgets {
  /** What is left of a figure of the original; several hold together. */
  readonly macs: Part | undefined;
  readonly params: Part | undefined;
  readonly size: Part | undefined;
  readonly latency: LatencyBudget | undefined;
  /** Largest loss, in the unit of the loss (DESIGN.md 1). Alone: as much goes as that allows. */
  readonly maxDrop: number | undefined;
  /** What has to get smaller for a change to stay; `auto`: what the budget is of, else time. */
  readonly for: (typeof AIMS)[number];
}

/** The bounds on counted figures. */
export function countedBudgets(budgets: Budgets): readonly (readonly [Counted, Part])[] {
  return COUNTED.flatMap((key) => {
    const part = budgets[key];
    return part === undefined ? [] : [[key, part] as const];
  });
}

/** What has to get smaller. */
export function aimOf(budgets: Budgets): CostKind {
  if (budgets.for !== 'auto') return budgets.for;
  return budgets.latency === undefined ? (countedBudgets(budgets)[0]?.[0] ?? 'latency') : 'latency';
}
