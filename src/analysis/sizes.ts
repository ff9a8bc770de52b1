// Symbolic sizes as numbers: what a file declares of inputs, and what costs assume.
import { evaluateDim, staticDims, symbolDim, symbolsOf, type Dim } from '../ir/dim.js';
import type { DeclaredDim, Value } from '../ir/value.js';

/** First letter of the symbols of sizes that nothing is known about; declared names that begin so name nothing. */
export const UNKNOWN_PREFIX = '?';

/**
 * The dim at `axis` of graph input `value`: its size, its symbol, or a symbol of its own (`input[2]`) where the file
 * names none. Sizes of inputs are taken to be at least 1.
 */
export function inputDim(value: Value, axis: number, declared: DeclaredDim): Dim {
  if (typeof declared === 'number' && declared >= 0) return declared;
  return symbolDim(typeof declared === 'string' && isName(declared) ? declared : `${value.name}[${axis}]`);
}

const isName = (text: string): boolean => text !== '' && !text.startsWith(UNKNOWN_PREFIX);

/** Dims of a graph input as declared; undefined when not even the rank is. */
export function inputDims(value: Value): readonly Dim[] | undefined {
  const { type } = value;
  return type?.kind === 'tensor' ? type.shape?.map((declared, axis) => inputDim(value, axis, declared)) : undefined;
}

/** `dim` with symbols at the given sizes, 1 where none is given; never negative. */
export function assumedSize(dim: Dim, sizes: ReadonlyMap<string, number>): number {
  if (typeof dim === 'number') return dim;
  const all = new Map([...symbolsOf(dim)].map((name) => [name, sizes.get(name) ?? 1]));
  return Math.max(0, evaluateDim(dim, all) ?? 0);
}

/**
 * Sizes of a value for cost formulas. Where inference made a symbol up, the number that the file declares is taken:
 * good enough for an estimate, though a runtime never checks it.
 */
export function assumedDims(value: Value, shape: readonly Dim[] | undefined, sizes: ReadonlyMap<string, number>): readonly number[] | undefined {
  const declared = value.type?.kind === 'tensor' ? value.type.shape : undefined;
  const dims = shape ?? declared?.map((dim, axis) => inputDim(value, axis, dim));
  const fixed = staticDims(dims);
  if (fixed !== undefined || dims === undefined) return fixed;
  const usable = declared?.length === dims.length ? declared : undefined;
  return dims.map((dim, axis) => {
    const given = usable?.[axis];
    return typeof given === 'number' && given >= 0 && isMadeUp(dim) ? given : assumedSize(dim, sizes);
  });
}

/** Some symbol in `dim` stands for a size that nothing is known about. */
function isMadeUp(dim: Dim): boolean {
  return [...symbolsOf(dim)].some((name) => name.startsWith(UNKNOWN_PREFIX));
}
