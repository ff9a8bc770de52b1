// Runs of elementwise nodes with one variable operand each, as they stand between two nodes that only rearrange elements.
import type { Facts } from '../analysis/facts.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { isQuantization } from './node-kinds.js';

export interface ElementwiseRun {
  /** What enters the first node. */
  readonly source: Value;
  /** In order of execution. */
  readonly nodes: readonly Node[];
  /** Constant operands of all of them. */
  readonly constants: readonly Value[];
  /** Only the run reads `source`. */
  readonly ownsSource: boolean;
}

/** Longer runs are not followed. */
const MAX_RUN = 16;

/** The first reads the type of a second operand, the second is nothing to move. */
const NOT_IN_RUNS: ReadonlySet<string> = new Set(['CastLike', 'Identity']);

/** Element i of the only output depends on element i of each broadcast operand only. */
export function isElementwise(node: Node, facts: Facts): boolean {
  if (node.domain !== '' || node.outputs.length !== 1 || isQuantization(node) || NOT_IN_RUNS.has(node.opType))
    return false;
  // Before opset 7 operands were aligned by an attribute.
  return facts.record(node)?.traits.elementwise === true && facts.site(node).opset >= 7;
}

/** The operands that are no constants, each once. */
export function variableInputs(node: Node): Value[] {
  return [...new Set(node.inputs)].filter(
    (value): value is Value => value !== undefined && value.constant === undefined,
  );
}

/** The run of elementwise nodes that `node` reads, in its own graph, each read by the next only. */
export function elementwiseRun(node: Node, facts: Facts): ElementwiseRun | undefined {
  const nodes: Node[] = [];
  const constants: Value[] = [];
  let [source] = node.inputs;
  while (source && isOwned(source) && nodes.length < MAX_RUN) {
    const before: Node | undefined = source.producer;
    if (before?.graph === undefined || before.graph !== node.graph || !isElementwise(before, facts)) break;
    const [only, ...others] = variableInputs(before);
    if (!only || others.length > 0) break;
    // A constant with more axes gives the result axes that the source has not.
    if (facts.of(only).shape?.length !== facts.of(source).shape?.length) break;
    nodes.unshift(before);
    for (const value of before.inputs) if (value?.constant) constants.push(value);
    source = only;
  }
  return source && nodes.length > 0 ? { source, nodes, constants, ownsSource: isOwned(source) } : undefined;
}

function isOwned(value: Value): boolean {
  return value.slots.size === 1 && !value.isGraphOutput;
}
