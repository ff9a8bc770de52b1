// Node attributes. Immutable: an edit replaces the attribute, so identity tells whether one was changed, and the
// onnx layer can write an attribute that nobody replaced from its original bytes.
import type { Tensor } from '../tensor/tensor.js';
import type { Graph } from './graph.js';

export type Attribute =
  /** int64 as a number: values beyond 2^53 are rounded when read, and saturate to int64 when written. */
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'tensor'; readonly value: Tensor }
  | { readonly kind: 'graph'; readonly value: Graph }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  | { readonly kind: 'tensors'; readonly value: readonly Tensor[] }
  | { readonly kind: 'graphs'; readonly value: readonly Graph[] }
  /** In a function body: the value of the caller's attribute `name`. `type` is a number of AttributeProto.AttributeType. */
  | { readonly kind: 'reference'; readonly name: string; readonly type: number }
  /** Sparse tensors, type protos and whatever a later ONNX adds. `bytes`: the AttributeProto, which only the onnx layer reads. */
  | { readonly kind: 'opaque'; readonly type: number; readonly bytes?: Uint8Array };

export type AttributeMap = ReadonlyMap<string, Attribute>;

export const intAttr = (value: number): Attribute => ({ kind: 'int', value });
/** Rounded to float32, as files store it: equal attributes are equal numbers. */
export const floatAttr = (value: number): Attribute => ({ kind: 'float', value: Math.fround(value) });
export const stringAttr = (value: string): Attribute => ({ kind: 'string', value });
export const intsAttr = (value: readonly number[]): Attribute => ({ kind: 'ints', value });
/** Rounded to float32 likewise. */
export const floatsAttr = (value: readonly number[]): Attribute => ({ kind: 'floats', value: value.map(Math.fround) });
export const tensorAttr = (value: Tensor): Attribute => ({ kind: 'tensor', value });
export const graphAttr = (value: Graph): Attribute => ({ kind: 'graph', value });

/** The graphs an attribute holds. */
export function subgraphsOf(attribute: Attribute): readonly Graph[] {
  if (attribute.kind === 'graph') return [attribute.value];
  return attribute.kind === 'graphs' ? attribute.value : [];
}
