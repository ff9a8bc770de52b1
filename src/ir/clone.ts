// Copies nodes, with the graphs nested in them: to inline functions and branches, and to build small models out of
// parts of a large one. Tensors are shared, attributes without graphs too.
import { invariant } from '../base/errors.js';
import { subgraphsOf, type Attribute } from './attribute.js';
import { Graph } from './graph.js';
import type { Model } from './model.js';
import type { Node } from './node.js';
import type { Value } from './value.js';

export interface CopyOptions {
  readonly into: Graph;
  /** The copies stand in front of this node of `into`; at its end when undefined. */
  readonly before?: Node | undefined;
  /**
   * What to read instead of a value of the source. Values the copies define are added. A value that is not in it is
   * read as it is within one model; out of another model it must be an initializer, which is copied into `into`.
   */
  readonly mapping: Map<Value, Value>;
  /** The attribute to set on the copy; undefined leaves it out. For references in function bodies. */
  readonly attribute?: (attribute: Attribute, name: string) => Attribute | undefined;
  /** Names for the copies of named nodes; their own when omitted. */
  readonly nodeName?: (name: string) => string;
}

/** Copies `nodes` (in execution order) and returns the copies. New values get free names close to the original ones. */
export function copyNodes(nodes: Iterable<Node>, options: CopyOptions): Node[] {
  return Array.from(nodes, (node) => copyNode(node, options));
}

/**
 * Copies all of `graph` (a branch, a function body, a whole model) into another: its initializers and nodes. Formal
 * inputs without initializer must be in `mapping`. Returns the values that stand for the outputs of `graph`.
 */
export function inlineGraph(graph: Graph, options: CopyOptions): Value[] {
  copyInitializers(graph, options);
  copyNodes(graph.nodes(), options);
  return graph.outputs.map((value) => mapped(value, options));
}

/**
 * A copy of `graph` in `model`, to be held by an attribute of a node: formal inputs, initializers, nodes and outputs.
 * Captured values are looked up in `mapping` like those of `copyNodes`.
 */
export function cloneGraph(graph: Graph, model: Model, options: Omit<CopyOptions, 'into' | 'before'>): Graph {
  const into = new Graph(model, graph.name);
  for (const input of graph.inputs) {
    const copy = into.addInput(model.uniqueName(input.name), input.type);
    if (input.initializer) into.setInitializer(copy, input.initializer);
    options.mapping.set(input, copy);
  }
  into.setOutputs(inlineGraph(graph, { ...options, into, before: undefined }));
  return into;
}

function copyInitializers(graph: Graph, options: CopyOptions): void {
  const initializers = [...graph.initializers].sort((a, b) => a.ordinal - b.ordinal);
  for (const value of initializers) if (!options.mapping.has(value)) copyInitializer(value, options);
}

function copyInitializer(value: Value, { into, mapping }: CopyOptions): Value {
  const copy = into.declare(into.model.uniqueName(value.name), value.type);
  into.setInitializer(copy, value.initializer);
  mapping.set(value, copy);
  return copy;
}

function copyNode(node: Node, options: CopyOptions): Node {
  const { into, before, mapping, nodeName } = options;
  const attributes = new Map<string, Attribute>();
  for (const [name, attribute] of node.attributes) {
    const copy = options.attribute ? options.attribute(attribute, name) : attribute;
    if (copy) attributes.set(name, copyAttribute(copy, options));
  }
  const copy = into.addNode(
    {
      opType: node.opType,
      domain: node.domain,
      overload: node.overload,
      attributes,
      name: node.name === '' || !nodeName ? node.name : nodeName(node.name),
      inputs: node.inputs.map((value) => value && mapped(value, options)),
      outputs: node.outputs.map((value) => value?.name),
    },
    before,
  );
  node.outputs.forEach((value, i) => {
    const output = copy.outputs[i];
    if (!value || !output) return;
    if (value.type) into.setType(output, value.type);
    mapping.set(value, output);
  });
  return copy;
}

function copyAttribute(attribute: Attribute, options: CopyOptions): Attribute {
  if (subgraphsOf(attribute).length === 0) return attribute;
  const clone = (graph: Graph): Graph => cloneGraph(graph, options.into.model, options);
  if (attribute.kind === 'graph') return { kind: 'graph', value: clone(attribute.value) };
  return attribute.kind === 'graphs' ? { kind: 'graphs', value: attribute.value.map(clone) } : attribute;
}

/** The value to read in place of `value`. */
function mapped(value: Value, options: CopyOptions): Value {
  const copy = options.mapping.get(value);
  if (copy) return copy;
  if (value.graph?.model === options.into.model) return value;
  invariant(value.initializer !== undefined, `"${value.name}" is not known in the graph that nodes are copied to`);
  return copyInitializer(value, { ...options, into: options.into.model.graph });
}
