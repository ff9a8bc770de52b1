// Symbolic dimensions: random expressions against their values, canonical forms by hand, bounds.
import { describe, expect, it } from 'vitest';
import { createRng, type Rng } from '../../src/base/rng.js';
import {
  addDims,
  boundsOf,
  ceilDivDims,
  divideExactly,
  evaluateDim,
  floorDivDims,
  formatDim,
  isAtLeast,
  isIntegral,
  maxDims,
  minDims,
  mulDims,
  productOf,
  sameDim,
  sameDims,
  staticDims,
  subDims,
  symbolDim,
  symbolsOf,
  type Dim,
} from '../../src/ir/dim.js';

const N = symbolDim('N');
const H = symbolDim('H');

/** A dimension with the function it must compute. */
interface Pair {
  readonly dim: Dim;
  readonly value: (symbols: ReadonlyMap<string, number>) => number;
}

const SYMBOLS = ['a', 'b', 'c'];

function randomPair(rng: Rng, depth: number): Pair {
  if (depth === 0 || rng.uniform() < 0.15) {
    if (rng.uniform() < 0.5) {
      const constant = rng.int(-4, 9);
      return { dim: constant, value: () => constant };
    }
    const name = rng.pick(SYMBOLS);
    return { dim: symbolDim(name), value: (symbols) => symbols.get(name) ?? Number.NaN };
  }
  const x = randomPair(rng, depth - 1);
  const y = randomPair(rng, depth - 1);
  const divisor = rng.int(1, 6);
  return rng.pick<() => Pair>([
    () => ({ dim: addDims(x.dim, y.dim), value: (s) => x.value(s) + y.value(s) }),
    () => ({ dim: subDims(x.dim, y.dim), value: (s) => x.value(s) - y.value(s) }),
    () => ({ dim: mulDims(x.dim, y.dim), value: (s) => x.value(s) * y.value(s) }),
    () => ({ dim: minDims(x.dim, y.dim), value: (s) => Math.min(x.value(s), y.value(s)) }),
    () => ({ dim: maxDims(x.dim, y.dim), value: (s) => Math.max(x.value(s), y.value(s)) }),
    () => ({ dim: floorDivDims(x.dim, divisor), value: (s) => Math.floor(x.value(s) / divisor) }),
    () => ({ dim: ceilDivDims(x.dim, divisor), value: (s) => Math.ceil(x.value(s) / divisor) }),
    () => ({ dim: floorDivDims(mulDims(x.dim, symbolDim('a')), symbolDim('a')), value: (s) => x.value(s) }),
  ])();
}

/** Values for all symbols, at least 1 as `symbolDim` promises. */
function assignments(rng: Rng, count: number): Map<string, number>[] {
  return Array.from({ length: count }, () => new Map(SYMBOLS.map((name) => [name, rng.int(1, 12)])));
}

describe('random expressions', () => {
  const rng = createRng('dims');
  const pairs = Array.from({ length: 1500 }, () => randomPair(rng, rng.int(1, 4)));
  const values = assignments(rng, 12);

  it('have the values of the arithmetic they stand for', () => {
    const wrong = pairs.flatMap(({ dim, value }) =>
      values
        .filter((s) => (evaluateDim(dim, s) ?? Number.NaN) - value(s) !== 0)
        .map((s) => `${formatDim(dim)} at ${[...s]}`),
    );
    expect(wrong).toEqual([]);
  });

  it('lie within their bounds', () => {
    const wrong = pairs.filter(({ dim, value }) =>
      values.some((s) => value(s) < boundsOf(dim).low || value(s) > boundsOf(dim).high),
    );
    expect(wrong.map(({ dim }) => `${formatDim(dim)} in ${JSON.stringify(boundsOf(dim))}`)).toEqual([]);
  });

  it('are equal only where their values are', () => {
    const byKey = new Map<string, Pair>();
    const wrong: string[] = [];
    for (const pair of pairs) {
      const twin = byKey.get(formatDim(pair.dim));
      if (twin && values.some((s) => pair.value(s) !== twin.value(s))) wrong.push(formatDim(pair.dim));
      byKey.set(formatDim(pair.dim), pair);
    }
    expect(wrong).toEqual([]);
    expect(byKey.size).toBeGreaterThan(500);
  });

  it('are integral, and name their symbols', () => {
    for (const { dim } of pairs) {
      expect(isIntegral(dim)).toBe(true);
      const missing = new Map([...symbolsOf(dim)].slice(1).map((name) => [name, 1]));
      expect(evaluateDim(dim, missing) === undefined).toBe(symbolsOf(dim).size > 0);
    }
  });

  it('obey the laws of rings', () => {
    const wrong: string[] = [];
    for (let i = 0; i + 2 < pairs.length; i += 3) {
      const [x = 0, y = 0, z = 0] = pairs.slice(i, i + 3).map(({ dim }) => dim);
      const laws: [Dim, Dim][] = [
        [addDims(x, y), addDims(y, x)],
        [mulDims(x, y), mulDims(y, x)],
        [subDims(addDims(x, y), y), x],
        [addDims(addDims(x, y), z), addDims(x, addDims(y, z))],
        [mulDims(x, addDims(y, z)), addDims(mulDims(x, y), mulDims(x, z))],
        [minDims(x, y), minDims(y, x)],
        [maxDims(x, y), maxDims(y, x)],
        [productOf([x, y, z]), mulDims(mulDims(x, y), z)],
      ];
      laws.forEach(([left, right], law) => {
        if (!sameDim(left, right)) wrong.push(`law ${law}: ${formatDim(left)} and ${formatDim(right)}`);
      });
    }
    expect(wrong).toEqual([]);
  });
});

describe('canonical forms', () => {
  it.each<[string, Dim | undefined]>([
    ['H + 2*N', addDims(N, addDims(H, N))],
    ['N', subDims(mulDims(2, N), N)],
    ['0', subDims(N, N)],
    ['N*N - 1', mulDims(addDims(N, 1), addDims(N, -1))],
    ['N + 2', floorDivDims(addDims(mulDims(2, N), 5), 2)],
    ['floor((H + 1)/2)', floorDivDims(addDims(H, 1), 2)],
    ['floor((H + 1)/2) + 1', floorDivDims(addDims(H, 3), 2)],
    ['floor((H + 1)/2) - 1', floorDivDims(addDims(H, -1), 2)],
    ['floor((H + 1)/2)', floorDivDims(addDims(mulDims(2, H), 3), 4)],
    ['N', floorDivDims(mulDims(N, H), H)],
    ['floor(N/H)', floorDivDims(N, H)],
    ['2*N', divideExactly(mulDims(6, mulDims(N, H)), mulDims(3, H))],
    ['N', maxDims(N, 1)],
    ['N', maxDims(N, 0)],
    ['N', minDims(addDims(N, 2), N)],
    ['max(1, boxes)', maxDims(symbolDim('boxes', 0), 1)],
    ['"batch + 1"', symbolDim('batch + 1')],
  ])('case %#: %s', (text, dim) => {
    expect(dim === undefined ? dim : formatDim(dim)).toBe(text);
  });

  it('tell a size called like a formula from the formula', () => {
    expect(sameDim(symbolDim('N + 1'), addDims(N, 1))).toBe(false);
  });

  it('are undefined for what cannot be divided', () => {
    expect(divideExactly(N, H)).toBeUndefined();
    expect(divideExactly(addDims(N, 1), N)).toBeUndefined();
    expect(divideExactly(mulDims(3, N), 2)).toBeUndefined();
    expect(divideExactly(N, 0)).toBeUndefined();
    expect(divideExactly(N, addDims(N, H))).toBeUndefined();
  });
});

describe('comparisons', () => {
  it('hold for every size or not at all', () => {
    expect([
      isAtLeast(addDims(N, 1), 2),
      isAtLeast(N, 2),
      isAtLeast(mulDims(N, H), 1),
      isAtLeast(subDims(N, H), 0),
      isAtLeast(symbolDim('k', 0), 1),
    ]).toEqual([true, false, true, false, false]);
    expect(isAtLeast(floorDivDims(addDims(H, 1), 2), 1)).toBe(true);
  });

  it('of lists need equal lengths and known sizes', () => {
    expect(sameDims([N, 3], [symbolDim('N'), 3])).toBe(true);
    expect(sameDims([N], [N, 1])).toBe(false);
    expect(sameDims(undefined, undefined)).toBe(false);
    expect([sameDim(undefined, undefined), sameDim(3, 3), sameDim(3, N)]).toEqual([false, true, false]);
    expect([staticDims([1, 2]), staticDims([N]), staticDims(undefined)]).toEqual([[1, 2], undefined, undefined]);
  });

  it('of numbers divided by zero are zero', () => {
    expect([floorDivDims(5, 0), floorDivDims(-5, 2), ceilDivDims(-5, 2), ceilDivDims(5, 2)]).toEqual([0, -3, -2, 3]);
  });
});
