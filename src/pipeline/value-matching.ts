// Which value of one model is which of another: by name, and where names are gone, by structure. Two nodes are taken for
// the same when they have the same operator and attributes, read matched values, and weights of the same size.
import type { Attribute } from '../ir/attribute.js';
import type { Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { opKey } from '../ops/registry.js';

export interface MatchedValue {
  readonly a: Value;
  readonly b: Value;
  readonly by: 'name' | 'structure';
}

export interface Matching {
  /** In the order in which A computes them. */
  readonly matched: readonly MatchedValue[];
  /** Computed values of the main graphs without a counterpart. */
  readonly onlyA: number;
  readonly onlyB: number;
}

/** Whether two values may be the same by what is known of them: types and shapes. */
export type Compatible = (a: Value, b: Value) => boolean;

/** Matches the values that the main graphs compute. */
export function matchValues(a: Model, b: Model, compatible: Compatible): Matching {
  const state = startMatching(a, b);
  const matched: MatchedValue[] = [];
  const take = (value: Value, other: Value, by: MatchedValue['by']): void => {
    state.counterpart.set(value, other);
    state.taken.add(other);
    matched.push({ a: value, b: other, by });
  };
  const nodes = computingNodes(a);
  // What has a name in common keeps it: structure may only claim what is left.
  const named = new Map<Value, Value>();
  for (const value of nodes.flatMap(computed)) {
    const other = isTelling(value.name) ? state.byName.get(value.name) : undefined;
    if (other && compatible(value, other)) named.set(value, other);
  }
  for (const other of named.values()) state.taken.add(other);
  for (const node of nodes) {
    const twin = node.outputs.some((value) => value && !named.has(value))
      ? structuralTwin(node, state, compatible)
      : undefined;
    node.outputs.forEach((value, slot) => {
      const other = value && named.get(value);
      const same = twin?.outputs[slot];
      if (value && other) take(value, other, 'name');
      else if (value && same && !state.taken.has(same)) take(value, same, 'structure');
    });
  }
  const all = nodes.flatMap(computed).length;
  const others = computingNodes(b).flatMap(computed).length;
  return { matched, onlyA: all - matched.length, onlyB: others - matched.length };
}

interface MatchState {
  /** Values of B by those of A. */
  readonly counterpart: Map<Value, Value>;
  /** Values of B that are spoken for. */
  readonly taken: Set<Value>;
  readonly byName: ReadonlyMap<string, Value>;
  /** Names of values of A: a value of B that has one is that value or none. */
  readonly namesOfA: ReadonlySet<string>;
  /** Nodes of B by what they compute. */
  readonly byKey: ReadonlyMap<string, readonly Node[]>;
  readonly ids: Map<Value, number>;
}

function startMatching(a: Model, b: Model): MatchState {
  const inputs = b.graph.inputs.filter((input) => input.constant === undefined);
  const counterpart = new Map<Value, Value>();
  a.graph.inputs
    .filter((input) => input.constant === undefined)
    .forEach((input, index) => {
      const other = inputs.find(({ name }) => name === input.name) ?? inputs[index];
      if (other) counterpart.set(input, other);
    });
  const ids = new Map<Value, number>();
  const byKey = new Map<string, Node[]>();
  const nodes = computingNodes(b);
  for (const node of nodes) {
    const key = keyOf(node, (value) => idOf(value, ids));
    if (key !== undefined) byKey.set(key, [...(byKey.get(key) ?? []), node]);
  }
  return {
    counterpart,
    taken: new Set(),
    byName: new Map(nodes.flatMap(computed).map((value) => [value.name, value])),
    namesOfA: new Set(
      computingNodes(a)
        .flatMap(computed)
        .map(({ name }) => name),
    ),
    byKey,
    ids,
  };
}

/** The first node of B that computes the same of the same and whose outputs are free. */
function structuralTwin(node: Node, state: MatchState, compatible: Compatible): Node | undefined {
  const key = keyOf(node, (value) => {
    const other = state.counterpart.get(value);
    return other && idOf(other, state.ids);
  });
  const free = (value: Value | undefined): boolean =>
    value === undefined || (!state.taken.has(value) && !(isTelling(value.name) && state.namesOfA.has(value.name)));
  return (key === undefined ? [] : (state.byKey.get(key) ?? [])).find(
    ({ outputs }) =>
      outputs.every(free) &&
      outputs.every((other, slot) => {
        const value = node.outputs[slot];
        return other === undefined || value === undefined || compatible(value, other);
      }),
  );
}

const computingNodes = (model: Model): Node[] => model.graph.nodes().filter((node) => !node.is('Constant'));
const computed = (node: Node): Value[] => node.outputs.filter((value) => value !== undefined);

/** Exporters number values where they have no name: such a name says nothing. */
const isTelling = (name: string): boolean => !/^\d+$/.test(name);

function idOf(value: Value, ids: Map<Value, number>): number {
  const id = ids.get(value) ?? ids.size;
  ids.set(value, id);
  return id;
}

/** What a node computes, with its inputs as `name` tells; undefined when one has none, or the node cannot be compared. */
function keyOf(node: Node, name: (value: Value) => number | undefined): string | undefined {
  const operands: string[] = [];
  for (const value of node.inputs) {
    const tensor = value && (value.constant ?? value.producer?.tensor('value'));
    const id = value && !tensor ? name(value) : undefined;
    if (value && !tensor && id === undefined) return undefined;
    operands.push(tensor ? `w${tensor.dims.join('x')}` : String(id ?? '-'));
  }
  const attributes = [...node.attributes].map(([key, attribute]) => `${key}=${attributeText(attribute)}`).sort();
  return [opKey(node.opType, node.domain), ...operands, ...attributes].join('|');
}

function attributeText(attribute: Attribute): string {
  return 'value' in attribute && (typeof attribute.value !== 'object' || attribute.kind.endsWith('s'))
    ? JSON.stringify(attribute.kind === 'tensors' || attribute.kind === 'graphs' ? attribute.kind : attribute.value)
    : attribute.kind;
}
