// What a layer, a block or a model costs, in the figures that budgets are of.

/** Figures that are counted, and can be bounded together. */
export const COUNTED = ['macs', 'params', 'size'] as const;
export type Counted = (typeof COUNTED)[number];
/** What choices are made by. */
export type CostKind = Counted | 'latency';

/** Multiplications, parameters, bytes and microseconds; the last where they were measured. */
export type Costs = Readonly<Record<Counted, number>> & { readonly latency: number | undefined };

/** Infinite where it was not measured. */
export const costIn = (costs: Costs, kind: CostKind): number => costs[kind] ?? Infinity;

/** What all together may cost. */
export interface Limit {
  readonly cost: CostKind;
  readonly most: number;
}
