// Symbolic dimensions: canonical forms, exact division, bounds; checked against plain numbers at random sizes.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import {
  addDims, boundsOf, ceilDivDims, divideExactly, evaluateDim, floorDivDims, formatDim, isAtLeast, maxDims, minDims, mulDims, sameDim, subDims, symbolDim, type Dim,
} from '../../src/ir/dim.js';

const h = symbolDim('h');
const w = symbolDim('w');
const found = symbolDim('?1', 0);

describe('canonical form', () => {
  it.each([
    ['sum', addDims(addDims(h, 2), subDims(h, 5)), '2*h - 3'],
    ['product', mulDims(addDims(h, 1), addDims(w, 1)), 'h + h*w + w + 1'],
    ['cancelled', subDims(mulDims(h, w), mulDims(w, h)), '0'],
    ['floor, constant taken out', floorDivDims(addDims(h, 5), 2), 'floor((h + 1)/2) + 2'],
    ['floor, common factor taken out', floorDivDims(addDims(mulDims(h, 2), 3), 4), 'floor((h + 1)/2)'],
    ['floor of half a symbol', floorDivDims(h, 2), 'floor(h/2)'],
    ['ceil', ceilDivDims(h, 2), 'floor((h + 1)/2)'],
    ['max with less', maxDims(0, subDims(h, 1)), 'h - 1'],
    ['max that depends', maxDims(0, subDims(h, 2)), 'max(0, h - 2)'],
    ['min with more', minDims(addDims(h, 3), h), 'h'],
    ['a size that may be zero', maxDims(found, 1), 'max(1, ?1)'],
    ['a name like a formula', addDims(symbolDim('h + 1'), 1), '"h + 1" + 1'],
  ])('%s', (_, dim, text) => expect(formatDim(dim)).toBe(text));

  it('tells a symbol whose name reads like a formula from the formula', () => {
    expect(sameDim(symbolDim('h + 1'), addDims(h, 1))).toBe(false);
  });

  it('divides products exactly, or not at all', () => {
    expect(divideExactly(mulDims(mulDims(h, w), 6), mulDims(w, 2))).toEqual(mulDims(h, 3));
    expect(divideExactly(addDims(h, 1), w)).toBeUndefined();
  });
});

describe('bounds', () => {
  it.each([
    ['h - 1', subDims(h, 1), 0, Infinity],
    ['1 - h', subDims(1, h), -Infinity, 0],
    ['floor((h + 1)/2)', floorDivDims(addDims(h, 1), 2), 1, Infinity],
    ['min(h, 7)', minDims(h, 7), 1, 7],
    ['h*?1', mulDims(h, found), 0, Infinity],
  ])('%s', (_, dim, low, high) => expect(boundsOf(dim)).toEqual({ low, high }));

  it('compares only where every value agrees', () => {
    expect(isAtLeast(addDims(h, w), 2)).toBe(true);
    expect(isAtLeast(h, w)).toBe(false);
    expect(isAtLeast(w, h)).toBe(false);
  });
});

it('agrees with arithmetic on numbers, for random formulas at random sizes', () => {
  const rng = createRng('dim');
  const binary: readonly (readonly [(a: Dim, b: Dim) => Dim, (a: number, b: number) => number])[] = [
    [addDims, (a, b) => a + b], [subDims, (a, b) => a - b], [mulDims, (a, b) => a * b], [minDims, Math.min], [maxDims, Math.max],
    [floorDivDims, (a, b) => (b === 0 ? 0 : Math.floor(a / b))],
  ];
  for (let round = 0; round < 3000; round++) {
    const sizes = new Map([['h', rng.int(1, 40)], ['w', rng.int(1, 40)], ['?1', rng.int(0, 5)]]);
    const leaves: Dim[] = [h, w, found, rng.int(-9, 9), rng.int(1, 12)];
    const pool = leaves.map((dim) => ({ dim, value: evaluateDim(dim, sizes) ?? Number.NaN }));
    for (let step = 0; step < 5; step++) {
      const [combine, compute] = rng.pick(binary);
      const a = rng.pick(pool);
      const b = combine === floorDivDims ? { dim: 1 + rng.int(1, 6), value: 0 } : rng.pick(pool);
      const divisor = combine === floorDivDims ? Number(b.dim) : b.value;
      pool.push({ dim: combine(a.dim, b.dim), value: compute(a.value, divisor) });
    }
    for (const { dim, value } of pool) {
      const evaluated = evaluateDim(dim, sizes);
      expect(evaluated === value || Math.abs(value) > 2 ** 50, `${formatDim(dim)} = ${evaluated}, not ${value}`).toBe(true);
      const { low, high } = boundsOf(dim);
      expect(low <= value && value <= high, `${formatDim(dim)} = ${value} outside [${low}, ${high}]`).toBe(true);
    }
  }
});
