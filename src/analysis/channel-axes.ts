// The axes of all values of a graph and how nodes tie them, before anything is known of single indices: which axes belong
// together, which of the ties that a Reshape offers hold, and what each node freezes.
import type { Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import type { AxisFacts, AxisRef, AxisTie } from '../ops/axes.js';
import { constantTensor } from '../ops/generate.js';
import { isStatic } from '../ir/dim.js';
import type { FreezeCode } from './channel-group.js';
import type { Facts } from './facts.js';
import { UnionFind } from './union-find.js';

/** Axes longer than this are taken as unknown: they are no channels, and every index costs memory. */
const MAX_SIZE = 2 ** 20;

/** One axis of one value. Axes are numbered in graph order: inputs, then what each node reads first, then what it makes. */
export interface ValueAxis {
  readonly value: Value;
  readonly axis: number;
  /** Undefined where it is not known. */
  readonly size: number | undefined;
}

/** A tie between axes, by their numbers. */
export interface TiedAxes {
  readonly kind: AxisTie['kind'];
  readonly from: number;
  readonly to: number;
  readonly map: AxisTie['map'];
  /** Input slot of `from` and of `to`; undefined where that is an output. */
  readonly slots: readonly [from: number | undefined, to: number | undefined];
}

/** An axis that something keeps as it is. */
export interface FrozenAxis {
  readonly axis: number;
  readonly code: FreezeCode;
  readonly at: string;
  /** The only index concerned; undefined: all. */
  readonly index: number | undefined;
}

export interface AxisGraph {
  readonly axes: readonly ValueAxis[];
  /** By node, in graph order. */
  readonly ties: ReadonlyMap<Node, readonly TiedAxes[]>;
  /** Graph inputs first, then nodes in order, then what leaves the graph. */
  readonly frozen: readonly FrozenAxis[];
  /** Axes of one set are tied to each other, at some index or other. */
  readonly sets: UnionFind;
}

/** What is said of one node. */
interface Plan {
  readonly node: Node;
  readonly ties: TiedAxes[];
  readonly choices: readonly (readonly TiedAxes[])[];
  readonly frozen: FrozenAxis[];
  /** Axes that are frozen unless a choice falls on them. */
  readonly offered: ReadonlySet<number>;
}

/** The axes of the main graph of `model`. */
export function axisGraph(model: Model, facts: Facts): AxisGraph {
  return new Builder(model, facts).run();
}

class Builder {
  readonly #model: Model;
  readonly #facts: Facts;
  readonly #axes: ValueAxis[] = [];
  /** The number of the first axis of a value; undefined where its shape is not known. */
  readonly #firsts = new Map<Value, number | undefined>();
  readonly #frozen: FrozenAxis[] = [];

  constructor(model: Model, facts: Facts) {
    this.#model = model;
    this.#facts = facts;
  }

  run(): AxisGraph {
    const { graph } = this.#model;
    for (const value of graph.inputs) this.#number(value);
    const nodes = graph.nodes();
    for (const node of nodes) for (const value of [...node.inputs, ...node.outputs]) if (value) this.#number(value);
    const fed = graph.inputs.filter((value) => value.constant === undefined);
    for (const value of fed) this.#frozen.push(...this.#all(value, 'graph-input', value.name));
    const plans = nodes.map((node) => this.#plan(node));
    const sets = new UnionFind(this.#axes.length);
    for (const { ties } of plans) for (const { from, to } of ties) sets.join(from, to);
    const leaving = this.#leaving();
    choose(plans, sets, [...this.#frozen, ...plans.flatMap(({ frozen }) => frozen), ...leaving]);
    for (const { frozen } of plans) this.#frozen.push(...frozen);
    this.#frozen.push(...leaving);
    return { axes: this.#axes, ties: new Map(plans.map(({ node, ties }) => [node, ties])), frozen: this.#frozen, sets };
  }

  #number(value: Value): void {
    if (this.#firsts.has(value)) return;
    const shape = this.#facts.of(value).shape;
    this.#firsts.set(value, shape && this.#axes.length);
    for (const [axis, dim] of (shape ?? []).entries())
      this.#axes.push({ value, axis, size: isStatic(dim) && dim <= MAX_SIZE ? dim : undefined });
  }

  #axesOf(value: Value | undefined): number[] {
    const first = value && this.#firsts.get(value);
    if (value === undefined || first === undefined) return [];
    const rank = this.#facts.of(value).shape?.length ?? 0;
    return Array.from({ length: rank }, (_, axis) => first + axis);
  }

  #all(value: Value | undefined, code: FreezeCode, at: string): FrozenAxis[] {
    return this.#axesOf(value).map((axis) => ({ axis, code, at, index: undefined }));
  }

  /** What other graphs read, and what any graph returns. */
  #leaving(): FrozenAxis[] {
    const { graph } = this.#model;
    return [...this.#firsts.keys()].flatMap((value) => {
      const inner = value.consumers().find((node) => node.graph !== graph);
      const returning = [...value.outputOf.keys()].find((other) => other !== graph);
      const blamed = (inner?.graph ?? returning)?.owner?.label;
      return [
        ...(value.outputOf.has(graph) ? this.#all(value, 'graph-output', value.name) : []),
        ...((inner ?? returning) ? this.#all(value, 'subgraph', blamed ?? value.name) : []),
      ];
    });
  }

  #plan(node: Node): Plan {
    const facts = this.#followed(node);
    if (typeof facts !== 'string') return this.#planOf(node, facts);
    const values = new Set([...node.inputs, ...node.outputs]);
    const unknown = [...values].find((value) => value && this.#firsts.get(value) === undefined);
    const at = facts === 'unknown-shape' && unknown ? unknown.name : node.label;
    const frozen = [...values].flatMap((value) => this.#all(value, facts, at));
    return { node, ties: [], choices: [], frozen, offered: new Set() };
  }

  /** What its record says of the node, or why it freezes everything around it. */
  #followed(node: Node): AxisFacts | FreezeCode {
    if (node.subgraphs().length > 0) return 'subgraph';
    if (constantTensor(node) !== undefined)
      return { ties: [], untouched: this.#axesOf(node.output).map((_, axis) => ({ side: 'output', slot: 0, axis })) };
    const record = this.#facts.record(node);
    if (record?.axes === undefined) return 'opaque-operator';
    const values = [...node.inputs, ...node.outputs];
    if (values.some((value) => value && this.#firsts.get(value) === undefined)) return 'unknown-shape';
    const facts = record.axes(this.#facts.site(node));
    const refs = facts && [...(facts.choices ?? []).flat(), ...facts.ties].flatMap(({ from, to }) => [from, to]);
    return refs?.every((ref) => this.#numberOf(node, ref) !== undefined) === true && facts ? facts : 'opaque-operator';
  }

  #numberOf(node: Node, { side, slot, axis }: AxisRef): number | undefined {
    return this.#axesOf((side === 'input' ? node.inputs : node.outputs)[slot])[axis];
  }

  #planOf(node: Node, facts: AxisFacts): Plan {
    const key = ({ side, slot, axis }: AxisRef): string => `${side} ${slot} ${axis}`;
    const mentioned = new Set<string>((facts.untouched ?? []).map(key));
    const frozen: FrozenAxis[] = [];
    for (const { at, code, index } of facts.frozen ?? []) {
      mentioned.add(key(at));
      const axis = this.#numberOf(node, at);
      if (axis !== undefined) frozen.push({ axis, code, at: node.label, index });
    }
    const ties = this.#tied(node, facts.ties);
    for (const { from, to } of facts.ties) for (const ref of [from, to]) mentioned.add(key(ref));
    const choices = (facts.choices ?? []).map((list) => this.#tied(node, list));
    for (const { from, to } of (facts.choices ?? []).flat()) for (const ref of [from, to]) mentioned.add(key(ref));
    for (const side of ['input', 'output'] as const)
      for (const [slot, value] of (side === 'input' ? node.inputs : node.outputs).entries())
        for (const [axis, number] of this.#axesOf(value).entries())
          if (this.#axes[number]?.size !== 1 && !mentioned.has(key({ side, slot, axis })))
            frozen.push({ axis: number, code: 'mixes-channels', at: node.label, index: undefined });
    return { node, ties, choices, frozen, offered: new Set(choices.flat().flatMap(({ from, to }) => [from, to])) };
  }

  #tied(node: Node, ties: readonly AxisTie[]): TiedAxes[] {
    return ties.flatMap(({ kind, from, to, map }) => {
      const [a, b] = [this.#numberOf(node, from), this.#numberOf(node, to)];
      const slotOf = (ref: AxisRef): number | undefined => (ref.side === 'input' ? ref.slot : undefined);
      return a === undefined || b === undefined
        ? []
        : [{ kind, from: a, to: b, map, slots: [slotOf(from), slotOf(to)] as const }];
    });
  }
}

/**
 * Decides every choice, in graph order: the first tie whose axes nothing else freezes, else the first of all; the axes that
 * it leaves out are frozen. `frozen`: what is frozen without the choices.
 */
function choose(plans: readonly Plan[], sets: UnionFind, frozen: readonly FrozenAxis[]): void {
  const fixed = new Set(frozen.flatMap(({ axis, index }) => (index === undefined ? sets.find(axis) : [])));
  const isFixed = (axis: number): boolean => fixed.has(sets.find(axis));
  const join = ({ from, to }: TiedAxes): void => {
    const either = isFixed(from) || isFixed(to);
    sets.join(from, to);
    if (either) fixed.add(sets.find(from));
  };
  for (const { node, ties, choices, frozen: own, offered } of plans) {
    const left = new Set(offered);
    for (const list of choices) {
      const chosen = list.find(({ from, to }) => !isFixed(from) && !isFixed(to)) ?? list[0];
      if (chosen === undefined) continue;
      join(chosen);
      ties.push(chosen);
      left.delete(chosen.from);
      left.delete(chosen.to);
    }
    for (const axis of left) {
      own.push({ axis, code: 'mixes-channels', at: node.label, index: undefined });
      fixed.add(sets.find(axis));
    }
  }
}
