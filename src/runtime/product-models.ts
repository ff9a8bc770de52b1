// Models of one product each, for every size, written here as bytes: a few fields of protobuf (a tag, then a number or a length
// and that many bytes; field numbers: onnx.proto).

/** Element types, as onnx.proto numbers them. */
const [FLOAT32, FLOAT64] = [1, 11];
const IR_VERSION = 8;
const OPSET = 13;

type Bytes = readonly number[];
/** A name, the type of its elements, and names of its two sizes. */
type Port = readonly [name: string, type: number, rows: string, columns: string];

/** c = a b, all float64. */
export function productModel(): Uint8Array {
  const node = nodeOf('MatMul', ['a', 'b'], 'c');
  return modelOf([node], [port('a', FLOAT64, 'm', 'k'), port('b', FLOAT64, 'k', 'n')], port('c', FLOAT64, 'm', 'n'));
}

/** c = x b, all float32. */
export function timesModel(): Uint8Array {
  const node = nodeOf('MatMul', ['x', 'b'], 'c');
  return modelOf([node], [port('x', FLOAT32, 'm', 'k'), port('b', FLOAT32, 'k', 'n')], port('c', FLOAT32, 'm', 'n'));
}

/** c = x^T x of float32, summed in float64. */
export function gramModel(): Uint8Array {
  const nodes = [widened('x', 'wide'), nodeOf('Gemm', ['wide', 'wide'], 'c', [TRANSPOSED])];
  return modelOf(nodes, [port('x', FLOAT32, 'm', 'k')], port('c', FLOAT64, 'k', 'k'));
}

/** c = x^T y of float32, summed in float64. */
export function acrossModel(): Uint8Array {
  const nodes = [widened('x', 'p'), widened('y', 'q'), nodeOf('Gemm', ['p', 'q'], 'c', [TRANSPOSED])];
  return modelOf(nodes, [port('x', FLOAT32, 'm', 'k'), port('y', FLOAT32, 'm', 'n')], port('c', FLOAT64, 'k', 'n'));
}

const port = (...all: Port): Port => all;
const text = (ascii: string): number[] => [...ascii].map((letter) => letter.charCodeAt(0));
const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)]);
const number = (tag: number, value: number): Bytes => [...varint(tag << 3), ...varint(value)];
const field = (tag: number, bytes: Bytes): Bytes => [...varint((tag << 3) | 2), ...varint(bytes.length), ...bytes];

const INT = 2;
const integer = (name: string, value: number): Bytes => [
  ...field(1, text(name)),
  ...number(3, value),
  ...number(20, INT),
];
const TRANSPOSED = integer('transA', 1);
const widened = (from: string, to: string): Bytes => nodeOf('Cast', [from], to, [integer('to', FLOAT64)]);

function nodeOf(opType: string, inputs: readonly string[], output: string, attributes: readonly Bytes[] = []): Bytes {
  return [
    ...inputs.flatMap((name) => field(1, text(name))),
    ...field(2, text(output)),
    ...field(4, text(opType)),
    ...attributes.flatMap((attribute) => field(5, attribute)),
  ];
}

function portBytes([name, type, rows, columns]: Port): Bytes {
  const axis = (size: string): Bytes => field(1, field(2, text(size)));
  return [
    ...field(1, text(name)),
    ...field(2, field(1, [...number(1, type), ...field(2, [...axis(rows), ...axis(columns)])])),
  ];
}

function modelOf(nodes: readonly Bytes[], inputs: readonly Port[], output: Port): Uint8Array {
  const graph = [
    ...nodes.flatMap((node) => field(1, node)),
    ...field(2, text('product')),
    ...inputs.flatMap((input) => field(11, portBytes(input))),
    ...field(12, portBytes(output)),
  ];
  return Uint8Array.from([...number(1, IR_VERSION), ...field(7, graph), ...field(8, number(2, OPSET))]);
}
