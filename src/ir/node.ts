// A node: one operator applied to values.
import type { Tensor } from '../tensor/tensor.js';
import { subgraphsOf, type Attribute, type AttributeMap } from './attribute.js';
import type { Graph } from './graph.js';
import type { Value } from './value.js';

/** Fields are written by the mutators of src/ir only. */
export class Node {
  readonly name: string;
  readonly opType: string;
  /** '' for ai.onnx. */
  readonly domain: string;
  /** Which overload of a local function is called; '' for none. */
  readonly overload: string;
  readonly attributes: AttributeMap;
  /** Omitted optional inputs are undefined; trailing ones are not stored. */
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly (Value | undefined)[];
  /** The graph it stands in; undefined once removed. */
  readonly graph: Graph | undefined = undefined;
  readonly previous: Node | undefined = undefined;
  readonly next: Node | undefined = undefined;
  /** Grows along the graph: compare with `isBefore`. */
  readonly order: number = 0;

  constructor(fields: {
    name: string;
    opType: string;
    domain: string;
    overload: string;
    attributes: AttributeMap;
    inputs: readonly (Value | undefined)[];
    outputs: readonly (Value | undefined)[];
  }) {
    this.name = fields.name;
    this.opType = fields.opType;
    this.domain = fields.domain;
    this.overload = fields.overload;
    this.attributes = fields.attributes;
    this.inputs = fields.inputs;
    this.outputs = fields.outputs;
  }

  /** True when the node is `opType` of the ONNX domain (or of `domain`). */
  is(opType: string, domain = ''): boolean {
    return this.opType === opType && this.domain === domain;
  }

  get isRemoved(): boolean {
    return this.graph === undefined;
  }

  /** The first output; nodes of the standard operators always have one. */
  get output(): Value | undefined {
    return this.outputs[0];
  }

  /** Stands earlier than `other` in the same graph. */
  isBefore(other: Node): boolean {
    return this.order < other.order;
  }

  attribute(name: string): Attribute | undefined {
    return this.attributes.get(name);
  }

  /** Integer attribute, or `fallback` when absent or of another kind. */
  int(name: string, fallback: number): number {
    const attribute = this.attributes.get(name);
    return attribute?.kind === 'int' ? attribute.value : fallback;
  }

  float(name: string, fallback: number): number {
    const attribute = this.attributes.get(name);
    return attribute?.kind === 'float' ? attribute.value : fallback;
  }

  string(name: string, fallback: string): string {
    const attribute = this.attributes.get(name);
    return attribute?.kind === 'string' ? attribute.value : fallback;
  }

  /** Integer list attribute; undefined when absent. */
  ints(name: string): readonly number[] | undefined {
    const attribute = this.attributes.get(name);
    return attribute?.kind === 'ints' ? attribute.value : undefined;
  }

  floats(name: string): readonly number[] | undefined {
    const attribute = this.attributes.get(name);
    return attribute?.kind === 'floats' ? attribute.value : undefined;
  }

  tensor(name: string): Tensor | undefined {
    const attribute = this.attributes.get(name);
    return attribute?.kind === 'tensor' ? attribute.value : undefined;
  }

  /** All graphs held by attributes (the branches of If, the body of Loop or Scan). */
  subgraphs(): Graph[] {
    const graphs: Graph[] = [];
    for (const attribute of this.attributes.values()) graphs.push(...subgraphsOf(attribute));
    return graphs;
  }

  /** Name for messages and reports: its own, else `OpType -> first output`. */
  get label(): string {
    return this.name !== ''
      ? this.name
      : `${this.opType} -> ${this.outputs.find((value) => value !== undefined)?.name ?? '?'}`;
  }
}
