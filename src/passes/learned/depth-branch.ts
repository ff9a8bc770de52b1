// Branches of residual sums that may go as they are: the sum then passes on the stream alone (Veit 2016 measured that deep residual networks
// bear it).
import type { Facts } from '../../analysis/facts.js';
import { sameDims } from '../../ir/dim.js';
import type { Graph } from '../../ir/graph.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { Tensor } from '../../tensor/tensor.js';
import { removeDead, setConstantInput } from '../edit.js';

export interface ResidualBranch {
  readonly sum: Node;
  /** What the branch begins with, or what is left of that where maps get smaller; the sum adds the branch to it. */
  readonly stream: Value;
  readonly branch: Value;
  /** What computes nothing else, in the order of execution: a convolution is among them. */
  readonly nodes: readonly Node[];
}

/** The branches of sums of two float32 values of one shape that begin where the other side of the sum does. */
export function residualBranches(graph: Graph, facts: Facts): ResidualBranch[] {
  const places = new Map(graph.nodes().map((node, place) => [node, place]));
  return graph.nodes().flatMap((sum) => {
    const [a, b] = sum.inputs;
    if (sum.opType !== 'Add' || sum.domain !== '' || !a || !b || a === b || facts.of(a).dtype !== 'float32') return [];
    if (!sameDims(facts.of(a).shape, facts.of(b).shape)) return [];
    return [[a, b] as const, [b, a] as const].flatMap(([stream, branch]) => {
      const sources = sourcesOf(stream);
      const own = ownNodes(branch, stream, sum);
      const isBranch =
        own.some(({ opType }) => opType === 'Conv') &&
        own.some(({ inputs }) => sources.some((source) => inputs.includes(source)));
      const nodes = own.sort((one, other) => (places.get(one) ?? 0) - (places.get(other) ?? 0));
      return isBranch ? [{ sum, stream, branch, nodes }] : [];
    });
  });
}

/** A block that gives fewer positions or more channels crops, pools or pads its stream. */
const FITS_STREAM: ReadonlySet<string> = new Set(['AveragePool', 'MaxPool', 'Pad', 'Slice']);

function sourcesOf(stream: Value): Value[] {
  const sources = [stream];
  for (let node = stream.producer; node && node.domain === '' && FITS_STREAM.has(node.opType);) {
    const [source] = node.inputs;
    if (!source) break;
    sources.push(source);
    node = source.producer;
  }
  return sources;
}

/** Nodes behind `stream` that compute nothing but `value`, which `reader` reads. */
function ownNodes(value: Value, stream: Value, reader: Node): Node[] {
  const own = new Set([reader]);
  const open: (Value | undefined)[] = [value];
  for (let next = open.pop(); next !== undefined || open.length > 0; next = open.pop()) {
    const node = next === stream ? undefined : next?.producer;
    if (!node || own.has(node) || node.graph !== reader.graph || node.subgraphs().length > 0) continue;
    const isOwn = node.outputs.every(
      (output) => !output || (!output.isGraphOutput && output.consumers().every((one) => own.has(one))),
    );
    if (!isOwn) continue;
    own.add(node);
    open.push(...node.inputs);
  }
  own.delete(reader);
  return [...own];
}

/**
 * The sum adds nothing; what only the branch needed goes. The sum stays for its name: by that the sums behind it are known to have something
 * to make up for. Exact rules remove it.
 */
export function dropBranch({ sum, branch }: ResidualBranch): void {
  setConstantInput(sum, sum.inputs.indexOf(branch), Tensor.scalar('float32', 0), 'zero');
  removeDead([branch]);
}
