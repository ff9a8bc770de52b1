// Small ONNX models written by hand for the tests of the runtime layer, encoded with onnx-proto.
import onnxProto from 'onnx-proto';

const { onnx } = onnxProto;

export interface TinyPort {
  readonly name: string;
  /** TensorProto.DataType code. */
  readonly type: number;
  /** Undefined: rank not known. A string is a symbolic dimension, an empty one has no name. */
  readonly dims?: readonly (number | string)[];
}
export interface TinyNode {
  readonly op: string;
  readonly name?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly ints?: Readonly<Record<string, number | readonly number[]>>;
}
export interface TinyTensor {
  readonly name: string;
  readonly type: number;
  readonly dims: readonly number[];
  readonly raw: Uint8Array;
  /** File that holds the bytes instead of the model. */
  readonly external?: string;
}
export interface TinyModel {
  readonly nodes: readonly TinyNode[];
  readonly inputs?: readonly TinyPort[];
  readonly outputs: readonly TinyPort[];
  readonly tensors?: readonly TinyTensor[];
  readonly opset?: number;
}

export const TYPE = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
  int4: 22,
} as const;

export function tinyModel(model: TinyModel): Uint8Array {
  const proto = onnx.ModelProto.fromObject({
    irVersion: 10,
    opsetImport: [{ domain: '', version: model.opset ?? 21 }],
    graph: {
      name: 'tiny',
      node: model.nodes.map((node) => ({
        opType: node.op,
        name: node.name ?? '',
        input: [...node.inputs],
        output: [...node.outputs],
        attribute: Object.entries(node.ints ?? {}).map(([name, value]) =>
          typeof value === 'number' ? { name, type: 2, i: value } : { name, type: 7, ints: [...value] },
        ),
      })),
      input: (model.inputs ?? []).map(valueInfo),
      output: model.outputs.map(valueInfo),
      initializer: (model.tensors ?? []).map(({ name, type, dims, raw, external }) => ({
        name,
        dataType: type,
        dims: [...dims],
        ...(external === undefined
          ? { rawData: raw }
          : { dataLocation: 1, externalData: [{ key: 'location', value: external }] }),
      })),
    },
  });
  return Uint8Array.from(onnx.ModelProto.encode(proto).finish());
}

function valueInfo({ name, type, dims }: TinyPort): object {
  const shape =
    dims === undefined
      ? {}
      : {
          shape: {
            dim: dims.map((dim) => (typeof dim === 'number' ? { dimValue: dim } : dim === '' ? {} : { dimParam: dim })),
          },
        };
  return { name, type: { tensorType: { elemType: type, ...shape } } };
}

export function float32s(name: string, dims: readonly number[], numbers: readonly number[]): TinyTensor {
  return { name, type: TYPE.float32, dims, raw: new Uint8Array(Float32Array.from(numbers).buffer) };
}

export function int64s(name: string, numbers: readonly number[]): TinyTensor {
  return {
    name,
    type: TYPE.int64,
    dims: [numbers.length],
    raw: new Uint8Array(BigInt64Array.from(numbers.map(BigInt)).buffer),
  };
}

/** y = x + b, x of float32 `dims`. */
export function addModel(dims: readonly (number | string)[], bias: readonly number[]): Uint8Array {
  return tinyModel({
    nodes: [{ op: 'Add', name: 'add', inputs: ['x', 'b'], outputs: ['y'] }],
    inputs: [{ name: 'x', type: TYPE.float32, dims }],
    outputs: [{ name: 'y', type: TYPE.float32, dims }],
    tensors: [float32s('b', [bias.length], bias)],
  });
}

/** y = Identity(x) of any type. */
export function identityModel(type: number): Uint8Array {
  return tinyModel({
    nodes: [{ op: 'Identity', inputs: ['x'], outputs: ['y'] }],
    inputs: [{ name: 'x', type, dims: ['n'] }],
    outputs: [{ name: 'y', type, dims: ['n'] }],
  });
}
