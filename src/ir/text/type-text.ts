// How types are written: `float[N,3,8,8]`, `float` (a scalar), `float[]` (any rank), `tensor` (any element type).
import { DTYPES, type DType } from '../../tensor/dtype.js';
import type { DeclaredDim, ValueType } from '../value.js';
import { describe, quoteName, type Lexer } from './lexer.js';

/** The names ONNX text gives to element types, where they differ from ours. */
const SPELLINGS: Partial<Record<DType, string>> = { float32: 'float', float64: 'double' };

const ELEMENTS: ReadonlyMap<string, DType> = new Map(
  (Object.keys(DTYPES) as DType[]).flatMap((dtype): [string, DType][] => [
    [dtype, dtype],
    [SPELLINGS[dtype] ?? dtype, dtype],
  ]),
);

/** Types that are kept and not understood: their parameters are skipped. */
const OTHER_TYPES: ReadonlySet<string> = new Set(['other', 'seq', 'map', 'optional', 'sparse_tensor']);

/** A word that starts a type, so that a value of this name must be quoted. */
function isTypeWord(word: string): boolean {
  return ELEMENTS.has(word) || OTHER_TYPES.has(word) || word === 'tensor';
}

/** A value's name as it is written. */
export const valueName = (name: string): string => quoteName(name, isTypeWord);

/** An element type as ONNX text spells it, such as `float` for float32. */
export function formatDType(dtype: DType): string {
  return SPELLINGS[dtype] ?? dtype;
}

/** `undefined` (nothing declared) is the empty string. */
export function formatType(type: ValueType | undefined): string {
  if (type === undefined) return '';
  if (type.kind === 'other') return 'other';
  return (type.dtype === undefined ? 'tensor' : formatDType(type.dtype)) + formatShape(type.shape);
}

function formatShape(shape: readonly DeclaredDim[] | undefined): string {
  if (shape === undefined) return '[]';
  if (shape.length === 0) return '';
  return `[${shape.map((dim) => (typeof dim === 'string' ? quoteName(dim) : (dim ?? '?'))).join(',')}]`;
}

/** True when the next token starts a type and is not the name of an untyped value. */
export function startsType(lexer: Lexer): boolean {
  const token = lexer.peek();
  if (token.kind !== 'word' || !isTypeWord(token.text)) return false;
  const after = lexer.peek(1);
  return after.kind === 'word' || after.kind === 'string' || after.text === '[' || after.text === '(';
}

/** @throws InputError malformed */
export function parseType(lexer: Lexer): ValueType {
  const token = lexer.next();
  if (OTHER_TYPES.has(token.text)) {
    if (lexer.peek().text === '(') skipParameters(lexer);
    return { kind: 'other' };
  }
  const dtype = ELEMENTS.get(token.text);
  if (token.kind !== 'word' || (dtype === undefined && token.text !== 'tensor'))
    throw lexer.error(`expected a type, found ${describe(token)}`, token);
  return { kind: 'tensor', dtype, shape: parseShape(lexer) };
}

function parseShape(lexer: Lexer): readonly DeclaredDim[] | undefined {
  if (lexer.peek().text !== '[') return [];
  const dims: DeclaredDim[] = [];
  lexer.list('[', ']', () => {
    const token = lexer.next();
    if (token.kind === 'number' && /^\d+$/.test(token.text)) dims.push(Number(token.text));
    else if (token.kind === 'word' || token.kind === 'string') dims.push(token.text);
    else if (token.text === '?') dims.push(undefined);
    else throw lexer.error(`expected a dimension (a size, a name or "?"), found ${describe(token)}`, token);
  });
  return dims.length === 0 ? undefined : dims;
}

function skipParameters(lexer: Lexer): void {
  let depth = 0;
  do {
    const token = lexer.next();
    if (token.kind === 'end') throw lexer.error('expected ")"', token);
    if (token.text === '(') depth++;
    else if (token.text === ')') depth--;
  } while (depth > 0);
}
