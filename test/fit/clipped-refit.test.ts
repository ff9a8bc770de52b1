// Refits in front of a Relu: nets that are right behind it and wrong before it need no correction, and what differs there is
// found again.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import { refitBehind, type SplitRows } from '../../src/fit/clipped-refit.js';
import { GatheredRows } from '../../src/fit/gathered-rows.js';
import { refitHeldOut, type StoredLayer } from '../../src/fit/held-out-refit.js';
import type { RowLayer } from '../../src/fit/patch-geometry.js';
import { windowOf, type PatchMoments } from '../../src/fit/patch-moments.js';
import { holdHere } from '../../src/linalg/tall.js';

const RELU = { low: 0, high: Infinity };

/** Rows of random x with targets; every fourth is held out. */
type JudgedRows = SplitRows & { readonly judged: PatchMoments };

async function rowsOf(layer: RowLayer, count: number, target: (x: Float32Array) => number[]): Promise<JudgedRows> {
  const rng = createRng('rows');
  const half = (): GatheredRows => new GatheredRows({ layer, hold: holdHere, keep: 'rows', rows: 100 });
  const [fit, held] = [half(), half()];
  for (let row = 0; row < count; row++) {
    const x = Float32Array.from({ length: layer.inputs }, () => rng.normal());
    const y = Float32Array.from(target(x));
    const window = windowOf(layer, { data: x, dims: [1, layer.inputs] });
    const own = row % 4 === 3 ? held : fit;
    await own.add({ window, sample: 0, position: 0, target: y });
  }
  const rows = { fit: await fit.rows(), held: await held.rows() };
  return { ...rows, moments: await fit.moments(), judged: await held.moments() };
}

async function refit(layer: RowLayer, old: StoredLayer, rows: JudgedRows, bounds = RELU) {
  const plain = refitHeldOut(layer, old, { fit: rows.moments, held: rows.judged });
  if (!plain) throw new Error('no plain refit');
  return { plain, found: await refitBehind({ layer, old, plain, bounds }, rows) };
}

describe('refitBehind', () => {
  const layer: RowLayer = { kind: 'rows', inputs: 3, outputs: 2, weights: 'output-input' };

  /** The error of weights behind the activation. */
  async function behind(weights: StoredLayer | undefined, rows: JudgedRows, bounds = RELU): Promise<number> {
    if (!weights) throw new Error('no weights');
    return (await refit(layer, weights, rows, bounds)).found.errorBefore;
  }

  it('gives up what is cut off for what is not', async () => {
    // Below zero the target is bent: no line fits all of it, one fits what a Relu leaves.
    const bent = (y: number): number => (y < 0 ? 3 * y : y);
    const rows = await rowsOf(layer, 1200, ([a = 0, b = 0, c = 0]) => [bent(a - b), bent(2 * c + a)]);
    const { plain, found } = await refit(layer, { weights: [0, 0, 0, 0, 0, 0], bias: [0, 0] }, rows);
    const off = ({ weights }: StoredLayer = { weights: [], bias: [] }): number =>
      [1, -1, 0, 1, 0, 2].reduce((most, w, i) => Math.max(most, Math.abs(w - (weights[i] ?? Infinity))), 0);
    expect(off(plain.layer)).toBeGreaterThan(0.8);
    expect(off(found.layer)).toBeLessThan(0.75 * off(plain.layer));
    expect(found.errorAfter).toBeLessThan(0.6 * (await behind(plain.layer, rows)));
  });

  it('knows both bounds of a Clip', async () => {
    const rows = await rowsOf(layer, 800, ([a = 0, b = 0, c = 0]) => [Math.min(1, 3 * a), Math.max(-1, b + c)]);
    const bounds = { low: -1, high: 1 };
    const { plain, found } = await refit(layer, { weights: [1, 0, 0, 0, 1, 0], bias: [0, 0] }, rows, bounds);
    expect(found.errorAfter).toBeLessThan(0.7 * (await behind(plain.layer, rows, bounds)));
  });

  it('leaves weights alone that are right behind the activation', async () => {
    const old = { weights: [1, 0, 0, 0, 1, 0], bias: [0, 0] };
    const rows = await rowsOf(layer, 400, ([a = 0, b = 0]) => [a < 0 ? 10 * a : a, b < 0 ? 0.1 * b : b]);
    const { found } = await refit(layer, old, rows);
    expect(found.errorBefore).toBe(0);
    expect(found.layer).toBeUndefined();
  });
});
