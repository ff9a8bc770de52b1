// Allocation against brute force on random small problems: chains, residual stages, trees and dense ties; budgets that cannot
// be met; lists too short to be exact; the descent that takes over where an exact answer costs too much.
import { describe, expect, it } from 'vitest';
import { createRng, type Rng } from '../../../src/base/rng.js';
import {
  allocate,
  allocationFrontier,
  type Allocation,
  type AllocationProblem,
} from '../../../src/pipeline/pruning/allocate.js';

type Pairs = readonly (readonly [number, number])[];

const SHAPES: Readonly<Record<string, (groups: number) => Pairs>> = {
  apart: () => [],
  chain: (n) => Array.from({ length: n - 1 }, (_, at) => [at, at + 1] as const),
  // Group 0 is the residual stream, the others hang on it.
  stage: (n) => Array.from({ length: n - 1 }, (_, at) => [0, at + 1] as const),
  // Two streams that every block reads, as where a stream grows from stage to stage.
  'two streams': (n) => Array.from({ length: n - 2 }, (_, at) => [[0, at + 2] as const, [1, at + 2] as const]).flat(),
  dense: (n) =>
    Array.from({ length: n }, (_, a) => Array.from({ length: n - a - 1 }, (_b, b) => [a, a + b + 1] as const)).flat(),
};

function randomProblem(rng: Rng, pairs: Pairs, groups: number, whole: 'whole' | 'real'): AllocationProblem {
  const number = (most: number): number => (whole === 'whole' ? rng.int(0, most) : rng.uniform() * most);
  const levels = Array.from({ length: groups }, () => {
    const count = rng.int(1, 4);
    const least = rng.int(0, 1);
    const kept = Array.from({ length: count }, (_, at) => 2 * (at + least));
    const rising = kept.map(() => rng.uniform()).toSorted((a, b) => b - a);
    return { kept, errors: rising.map((error, at) => (at === count - 1 ? 0 : error)) };
  });
  const squares = levels.flatMap((_, at) => (rng.uniform() < 0.3 ? [[at, at] as const] : []));
  return {
    groups: levels,
    cost: {
      constant: number(5),
      linear: Float64Array.from(levels, () => number(4)),
      whole: Float64Array.from(levels, () => number(6)),
      products: [...pairs, ...squares].map(([a, b]) => ({ a, b, factor: number(3) })),
    },
  };
}

function everything({ groups, cost }: AllocationProblem): Allocation[] {
  const all = groups.reduce<number[][]>(
    (found, { kept }) => found.flatMap((picks) => kept.map((_, level) => [...picks, level])),
    [[]],
  );
  return all.map((picks) => {
    const width = (at: number): number => groups[at]?.kept[picks[at] ?? 0] ?? 0;
    const own = groups.map((_, at) => (width(at) > 0 ? (cost.linear[at] ?? 0) * width(at) + (cost.whole[at] ?? 0) : 0));
    const pairs = cost.products.map(({ a, b, factor }) => factor * width(a) * width(b));
    return {
      picks,
      cost: [...own, ...pairs].reduce((sum, x) => sum + x, cost.constant),
      error: groups.reduce((sum, { errors }, at) => sum + (errors[picks[at] ?? 0] ?? 0), 0),
    };
  });
}

const leastError = (all: readonly Allocation[], budget: number): number =>
  Math.min(...all.filter(({ cost }) => cost <= budget + 1e-9).map(({ error }) => error));

const budgetsOf = (all: readonly Allocation[]): number[] => {
  const costs = all.map(({ cost }) => cost);
  const [least, most] = [Math.min(...costs), Math.max(...costs)];
  return [0, 0.2, 0.5, 0.8, 1, 1.5].map((part) => least + (most - least) * part);
};

describe('allocate', () => {
  for (const [shape, pairsOf] of Object.entries(SHAPES)) {
    it(`finds what brute force finds: ${shape}`, () => {
      for (let seed = 0; seed < 40; seed++) {
        const rng = createRng(`${shape} ${seed}`);
        const groups = rng.int(3, 6);
        const problem = randomProblem(rng, pairsOf(groups), groups, seed % 2 === 0 ? 'whole' : 'real');
        const all = everything(problem);
        for (const budget of budgetsOf(all)) {
          const found = allocate(problem, budget);
          if (found.kind !== 'found') throw new Error(`seed ${seed}: least ${found.least} for ${budget}`);
          expect(found.method).toBe('exact');
          expect(found.cost).toBeLessThanOrEqual(budget);
          expect(found.error).toBeCloseTo(leastError(all, found.cost === budget ? budget : budget - 1e-8), 9);
          const same = all.find(({ picks }) => picks.join() === found.picks.join());
          expect(same?.cost).toBeCloseTo(found.cost, 9);
          expect(same?.error).toBeCloseTo(found.error, 12);
        }
      }
    });
  }

  it('with short lists stays within the budget, and within its resolution of the best', () => {
    let worse = 0;
    for (let seed = 0; seed < 60; seed++) {
      const rng = createRng(`short ${seed}`);
      const problem = randomProblem(rng, SHAPES['two streams']?.(6) ?? [], 6, 'real');
      const all = everything(problem);
      for (const budget of budgetsOf(all)) {
        const found = allocate(problem, budget, { points: 8 });
        if (found.kind !== 'found') throw new Error('not found');
        expect(found.cost).toBeLessThanOrEqual(budget);
        expect(found.error).toBeLessThanOrEqual(leastError(all, budget - found.resolution) + 1e-9);
        if (found.error > leastError(all, budget - 1e-8) + 1e-9) worse++;
      }
    }
    // Eight points are not enough for all of these: the limit was at work.
    expect(worse).toBeGreaterThan(0);
  });

  it('says what is possible at least where the budget is below it', () => {
    const problem = randomProblem(createRng('least'), SHAPES['chain']?.(5) ?? [], 5, 'whole');
    const least = Math.min(...everything(problem).map(({ cost }) => cost));
    expect(allocate(problem, least - 1)).toEqual({ kind: 'infeasible', least });
    expect(allocate(problem, least)).toMatchObject({ kind: 'found', cost: least });
  });

  it('keeps everything where the budget allows it, and gives the same twice', () => {
    const problem = randomProblem(createRng('twice'), SHAPES['stage']?.(6) ?? [], 6, 'real');
    const all = everything(problem);
    const most = Math.max(...all.map(({ cost }) => cost));
    expect(allocate(problem, most * 2)).toMatchObject({ error: 0 });
    const [middle = 0] = budgetsOf(all).slice(2);
    expect(allocate(problem, middle)).toEqual(allocate(problem, middle));
  });

  it('descends where an exact answer costs too much: within the budget, and near the best', () => {
    let [sum, best] = [0, 0];
    for (let seed = 0; seed < 60; seed++) {
      const rng = createRng(`descent ${seed}`);
      const problem = randomProblem(rng, SHAPES['dense']?.(6) ?? [], 6, 'real');
      const all = everything(problem);
      for (const budget of budgetsOf(all)) {
        const found = allocate(problem, budget, { work: 1 });
        if (found.kind !== 'found') throw new Error('not found');
        expect(found).toMatchObject({ method: 'descent', resolution: Infinity });
        expect(found.cost).toBeLessThanOrEqual(budget);
        sum += found.error;
        best += leastError(all, budget - 1e-8);
      }
    }
    expect(sum).toBeLessThan(1.15 * best);
  });

  it('solves a residual network of 30 groups in which three streams meet', () => {
    const rng = createRng('network');
    const streams = [4, 4, 8];
    const blocks = Array.from({ length: 27 }, (_, at) => Math.floor(at / 9));
    const levels = [...streams, ...blocks.map((stage) => 4 * 2 ** stage)];
    const groups = levels.map((count) => ({
      kept: Array.from({ length: count }, (_, at) => 4 * (at + 1)),
      errors: Array.from({ length: count }, (_, at) => (rng.uniform() + 0.5) * (count - 1 - at) ** 2),
    }));
    const products = blocks.flatMap((stage, at) =>
      streams.slice(0, stage + 1).map((_, stream) => ({ a: stream, b: at + 3, factor: 1 })),
    );
    const problem = {
      groups,
      cost: { constant: 0, linear: new Float64Array(groups.length), whole: new Float64Array(groups.length), products },
    };
    const [full] = allocationFrontier(problem, { points: 2, work: 1 }).allocations;
    const budget = 0.6 * (full?.cost ?? 0);
    const found = allocate(problem, budget, { points: 256 });
    if (found.kind !== 'found') throw new Error('not found');
    expect(found.method).toBe('exact');
    expect(found.cost).toBeLessThanOrEqual(budget);
    expect(found.cost).toBeGreaterThan(0.98 * budget);
    const descent = allocate(problem, budget, { work: 1 });
    if (descent.kind !== 'found') throw new Error('not found');
    expect(found.error).toBeLessThanOrEqual(descent.error);
  });
});

describe('allocationFrontier', () => {
  it('gives trade-offs none of which can be bettered, from everything to the least', () => {
    for (let seed = 0; seed < 20; seed++) {
      const problem = randomProblem(createRng(`frontier ${seed}`), SHAPES['chain']?.(5) ?? [], 5, 'real');
      const all = everything(problem);
      const { allocations, method } = allocationFrontier(problem, { points: 12 });
      expect(method).toBe('exact');
      expect(allocations.length).toBeLessThanOrEqual(12);
      const costs = allocations.map(({ cost }) => cost);
      expect(costs).toEqual(costs.toSorted((a, b) => b - a));
      expect(allocations[0]?.error).toBe(0);
      expect(allocations.at(-1)?.cost).toBeCloseTo(Math.min(...all.map(({ cost }) => cost)), 9);
      for (const { cost, error } of allocations) expect(error).toBeCloseTo(leastError(all, cost + 1e-9), 9);
    }
  });

  it('descends too', () => {
    const problem = randomProblem(createRng('dense frontier'), SHAPES['dense']?.(6) ?? [], 6, 'real');
    const { allocations, method } = allocationFrontier(problem, { points: 12, work: 1 });
    expect(method).toBe('descent');
    expect(allocations[0]?.error).toBe(0);
    const costs = allocations.map(({ cost }) => cost);
    expect(costs).toEqual(costs.toSorted((a, b) => b - a));
    expect(costs.length).toBeGreaterThan(2);
  });
});
