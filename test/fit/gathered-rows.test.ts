// Rows gathered block by block, against the definition: the window under the kernel, and sums over all rows.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import { GatheredRows, type GatheredRow, type GatherOptions } from '../../src/fit/gathered-rows.js';
import { layerSizes, type LinearLayer, type WindowLayer } from '../../src/fit/patch-geometry.js';
import { windowOf } from '../../src/fit/patch-moments.js';
import { packedRow } from '../../src/linalg/matrix.js';
import { holdHere, type Hold, type TallMatrix } from '../../src/linalg/tall.js';

const one = { kernel: [2], strides: [1], dilations: [1], begins: [1], ends: [0] };
const grouped: WindowLayer = { kind: 'conv', inputs: 2, outputs: 2, groups: 2, ...one };
const LAYERS: Readonly<Record<string, { readonly layer: LinearLayer; readonly dims: readonly number[] }>> = {
  rows: { layer: { kind: 'rows', inputs: 5, outputs: 3, weights: 'input-output' }, dims: [7, 5] },
  'a padded convolution of two groups': { layer: grouped, dims: [1, 2, 9] },
};

/** Matrices that are not released yet. */
function counted(): { readonly hold: Hold; readonly open: Set<TallMatrix>; readonly made: () => number } {
  const open = new Set<TallMatrix>();
  let made = 0;
  const hold: Hold = (columns, rows) => {
    const own = holdHere(columns, rows);
    made++;
    const held: TallMatrix = {
      columns,
      get rows() {
        return own.rows;
      },
      append: own.append,
      gram: own.gram,
      times: own.times,
      across: own.across,
      release: () => {
        open.delete(held);
        return own.release();
      },
    };
    open.add(held);
    return held;
  };
  return { hold, open, made: () => made };
}

/** Random rows of a layer, with what each patch is. */
function randomRows(
  layer: LinearLayer,
  dims: readonly number[],
  samples: number,
): (GatheredRow & { patch: number[] })[] {
  const rng = createRng('rows');
  const { groups, inputs, taps: count } = layerSizes(layer);
  return Array.from({ length: samples }, () => {
    const data = Float32Array.from({ length: dims.reduce((all, n) => all * n, 1) }, () => rng.normal());
    const window = windowOf(layer, { data, dims });
    return Array.from({ length: window.samples * window.positions }, (_, at) => {
      const [sample, position] = [Math.floor(at / window.positions), at % window.positions];
      const taps = new Int32Array(count);
      window.seek(position, taps);
      const patch = Array.from({ length: groups * inputs }, (__, channel) =>
        [...taps].map((tap) => (tap < 0 ? 0 : (data[sample * window.batch + channel * window.channel + tap] ?? 0))),
      ).flat();
      const numbers = (): Float32Array => Float32Array.from({ length: layer.outputs }, () => rng.normal());
      return { window, sample, position, target: numbers(), addend: numbers(), patch };
    });
  }).flat();
}

async function gathered(options: GatherOptions, rows: readonly GatheredRow[]): Promise<GatheredRows> {
  const all = new GatheredRows(options);
  for (const row of rows) await all.add(row);
  return all;
}

describe.each(Object.entries(LAYERS))('rows of %s', (_, { layer, dims }) => {
  const rows = randomRows(layer, dims, 60);
  const { groups, outputs, patch } = layerSizes(layer);

  it.each(['rows', 'sums'] as const)('sum up to the moments of their definition, where %s are kept', async (keep) => {
    const { hold, open } = counted();
    const all = await gathered({ layer, hold, keep, rows: 50 }, rows);
    const { parts } = await all.moments();
    expect(parts).toHaveLength(groups);
    for (const [group, found] of parts.entries()) {
      const own = rows.map(({ patch: of, target }) => ({
        x: [...of.slice(group * patch, (group + 1) * patch), 1],
        y: [...target.slice(group * outputs, (group + 1) * outputs)],
      }));
      const sum = (term: (row: (typeof own)[number]) => number): unknown =>
        expect.closeTo(
          own.reduce((total, row) => total + term(row), 0),
          4,
        );
      expect(found).toMatchObject({ columns: patch + 1, outputs, rows: rows.length });
      for (let i = 0; i <= patch; i++) {
        for (let j = i; j <= patch; j++)
          expect(found.gram[packedRow(patch + 1, i) + j]).toEqual(sum(({ x }) => (x[i] ?? 0) * (x[j] ?? 0)));
        for (let o = 0; o < outputs; o++)
          expect(found.cross[i * outputs + o]).toEqual(sum(({ x, y }) => (x[i] ?? 0) * (y[o] ?? 0)));
      }
      expect([...found.energy]).toEqual(Array.from({ length: outputs }, (__, o) => sum(({ y }) => (y[o] ?? 0) ** 2)));
    }
    await all.release();
    expect(open.size).toBe(0);
  });

  it('are given back as they came', async () => {
    const all = await gathered({ layer, hold: holdHere, keep: 'rows', rows: 7 }, rows);
    const kept = await all.rows();
    expect(kept.count).toBe(rows.length);
    expect([...kept.targets]).toEqual(rows.flatMap(({ target }) => [...target]));
    expect([...(kept.addends ?? [])]).toEqual(rows.flatMap(({ addend = [] }) => [...addend]));
    const identity = Float64Array.from({ length: (patch + 1) ** 2 }, (__, at) => (at % (patch + 2) === 0 ? 1 : 0));
    for (const [group, patches] of kept.patches.entries()) {
      const { data } = await patches.times({ rows: patch + 1, columns: patch + 1, data: identity });
      expect([...data]).toEqual(rows.flatMap((row) => [...row.patch.slice(group * patch, (group + 1) * patch), 1]));
    }
  });
});

describe('GatheredRows', () => {
  it('holds on to no more than a block where only sums are asked for', async () => {
    const { hold, open, made } = counted();
    const rows = randomRows(grouped, [1, 2, 9], 40);
    const all = new GatheredRows({ layer: grouped, hold, keep: 'sums', rows: 30 });
    let most = 0;
    for (const row of rows) {
      await all.add(row);
      most = Math.max(most, open.size);
    }
    expect(made()).toBeGreaterThan(10);
    expect(most).toBe(0);
  });

  it('without any row has sums that are zero', async () => {
    const all = new GatheredRows({ layer: grouped, hold: holdHere, keep: 'sums', rows: 10 });
    const { parts } = await all.moments();
    expect(parts.map(({ rows, columns, gram }) => [rows, columns, Math.max(...gram)])).toEqual([
      [0, 3, 0],
      [0, 3, 0],
    ]);
  });
});
