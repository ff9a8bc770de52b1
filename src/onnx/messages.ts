// New fields, encoded by onnx-proto: its types keep us to the names of the schema. Only what is new goes through here,
// since onnx-proto would lose the fields that it does not know (all that came after ONNX 1.10).
import onnxProto, { type onnx as Onnx } from 'onnx-proto';
import protobuf from 'protobufjs/minimal.js';
import { encodeText } from './text.js';

const { onnx } = onnxProto;

/** Writes strings that came from bytes which are not UTF-8 as those bytes again. */
class TextWriter extends protobuf.BufferWriter {
  override string(value: string): this {
    this.bytes(encodeText(value));
    return this;
  }
}

interface MessageType<M> {
  encode(message: M, writer?: protobuf.Writer): protobuf.Writer;
}

function encode<M>(type: MessageType<M>, message: M): Uint8Array {
  return type.encode(message, new TextWriter()).finish();
}

/** The fields of a message that holds only what is given: for a whole message, or to put in the place of other fields. */
export const fieldsOf = {
  model: (message: Onnx.IModelProto): Uint8Array => encode(onnx.ModelProto, message),
  graph: (message: Onnx.IGraphProto): Uint8Array => encode(onnx.GraphProto, message),
  node: (message: Onnx.INodeProto): Uint8Array => encode(onnx.NodeProto, message),
  attribute: (message: Onnx.IAttributeProto): Uint8Array => encode(onnx.AttributeProto, message),
  tensor: (message: Onnx.ITensorProto): Uint8Array => encode(onnx.TensorProto, message),
  valueInfo: (message: Onnx.IValueInfoProto): Uint8Array => encode(onnx.ValueInfoProto, message),
  type: (message: Onnx.ITypeProto): Uint8Array => encode(onnx.TypeProto, message),
  tensorType: (message: Onnx.TypeProto.ITensor): Uint8Array => encode(onnx.TypeProto.Tensor, message),
  dimension: (message: Onnx.TensorShapeProto.IDimension): Uint8Array =>
    encode(onnx.TensorShapeProto.Dimension, message),
  annotation: (message: Onnx.ITensorAnnotation): Uint8Array => encode(onnx.TensorAnnotation, message),
  entry: (message: Onnx.IStringStringEntryProto): Uint8Array => encode(onnx.StringStringEntryProto, message),
  opset: (message: Onnx.IOperatorSetIdProto): Uint8Array => encode(onnx.OperatorSetIdProto, message),
  function: (message: Onnx.IFunctionProto): Uint8Array => encode(onnx.FunctionProto, message),
};

/** A string field of a number that onnx-proto does not know. */
export function textField(number: number, text: string): Uint8Array {
  return new TextWriter()
    .uint32(number * 8 + 2)
    .string(text)
    .finish();
}

/** An int64 for onnx-proto: whole, and the largest one where the number is beyond. */
export function int64(value: number): number {
  // protobufjs takes an object of two words, which its types do not say.
  if (value >= 2 ** 63) return { low: -1, high: 0x7fffffff, unsigned: false } as unknown as number;
  return Math.max(Math.round(value), -(2 ** 63));
}
