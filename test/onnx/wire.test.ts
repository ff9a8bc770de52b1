// The wire format: numbers, lengths, wire types, and text that is not UTF-8.
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/base/errors.js';
import { MODEL, NODE } from '../../src/onnx/schema.js';
import { decodeText, encodeText } from '../../src/onnx/text.js';
import { VarintReader, WireReader, type Source } from '../../src/onnx/wire.js';
import { bytesField, fixed32Field, varint, varintField } from './proto-bytes.js';

const sourceOf = (bytes: Buffer): Source => ({ bytes, file: 'm.onnx' });

function failure(act: () => unknown): InputError {
  try {
    act();
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
  throw new TypeError('nothing was thrown');
}

const readAll = (bytes: Buffer, schema = NODE.schema): [number, number, string][] => {
  const reader = new WireReader(sourceOf(bytes), { start: 0, end: bytes.length }, schema);
  const fields: [number, number, string][] = [];
  while (reader.next()) fields.push([reader.number, reader.wireType, reader.text()]);
  return fields;
};

describe('varints', () => {
  it.each([
    [0, 0],
    [1, 1],
    [127, 127],
    [128, 128],
    [300, 300],
    [2 ** 28 - 1, 2 ** 28 - 1],
    [2 ** 28, 2 ** 28],
    [2 ** 31, 2 ** 31],
    [2 ** 32 + 5, 2 ** 32 + 5],
    [2 ** 35, 2 ** 35],
    [2 ** 53 - 1, 2 ** 53 - 1],
    [-1, -1],
    [-2, -2],
    [-(2 ** 31), -(2 ** 31)],
    [-(2 ** 53) + 1, -(2 ** 53) + 1],
    [2n ** 63n - 1n, 2 ** 63],
    [-(2n ** 63n), -(2 ** 63)],
  ])('reads %s', (written, read) => {
    const bytes = varint(written);
    const reader = new VarintReader(sourceOf(bytes), 0, bytes.length);
    expect(reader.varint()).toBe(read);
    expect(reader.isDone).toBe(true);
    const words = (BigInt(reader.high) << 32n) | BigInt(reader.low >>> 0);
    expect(words).toBe(BigInt(written));
  });

  it('accepts a number with more bytes than it needs, as protobuf does', () => {
    const bytes = Buffer.from([0x85, 0x80, 0x80, 0x00]);
    expect(new VarintReader(sourceOf(bytes), 0, 4).varint()).toBe(5);
  });

  it('refuses more than 64 bits and more than ten bytes', () => {
    const tooWide = Buffer.from([...Array<number>(9).fill(0xff), 0x02]);
    expect(failure(() => new VarintReader(sourceOf(tooWide), 0, 10).varint()).code).toBe('malformed');
    const tooLong = Buffer.from([...Array<number>(10).fill(0x80), 0x01]);
    expect(failure(() => new VarintReader(sourceOf(tooLong), 0, 11).varint()).code).toBe('malformed');
  });

  it('tells the end of the data from the end of the message', () => {
    const bytes = Buffer.from([0x80, 0x80, 0x01]);
    expect(failure(() => new VarintReader(sourceOf(bytes.subarray(0, 2)), 0, 2).varint()).code).toBe('truncated');
    expect(failure(() => new VarintReader(sourceOf(bytes), 0, 2).varint()).code).toBe('malformed');
  });
});

describe('fields', () => {
  it('come in order, with unknown ones', () => {
    const bytes = Buffer.concat([bytesField(4, 'Relu'), varintField(99, 7), bytesField(1, 'x'), fixed32Field(98, 1)]);
    expect(readAll(bytes).map(([number, wireType]) => [number, wireType])).toEqual([
      [4, 2],
      [99, 0],
      [1, 2],
      [98, 5],
    ]);
    expect(readAll(bytes)[0]?.[2]).toBe('Relu');
  });

  it.each([
    [
      'a field that reaches over the end of the data',
      Buffer.from([0x0a, 0x05, 0x61]),
      'truncated',
      /reaches to byte 7, but the data ends at byte 3/,
    ],
    [
      'a length of more than any file',
      Buffer.concat([Buffer.from([0x0a]), varint(2 ** 40)]),
      'truncated',
      /the data ends/,
    ],
    [
      'a negative length',
      Buffer.concat([Buffer.from([0x0a]), varint(-1)]),
      'malformed',
      /longer than what it is part of/,
    ],
    ['a group', Buffer.from([0x0b, 0x0c]), 'malformed', /wire type 3/],
    ['a wire type that does not exist', Buffer.from([0x0f]), 'malformed', /wire type 7/],
    ['field number 0', Buffer.from([0x02, 0x00]), 'malformed', /field number 0/],
    [
      'a field number beyond the limit',
      Buffer.concat([varint(2 ** 33), Buffer.from([0])]),
      'malformed',
      /field number 1073741824/,
    ],
    ['a number where text must stand', varintField(1, 5), 'malformed', /in NodeProto, field 1 has wire type 0/],
    ['a fixed number that is cut off', Buffer.from([0xfd, 0x06, 0, 0]), 'truncated', /field 111/],
  ] as const)('refuse %s', (_, bytes, code, message) => {
    const error = failure(() => readAll(bytes));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.at).toEqual({ file: 'm.onnx', offset: 0 });
  });

  it('may not run over the message they are part of', () => {
    const inner = Buffer.from([0x0a, 0x05, 0x61]);
    const bytes = Buffer.concat([bytesField(7, inner), bytesField(2, 'more than enough')]);
    const outer = new WireReader(sourceOf(bytes), { start: 0, end: bytes.length }, MODEL.schema);
    outer.next();
    const error = failure(() => new WireReader(outer.source, outer.body(), NODE.schema).next());
    expect([error.code, error.at.offset]).toEqual(['malformed', 2]);
  });
});

describe('text', () => {
  it.each(['', 'conv1/weight', 'größe', '重み', '😀', 'a\uFFFDb'])('keeps %j', (text) => {
    const bytes = Buffer.from(text, 'utf8');
    expect(decodeText(bytes, 0, bytes.length)).toBe(text);
    expect(encodeText(text)).toEqual(bytes);
  });

  it.each([
    [[0xff]],
    [[0x61, 0x80, 0x62]],
    [[0xc3]],
    [[0xe9, 0x74, 0xe9]],
    [[0xf0, 0x9f, 0x98]],
    [[0xed, 0xa0, 0x80]],
    [[0xc0, 0xaf]],
    [[0xef, 0xbf, 0xbd, 0xff]],
    [[0xe6, 0x96, 0xe6, 0x96, 0x87]],
  ])('keeps the bytes %j, which are not UTF-8', (numbers) => {
    const bytes = Buffer.from(numbers);
    const text = decodeText(bytes, 0, bytes.length);
    expect(text).not.toContain('\uFFFD\uFFFD');
    expect(encodeText(text)).toEqual(bytes);
  });

  it.each([
    ['a scalar of four bytes', [0xf0, 0x9f, 0x8e, 0xb2, 0xff], '\u{1F3B2}\uDCFF'],
    ['a sequence cut off', [0x61, 0xe2, 0x82], 'a\uDCE2\uDC82'],
    ['too long a sequence for its letter', [0xc1, 0xa1], '\uDCC1\uDCA1'],
    ['a surrogate', [0xed, 0xa0, 0x80], '\uDCED\uDCA0\uDC80'],
    ['a code point beyond the last', [0xf4, 0x90, 0x80, 0x80], '\uDCF4\uDC90\uDC80\uDC80'],
    ['a lead byte that does not exist', [0xf8, 0x88, 0x80, 0x80, 0x80], '\uDCF8\uDC88\uDC80\uDC80\uDC80'],
    ['the sign for bad bytes itself', [0xef, 0xbf, 0xbd, 0x80], '\uFFFD\uDC80'],
  ])('escapes only what is not UTF-8: %s', (_, numbers, text) => {
    const bytes = Buffer.from(numbers);
    expect(decodeText(bytes, 0, bytes.length)).toBe(text);
    expect(encodeText(text)).toEqual(bytes);
  });

  it('keeps every pair of bytes, and tells all of them apart', () => {
    const changed: string[] = [];
    const texts = new Set<string>();
    for (let pair = 0; pair < 65536; pair++) {
      const bytes = Buffer.of(pair >> 8, pair & 255);
      const text = decodeText(bytes, 0, 2);
      if (!encodeText(text).equals(bytes)) changed.push(pair.toString(16));
      texts.add(text);
    }
    expect(changed).toEqual([]);
    expect(texts.size).toBe(65536);
  });
});
