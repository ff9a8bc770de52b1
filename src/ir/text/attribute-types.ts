// Names of AttributeProto.AttributeType in IR text, by number. Source: onnx/onnx.proto, message AttributeProto.

export const ATTRIBUTE_TYPES: Readonly<Record<number, string>> = {
  1: 'float',
  2: 'int',
  3: 'string',
  4: 'tensor',
  5: 'graph',
  6: 'floats',
  7: 'ints',
  8: 'strings',
  9: 'tensors',
  10: 'graphs',
  11: 'sparse_tensor',
  12: 'sparse_tensors',
  13: 'type_proto',
  14: 'type_protos',
};

/** The number of the attribute type called `name` in IR text. */
export function attributeTypeNumber(name: string): number | undefined {
  const entry = Object.entries(ATTRIBUTE_TYPES).find(([, word]) => word === name);
  return entry === undefined ? undefined : Number(entry[0]);
}
