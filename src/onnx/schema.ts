// Field numbers and wire forms of the ONNX messages that mcompress reads, in one table per message. Fields that are not
// listed are kept as they stand. Source: onnx/onnx-ml.proto (ONNX 1.23, IR 14); onnx-proto knows ONNX 1.10 only.

/** How a field is laid out; a packed one may also come element by element. */
type FieldForm = 'varint' | 'fixed32' | 'bytes' | 'packed-varint' | 'packed-fixed32' | 'packed-fixed64';

/** Wire types of protobuf that are in use; 3 and 4 (groups) are not accepted. */
export const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Marks, among the accepted wire types, a field that holds one message (see src/onnx/join-repeated.ts where it comes twice). */
export const SINGLE = 0x80;

/** One bit per accepted wire type. */
const ACCEPTED: Readonly<Record<FieldForm, number>> = {
  varint: 1 << WIRE.varint,
  fixed32: 1 << WIRE.fixed32,
  bytes: 1 << WIRE.bytes,
  'packed-varint': (1 << WIRE.varint) | (1 << WIRE.bytes),
  'packed-fixed32': (1 << WIRE.fixed32) | (1 << WIRE.bytes),
  'packed-fixed64': (1 << WIRE.fixed64) | (1 << WIRE.bytes),
};

export interface MessageSchema {
  readonly name: string;
  /** Accepted wire types by field number, one bit each, and perhaps `SINGLE`; 0 for fields that are not known. */
  readonly accepted: Uint8Array;
}

type Fields = Readonly<Record<string, readonly [number, FieldForm] | readonly [number, FieldForm, 'single']>>;

type Message<F extends Fields> = { readonly [K in keyof F]: F[K][0] } & { readonly schema: MessageSchema };

function message<const F extends Fields>(name: string, fields: F): Message<F> {
  const accepted = new Uint8Array(1 + Math.max(...Object.values(fields).map(([number]) => number)));
  for (const [number, form, single] of Object.values(fields))
    accepted[number] = ACCEPTED[form] | (single === undefined ? 0 : SINGLE);
  const numbers = Object.fromEntries(Object.entries(fields).map(([key, [number]]) => [key, number]));
  return { ...numbers, schema: { name, accepted } } as Message<F>;
}

export const MODEL = message('ModelProto', {
  irVersion: [1, 'varint'],
  producerName: [2, 'bytes'],
  producerVersion: [3, 'bytes'],
  domain: [4, 'bytes'],
  modelVersion: [5, 'varint'],
  docString: [6, 'bytes'],
  graph: [7, 'bytes', 'single'],
  opsetImport: [8, 'bytes'],
  metadataProps: [14, 'bytes'],
  trainingInfo: [20, 'bytes'],
  functions: [25, 'bytes'],
  configuration: [26, 'bytes'],
});

export const OPSET = message('OperatorSetIdProto', { domain: [1, 'bytes'], version: [2, 'varint'] });

export const ENTRY = message('StringStringEntryProto', { key: [1, 'bytes'], value: [2, 'bytes'] });

export const GRAPH = message('GraphProto', {
  node: [1, 'bytes'],
  name: [2, 'bytes'],
  initializer: [5, 'bytes'],
  docString: [10, 'bytes'],
  input: [11, 'bytes'],
  output: [12, 'bytes'],
  valueInfo: [13, 'bytes'],
  quantizationAnnotation: [14, 'bytes'],
  sparseInitializer: [15, 'bytes'],
  metadataProps: [16, 'bytes'],
});

export const FUNCTION = message('FunctionProto', {
  name: [1, 'bytes'],
  input: [4, 'bytes'],
  output: [5, 'bytes'],
  attribute: [6, 'bytes'],
  node: [7, 'bytes'],
  docString: [8, 'bytes'],
  opsetImport: [9, 'bytes'],
  domain: [10, 'bytes'],
  attributeProto: [11, 'bytes'],
  valueInfo: [12, 'bytes'],
  overload: [13, 'bytes'],
  metadataProps: [14, 'bytes'],
});

export const NODE = message('NodeProto', {
  input: [1, 'bytes'],
  output: [2, 'bytes'],
  name: [3, 'bytes'],
  opType: [4, 'bytes'],
  attribute: [5, 'bytes'],
  docString: [6, 'bytes'],
  domain: [7, 'bytes'],
  overload: [8, 'bytes'],
  metadataProps: [9, 'bytes'],
  deviceConfigurations: [10, 'bytes'],
});

export const ATTRIBUTE = message('AttributeProto', {
  name: [1, 'bytes'],
  f: [2, 'fixed32'],
  i: [3, 'varint'],
  s: [4, 'bytes'],
  t: [5, 'bytes', 'single'],
  g: [6, 'bytes', 'single'],
  floats: [7, 'packed-fixed32'],
  ints: [8, 'packed-varint'],
  strings: [9, 'bytes'],
  tensors: [10, 'bytes'],
  graphs: [11, 'bytes'],
  docString: [13, 'bytes'],
  tp: [14, 'bytes', 'single'],
  typeProtos: [15, 'bytes'],
  type: [20, 'varint'],
  refAttrName: [21, 'bytes'],
  sparseTensor: [22, 'bytes', 'single'],
  sparseTensors: [23, 'bytes'],
});

export const TENSOR = message('TensorProto', {
  dims: [1, 'packed-varint'],
  dataType: [2, 'varint'],
  segment: [3, 'bytes'],
  floatData: [4, 'packed-fixed32'],
  int32Data: [5, 'packed-varint'],
  stringData: [6, 'bytes'],
  int64Data: [7, 'packed-varint'],
  name: [8, 'bytes'],
  rawData: [9, 'bytes'],
  doubleData: [10, 'packed-fixed64'],
  uint64Data: [11, 'packed-varint'],
  docString: [12, 'bytes'],
  externalData: [13, 'bytes'],
  dataLocation: [14, 'varint'],
  metadataProps: [16, 'bytes'],
});

export const SPARSE_TENSOR = message('SparseTensorProto', {
  values: [1, 'bytes', 'single'],
  indices: [2, 'bytes', 'single'],
  dims: [3, 'packed-varint'],
});

export const VALUE_INFO = message('ValueInfoProto', {
  name: [1, 'bytes'],
  type: [2, 'bytes', 'single'],
  docString: [3, 'bytes'],
  metadataProps: [4, 'bytes'],
});

export const TYPE = message('TypeProto', {
  tensorType: [1, 'bytes', 'single'],
  sequenceType: [4, 'bytes'],
  mapType: [5, 'bytes'],
  denotation: [6, 'bytes'],
  opaqueType: [7, 'bytes'],
  sparseTensorType: [8, 'bytes'],
  optionalType: [9, 'bytes'],
});

export const TENSOR_TYPE = message('TypeProto.Tensor', { elemType: [1, 'varint'], shape: [2, 'bytes', 'single'] });

export const SHAPE = message('TensorShapeProto', { dim: [1, 'bytes'] });

export const DIMENSION = message('TensorShapeProto.Dimension', {
  dimValue: [1, 'varint'],
  dimParam: [2, 'bytes'],
  denotation: [3, 'bytes'],
});

export const ANNOTATION = message('TensorAnnotation', {
  tensorName: [1, 'bytes'],
  quantParameterTensorNames: [2, 'bytes'],
});

export const TRAINING = message('TrainingInfoProto', {
  initialization: [1, 'bytes', 'single'],
  algorithm: [2, 'bytes', 'single'],
  initializationBinding: [3, 'bytes'],
  updateBinding: [4, 'bytes'],
});

/** AttributeProto.AttributeType. */
export const ATTRIBUTE_TYPE = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
  tensors: 9,
  graphs: 10,
  sparseTensor: 11,
  sparseTensors: 12,
  typeProto: 13,
  typeProtos: 14,
} as const;

/** protobuf's limit: larger models need external data. */
export const MAX_MODEL_BYTES = 2 ** 31 - 1;

/** TensorProto.DataLocation.EXTERNAL. */
export const EXTERNAL_LOCATION = 1;
