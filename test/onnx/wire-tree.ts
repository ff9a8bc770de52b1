// A protobuf message as a tree that can be changed and written again. It shares no code with src/onnx, so that the files
// that the reader is tried on do not depend on what the reader believes.

export type Content = bigint | Buffer | Message;

export interface Field {
  readonly number: number;
  /** 0 varint, 1 eight bytes, 2 counted bytes or a message, 5 four bytes. */
  readonly wireType: number;
  readonly content: Content;
}

export interface Message {
  readonly kind: Kind;
  readonly fields: readonly Field[];
}

/** Message types of ONNX that hold others, and the fields that hold them. Everything else is bytes. */
const CHILDREN = {
  model: { 7: 'graph', 8: 'opset', 14: 'entry', 20: 'training', 25: 'function' },
  graph: { 1: 'node', 5: 'tensor', 11: 'value', 12: 'value', 13: 'value', 14: 'annotation', 15: 'sparse', 16: 'entry' },
  node: { 5: 'attribute', 9: 'entry' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 14: 'type', 15: 'type', 22: 'sparse', 23: 'sparse' },
  function: { 7: 'node', 9: 'opset', 11: 'attribute', 12: 'value', 14: 'entry' },
  value: { 2: 'type', 4: 'entry' },
  type: { 1: 'tensorType', 4: 'elementType', 5: 'elementType', 8: 'tensorType', 9: 'elementType' },
  tensorType: { 2: 'shape' },
  elementType: { 1: 'type', 2: 'type' },
  shape: { 1: 'dim' },
  tensor: { 3: 'dim', 13: 'entry', 16: 'entry' },
  sparse: { 1: 'tensor', 2: 'tensor' },
  annotation: { 2: 'entry' },
  training: { 1: 'graph', 2: 'graph', 3: 'entry', 4: 'entry' },
  opset: {},
  entry: {},
  dim: {},
} as const satisfies Record<string, Readonly<Record<number, string>>>;

export type Kind = keyof typeof CHILDREN;

/** The model in `bytes`, which must be sound; tensors' data stays a slice. */
export function parseTree(bytes: Buffer, kind: Kind = 'model'): Message {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let result = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes.readUInt8(at++);
      result |= BigInt(byte & 127) << shift;
      if (byte < 128) return result;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const [number, wireType] = [Math.floor(tag / 8), tag % 8];
    if (wireType === 0) fields.push({ number, wireType, content: varint() });
    else {
      const length = wireType === 2 ? Number(varint()) : wireType === 1 ? 8 : 4;
      const body = bytes.subarray(at, (at += length));
      const child = (CHILDREN[kind] as Readonly<Record<number, Kind>>)[number];
      fields.push({ number, wireType, content: wireType === 2 && child ? parseTree(body, child) : body });
    }
  }
  return { kind, fields };
}

/** The bytes of `message`, with lengths that are right whatever was changed. */
export function encodeTree({ fields }: Message): Buffer {
  return Buffer.concat(
    fields.flatMap(({ number, wireType, content }) => {
      const tag = encodeVarint(BigInt(number) * 8n + BigInt(wireType));
      if (typeof content === 'bigint') return [tag, encodeVarint(content)];
      const body = Buffer.isBuffer(content) ? content : encodeTree(content);
      return wireType === 2 ? [tag, encodeVarint(BigInt(body.length)), body] : [tag, body];
    }),
  );
}

function encodeVarint(number: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, number);
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

/** Every message of the tree, the root first. */
export function messagesOf(message: Message): Message[] {
  return [message, ...message.fields.flatMap(({ content }) => (isMessage(content) ? messagesOf(content) : []))];
}

export function isMessage(content: Content): content is Message {
  return typeof content === 'object' && !Buffer.isBuffer(content);
}

/** The tree with `old`, found by identity, replaced by what `change` makes of its fields. */
export function withFields(
  tree: Message,
  old: Message,
  change: (fields: readonly Field[]) => readonly Field[],
): Message {
  if (tree === old) return { kind: tree.kind, fields: change(tree.fields) };
  const fields = tree.fields.map((field) => {
    if (!isMessage(field.content)) return field;
    const content = withFields(field.content, old, change);
    return content === field.content ? field : { ...field, content };
  });
  return fields.every((field, i) => field === tree.fields[i]) ? tree : { kind: tree.kind, fields };
}
