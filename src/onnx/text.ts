// Strings of a model file. protobuf says UTF-8, but files with other bytes exist and load; such a byte becomes a lone
// surrogate U+DC80..U+DCFF (as in Python's "surrogateescape") and turns into the same byte again when written.
const REPLACEMENT = '\uFFFD';
const LONE_SURROGATE = /[\uD800-\uDFFF]/u;
const ESCAPE_BASE = 0xdc00;

/** The text in `bytes[start, end)`. Bytes that are not UTF-8 come back as lone surrogates. */
export function decodeText(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, end);
  return text.includes(REPLACEMENT) ? decodeEscaped(bytes.subarray(start, end)) : text;
}

/** The bytes of `text`; the inverse of `decodeText`. */
export function encodeText(text: string): Buffer {
  if (!LONE_SURROGATE.test(text)) return Buffer.from(text, 'utf8');
  const bytes = Buffer.alloc(3 * text.length);
  let length = 0;
  let sound = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.codePointAt(at) ?? 0;
    if (code > 0xffff) at++;
    else if (code > ESCAPE_BASE + 0x7f && code <= ESCAPE_BASE + 0xff) {
      length += bytes.write(text.slice(sound, at), length, 'utf8');
      bytes[length++] = code - ESCAPE_BASE;
      sound = at + 1;
    }
  }
  length += bytes.write(text.slice(sound), length, 'utf8');
  return bytes.subarray(0, length);
}

/** UTF-16 units, at most one per byte, so that a long text of other bytes takes no longer than its length asks. */
function decodeEscaped(bytes: Buffer): string {
  const units = new Uint16Array(bytes.length);
  let count = 0;
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes, at);
    const code = length === 0 ? ESCAPE_BASE + (bytes[at] ?? 0) : codePoint(bytes, at, length);
    if (code > 0xffff) units[count++] = 0xd7c0 + (code >> 10);
    units[count++] = code > 0xffff ? 0xdc00 + (code & 0x3ff) : code;
    at += Math.max(length, 1);
  }
  return Buffer.from(units.buffer, 0, 2 * count).toString('utf16le');
}

/** Smallest code point that a sequence of this length may stand for: shorter ones are not UTF-8. */
const LEAST = [0, 0, 0x80, 0x800, 0x10000];

/** Length of the UTF-8 sequence at `at`; 0 when there is none. */
function sequenceLength(bytes: Buffer, at: number): number {
  const lead = bytes[at] ?? 0;
  if (lead < 0x80) return 1;
  const length = lead < 0xc0 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf8 ? 4 : 0;
  for (let i = 1; i < length; i++) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  const code = codePoint(bytes, at, length);
  const isGood = code >= (LEAST[length] ?? 0) && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return isGood ? length : 0;
}

function codePoint(bytes: Buffer, at: number, length: number): number {
  let code = length < 2 ? (bytes[at] ?? 0) : (bytes[at] ?? 0) & (0x7f >> length);
  for (let i = 1; i < length; i++) code = (code << 6) | ((bytes[at + i] ?? 0) & 0x3f);
  return code;
}
