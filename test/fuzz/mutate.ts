// Seeded damage to real model files: to the tree of messages, so that it gets past the wire format, and to the bytes.
import type { Rng } from '../../src/base/rng.js';
import {
  encodeTree,
  isMessage,
  messagesOf,
  withFields,
  type Field,
  type Kind,
  type Message,
} from '../onnx/wire-tree.js';

/** A real file to damage. */
export interface Seed {
  readonly name: string;
  readonly tree: Message;
  readonly messages: readonly Message[];
  /** Names, operators and other short texts that stand in it. */
  readonly texts: readonly Buffer[];
}

/** Prepares a parsed file for `mutant`. */
export function seedOf(name: string, tree: Message): Seed {
  const messages = messagesOf(tree);
  const texts = messages.flatMap(({ fields }) =>
    fields.flatMap(({ content }) => (Buffer.isBuffer(content) && content.length < 64 ? [content] : [])),
  );
  return { name, tree, messages, texts };
}

/** Numbers that programs get wrong: limits of 8 to 64 bits, and sizes whose products pass them. */
const NUMBERS: readonly bigint[] = [
  0n,
  1n,
  2n,
  3n,
  7n,
  16n,
  127n,
  255n,
  4097n,
  2n ** 16n,
  2n ** 31n - 1n,
  2n ** 31n,
].concat([2n ** 32n, 2n ** 40n, 2n ** 53n, 2n ** 62n, 2n ** 63n - 1n, -1n, -2n, -(2n ** 31n), -(2n ** 63n)]);

interface Spot {
  readonly kind: Kind;
  readonly fields: readonly Field[];
  readonly at: number;
  readonly field: Field;
  readonly rng: Rng;
  readonly from: Seed;
  /** Another file, or the same. */
  readonly donor: Seed;
}

/** What may happen at one field: the fields of its message afterwards. */
const DAMAGES: readonly ((spot: Spot) => readonly Field[])[] = [
  ({ fields, at }) => fields.toSpliced(at, 1),
  ({ fields, at, field }) => fields.toSpliced(at, 0, field),
  ({ fields, at, field, rng }) => fields.toSpliced(at, 1).toSpliced(rng.int(0, fields.length - 1), 0, field),
  ({ fields, at, field, rng }) => fields.with(at, { ...field, number: rng.int(1, 30) }),
  ({ fields, at, field, rng }) => {
    const wireType = rng.pick([0, 1, 2, 3, 4, 5, 6, 7]);
    return fields.with(at, { ...field, wireType });
  },
  ...Array.from({ length: 8 }, () => changeContent),
  ...Array.from({ length: 4 }, () => transplant),
  nest,
];

function changeContent({ fields, at, field, rng, from }: Spot): readonly Field[] {
  const { content } = field;
  if (typeof content === 'bigint') return fields.with(at, { ...field, content: otherNumber(content, rng) });
  if (isMessage(content)) return fields.with(at, { ...field, content: { ...content, fields: [] } });
  return fields.with(at, {
    ...field,
    content: content.length < 64 ? otherText(content, rng, from) : otherData(content, rng),
  });
}

function otherNumber(number: bigint, rng: Rng): bigint {
  return rng.uniform() < 0.5 ? rng.pick(NUMBERS) : number + BigInt(rng.int(-2, 2));
}

function otherText(text: Buffer, rng: Rng, { texts }: Seed): Buffer {
  if (rng.uniform() < 0.6) return rng.pick(texts);
  return rng.pick([
    Buffer.alloc(0),
    Buffer.concat([text, Buffer.of(rng.int(0, 255))]),
    text.subarray(0, rng.int(0, text.length)),
    Buffer.from(Array.from({ length: rng.int(1, 12) }, () => rng.int(0, 255))),
    Buffer.alloc(rng.int(1, 5000), text.length > 0 ? text : 'x'),
  ]);
}

function otherData(data: Buffer, rng: Rng): Buffer {
  return rng.pick([
    data.subarray(0, rng.int(0, data.length)),
    Buffer.concat([data, Buffer.alloc(rng.int(1, 9))]),
    Buffer.alloc(Math.min(data.length, 4096), 0xff),
  ]);
}

/** A field of a message of the same type, from anywhere in this or another file. */
function transplant({ fields, at, field, rng, donor }: Spot): readonly Field[] {
  const alike = donor.messages.filter((message) => message.fields.some(({ number }) => number === field.number));
  if (alike.length === 0) return fields;
  const given = rng.pick(alike).fields.filter(({ number }) => number === field.number);
  return rng.uniform() < 0.5 ? fields.with(at, rng.pick(given)) : fields.toSpliced(at, 0, rng.pick(given));
}

/** Graphs in attributes of nodes of graphs, with the field at the bottom. */
function nest(spot: Spot): readonly Field[] {
  const { kind, fields, field, rng } = spot;
  if (kind !== 'graph') return changeContent(spot);
  const text = (number: number, content: string): Field => ({ number, wireType: 2, content: Buffer.from(content) });
  let inner: Field = field;
  for (let depth = rng.int(1, 60); depth > 0; depth--) {
    const graph: Field = { number: 6, wireType: 2, content: { kind: 'graph', fields: [inner] } };
    const attribute: Message = {
      kind: 'attribute',
      fields: [text(1, 'then_branch'), { number: 20, wireType: 0, content: 5n }, graph],
    };
    const holder = [text(4, rng.pick(['If', 'Loop', 'Scan'])), { number: 5, wireType: 2, content: attribute }];
    inner = { number: 1, wireType: 2, content: { kind: 'node', fields: holder } };
  }
  return [...fields, inner];
}

/** What may happen to the bytes of a file. */
const BYTE_DAMAGES: readonly ((bytes: Buffer, at: number, rng: Rng) => Buffer)[] = [
  (bytes, at) => bytes.subarray(0, at),
  (bytes, at, rng) => replaced(bytes, at, 1, Buffer.of((bytes[at] ?? 0) ^ (1 << rng.int(0, 7)))),
  (bytes, at, rng) => replaced(bytes, at, 1, Buffer.of(rng.int(0, 255))),
  (bytes, at, rng) => replaced(bytes, at, rng.int(1, 16), Buffer.alloc(0)),
  (bytes, at, rng) => replaced(bytes, at, 0, Buffer.from(Array.from({ length: rng.int(1, 8) }, () => rng.int(0, 255)))),
  (bytes, at, rng) => replaced(bytes, at, 0, bytes.subarray(at, at + rng.int(1, 64))),
  (bytes, at, rng) => replaced(bytes, at, rng.int(1, 10), Buffer.alloc(rng.int(1, 10), 0xff)),
];

function replaced(bytes: Buffer, at: number, length: number, by: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), by, bytes.subarray(at + length)]);
}

/** `seed` with one to four damages, some of them parts of `donor`. Weights are rarely hit: they say little. */
export function mutant(seed: Seed, donor: Seed, rng: Rng): Buffer {
  let tree = seed.tree;
  for (let left = rng.uniform() < 0.15 ? 0 : rng.int(1, 4); left > 0; left--) {
    const message = rng.pick(messagesOf(tree).filter(({ fields }) => fields.length > 0));
    const at = rng.int(0, message.fields.length - 1);
    const field = message.fields[at] as Field;
    const damage = rng.pick(DAMAGES);
    tree = withFields(tree, message, (fields) =>
      damage({ kind: message.kind, fields, at, field, rng, from: seed, donor }),
    );
    if (tree.fields.length === 0) break;
  }
  let bytes = encodeTree(tree);
  for (let left = tree === seed.tree || rng.uniform() < 0.05 ? rng.int(1, 3) : 0; left > 0; left--)
    bytes = rng.pick(BYTE_DAMAGES)(bytes, structuralByte(bytes, rng), rng);
  return bytes;
}

/** A place in `bytes`, near one of the ends of the file most of the time: weights stand in the middle. */
function structuralByte(bytes: Buffer, rng: Rng): number {
  const from = Math.floor(rng.uniform() ** 3 * bytes.length);
  return rng.uniform() < 0.5 ? from : Math.max(0, bytes.length - 1 - from);
}
