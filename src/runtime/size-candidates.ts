// Sizes to try for symbolic dimensions: what a dimension stands for is guessed from its place, and the guess is put to
// the test by running the model.
import { symbolKey, type InputSpec, type Sizes } from './feeds.js';

type Role = 'batch' | 'spatial' | 'sequence';

/** In the order of trying. Networks over images mostly ask for multiples of 32, those over sound for round lengths. */
const TRIED: Readonly<Record<Role, readonly number[]>> = {
  batch: [1, 2, 4, 8, 16, 32, 3, 5, 6, 7, 9, 10, 12, 24, 64],
  spatial: [224, 64, 32, 256, 320, 128, 512, 640, 96, 48, 28, 16, 8, 4, 3, 1],
  sequence: [16, 64, 128, 256, 512, 1024, 16000, 32, 100, 80, 8, 4, 3, 2, 1],
};

/** Other sizes to try once the first ones ran. */
const SECOND: Readonly<Record<Role, (size: number) => readonly number[]>> = {
  batch: (size) => [size + 1, 2 * size, 1],
  spatial: (size) => [size + 32, 2 * size, Math.floor(size / 2), size + 1],
  sequence: (size) => [size + 1, 2 * size, Math.floor(size / 2), size + 32],
};

const BATCH_NAME = /^(n|b|bs|batch.*|unk__\d+)$/i;

/** Symbols of `specs` with their roles; those in `known` are left out. */
function openSymbols(specs: readonly InputSpec[], known: Sizes): Map<string, Role> {
  const roles = new Map<string, Role>();
  for (const spec of specs) {
    spec.dims.forEach((dim, axis) => {
      const symbol = symbolKey(spec, axis);
      if (typeof dim === 'number' || Object.hasOwn(known, symbol) || roles.has(symbol)) return;
      const batch = (axis === 0 && spec.dims.length > 1) || (typeof dim === 'string' && BATCH_NAME.test(dim));
      roles.set(symbol, batch ? 'batch' : spec.dims.length >= 4 ? 'spatial' : 'sequence');
    });
  }
  return roles;
}

/**
 * Assignments for the open symbols, the likely ones first: dimensions of one role get one size, so that images are
 * square; then larger batches. One (empty or `known`) when nothing is open.
 */
export function sizeCandidates(specs: readonly InputSpec[], known: Sizes): Sizes[] {
  const roles = openSymbols(specs, known);
  const used = new Set(roles.values());
  const assign = (pick: (role: Role) => number): Sizes => ({
    ...known,
    ...Object.fromEntries([...roles].map(([symbol, role]) => [symbol, pick(role)])),
  });
  const steps = Math.max(
    1,
    ...(['spatial', 'sequence'] as const).filter((role) => used.has(role)).map((role) => TRIED[role].length),
  );
  const at = (role: Role, i: number): number => TRIED[role][Math.min(i, TRIED[role].length - 1)] ?? 1;
  const list: Sizes[] = [];
  for (const batch of used.has('batch') ? TRIED.batch : [1]) {
    for (let i = 0; i < steps; i++) list.push(assign((role) => (role === 'batch' ? batch : at(role, i))));
  }
  return list;
}

export interface OtherSizes {
  /** With every open symbol changed. */
  readonly all: readonly Sizes[];
  /** Per symbol, with only this one changed. */
  readonly each: ReadonlyMap<string, readonly Sizes[]>;
}

/**
 * Assignments that differ from `base`, for the second class of each dynamic dimension: first with every open symbol
 * changed at once, then one symbol at a time.
 */
export function otherSizes(specs: readonly InputSpec[], known: Sizes, base: Sizes): OtherSizes {
  const roles = [...openSymbols(specs, known)];
  const variants = (symbol: string, role: Role): number[] => {
    const size = base[symbol] ?? 1;
    return [...new Set(SECOND[role](size))].filter((other) => other > 0 && other !== size);
  };
  const all = [0, 1, 2, 3].map((i) => ({
    ...base,
    ...Object.fromEntries(
      roles.map(([symbol, role]) => {
        const choices = variants(symbol, role);
        return [symbol, choices[Math.min(i, choices.length - 1)] ?? base[symbol] ?? 1];
      }),
    ),
  }));
  const each = new Map(
    roles.map(([symbol, role]) => [symbol, variants(symbol, role).map((size) => ({ ...base, [symbol]: size }))]),
  );
  return { all: roles.length === 0 ? [] : all, each };
}
