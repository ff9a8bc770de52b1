// Channels sorted into groups: as good as the best of all ways where these can be counted, and nothing out of its place that must stay there.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../../src/base/rng.js';
import { matrix, type Matrix } from '../../../src/linalg/matrix.js';
import { assignGroups, type Exchanges } from '../../../src/passes/learned/shuffle-assignment.js';

const places = (size: number): number[] => Array.from({ length: size }, (_, i) => i);
const free = (size: number): Exchanges => [places(size)];

function energy(outputs: number, inputs: number, of: (output: number, input: number) => number): Matrix {
  return matrix(
    outputs,
    inputs,
    Float64Array.from({ length: outputs * inputs }, (_, i) => of(Math.floor(i / inputs), i % inputs)),
  );
}

function randomEnergy(outputs: number, inputs: number, seed: number): Matrix {
  const rng = createRng(seed);
  return energy(outputs, inputs, () => rng.normal() ** 2);
}

/** The part of the energy that lies within groups when the channels stand in this order. */
function shareOf(
  { rows, columns, data }: Matrix,
  groups: number,
  orders: Record<'inputs' | 'outputs', readonly number[]>,
): number {
  let within = 0;
  for (let o = 0; o < rows; o++)
    for (let i = 0; i < columns; i++)
      if (Math.floor((o * groups) / rows) === Math.floor((i * groups) / columns))
        within += data[(orders.outputs[o] ?? 0) * columns + (orders.inputs[i] ?? 0)] ?? 0;
  return within / data.reduce((sum, e) => sum + e, 0);
}

const isOrder = (order: readonly number[]): boolean =>
  [...order].sort((a, b) => a - b).every((place, i) => place === i);

describe('channels in groups', () => {
  it.each([
    [2, 16, 24],
    [4, 32, 16],
    [8, 64, 48],
    [8, 96, 96],
  ])('%i blocks of %i outputs and %i inputs are found wherever they are', (groups, outputs, inputs) => {
    for (let seed = 0; seed < 4; seed++) {
      const rng = createRng(`blocks/${seed}`);
      const shuffled = (size: number): Map<number, number> =>
        new Map(
          places(size)
            .map((i) => [i, rng.uniform()] as const)
            .sort((a, b) => a[1] - b[1])
            .map(([i], rank) => [i, Math.floor((rank * groups) / size)]),
        );
      const [o, i] = [shuffled(outputs), shuffled(inputs)];
      const blocks = energy(outputs, inputs, (output, input) =>
        o.get(output) === i.get(input) ? rng.uniform() + 0.01 : 0,
      );
      const result = assignGroups({ energy: blocks, groups, inputs: free(inputs), outputs: free(outputs) });
      expect(result.share).toBeCloseTo(1, 12);
      expect(shareOf(blocks, groups, result)).toBeCloseTo(1, 12);
    }
  });

  it('are as good as the best of all ways, or nearly', () => {
    for (let seed = 0; seed < 10; seed++) {
      const random = randomEnergy(8, 8, seed);
      let best = 0;
      // Of the halves of the inputs, each output takes the one it likes better, as far as there is room.
      for (let mask = 0; mask < 256; mask++) {
        const half = places(8).filter((i) => (mask >> i) & 1);
        if (half.length !== 4) continue;
        const other = places(8).filter((i) => !half.includes(i));
        const liking = places(8).map((o) => {
          const sum = (of: number[]): number => of.reduce((all, i) => all + (random.data[o * 8 + i] ?? 0), 0);
          return { o, by: sum(half) - sum(other) };
        });
        const outputs = liking.sort((a, b) => b.by - a.by).map(({ o }) => o);
        best = Math.max(best, shareOf(random, 2, { inputs: [...half, ...other], outputs }));
      }
      const { share } = assignGroups({ energy: random, groups: 2, inputs: free(8), outputs: free(8) });
      expect(share).toBeLessThanOrEqual(best + 1e-12);
      expect(share).toBeGreaterThan(0.99 * best);
    }
  });

  it('come in an order that has the share that is told, and more than as they stand', () => {
    const random = randomEnergy(48, 32, 7);
    const result = assignGroups({ energy: random, groups: 4, inputs: free(32), outputs: free(48) });
    expect(isOrder(result.inputs) && isOrder(result.outputs)).toBe(true);
    expect(shareOf(random, 4, result)).toBeCloseTo(result.share, 12);
    expect(result.share).toBeGreaterThan(shareOf(random, 4, { inputs: places(32), outputs: places(48) }) + 0.05);
    expect(assignGroups({ energy: random, groups: 4, inputs: free(32), outputs: free(48) })).toEqual(result);
  });

  it('keep to the places that are open to them', () => {
    const random = randomEnergy(16, 16, 3);
    const [even, few] = [places(16).filter((i) => i % 2 === 0), [1, 9, 15]];
    const { inputs, outputs } = assignGroups({ energy: random, groups: 2, inputs: [even, few], outputs: [] });
    expect(outputs).toEqual(places(16));
    expect([3, 5, 7, 11, 13].map((place) => inputs[place])).toEqual([3, 5, 7, 11, 13]);
    expect(few.map((place) => inputs[place] ?? -1).sort((a, b) => a - b)).toEqual(few);
    expect(isOrder(inputs)).toBe(true);
  });

  it('are sorted by the other side alone where that one stays', () => {
    // Odd outputs read the second half.
    const sorted = energy(4, 4, (o, i) => (o % 2 === Math.floor(i / 2) ? 1 : 0));
    const { outputs, share } = assignGroups({ energy: sorted, groups: 2, inputs: [], outputs: free(4) });
    expect(outputs).toEqual([0, 2, 1, 3]);
    expect(share).toBe(1);
  });

  it('lose nothing where there is nothing', () => {
    const { share } = assignGroups({ energy: energy(4, 4, () => 0), groups: 2, inputs: free(4), outputs: free(4) });
    expect(share).toBe(1);
  });
});
