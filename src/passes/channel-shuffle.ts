// Channel shuffles: Reshape [N, g, C/g, ...], Transpose of the two, Reshape back. out[c] = in[src(c)] with
// src(c) = (c mod g) (C/g) + floor(c/g) (ShuffleNet, Zhang et al. 2018). The spatial axes may be joined in between.
import type { Facts } from '../analysis/facts.js';
import { isStatic, productOf, sameDim, sameDims } from '../ir/dim.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';

export interface ChannelShuffle {
  readonly data: Value;
  /** The nodes, first to last. */
  readonly nodes: readonly [Node, Node, Node];
  /** For each output channel the input channel it is. */
  readonly sources: readonly number[];
}

/** The shuffle that ends in `last`; undefined when it is none, or parts of it are read elsewhere. */
export function channelShuffle(last: Node, facts: Facts): ChannelShuffle | undefined {
  const transpose = inside(last.inputs[0], last);
  const first = transpose && inside(transpose.inputs[0], transpose);
  const data = first?.inputs[0];
  if (
    !last.is('Reshape') ||
    !transpose?.is('Transpose') ||
    !first?.is('Reshape') ||
    !data ||
    !first.output ||
    !last.output
  )
    return undefined;
  const [whole, parts, back] = [data, first.output, last.output].map((value) => facts.of(value).shape);
  if (!whole || !parts || !sameDims(whole, back) || parts.length < 3) return undefined;
  const [groups, perGroup] = [parts[1], parts[2]];
  const kept = sameDim(whole[0], parts[0]) && sameDim(productOf(whole.slice(2)), productOf(parts.slice(3)));
  const perm = transpose.ints('perm');
  const swaps = perm?.length === parts.length && perm.every((axis, i) => axis === (i === 1 ? 2 : i === 2 ? 1 : i));
  if (!kept || !swaps || !isStatic(groups) || !isStatic(perGroup) || whole[1] !== groups * perGroup) return undefined;
  const sources = Array.from({ length: groups * perGroup }, (_, c) => (c % groups) * perGroup + Math.floor(c / groups));
  return { data, nodes: [first, transpose, last], sources };
}

function inside(value: Value | undefined, reader: Node): Node | undefined {
  return value?.soleConsumer === reader && value.producer?.graph === reader.graph ? value.producer : undefined;
}
