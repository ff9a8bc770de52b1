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
  const parts = Array.from(text, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code > ESCAPE_BASE + 0x7f && code <= ESCAPE_BASE + 0xff
      ? Buffer.of(code - ESCAPE_BASE)
      : Buffer.from(character, 'utf8');
  });
  return Buffer.concat(parts);
}

function decodeEscaped(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes[at] ?? 0);
    const character = bytes.toString('utf8', at, at + length);
    // A decoder puts U+FFFD for bad bytes: right only where those three bytes stand in the file.
    const isGood = character.length > 0 && Buffer.from(character, 'utf8').equals(bytes.subarray(at, at + length));
    text += isGood ? character : String.fromCharCode(ESCAPE_BASE + (bytes[at] ?? 0));
    at += isGood ? length : 1;
  }
  return text;
}

function sequenceLength(lead: number): number {
  if (lead < 0xc0) return 1;
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
}
