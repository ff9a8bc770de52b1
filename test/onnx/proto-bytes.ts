// Models as bytes, built with onnx-proto's encoder and, for what it does not know, field by field. Nothing of src/onnx is
// used, so that the two sides of a test cannot share a mistake.
import onnxProto, { type onnx as Onnx } from 'onnx-proto';

export const { onnx } = onnxProto;

/** An unsigned varint. */
export function varint(integer: number | bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(integer));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

export function varintField(number: number, integer: number | bigint): Buffer {
  return Buffer.concat([varint(number * 8), varint(integer)]);
}

export function bytesField(number: number, ...contents: readonly (Uint8Array | string)[]): Buffer {
  const body = Buffer.concat(contents.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
  return Buffer.concat([varint(number * 8 + 2), varint(body.length), body]);
}

export function fixed32Field(number: number, float: number): Buffer {
  const body = Buffer.alloc(4);
  body.writeFloatLE(float);
  return Buffer.concat([varint(number * 8 + 5), body]);
}

/** A ValueInfoProto for a tensor; a string dimension is a symbol. */
export function value(name: string, elemType = 1, shape: readonly (number | string)[] = [2]): Onnx.IValueInfoProto {
  const dim = shape.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType, shape: { dim } } } };
}

/** A float tensor. */
export function floats(
  name: string,
  numbers: readonly number[],
  dims: readonly number[] = [numbers.length],
): Onnx.ITensorProto {
  return { name, dims: [...dims], dataType: 1, rawData: new Uint8Array(Float32Array.from(numbers).buffer) };
}

/** The parts of a ModelProto around a graph given as bytes. */
export function modelAround(
  graph: Uint8Array,
  { irVersion = 8, opset = 17, after = [] as readonly Uint8Array[] } = {},
): Buffer {
  const head = onnx.ModelProto.encode({ irVersion, opsetImport: [{ domain: '', version: opset }] }).finish();
  return Buffer.concat([head, bytesField(7, graph), ...after]);
}

/** A model with this graph. */
export function modelOf(graph: Onnx.IGraphProto, options: Parameters<typeof modelAround>[1] = {}): Buffer {
  return modelAround(onnx.GraphProto.encode({ name: 'g', ...graph }).finish(), options);
}

/** x -> Relu -> Neg -> y, with a weight added in between. */
export function smallModel(options: Parameters<typeof modelAround>[1] = {}): Buffer {
  return modelOf(
    {
      input: [value('x')],
      output: [value('y')],
      initializer: [floats('w', [1, 2])],
      node: [
        { name: 'first', opType: 'Relu', input: ['x'], output: ['a'] },
        { name: 'second', opType: 'Add', input: ['a', 'w'], output: ['b'] },
        { name: 'third', opType: 'Neg', input: ['b'], output: ['y'] },
      ],
      valueInfo: [value('a'), value('b')],
    },
    options,
  );
}
