// Symbolic sizes as numbers: what a file declares of inputs, and what costs assume.
import { evaluateDim, staticDims, symbolDim, symbolsOf, type Dim } from '../ir/dim.js';
import type { DeclaredDim, Value } from '../ir/value.js';

/** First letter of the symbols of sizes that nothing is known about; declared names that begin so name nothing. */
export const UNKNOWN_PREFIX = '?';

/** Sizes of symbols; 1 where none is given. */
export type Sizes = ReadonlyMap<string, number>;

/** The name of the dim at `axis` of the graph input called `input`: its symbol, or one of its own (`x#2`) where the file names none. */
export function symbolOf(input: string, axis: number, declared: DeclaredDim): string {
  return typeof declared === 'string' && declared !== '' && !declared.startsWith(UNKNOWN_PREFIX)
    ? declared
    : `${input}#${axis}`;
}

/** Dims of a graph input as declared, with symbols (taken to be at least 1) or at these sizes; undefined when not even the rank is. */
export function inputDims(value: Value, sizes: Sizes | undefined): readonly Dim[] | undefined {
  const { type } = value;
  if (type?.kind !== 'tensor') return undefined;
  return type.shape?.map((declared, axis) => {
    if (typeof declared === 'number' && declared >= 0) return declared;
    const name = symbolOf(value.name, axis, declared);
    return sizes === undefined ? symbolDim(name) : (sizes.get(name) ?? 1);
  });
}

/** `dim` with symbols at the given sizes; never negative. */
export function assumedSize(dim: Dim, sizes: Sizes): number {
  if (typeof dim === 'number') return dim;
  const all = new Map([...symbolsOf(dim)].map((name) => [name, sizes.get(name) ?? 1]));
  return Math.max(0, evaluateDim(dim, all) ?? 0);
}

/**
 * Sizes of a value for cost formulas, from what inference knows at assumed input sizes. Where it knows nothing, the
 * number that the file declares is taken: good enough for an estimate, though a runtime never checks it.
 */
export function assumedDims(
  value: Value,
  shape: readonly Dim[] | undefined,
  sizes: Sizes,
): readonly number[] | undefined {
  const declared = value.type?.kind === 'tensor' ? value.type.shape : undefined;
  if (shape === undefined)
    return declared?.map((dim) => (typeof dim === 'number' && dim >= 0 ? dim : (sizes.get(String(dim)) ?? 1)));
  const fixed = staticDims(shape);
  return (
    fixed ??
    shape.map((dim, axis) => {
      const given = declared?.length === shape.length ? declared[axis] : undefined;
      return typeof dim !== 'number' && typeof given === 'number' && given >= 0 ? given : assumedSize(dim, sizes);
    })
  );
}
