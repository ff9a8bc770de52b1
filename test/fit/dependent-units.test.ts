// Planted dependences are found, all of them and no others; constants count where they are allowed to.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import { unitDependence, type DependencePart } from '../../src/fit/dependent-units.js';
import { mixedRows, momentsOf } from './random-moments.js';

const single = (count: number): number[][] => Array.from({ length: count }, (_, i) => [i]);
const part = (rows: number[][], constants: DependencePart['constants'] = 'kept'): DependencePart => ({
  moments: momentsOf(rows),
  channels: single(rows[0]?.length ?? 0),
  constants,
});
/** 1 and 4 are combinations of 0, 2 and 3. */
const planted = (): number[][] =>
  mixedRows(createRng('planted'), 200, 3).map(([a = 0, b = 0, c = 0]) => [
    a,
    Math.fround(0.5 * a - 2 * b),
    b,
    c,
    Math.fround(3 * c + 0.25 * b - a),
  ]);
const dependents = (residuals: Float64Array | undefined, tolerance: number): number[] =>
  [...(residuals ?? [])].flatMap((r, unit) => (r <= tolerance ? [unit] : []));

describe('unitDependence', () => {
  it('finds as many as were planted, of the sets that depend on each other, and no others', () => {
    const found = unitDependence([part(planted())], 5);
    const gone = dependents(found?.residuals, 1e-9);
    expect(gone).toHaveLength(2);
    expect(found?.order.slice(0, 2).toSorted((a, b) => a - b)).toEqual(gone);
    expect([...(found?.residuals ?? [])].filter((r) => r > 1e-9 && r < 1e-2)).toEqual([]);
    const independent = unitDependence([part(mixedRows(createRng('free'), 200, 5))], 5);
    expect(dependents(independent?.residuals, 1e-4)).toEqual([]);
  });

  it('does not depend on how units are scaled', () => {
    const rows = planted();
    const scales = [1, 1024, 0.125, 32, 1 / 64];
    const scaled = rows.map((row) => row.map((x, j) => x * (scales[j] ?? 1)));
    const [a, b] = [unitDependence([part(rows)], 5), unitDependence([part(scaled)], 5)];
    expect(b?.order).toEqual(a?.order);
    for (const [unit, r] of (a?.residuals ?? []).entries()) expect(b?.residuals[unit]).toBeCloseTo(r, 9);
  });

  it('explains what is left by least squares: a worked case', () => {
    // x2 = x0 + x1 + e with e orthogonal to both, all of energy 1 but x2: 1 + 1 + 1.
    const rows = [
      [1, 1, 3],
      [1, -1, -1],
      [-1, 1, -1],
      [-1, -1, -1],
    ];
    const found = unitDependence([part(rows)], 3);
    // All start at 1: the first is taken, then the one it does not explain, then x2 of which 1/3 is left.
    expect(found?.order).toEqual([2, 1, 0]);
    expect([...(found?.residuals ?? [])]).toEqual([1, 1, 1 / 3].map((r) => expect.closeTo(r, 12)));
    expect([...(found?.errors ?? [])]).toEqual([0, 1 / 9, (1 + 2 / 3) / 3, 1].map((r) => expect.closeTo(r, 12)));
  });

  it('takes a constant for a combination only where it is absorbed', () => {
    const rows = mixedRows(createRng('constant'), 100, 2).map(([a = 0, b = 0]) => [a, 3, b, Math.fround(a) + 0, 0]);
    const shifted = rows.map(([a = 0, c = 0, b = 0, d = 0, e = 0]) => [a, c, b, Math.fround(d + 2), e]);
    const absorbed = unitDependence([part(shifted, 'absorbed')], 5);
    expect(dependents(absorbed?.residuals, 1e-9)).toHaveLength(3);
    expect(absorbed?.residuals[1]).toBe(0);
    const kept = unitDependence([part(shifted, 'kept')], 5);
    // The constant is a direction of its own, and with it one of a, a + 2 and 3 depends on the others.
    expect(dependents(kept?.residuals, 1e-9)).toHaveLength(2);
    expect(kept?.residuals[4]).toBe(0);
  });

  it('wants a unit to depend on the others in every value that is read, and in all of its channels', () => {
    const rows = planted();
    const free = mixedRows(createRng('other'), 200, 5);
    expect(dependents(unitDependence([part(rows), part(free)], 5)?.residuals, 1e-6)).toEqual([]);
    const spread = { moments: momentsOf(rows), channels: [[0, 1], [2, 3], [4]], constants: 'kept' as const };
    const found = unitDependence([spread], 3);
    expect(found?.order[0]).toBe(4 - 2);
    expect(dependents(found?.residuals, 1e-9)).toEqual([2]);
  });

  it('lets channels of no unit explain all units', () => {
    const units = [[1], [3], [4]];
    const found = unitDependence([{ moments: momentsOf(planted()), channels: units, constants: 'kept' }], 3);
    // 1 of 0 and 2; of 3 and 4 one explains the other with them.
    expect(found?.residuals[0]).toBeLessThan(1e-9);
    expect(dependents(found?.residuals, 1e-9)).toHaveLength(2);
  });

  it('is undefined for moments that are empty or not finite', () => {
    const whole = part(planted());
    expect(unitDependence([{ ...whole, moments: { ...whole.moments, rows: 0 } }], 5)).toBeUndefined();
    const gram = whole.moments.gram.map((x, i) => (i === 0 ? Infinity : x));
    expect(unitDependence([{ ...whole, moments: { ...whole.moments, gram } }], 5)).toBeUndefined();
  });
});
