// Reading the protobuf wire format: one message at a time, field by field, without allocating for what is not asked.
// Everything that a damaged file can say is checked here: lengths against the message around, wire types against the
// schema, varints against 64 bits, field numbers against the limits of protobuf.
import { InputError, type InputCode } from '../base/errors.js';
import { SINGLE, WIRE, type MessageSchema } from './schema.js';
import { decodeText } from './text.js';
import type { UnreadRegions } from './unread.js';

/** A model file in memory. */
export interface Source {
  readonly bytes: Buffer;
  /** Name for messages. */
  readonly file: string | undefined;
  /** What of `bytes` is not there: data of large tensors that stayed on disk. */
  readonly unread?: UnreadRegions | undefined;
}

/** The contents of a message, or of any other field: `bytes[start, end)`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A whole field: tag (and length) at `start`, contents from `bodyStart`. */
export interface FieldSpan extends Span {
  readonly bodyStart: number;
}

/** The contents of a field. */
export const bodyOf = (field: FieldSpan): Span => ({ start: field.bodyStart, end: field.end });

const MAX_FIELD_NUMBER = 2 ** 29 - 1;

/** Walks over varints. `low` and `high` are the words of the last one (int32 each). */
export class VarintReader {
  readonly source: Source;
  readonly limit: number;
  /** Next byte to read. */
  at: number;
  low = 0;
  high = 0;

  constructor(source: Source, start: number, end: number) {
    this.source = source;
    this.at = start;
    this.limit = end;
  }

  get isDone(): boolean {
    return this.at >= this.limit;
  }

  /** The next varint as int64. Beyond 2^53 it is rounded: read `low` and `high` where that matters. */
  varint(): number {
    const { bytes } = this.source;
    const first = bytes[this.at] ?? 0;
    if (first < 0x80 && this.at < this.limit) {
      this.at++;
      this.low = first;
      this.high = 0;
      return first;
    }
    let low = 0;
    let high = 0;
    const start = this.at;
    for (let i = 0; ; i++) {
      if (this.at >= this.limit)
        throw wireError(
          this.source,
          start,
          this.limit === bytes.length ? 'truncated' : 'malformed',
          'a number is cut off',
        );
      const byte = bytes[this.at++] ?? 0;
      const shift = 7 * i;
      if (shift < 28) low |= (byte & 0x7f) << shift;
      else if (shift === 28) {
        low |= byte << 28;
        high |= (byte & 0x7f) >> 4;
      } else high |= (byte & 0x7f) << (shift - 32);
      if (i === 9 && byte > 1) throw wireError(this.source, start, 'malformed', 'a number takes more than 64 bits');
      if (byte < 0x80) break;
    }
    this.low = low;
    this.high = high;
    return high * 2 ** 32 + (low >>> 0);
  }
}

/** Walks over the fields of one message. After `next()` the properties describe the field it stopped at. */
export class WireReader extends VarintReader {
  /** Without one only the structure is checked. */
  readonly schema: MessageSchema | undefined;
  #seen: Set<number> | undefined;
  number = 0;
  wireType = 0;
  start = 0;
  bodyStart = 0;
  end = 0;

  constructor(source: Source, body: Span, schema?: MessageSchema) {
    super(source, body.start, body.end);
    this.schema = schema;
  }

  /** Moves to the next field; false at the end of the message. @throws InputError truncated, malformed */
  next(): boolean {
    if (this.at >= this.limit) return false;
    this.start = this.at;
    const tag = this.varint();
    this.number = tag < 128 ? tag >> 3 : Math.floor(tag / 8);
    this.wireType = tag & 7;
    if (this.number < 1 || this.number > MAX_FIELD_NUMBER)
      this.#fail('malformed', `field number ${this.number} does not exist`);
    this.#checkSchema();
    this.bodyStart = this.at;
    if (this.wireType === WIRE.bytes) {
      const length = this.varint();
      this.bodyStart = this.at;
      if (length < 0 || this.at + length > this.limit) this.#failLength(length);
      this.at += length;
    } else if (this.wireType === WIRE.varint) this.varint();
    else this.#skipFixed();
    this.end = this.at;
    return true;
  }

  /** The present field as a value, to keep. */
  field(): FieldSpan {
    return { start: this.start, bodyStart: this.bodyStart, end: this.end };
  }

  /** Contents of the present field. */
  body(): Span {
    return { start: this.bodyStart, end: this.end };
  }

  /** The present varint field as int64 (rounded beyond 2^53). */
  int(): number {
    return this.high * 2 ** 32 + (this.low >>> 0);
  }

  text(): string {
    return decodeText(this.source.bytes, this.bodyStart, this.end);
  }

  float(): number {
    return this.source.bytes.readFloatLE(this.bodyStart);
  }

  #checkSchema(): void {
    const { number, wireType, schema } = this;
    if (wireType === 3 || wireType === 4 || wireType > 5)
      this.#fail('malformed', `field ${number} has wire type ${wireType}, which ONNX does not use`);
    const accepted = schema?.accepted[number] ?? 0;
    if (accepted === 0) return;
    if (((accepted >> wireType) & 1) === 0)
      this.#fail('malformed', `field ${number} has wire type ${wireType}, which is not the one it must have`);
    if ((accepted & SINGLE) === 0) return;
    this.#seen ??= new Set();
    if (this.#seen.has(number))
      throw new SplitMessageError(
        wireError(this.source, this.start, 'malformed', `field ${number} stands there twice`),
      );
    this.#seen.add(number);
  }

  #skipFixed(): void {
    const width = this.wireType === WIRE.fixed32 ? 4 : 8;
    if (this.at + width > this.limit) this.#failLength(width);
    this.at += width;
  }

  #failLength(length: number): never {
    const size = this.source.bytes.length;
    const end = this.bodyStart + length;
    if (length >= 0 && end > size)
      this.#fail('truncated', `field ${this.number} reaches to byte ${end}, but the data ends at byte ${size}`);
    this.#fail('malformed', `field ${this.number} is longer than what it is part of`);
  }

  #fail(code: InputCode, what: string): never {
    const where = this.schema ? `in ${this.schema.name}, ` : '';
    throw wireError(this.source, this.start, code, `${where}${what}`);
  }
}

/** A field that holds one message comes twice: see src/onnx/join-repeated.ts. */
export class SplitMessageError extends Error {
  constructor(readonly reported: InputError) {
    super(reported.message);
  }
}

/** All fields that `reader` comes to, as lists by field number. */
export function fieldsByNumber(reader: WireReader): (number: number) => readonly FieldSpan[] {
  const lists = new Map<number, FieldSpan[]>();
  while (reader.next()) {
    const list = lists.get(reader.number);
    if (list) list.push(reader.field());
    else lists.set(reader.number, [reader.field()]);
  }
  return (number) => lists.get(number) ?? [];
}

/** The bytes of `span`, read from disk where they stayed there. */
export function bytesOf({ bytes, unread }: Source, { start, end }: Span): Uint8Array {
  const missing = unread?.within(start, end) ?? [];
  if (missing.length === 0) return bytes.subarray(start, end);
  const whole = Buffer.from(bytes.subarray(start, end));
  for (const part of missing) whole.set(unread?.bytes(part).read() ?? [], part.start - start);
  return whole;
}

/** The text in `field`; '' when there is none. */
export function textOf({ bytes }: Source, field: FieldSpan | undefined): string {
  return field ? decodeText(bytes, field.bodyStart, field.end) : '';
}

/** An error at a byte of the file. */
export function wireError(source: Source, offset: number, code: InputCode, message: string): InputError {
  return new InputError(code, message, { at: { ...(source.file === undefined ? {} : { file: source.file }), offset } });
}
