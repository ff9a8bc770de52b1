// What encoding carries along: the file the model came from, what has changed since, and where tensors are to go.
import type { Model } from '../ir/model.js';
import type { Value } from '../ir/value.js';
import type { Tensor } from '../tensor/tensor.js';
import type { OnnxDocument, Records } from './document.js';

/** Where the bytes of an external tensor are to stand. */
export interface ExternalPlace {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

/**
 * `inline`: in the model file. `keep`: as in the input, where the tensor came from there, else inline. `external`:
 * initializers go where `place` says, if it says so, all else inline.
 */
export type TensorPlacement =
  | { readonly kind: 'inline' }
  | { readonly kind: 'keep' }
  | { readonly kind: 'external'; readonly place: (tensor: Tensor) => ExternalPlace | undefined };

export interface EncodeContext {
  readonly records: Records | undefined;
  readonly placement: TensorPlacement;
  /** Values whose name or declared type differs from that in the file. */
  readonly renamed: ReadonlySet<Value>;
  readonly retyped: ReadonlySet<Value>;
  /** Weights whose entry among the graph inputs is written. */
  readonly weightInputs: ReadonlySet<Value>;
  /** ir_version of the result. */
  readonly irVersion: number;
}

/** Initializers had to be graph inputs before this version of the IR. */
const FREE_INITIALIZERS_SINCE = 4;

/** Compares `model` with the file it came from. */
export function encodeContext(
  document: OnnxDocument | undefined,
  model: Model,
  options: { readonly placement: TensorPlacement; readonly weightInputs: 'keep' | 'drop' },
): EncodeContext {
  const records = document?.records;
  const values = records?.values ?? [];
  const listed = [...(document?.weightInputs ?? [])].filter((value) => model.graph.initializers.has(value));
  const isOld = model.irVersion < FREE_INITIALIZERS_SINCE;
  // An older file cannot hold the new weights unless they are inputs: raising ir_version (the opset stays) is what keeps
  // them constants. From then on a weight that is an input is no constant to ONNX Runtime any more, so all entries go.
  const isRaised =
    isOld && (hasNewInitializer(records, model) || (options.weightInputs === 'drop' && listed.length > 0));
  return {
    records,
    placement: options.placement,
    renamed: new Set(values.filter(({ value, name }) => value.name !== name).map(({ value }) => value)),
    retyped: new Set(values.filter(({ value, type }) => value.type !== type).map(({ value }) => value)),
    weightInputs: isRaised || options.weightInputs === 'drop' ? new Set() : new Set(listed),
    irVersion: isRaised ? FREE_INITIALIZERS_SINCE : model.irVersion,
  };
}

/** An initializer that is no input and was not in the file. */
function hasNewInitializer(records: Records | undefined, model: Model): boolean {
  return model.graphs().some((graph) => {
    const known = new Set(records?.graphs.get(graph)?.initializers.map(({ value }) => value));
    return [...graph.initializers].some((value) => !value.isInput && !known.has(value));
  });
}
