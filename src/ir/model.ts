// A model: the main graph, local functions, operator sets, and the journal of changes.
import { invariant } from '../base/errors.js';
import type { Attribute } from './attribute.js';
import { Graph } from './graph.js';
import { Journal } from './journal.js';
import { writable } from './links.js';
import { NameTable } from './names.js';
import type { Node } from './node.js';
import type { Value } from './value.js';

/** A model-local function: an operator defined by a graph of others. */
export interface LocalFunction {
  readonly domain: string;
  readonly name: string;
  readonly overload: string;
  readonly graph: Graph;
  /** Attributes without a default that a call may give. */
  readonly attributeNames: readonly string[];
  /** Attributes that a call may leave out, with their defaults. */
  readonly attributeDefaults?: ReadonlyMap<string, Attribute>;
  /** Operator sets its body is written in. */
  readonly opsets: ReadonlyMap<string, number>;
}

export class Model {
  readonly graph: Graph;
  readonly functions: readonly LocalFunction[] = [];
  /** Version per domain; '' is ai.onnx. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly irVersion: number;
  /** Initializers that are also graph inputs may be overridden by the caller, so they are no constants. */
  readonly keepOverridable: boolean;
  readonly journal = new Journal();
  readonly names = new NameTable();
  /**
   * Stands for what the IR does not hold (training_info): it returns the values that are named there, so that no rewrite
   * drops, replaces or renames them. It has no nodes and is not written.
   */
  readonly outside: Graph;
  /** Nodes in all graphs, subgraphs and function bodies counted. */
  readonly nodeTotal: number = 0;
  /** Elements of all dense initializers. */
  readonly parameterTotal: number = 0;
  /** Nodes whose operands, users or attributes changed since someone last emptied the set: work for local rewrites. */
  readonly touched = new Set<Node>();

  constructor(fields: {
    graphName: string;
    opsets: ReadonlyMap<string, number>;
    irVersion: number;
    keepOverridable?: boolean;
  }) {
    this.opsets = fields.opsets;
    this.irVersion = fields.irVersion;
    this.keepOverridable = fields.keepOverridable ?? false;
    this.graph = new Graph(this, fields.graphName);
    this.outside = new Graph(this, '');
  }

  /** Version of the ONNX operator set. */
  get opset(): number {
    return this.opsets.get('') ?? 1;
  }

  get revision(): number {
    return this.journal.revision;
  }

  uniqueName(hint: string): string {
    return this.names.unique(hint);
  }

  setOpsets(opsets: ReadonlyMap<string, number>): void {
    const before = this.opsets;
    this.journal.apply(
      () => {
        writable(this as Model).opsets = opsets;
      },
      () => {
        writable(this as Model).opsets = before;
      },
    );
  }

  setIrVersion(version: number): void {
    const before = this.irVersion;
    this.journal.apply(
      () => {
        writable(this as Model).irVersion = version;
      },
      () => {
        writable(this as Model).irVersion = before;
      },
    );
  }

  /** Replaces the list of functions. The body of one that goes must be cleared first: its nodes and weights are counted. */
  setFunctions(functions: readonly LocalFunction[]): void {
    const before = this.functions;
    const kept = new Set(functions.map(({ graph }) => graph));
    for (const { graph, name } of before)
      invariant(kept.has(graph) || graph.nodeCount === 0, `setFunctions: the body of ${name} was not cleared`);
    this.journal.apply(
      () => {
        writable(this as Model).functions = functions;
      },
      () => {
        writable(this as Model).functions = before;
      },
    );
  }

  /** The local function that `node` calls, if it does. */
  functionOf(node: Node): LocalFunction | undefined {
    return this.functions.find(
      (f) => f.name === node.opType && f.domain === node.domain && f.overload === node.overload,
    );
  }

  /** The main graph and every subgraph below it, outer before inner. Function bodies are not among them. */
  graphs(): Graph[] {
    return graphsUnder(this.graph);
  }

  /** Nodes of all `graphs()`, each subgraph's right after the node that holds it. */
  *allNodes(): Generator<Node> {
    yield* nodesUnder(this.graph);
  }

  /** Initializers of all graphs. */
  *allInitializers(): Generator<Value> {
    for (const graph of this.graphs()) yield* graph.initializers;
  }
}

/** `graph` and all graphs nested in it. */
export function graphsUnder(graph: Graph): Graph[] {
  const found = [graph];
  for (let node = graph.first; node !== undefined; node = node.next) {
    if (node.attributes.size > 0) for (const inner of node.subgraphs()) found.push(...graphsUnder(inner));
  }
  return found;
}

/** Nodes of `graph` in order, each followed by those of its subgraphs. */
export function* nodesUnder(graph: Graph): Generator<Node> {
  for (const node of graph.nodes()) {
    yield node;
    for (const inner of node.subgraphs()) yield* nodesUnder(inner);
  }
}
