// How the contents of tensors are written: `{1, 2}` in full, `{... 864 values, hash 1a2b3c4d}` in brief, and, for
// tests that should stay short, contents by formula: `random(7)`, `uniform(-1, 1, 7)`, `fill(0.5)`, `range(0, 1)`.
import { InputError } from '../../base/errors.js';
import { createRng } from '../../base/rng.js';
import { DTYPES, storageBytes, type DType } from '../../tensor/dtype.js';
import { elementCount, Tensor, type LazyBytes } from '../../tensor/tensor.js';
import { describe, type Lexer, type Token } from './lexer.js';

/** `full`: every element. `brief`: tensors of more than 16 elements by count and hash only. `none`: `_` for all contents. */
export type WeightText = 'full' | 'brief' | 'none';

const BRIEF_LIMIT = 16;

/** The contents of `tensor` in braces. @throws InputError when they stand in a file that cannot be read */
export function formatContents(tensor: Tensor, weights: WeightText): string {
  if (weights === 'none') return '_';
  if (weights === 'brief' && tensor.size > BRIEF_LIMIT)
    return `{... ${tensor.size} values${tensor.isLazy ? '' : `, hash ${hash(tensor)}`}}`;
  return `{${formatElements(tensor).join(', ')}}`;
}

function formatElements(tensor: Tensor): string[] {
  const { dtype } = tensor;
  if (dtype === 'string') return tensor.strings().map((bytes) => JSON.stringify(new TextDecoder().decode(bytes)));
  if (dtype === 'int64' || dtype === 'uint64') return tensor.toBigInts().map(String);
  if (DTYPES[dtype].kind !== 'complex') return tensor.toNumbers().map((x) => formatNumber(x, dtype));
  const part = dtype === 'complex64' ? 'float32' : 'float64';
  return new Tensor(part, [2 * tensor.size], tensor.bytes()).toNumbers().map((x) => formatNumber(x, part));
}

/** The shortest decimal that reads back as `x` in float32 (or float64 where `x` is no float32). */
export function formatNumber(x: number, dtype: DType = 'float32'): string {
  if (Number.isNaN(x)) return 'nan';
  if (!Number.isFinite(x)) return x > 0 ? 'inf' : '-inf';
  if (Object.is(x, -0)) return '-0';
  if (Number.isInteger(x) || dtype === 'float64' || Math.fround(x) !== x) return String(x);
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(x.toPrecision(digits));
    if (Math.fround(short) === x) return String(short);
  }
  return String(Number(x.toPrecision(9)));
}

/** FNV-1a over the bytes, as hexadecimal: tells two weights apart in a listing, nothing more. */
function hash(tensor: Tensor): string {
  let h = 0x811c9dc5;
  for (const part of tensor.dtype === 'string' ? tensor.strings() : [tensor.bytes()]) {
    for (const byte of part) h = Math.imul(h ^ byte, 0x01000193);
  }
  return (h >>> 0).toString(16).padStart(8, '0');
}

/**
 * Contents for a tensor of this type. Contents left out of the text (`_`, or brief ones) give a tensor whose numbers
 * cannot be read.
 * @throws InputError malformed
 */
export function parseContents(lexer: Lexer, dtype: DType, dims: readonly number[]): Tensor {
  const token = lexer.peek();
  if (token.text === '_' && token.kind === 'word') {
    lexer.next();
    return omitted(lexer, token, dtype, dims);
  }
  if (token.kind === 'word') return parseFormula(lexer, dtype, dims);
  if (lexer.peek(1).text === '...') return parseBrief(lexer, dtype, dims);
  const elements: Token[] = [];
  lexer.list('{', '}', () => elements.push(lexer.next()));
  const expected = elementCount(dims) * (DTYPES[dtype].kind === 'complex' ? 2 : 1);
  if (elements.length !== expected) throw lexer.error(`expected ${expected} values, found ${elements.length}`, token);
  return fromElements(lexer, dtype, dims, elements);
}

function fromElements(lexer: Lexer, dtype: DType, dims: readonly number[], elements: readonly Token[]): Tensor {
  if (dtype === 'string')
    return new Tensor(
      dtype,
      dims,
      elements.map((token) => new TextEncoder().encode(stringOf(lexer, token))),
    );
  if (dtype === 'int64' || dtype === 'uint64') {
    const numbers = elements.map((token) => bigintOf(lexer, token));
    return new Tensor(dtype, dims, new Uint8Array(BigInt64Array.from(numbers).buffer));
  }
  const numbers = elements.map((token) => numberOf(lexer, token));
  if (DTYPES[dtype].kind !== 'complex') return Tensor.fromNumbers(dtype, dims, numbers);
  const parts = dtype === 'complex64' ? Float32Array.from(numbers) : Float64Array.from(numbers);
  return new Tensor(dtype, dims, new Uint8Array(parts.buffer));
}

const WORDS: Readonly<Record<string, number>> = {
  inf: Infinity,
  '-inf': -Infinity,
  nan: Number.NaN,
  true: 1,
  false: 0,
};

/** The number a token stands for: digits, `inf`, `-inf`, `nan`, `true`, `false`. @throws InputError malformed */
export function numberOf(lexer: Lexer, token: Token): number {
  if (token.kind === 'number' || token.kind === 'word') {
    const value = Object.hasOwn(WORDS, token.text)
      ? WORDS[token.text]
      : token.kind === 'number'
        ? Number(token.text)
        : undefined;
    if (value !== undefined) return value;
  }
  throw lexer.error(`expected a number, found ${describe(token)}`, token);
}

function bigintOf(lexer: Lexer, token: Token): bigint {
  if (token.kind !== 'number' || !/^-?\d+$/.test(token.text))
    throw lexer.error(`expected a whole number, found ${describe(token)}`, token);
  return BigInt(token.text);
}

function stringOf(lexer: Lexer, token: Token): string {
  if (token.kind !== 'string') throw lexer.error(`expected a quoted string, found ${describe(token)}`, token);
  return token.text;
}

function parseBrief(lexer: Lexer, dtype: DType, dims: readonly number[]): Tensor {
  const start = lexer.expect('{');
  while (!lexer.take('}')) if (lexer.next().kind === 'end') throw lexer.error('expected "}"');
  return omitted(lexer, start, dtype, dims);
}

function omitted(lexer: Lexer, token: Token, dtype: DType, dims: readonly number[]): Tensor {
  if (dtype === 'string') throw lexer.error('the contents of a string tensor cannot be left out', token);
  const bytes: LazyBytes = {
    byteLength: storageBytes(dtype, elementCount(dims)),
    read: () => {
      throw new InputError('unsupported', 'the weights were left out of the IR text', {
        fix: 'print the model with all weights',
      });
    },
  };
  return new Tensor(dtype, dims, bytes);
}

type Fill = (dims: readonly number[], ...parameters: readonly number[]) => (i: number) => number;

/** Contents by formula. `random(seed)`: normal, divided by the root of the fan-in (the product of all dims but the first). */
const FORMULAS: Readonly<Record<string, Fill>> = {
  random: (dims, seed = 0) => {
    const rng = createRng(seed);
    const scale = dims.length > 1 ? 1 / Math.sqrt(Math.max(1, elementCount(dims.slice(1)))) : 1;
    return () => rng.normal() * scale;
  },
  uniform: (_, low = 0, high = 1, seed = 0) => {
    const rng = createRng(seed);
    return () => low + rng.uniform() * (high - low);
  },
  fill:
    (_, value = 0) =>
    () =>
      value,
  range:
    (_, start = 0, step = 1) =>
    (i) =>
      start + i * step,
};

function parseFormula(lexer: Lexer, dtype: DType, dims: readonly number[]): Tensor {
  const token = lexer.next();
  const formula = Object.hasOwn(FORMULAS, token.text) ? FORMULAS[token.text] : undefined;
  if (!formula)
    throw lexer.error(
      `expected contents: {...}, _, or one of ${Object.keys(FORMULAS).join(', ')}; found ${describe(token)}`,
      token,
    );
  if (DTYPES[dtype].kind === 'string' || DTYPES[dtype].kind === 'complex')
    throw lexer.error(`a ${dtype} tensor needs its contents in full`, token);
  const parameters: number[] = [];
  lexer.list('(', ')', () => parameters.push(numberOf(lexer, lexer.next())));
  const element = formula(dims, ...parameters);
  return Tensor.fromNumbers(
    dtype,
    dims,
    Array.from({ length: elementCount(dims) }, (_, i) => element(i)),
  );
}
