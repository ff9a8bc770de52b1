// A value: a graph input, an initializer, the output of a node, or (in functions and subgraphs) a formal parameter.
import type { DType } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Graph } from './graph.js';
import type { Node } from './node.js';

/** A dimension as a file declares it: a size, a symbol, or nothing. */
export type DeclaredDim = number | string | undefined;

/** What a file declares of a value. Sequences, maps, optionals and sparse tensors are `other`: kept, not understood. */
export type ValueType =
  | { readonly kind: 'tensor'; readonly dtype: DType | undefined; readonly shape: readonly DeclaredDim[] | undefined }
  | { readonly kind: 'other' };

/** What the values that no graph returns share: a map for each of thousands would cost more than all else of them. */
const NO_GRAPHS: ReadonlyMap<Graph, number> = Object.freeze(new Map<Graph, number>());

/** Fields are written by the mutators of src/ir only. */
export class Value {
  readonly name: string;
  /** The graph in whose scope the value is defined; undefined once it was dropped. */
  readonly graph: Graph | undefined;
  /** As declared by value_info, an input or an output entry; undefined when the file says nothing. */
  readonly type: ValueType | undefined;
  /** The node that computes it; undefined for inputs and initializers. */
  readonly producer: Node | undefined = undefined;
  /** Formal input of its graph. An initializer may be one too (IR 3). */
  readonly isInput: boolean = false;
  readonly initializer: Initializer | undefined = undefined;
  /** Nodes that read it, in any graph, with the number of input slots it fills there. */
  readonly slots: ReadonlyMap<Node, number> = new Map();
  /** Graphs that list it as an output, with how often. */
  readonly outputOf: ReadonlyMap<Graph, number> = NO_GRAPHS;

  /** Creation order within the model: a stable order for initializers. */
  readonly ordinal: number;

  constructor(name: string, graph: Graph, type: ValueType | undefined) {
    this.ordinal = graph.model.names.nextOrdinal();
    this.name = name;
    this.graph = graph;
    this.type = type;
  }

  /** The tensor, when the value is known before the model runs: an initializer that no caller may override. */
  get constant(): Tensor | undefined {
    if (this.initializer?.kind !== 'dense' || (this.isInput && this.graph?.model.keepOverridable)) return undefined;
    return this.initializer.tensor;
  }

  /** Distinct nodes that read the value. */
  consumers(): Node[] {
    return [...this.slots.keys()];
  }

  /** The only node that reads the value, through one slot, when it is no graph output either. */
  get soleConsumer(): Node | undefined {
    if (this.slots.size !== 1 || this.outputOf.size > 0) return undefined;
    const [entry] = this.slots;
    return entry?.[1] === 1 ? entry[0] : undefined;
  }

  get isGraphOutput(): boolean {
    return this.outputOf.size > 0;
  }

  /** Nobody reads it and no graph returns it. */
  get isUnused(): boolean {
    return this.slots.size === 0 && this.outputOf.size === 0;
  }
}

export type Initializer =
  | { readonly kind: 'dense'; readonly tensor: Tensor }
  /** A SparseTensorProto, kept as bytes that only the onnx layer reads. */
  | { readonly kind: 'sparse'; readonly bytes?: Uint8Array }
  /** A TensorProto whose element type mcompress does not know, kept likewise. */
  | { readonly kind: 'opaque'; readonly bytes: Uint8Array };
