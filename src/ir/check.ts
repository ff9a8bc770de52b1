// The invariants of the IR as a table of rules. A mutator or a pass that breaks one is defective: tests run every rule
// after every rewrite, `--debug` after every pass.
import type { DeclaredDim, Value } from './value.js';
import type { Graph } from './graph.js';
import { graphsUnder, type Model } from './model.js';
import type { Node } from './node.js';

export interface Problem {
  readonly rule: string;
  /** What is wrong, naming the node or value. */
  readonly message: string;
}

type Report = (message: string) => void;

/** Every graph of a model with what the rules ask of it. */
interface Survey {
  readonly model: Model;
  /** The main graph, function bodies, and everything nested in them. */
  readonly graphs: readonly Graph[];
  readonly nodes: readonly Node[];
  /** Everything that is defined in a graph or mentioned by a node. */
  readonly values: ReadonlySet<Value>;
}

/** Rules by name; the name says what holds in a sound model. */
const RULES: Readonly<Record<string, (survey: Survey, report: Report) => void>> = {
  'the list of nodes is linked both ways': ({ graphs }, report) => {
    for (const graph of graphs) checkList(graph, report);
  },
  'the model counts its nodes': ({ model, nodes }, report) => {
    if (model.nodeTotal !== nodes.length) report(`nodeTotal is ${model.nodeTotal}, the graphs hold ${nodes.length}`);
  },
  'a subgraph belongs to the node that holds it': ({ nodes, graphs }, report) => {
    for (const node of nodes) {
      for (const graph of node.subgraphs())
        if (graph.owner !== node) report(`subgraph "${graph.name}" of ${node.label} has owner ${graph.owner?.label}`);
    }
    if (new Set(graphs).size !== graphs.length) report('a subgraph is held twice');
  },
  'uses are counted': ({ values, nodes }, report) => {
    const slots = new Map<Value, Map<Node, number>>();
    for (const node of nodes) for (const value of node.inputs) if (value) tally(slots, value, node);
    for (const value of values) {
      if (!sameCounts(value.slots, slots.get(value)))
        report(
          `"${value.name}" has wrong uses: ${usesText(value.slots)}; nodes read it: ${usesText(slots.get(value))}`,
        );
    }
  },
  'graph outputs are counted': ({ model, values, graphs }, report) => {
    const counts = new Map<Value, Map<Graph, number>>();
    for (const graph of [...graphs, model.outside]) for (const value of graph.outputs) tally(counts, value, graph);
    for (const value of values) {
      if (!sameCounts(value.outputOf, counts.get(value)))
        report(`"${value.name}" is returned by ${counts.get(value)?.size ?? 0} graphs and says ${value.outputOf.size}`);
    }
  },
  'a node produces its outputs': ({ nodes, values }, report) => {
    for (const node of nodes) {
      for (const value of node.outputs) {
        if (value && value.producer !== node)
          report(`output "${value.name}" of ${node.label} has producer ${value.producer?.label}`);
        if (value && value.graph !== node.graph)
          report(`output "${value.name}" of ${node.label} is in the scope of another graph`);
      }
    }
    for (const value of values) {
      if (value.producer && !value.producer.outputs.includes(value))
        report(`producer ${value.producer.label} of "${value.name}" does not list it`);
      if (value.producer && (value.initializer || value.isInput))
        report(`"${value.name}" is computed and is an input or initializer too`);
    }
  },
  'every value read is defined': ({ values }, report) => {
    for (const value of values) {
      if (value.isUnused) continue;
      if (value.graph === undefined) report(`"${value.name}" is used and belongs to no graph`);
      if (value.producer?.isRemoved)
        report(`"${value.name}" is used and its producer ${value.producer.label} was removed`);
      if (!value.producer && !value.initializer && !value.isInput)
        report(`"${value.name}" is used and nothing defines it`);
    }
  },
  'values are computed before they are read': ({ nodes, graphs }, report) => {
    for (const node of nodes) {
      for (const value of node.inputs)
        if (value && !isAvailable(value, node))
          report(`${node.label} reads "${value.name}", which is not computed before it`);
    }
    for (const graph of graphs) {
      for (const value of graph.outputs) {
        if (value.graph !== graph && !(graph.owner && isAvailable(value, graph.owner)))
          report(`graph "${graph.name}" returns "${value.name}", which is not in scope`);
      }
    }
  },
  'graphs list their inputs and initializers': ({ graphs, values }, report) => {
    for (const graph of graphs) {
      for (const value of graph.inputs)
        if (!value.isInput || value.graph !== graph)
          report(`input "${value.name}" of "${graph.name}" does not know it is one`);
      for (const value of graph.initializers)
        if (!value.initializer || value.graph !== graph)
          report(`initializer "${value.name}" of "${graph.name}" does not know it is one`);
    }
    for (const value of values) {
      if (value.graph && value.isInput && !value.graph.inputs.includes(value))
        report(`"${value.name}" takes itself for an input`);
      if (value.graph && value.initializer && !value.graph.initializers.has(value))
        report(`"${value.name}" takes itself for an initializer`);
    }
  },
  'names are unique in their graph, and read values are not shadowed': ({ model, graphs, nodes }, report) => {
    const defined = new Map(graphs.map((graph) => [graph, namesOf(graph, report)]));
    for (const names of defined.values())
      for (const name of names.keys()) if (!model.names.has(name)) report(`"${name}" is missing in the table of names`);
    for (const node of nodes) {
      for (const value of node.inputs)
        if (value && node.graph && resolve(value.name, node.graph, defined) !== value)
          report(`${node.label} reads "${value.name}", which is another value there`);
    }
  },
  'an initializer has the type of its tensor': ({ values }, report) => {
    for (const { name, type, initializer } of values) {
      if (type?.kind !== 'tensor' || initializer?.kind !== 'dense') continue;
      const { dtype, dims } = initializer.tensor;
      if ((type.dtype ?? dtype) !== dtype || !agrees(type.shape, dims))
        report(`"${name}" is declared otherwise than its tensor ${dtype}[${dims.join(',')}]`);
    }
  },
};

/** Every invariant that `model` breaks; none for a sound model. Takes time linear in its size. */
export function checkModel(model: Model): Problem[] {
  const graphs = [model.graph, ...model.functions.map((f) => f.graph)].flatMap(graphsUnder);
  const nodes = graphs.flatMap((graph) => graph.nodes());
  const values = new Set(graphs.flatMap((graph) => [...graph.inputs, ...graph.outputs, ...graph.initializers]));
  for (const node of nodes) for (const value of [...node.inputs, ...node.outputs]) if (value) values.add(value);
  const problems: Problem[] = [];
  for (const [rule, check] of Object.entries(RULES))
    check({ model, graphs, nodes, values }, (message) => problems.push({ rule, message }));
  return problems;
}

function checkList(graph: Graph, report: Report): void {
  let previous: Node | undefined;
  let count = 0;
  for (let node = graph.first; node !== undefined; node = node.next) {
    if (node.graph !== graph) report(`${node.label} stands in "${graph.name}" and says otherwise`);
    if (node.previous !== previous) report(`${node.label} has a wrong predecessor`);
    if (previous && previous.order >= node.order) report(`${node.label} is numbered before its predecessor`);
    previous = node;
    count++;
  }
  if (graph.last !== previous) report(`"${graph.name}" has a wrong last node`);
  if (graph.nodeCount !== count) report(`"${graph.name}" holds ${count} nodes and says ${graph.nodeCount}`);
}

function tally<K>(counts: Map<Value, Map<K, number>>, value: Value, key: K): void {
  const ofValue = counts.get(value) ?? new Map<K, number>();
  ofValue.set(key, (ofValue.get(key) ?? 0) + 1);
  counts.set(value, ofValue);
}

function sameCounts<K>(a: ReadonlyMap<K, number>, b: ReadonlyMap<K, number> = new Map()): boolean {
  return a.size === b.size && [...a].every(([key, count]) => b.get(key) === count);
}

function usesText(slots: ReadonlyMap<Node, number> | undefined): string {
  return [...(slots ?? [])].map(([node, count]) => `${node.label} x${count}`).join(', ') || 'none';
}

/** Whether `value` is known when `node` runs: defined in its graph or in one around it, and computed earlier. */
function isAvailable(value: Value, node: Node): boolean {
  for (let reader: Node | undefined = node; reader; reader = reader.graph?.owner) {
    if (reader.graph === value.graph) return value.producer === undefined || value.producer.isBefore(reader);
  }
  return false;
}

function namesOf(graph: Graph, report: Report): Map<string, Value> {
  const names = new Map<string, Value>();
  const defined = new Set([...graph.inputs, ...graph.initializers, ...graph.nodes().flatMap((node) => node.outputs)]);
  for (const value of defined) {
    if (!value) continue;
    if (names.has(value.name)) report(`"${graph.name}" holds two values named "${value.name}"`);
    names.set(value.name, value);
  }
  return names;
}

/** The value that `name` means in `graph`. */
function resolve(
  name: string,
  graph: Graph,
  defined: ReadonlyMap<Graph, ReadonlyMap<string, Value>>,
): Value | undefined {
  for (let scope: Graph | undefined = graph; scope; scope = scope.owner?.graph) {
    const value = defined.get(scope)?.get(name);
    if (value) return value;
  }
  return undefined;
}

function agrees(shape: readonly DeclaredDim[] | undefined, dims: readonly number[]): boolean {
  return (
    shape === undefined ||
    (shape.length === dims.length && shape.every((dim, i) => typeof dim !== 'number' || dim === dims[i]))
  );
}
