// Heavy products through ONNX Runtime, several times as fast as in JavaScript: one MatMul in float64 for every size. The model is
// a few fields, written here as bytes (protobuf: a tag, then a number or a length and that many bytes).
import { InternalError } from '../base/errors.js';
import type { Gemm } from '../linalg/gemm.js';
import { matrix, type Matrix } from '../linalg/matrix.js';
import { Tensor } from '../tensor/tensor.js';
import type { CallOptions, RuntimeHost } from './host.js';

/** Products by the child of `host`. They reject as `RuntimeHost.run` does. */
export function runtimeGemm(host: RuntimeHost, options: CallOptions = {}): Gemm {
  const model = matMulModel();
  return async (a, b) => {
    const feeds = new Map([
      ['a', tensorOf(a)],
      ['b', tensorOf(b)],
    ]);
    const result = (await host.run(model, feeds, options)).get('c');
    if (!result) throw new InternalError('unexpected', 'a product has no result');
    return matrix(a.rows, b.columns, result.toFloat64());
  };
}

function tensorOf({ rows, columns, data }: Matrix): Tensor {
  return new Tensor('float64', [rows, columns], new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

const FLOAT64 = 11;
const IR_VERSION = 8;
const OPSET = 13;

/** c = MatMul(a, b), all float64 of rank 2 and any size. Field numbers: onnx.proto. */
function matMulModel(): Uint8Array {
  const axis = (name: string): number[] => field(1, field(2, text(name)));
  const port = (name: string, rows: string, columns: string): number[] => [
    ...field(1, text(name)),
    ...field(2, field(1, [...number(1, FLOAT64), ...field(2, [...axis(rows), ...axis(columns)])])),
  ];
  const node = [...field(1, text('a')), ...field(1, text('b')), ...field(2, text('c')), ...field(4, text('MatMul'))];
  const graph = [
    ...field(1, node),
    ...field(2, text('product')),
    ...field(11, port('a', 'm', 'k')),
    ...field(11, port('b', 'k', 'n')),
    ...field(12, port('c', 'm', 'n')),
  ];
  return Uint8Array.from([...number(1, IR_VERSION), ...field(7, graph), ...field(8, number(2, OPSET))]);
}

const text = (ascii: string): number[] => [...ascii].map((letter) => letter.charCodeAt(0));
const number = (tag: number, value: number): number[] => [tag << 3, ...varint(value)];
const field = (tag: number, bytes: readonly number[]): number[] => [(tag << 3) | 2, ...varint(bytes.length), ...bytes];
const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)]);
