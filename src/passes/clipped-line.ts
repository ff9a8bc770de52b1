// A clipped line: clip(slope x + offset, low, high), the inner part of HardSigmoid and HardSwish.
import type { Facts } from '../analysis/facts.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { polynomialIn, scalarConstant } from './expression.js';
import { clippingOf } from './value-range.js';

export interface ClippedLine {
  readonly x: Value;
  readonly slope: number;
  readonly offset: number;
  readonly low: number;
  readonly high: number;
  /** The nodes beneath the one that clips: the line, and a second clipping. */
  readonly nodes: ReadonlySet<Node>;
}

/** `node` as a clipped line in `x`; without a given `x`, in the value that the line is computed from. */
export function clippedLine(node: Node, facts: Facts, x?: Value): ClippedLine | undefined {
  const outer = clippingOf(node, facts);
  if (outer === undefined) return undefined;
  const nodes = new Set<Node>();
  const below = outer.source.producer;
  const second = below && outer.source !== x ? clippingOf(below, facts) : undefined;
  let { source, low, high } = outer;
  if (below && second) {
    nodes.add(below);
    const clip = (bound: number): number => Math.min(Math.max(bound, outer.low), outer.high);
    [source, low, high] = [second.source, clip(second.low), clip(second.high)];
  }
  const variable = x ?? lineVariable(source);
  const line = variable && polynomialIn(source, variable, nodes);
  if (variable === undefined || line === undefined || line.length !== 2) return undefined;
  return { x: variable, slope: line[1] ?? 0, offset: line[0] ?? 0, low, high, nodes };
}

/** The value that a chain of sums and products with constants starts from. */
function lineVariable(value: Value): Value | undefined {
  let variable = value;
  for (let depth = 0; depth < 4; depth++) {
    const node = variable.producer;
    if (!node || node.domain !== '' || !['Add', 'Sub', 'Mul', 'Div', 'Neg'].includes(node.opType)) return variable;
    const rest = node.inputs.filter((input) => scalarConstant(input) === undefined);
    const [only] = rest;
    if (rest.length !== 1 || only === undefined) return variable;
    variable = only;
  }
  return variable;
}
