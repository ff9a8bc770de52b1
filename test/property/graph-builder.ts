// Builds a model node by node and keeps the shape that each value has when it runs, so that random graphs are valid.
import type { Rng } from '../../src/base/rng.js';
import { floatAttr, intAttr, intsAttr, stringAttr, tensorAttr, type Attribute } from '../../src/ir/attribute.js';
import { Graph } from '../../src/ir/graph.js';
import { Model } from '../../src/ir/model.js';
import type { Value } from '../../src/ir/value.js';
import type { DType } from '../../src/tensor/dtype.js';
import { elementCount, Tensor } from '../../src/tensor/tensor.js';

/** A float32 value with its shape in a run. */
export interface Tracked {
  readonly value: Value;
  readonly shape: readonly number[];
}

export type AttributeValues = Readonly<
  Record<string, number | string | readonly number[] | Tensor | Attribute | undefined>
>;

/** Batch size while building a graph with a dynamic batch: a size nothing else has, so that it cannot be met by chance. */
export const DYNAMIC_BATCH = 7;

export class GraphBuilder {
  readonly rng: Rng;
  readonly model: Model;
  readonly opset: number;
  /** Spatial dimensions of the images: 1, 2 or 3. */
  readonly spatial: number;
  /** Where nodes go now: the main graph, or a branch. */
  graph: Graph;
  /** Float values that later nodes may read. */
  pool: Tracked[] = [];
  /** A size of the dynamic batch may stand in a constant or in the channels: the graph runs with that batch only. */
  isBatchFixed = false;
  readonly #weights: { readonly value: Value; readonly dims: readonly number[] }[] = [];

  constructor(rng: Rng, fields: { readonly opset: number; readonly spatial: number }) {
    this.rng = rng;
    this.opset = fields.opset;
    this.spatial = fields.spatial;
    this.model = new Model({ graphName: 'random', opsets: new Map([['', fields.opset]]), irVersion: 8 });
    this.graph = this.model.graph;
  }

  chance(probability: number): boolean {
    return this.rng.uniform() < probability;
  }

  /** A node with one float output of this shape, which joins the pool. */
  node(
    opType: string,
    inputs: readonly (Tracked | Value | undefined)[],
    shape: readonly number[],
    attributes: AttributeValues = {},
  ): Tracked {
    const tracked = { value: this.hidden(opType, inputs, attributes), shape };
    this.pool.push(tracked);
    return tracked;
  }

  /** A node whose output does not join the pool: integers, or a step inside a block. */
  hidden(opType: string, inputs: readonly (Tracked | Value | undefined)[], attributes: AttributeValues = {}): Value {
    const [output] = this.outputs(opType, inputs, 1, attributes);
    if (!output) throw new Error(`${opType} has no output`);
    return output;
  }

  /** A node with several outputs. */
  outputs(
    opType: string,
    inputs: readonly (Tracked | Value | undefined)[],
    count: number,
    attributes: AttributeValues = {},
  ): readonly Value[] {
    const node = this.graph.addNode({
      opType,
      inputs: inputs.map((input) => (input && 'shape' in input ? input.value : input)),
      outputs: Array.from({ length: count }, () => opType.toLowerCase()),
      attributes: Object.fromEntries(
        Object.entries(attributes).map(([name, value]) => [name, toAttribute(name, value)]),
      ),
    });
    return node.outputs.flatMap((value) => value ?? []);
  }

  /** A constant: an initializer, or now and then a Constant node. */
  constant(dims: readonly number[], numbers: ArrayLike<number>, dtype: DType = 'float32'): Value {
    if (dims.includes(DYNAMIC_BATCH)) this.isBatchFixed = true;
    const tensor = Tensor.fromNumbers(dtype, dims, numbers);
    if (this.chance(0.15)) return this.hidden('Constant', [], { value: tensor });
    return this.graph.addInitializer(tensor, dtype === 'float32' ? 'w' : 'c');
  }

  ints(numbers: readonly number[]): Value {
    if (numbers.includes(DYNAMIC_BATCH)) this.isBatchFixed = true;
    return this.constant([numbers.length], numbers, 'int64');
  }

  /** Normal numbers divided by the root of the fan-in: activations keep their scale. Now and then a weight used before. */
  weight(dims: readonly number[]): Value {
    const used = this.#weights.filter(
      (weight) => weight.dims.join() === dims.join() && weight.value.graph === this.graph,
    );
    if (used.length > 0 && this.chance(0.25)) return this.rng.pick(used).value;
    const scale = 1 / Math.sqrt(Math.max(1, elementCount(dims.slice(1))));
    const value = this.constant(dims, this.normals(dims, scale));
    if (value.initializer) this.#weights.push({ value, dims });
    return value;
  }

  normals(dims: readonly number[], scale: number): number[] {
    return Array.from({ length: elementCount(dims) }, () => this.rng.normal() * scale);
  }

  uniforms(dims: readonly number[], low: number, high: number): number[] {
    return Array.from({ length: elementCount(dims) }, () => low + (high - low) * this.rng.uniform());
  }

  /** A value of the pool that `wanted` accepts; recent ones more often. */
  pick(wanted: (tracked: Tracked) => boolean = () => true): Tracked | undefined {
    const fitting = this.pool.filter(wanted);
    if (fitting.length === 0) return undefined;
    const picked = this.chance(0.6) ? fitting.at(-1) : this.rng.pick(fitting);
    if (picked?.shape.slice(1).some((size) => size % DYNAMIC_BATCH === 0)) this.isBatchFixed = true;
    return picked;
  }

  /** An image: batch, channels, spatial dims. */
  image(): Tracked | undefined {
    return this.pick(({ shape }) => this.isImage(shape));
  }

  isImage(shape: readonly number[]): boolean {
    return shape.length === this.spatial + 2 && elementCount(shape) <= 4096 && shape.every((dim) => dim > 0);
  }

  /** A branch graph: `fill` adds nodes, which may read the pool around, and returns the result. */
  branch(name: string, fill: () => Value): Graph {
    const outer = { graph: this.graph, pool: this.pool };
    const graph = new Graph(this.model, name);
    this.graph = graph;
    this.pool = [...outer.pool];
    graph.setOutputs([fill()]);
    this.graph = outer.graph;
    this.pool = outer.pool;
    return graph;
  }
}

const FLOAT_ATTRIBUTES: ReadonlySet<string> = new Set([
  'alpha',
  'beta',
  'epsilon',
  'momentum',
  'min',
  'max',
  'ratio',
  'bias',
  'value',
  'gamma',
]);

function toAttribute(name: string, value: AttributeValues[string]): Attribute | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number') return FLOAT_ATTRIBUTES.has(name) ? floatAttr(Math.fround(value)) : intAttr(value);
  if (typeof value === 'string') return stringAttr(value);
  if (value instanceof Tensor) return tensorAttr(value);
  return Array.isArray(value) ? intsAttr(value as readonly number[]) : (value as Attribute);
}
