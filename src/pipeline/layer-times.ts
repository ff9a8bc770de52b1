// Time per node of a model, from a profile of the optimized graph that ran.
import type { Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import { decodeModel } from '../onnx/decode.js';
import { AppError } from '../base/errors.js';
import { attributeProfile, type Attribution, type GraphNode, type SourceTime } from '../runtime/attribution.js';
import type { Profile } from '../runtime/profile.js';

export interface LayerTimes {
  readonly attribution: Attribution;
  /** By node of the model. */
  readonly of: ReadonlyMap<Node, SourceTime>;
  /** Names used in `attribution`. */
  readonly names: ReadonlyMap<Node, string>;
  /** Labels of nodes by the names used in `attribution`. */
  readonly labels: ReadonlyMap<string, string>;
}

/** Attributes `profile`, taken of `model`, to its nodes. */
export function layerTimes(model: Model, profile: Profile): LayerTimes {
  const nodes = orderedNodes(model);
  const names = uniqueNames(nodes);
  const source = {
    nodes: nodes.map((node) => graphNode(node, names.get(node) ?? '')),
    inputs: model.graph.inputs.filter((input) => input.initializer === undefined).map((input) => input.name),
  };
  const attribution = attributeProfile(profile.nodes, source, optimizedNodes(profile));
  const of = new Map<Node, SourceTime>();
  const labels = new Map<string, string>();
  for (const node of nodes) {
    const name = names.get(node) ?? '';
    labels.set(name, node.label);
    const time = attribution.nodes.get(name);
    if (time) of.set(node, time);
  }
  return { attribution, of, names, labels };
}

/** Nodes of the main graph first, then those of subgraphs: the order in which the runtime numbers nodes without names. */
function orderedNodes(model: Model): Node[] {
  const [main, ...inner] = model.graphs();
  return [...(main?.nodes() ?? []), ...inner.flatMap((graph) => graph.nodes())];
}

/** The names of the nodes, with one made up where a name is missing or used twice. */
function uniqueNames(nodes: readonly Node[]): Map<Node, string> {
  const taken = new Set<string>();
  const names = new Map<Node, string>();
  nodes.forEach((node, index) => {
    const name = node.name !== '' && !taken.has(node.name) ? node.name : `${node.opType}_${index}`;
    taken.add(name);
    names.set(node, name);
  });
  return names;
}

function graphNode(node: Node, name: string): GraphNode {
  return {
    name,
    opType: node.opType,
    inputs: node.inputs.flatMap((value) => value?.name ?? []),
    outputs: node.outputs.flatMap((value) => value?.name ?? []),
  };
}

/** Nodes of the graph that ran; none when it cannot be read, then only names are compared. */
function optimizedNodes({ optimizedModel }: Profile): GraphNode[] {
  if (!optimizedModel) return [];
  try {
    return orderedNodes(decodeModel(optimizedModel).model).map((node) => graphNode(node, node.name));
  } catch (error) {
    if (error instanceof AppError) return [];
    throw error;
  }
}
