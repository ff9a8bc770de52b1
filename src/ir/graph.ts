// A graph: nodes in execution order (a linked list, so that insertion and removal are O(1)), the values defined in its
// scope, its formal inputs and outputs. The methods that change anything are the only writers of the IR: they keep
// uses right and go through the model's journal. A node of a subgraph may read values of enclosing graphs directly.
import { invariant } from '../base/errors.js';
import type { Tensor } from '../tensor/tensor.js';
import { subgraphsOf, type Attribute } from './attribute.js';
import {
  adoption,
  addSlots,
  countOutput,
  inputEdit,
  linkNode,
  linkValue,
  unlinkNode,
  unlinkValue,
  writable,
} from './links.js';
import type { Model } from './model.js';
import { Node } from './node.js';
import { attributeMap, trimmed, type NodeSpec } from './node-spec.js';
import { Value, type Initializer, type ValueType } from './value.js';

export class Graph {
  readonly model: Model;
  readonly name: string;
  /** The node that holds this subgraph; undefined for the main graph and function bodies. */
  readonly owner: Node | undefined = undefined;
  readonly inputs: readonly Value[] = [];
  readonly outputs: readonly Value[] = [];
  /** Values with an initializer. Sort by `ordinal` where the order shows. */
  readonly initializers: ReadonlySet<Value> = new Set();
  readonly first: Node | undefined = undefined;
  readonly last: Node | undefined = undefined;
  readonly nodeCount: number = 0;

  constructor(model: Model, name: string) {
    this.model = model;
    this.name = name;
  }

  /** Nodes in order. The list is a copy: the graph may change while it is walked (check `isRemoved`). */
  nodes(): Node[] {
    const nodes: Node[] = [];
    for (let node = this.first; node !== undefined; node = node.next) nodes.push(node);
    return nodes;
  }

  /** A formal input, appended. */
  addInput(name: string, type: ValueType | undefined): Value {
    const [value] = this.addInputs([{ name, type }]);
    invariant(value, 'an input was not made');
    return value;
  }

  /** Formal inputs, appended in one step: one by one would copy the list of inputs each time. */
  addInputs(inputs: ReadonlyArray<{ readonly name: string; readonly type: ValueType | undefined }>): readonly Value[] {
    const before = this.inputs;
    const values = inputs.map(({ name, type }) => new Value(name, this, type));
    for (const value of values) writable(value).isInput = true;
    this.#apply(
      () => {
        this.#setInputs([...before, ...values]);
        for (const value of values) linkValue(value, this);
      },
      () => {
        this.#setInputs(before);
        for (const value of values) unlinkValue(value);
      },
    );
    return values;
  }

  /** Removes formal inputs (subgraphs and function bodies only: the inputs of a model are its signature). */
  removeInput(value: Value): void {
    const before = this.inputs;
    invariant(before.includes(value) && value.isUnused, `input ${value.name} cannot be removed`);
    this.#apply(
      () => {
        this.#setInputs(before.filter((input) => input !== value));
        unlinkValue(value);
      },
      () => {
        this.#setInputs(before);
        linkValue(value, this);
      },
    );
  }

  /** An initializer of this graph. The name is a hint, made unique in the model. */
  addInitializer(tensor: Tensor, nameHint: string): Value {
    const value = new Value(this.model.uniqueName(nameHint), this, {
      kind: 'tensor',
      dtype: tensor.dtype,
      shape: tensor.dims,
    });
    this.#apply(
      () => {
        linkValue(value, this);
        this.#setInitializer(value, { kind: 'dense', tensor });
      },
      () => {
        this.#setInitializer(value, undefined);
        unlinkValue(value);
      },
    );
    return value;
  }

  /** Gives `value` (an input, or a new value made by `declare`) this initializer; undefined takes it away. */
  setInitializer(value: Value, initializer: Initializer | undefined): void {
    const before = value.initializer;
    this.#apply(
      () => this.#setInitializer(value, initializer),
      () => this.#setInitializer(value, before),
    );
  }

  /** Drops an initializer that nobody uses. One that is also a formal input stays as an input. */
  removeInitializer(value: Value): void {
    invariant(value.isUnused && value.initializer !== undefined, `initializer ${value.name} is still used`);
    this.setInitializer(value, undefined);
    if (!value.isInput)
      this.#apply(
        () => unlinkValue(value),
        () => linkValue(value, this),
      );
  }

  /** A value without producer, for building: a node must take it over, or `setInitializer` must follow. */
  declare(name: string, type: ValueType | undefined): Value {
    const value = new Value(name, this, type);
    this.#apply(
      () => linkValue(value, this),
      () => unlinkValue(value),
    );
    return value;
  }

  /** Replaces the list of outputs of this graph. */
  setOutputs(outputs: readonly Value[]): void {
    const before = this.outputs;
    const change = (from: readonly Value[], to: readonly Value[]): void => {
      for (const value of from) countOutput(value, this, -1);
      for (const value of to) countOutput(value, this, 1);
      writable(this).outputs = to;
    };
    this.#apply(
      () => change(before, outputs),
      () => change(outputs, before),
    );
  }

  /**
   * A new node in front of `before` (at the end when undefined). A Value among the outputs is taken over from the node
   * that produced it so far, whose slot becomes empty: so a rewrite keeps names of values and graph outputs.
   */
  addNode(spec: NodeSpec, before?: Node): Node {
    invariant(before === undefined || before.graph === this, `addNode: ${before?.label} is not in graph ${this.name}`);
    const created: Value[] = [];
    const outputs = spec.outputs.map((output) => {
      if (typeof output !== 'string') return output;
      const value = new Value(this.model.uniqueName(output), this, undefined);
      created.push(value);
      return value;
    });
    const node = new Node({
      name: spec.name ?? '',
      opType: spec.opType,
      domain: spec.domain ?? '',
      overload: spec.overload ?? '',
      attributes: attributeMap(spec.attributes),
      inputs: trimmed(spec.inputs),
      outputs,
    });
    const present = outputs.filter((value) => value !== undefined);
    const producers = present.map((value) => value.producer);
    for (const value of present) invariant(value.graph === this, `addNode: ${value.name} is not in graph ${this.name}`);
    const givers = new Map(producers.filter((giver) => giver !== undefined).map((giver) => [giver, giver.outputs]));
    const adopt = adoption(node.subgraphs(), node);
    this.#apply(
      () => {
        adopt.redo();
        for (const value of created) linkValue(value, this);
        for (const value of present) {
          writable(value).producer = node;
          for (const reader of value.slots.keys()) this.model.touched.add(reader);
        }
        for (const [giver, slots] of givers)
          writable(giver).outputs = slots.map((value) => (value && present.includes(value) ? undefined : value));
        linkNode(this, node, before);
        addSlots(node, 1);
      },
      () => {
        addSlots(node, -1);
        unlinkNode(node);
        for (const [giver, slots] of givers) writable(giver).outputs = slots;
        present.forEach((value, i) => {
          writable(value).producer = producers[i];
        });
        for (const value of created) unlinkValue(value);
        adopt.undo();
      },
    );
    return node;
  }

  /** Removes a node whose outputs nobody uses (or that were taken over by another node). */
  removeNode(node: Node): void {
    invariant(node.graph === this, `removeNode: ${node.label} is not in graph ${this.name}`);
    const after = node.next;
    const outputs = node.outputs.filter((value) => value !== undefined);
    for (const value of outputs)
      invariant(value.isUnused, `removeNode: ${value.name} is still used`, { node: node.label });
    for (const graph of node.subgraphs()) if (graph.owner === node) graph.clear();
    this.#apply(
      () => {
        addSlots(node, -1);
        unlinkNode(node);
        outputs.forEach(unlinkValue);
      },
      () => {
        outputs.forEach((value) => linkValue(value, this));
        linkNode(this, node, after);
        addSlots(node, 1);
      },
    );
  }

  /** Removes every node, so that nothing in this subgraph uses outer values any more. Its owner is about to go. */
  clear(): void {
    this.setOutputs([]);
    for (const node of this.nodes().toReversed()) this.removeNode(node);
  }

  /** Moves `node` in front of `before` (undefined: to the end) of this graph, from wherever it stands. */
  moveNode(node: Node, before: Node | undefined): void {
    const from = node.graph;
    invariant(from !== undefined && node !== before, 'moveNode: nothing to move');
    const next = node.next;
    const place = (graph: Graph, anchor: Node | undefined): void => {
      for (const value of node.outputs) if (value) writable(value).graph = graph;
      linkNode(graph, node, anchor);
    };
    this.#apply(
      () => {
        unlinkNode(node);
        place(this, before);
      },
      () => {
        unlinkNode(node);
        place(from, next);
      },
    );
    for (const value of node.outputs) {
      if (value && from !== this && this.model.names.isShared(value.name))
        this.rename(value, this.model.uniqueName(value.name));
    }
  }

  /** Sets input slot `index` of `node`; undefined omits it. */
  setInput(node: Node, index: number, value: Value | undefined): void {
    this.#apply(...inputEdit(node, index, value));
  }

  /** Leaves only some of the output slots of `node`, or empties some. Values left out must be unused; they go. */
  setNodeOutputs(node: Node, outputs: readonly (Value | undefined)[]): void {
    const before = node.outputs;
    const dropped = before.filter((value) => value !== undefined && !outputs.includes(value)) as Value[];
    invariant(
      outputs.every((value) => value === undefined || before.includes(value)),
      `setNodeOutputs: ${node.label} does not compute these`,
    );
    for (const value of dropped)
      invariant(value.isUnused, `setNodeOutputs: ${value.name} is still used`, { node: node.label });
    this.#apply(
      () => {
        writable(node).outputs = outputs;
        dropped.forEach(unlinkValue);
      },
      () => {
        writable(node).outputs = before;
        dropped.forEach((value) => linkValue(value, this));
      },
    );
    this.model.touched.add(node);
  }

  /** Sets or (undefined) removes an attribute. Graphs that the node no longer holds are cleared. */
  setAttribute(node: Node, name: string, attribute: Attribute | undefined): void {
    const before = node.attributes;
    const after = new Map(before);
    if (attribute) after.set(name, attribute);
    else after.delete(name);
    const kept = new Set([...after.values()].flatMap(subgraphsOf));
    for (const graph of node.subgraphs()) if (graph.owner === node && !kept.has(graph)) graph.clear();
    const adopt = adoption([...kept], node);
    this.#apply(
      () => {
        adopt.redo();
        writable(node).attributes = after;
      },
      () => {
        writable(node).attributes = before;
        adopt.undo();
      },
    );
    this.model.touched.add(node);
  }

  /**
   * Makes every reader of `from` (nodes in all graphs, and subgraph outputs) read `to`. When a graph returns `from`
   * itself, the output keeps its name: `to` must then be computed by a node of the same graph and not be returned
   * itself, and it takes the name over. Ask `canReplace` first.
   */
  replaceUses(from: Value, to: Value): void {
    invariant(canReplace(from, to), `${to.name} cannot stand for ${from.name}`);
    for (const node of from.consumers()) {
      node.inputs.forEach((value, i) => {
        if (value === from) (node.graph ?? this).setInput(node, i, to);
      });
    }
    for (const graph of [...from.outputOf.keys()]) {
      const { name, type } = from;
      graph.setOutputs(graph.outputs.map((value) => (value === from ? to : value)));
      this.rename(from, this.model.uniqueName(name));
      this.rename(to, name);
      if (type) this.setType(to, type);
    }
  }

  rename(value: Value, name: string): void {
    const before = value.name;
    if (before === name) return;
    const change = (to: string): void => {
      this.model.names.release(value.name);
      writable(value).name = to;
      this.model.names.take(to);
    };
    this.#apply(
      () => change(name),
      () => change(before),
    );
  }

  setType(value: Value, type: ValueType | undefined): void {
    const before = value.type;
    this.#apply(
      () => {
        writable(value).type = type;
      },
      () => {
        writable(value).type = before;
      },
    );
  }

  #apply(redo: () => void, undo: () => void): void {
    this.model.journal.apply(redo, undo);
  }

  #setInputs(inputs: readonly Value[]): void {
    writable(this).inputs = inputs;
  }

  #setInitializer(value: Value, initializer: Initializer | undefined): void {
    writable(this.model).parameterTotal += parameterCount(initializer) - parameterCount(value.initializer);
    writable(value).initializer = initializer;
    const initializers = this.initializers as Set<Value>;
    if (initializer) initializers.add(value);
    else initializers.delete(value);
  }
}

const parameterCount = (initializer: Initializer | undefined): number =>
  initializer?.kind === 'dense' ? initializer.tensor.size : 0;

/** Whether `replaceUses(from, to)` keeps the signature of every graph. */
export function canReplace(from: Value, to: Value): boolean {
  if (from === to) return false;
  if (from.outputOf.size === 0) return true;
  return (
    from.outputOf.size === 1 &&
    !from.isInput &&
    to.producer !== undefined &&
    to.graph === from.graph &&
    !to.isGraphOutput &&
    from.outputOf.get(from.graph as Graph) === 1
  );
}
