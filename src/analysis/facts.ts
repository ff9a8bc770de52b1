// What analysis offers to everything above it: facts about values and nodes, computed on demand.
import type { Dim } from '../ir/dim.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import type { CostSite, OpRecord, ValueInfo } from '../ops/record.js';

/** Facts about values and nodes. Valid across rewrites that keep the meaning of values. */
export interface Facts {
  /** What is known of `value`; computed on demand for values that rewrites made. */
  of(value: Value): ValueInfo;
  /** The dims as numbers, when all are known. */
  staticShape(value: Value): readonly number[] | undefined;
  /** A view of `node` for records and cost formulas. */
  site(node: Node): CostSite;
  record(node: Node): OpRecord | undefined;
  /** Multiply-accumulates of one execution of `node`, with symbolic dims taken as the model's assumed sizes. */
  macs(node: Node): number;
  /** The dims as numbers, with symbols at the sizes assumed for costs (`--input`, else 1). For costs only: it may rest on declared shapes. */
  assumed(value: Value): readonly number[] | undefined;
  /** One dimension as a number, with symbols at the sizes assumed for costs. */
  sizeOf(dim: Dim): number;
}
