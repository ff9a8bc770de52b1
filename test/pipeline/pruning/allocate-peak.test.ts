// Widths within bounds on memory against brute force on random small problems: met whenever that can be, and nearly as good.
import { describe, expect, it } from 'vitest';
import { createRng, type Rng } from '../../../src/base/rng.js';
import { allocatePeak, type PeakProblem } from '../../../src/pipeline/pruning/allocate-peak.js';

/** Groups along a line: at each moment a few neighbours are alive, as in a chain with some sums and Concats. */
function randomProblem(rng: Rng, groups: number): Omit<PeakProblem, 'most'> {
  const levels = Array.from({ length: groups }, () => {
    const count = rng.int(1, 4);
    const kept = Array.from({ length: count }, (_, at) => 2 * (at + 1));
    const rising = kept.map(() => rng.uniform()).toSorted((a, b) => b - a);
    return { kept, errors: rising.map((error, at) => (at === count - 1 ? 0 : error)) };
  });
  const bounds = Array.from({ length: groups + 2 }, () => {
    const from = rng.int(0, groups - 1);
    const alive = rng.int(1, 3);
    return {
      constant: rng.int(0, 4),
      linear: Float64Array.from(levels, (_, at) => (at >= from && at < from + alive ? rng.int(1, 4) : 0)),
      whole: new Float64Array(groups),
      products: rng.uniform() < 0.2 ? [{ a: from, b: rng.int(from, groups - 1), factor: 1 }] : [],
    };
  });
  return { groups: levels, bounds };
}

function needed({ groups, bounds }: Omit<PeakProblem, 'most'>, picks: readonly number[]): number {
  const width = (at: number): number => groups[at]?.kept[picks[at] ?? 0] ?? 0;
  const each = bounds.map(({ constant, linear, products }) => {
    const own = groups.map((_, at) => (linear[at] ?? 0) * width(at));
    const pairs = products.map(({ a, b, factor }) => factor * width(a) * width(b));
    return [...own, ...pairs].reduce((sum, x) => sum + x, constant);
  });
  return Math.max(...each);
}

const errorOf = ({ groups }: Pick<PeakProblem, 'groups'>, picks: readonly number[]): number =>
  groups.reduce((sum, { errors }, at) => sum + (errors[picks[at] ?? 0] ?? 0), 0);

const everything = ({ groups }: Pick<PeakProblem, 'groups'>): number[][] =>
  groups.reduce<number[][]>((all, { kept }) => all.flatMap((picks) => kept.map((_, level) => [...picks, level])), [[]]);

describe('allocatePeak', () => {
  it('keeps every bound where brute force can, and is within a few percent of its error', () => {
    let [found, best, tried] = [0, 0, 0];
    for (let seed = 0; seed < 150; seed++) {
      const rng = createRng(`peak ${seed}`);
      const problem = randomProblem(rng, rng.int(2, 6));
      const all = everything(problem);
      const needs = all.map((picks) => needed(problem, picks));
      const [low, high] = [Math.min(...needs), Math.max(...needs)];
      for (const part of [0, 0.3, 0.6, 0.9]) {
        const most = low + part * (high - low);
        const result = allocatePeak({ ...problem, most });
        if (result.kind === 'infeasible') throw new Error(`seed ${seed}: ${most} can be kept`);
        expect(needed(problem, result.picks)).toBeLessThanOrEqual(most);
        expect(result.error).toBeCloseTo(errorOf(problem, result.picks), 12);
        const least = Math.min(...all.filter((_, at) => (needs[at] ?? 0) <= most).map((p) => errorOf(problem, p)));
        expect(result.error).toBeGreaterThanOrEqual(least - 1e-12);
        tried++;
        found += result.error;
        best += least;
      }
    }
    expect(tried).toBe(600);
    expect(found / best).toBeLessThan(1.03);
  });

  it('says what the narrowest widths need where that is too much', () => {
    for (let seed = 0; seed < 20; seed++) {
      const problem = randomProblem(createRng(`least ${seed}`), 4);
      const least = Math.min(...everything(problem).map((picks) => needed(problem, picks)));
      expect(allocatePeak({ ...problem, most: least - 0.5 })).toEqual({ kind: 'infeasible', least });
    }
  });

  it('leaves groups alone that are not alive where memory is short, and all where it is not', () => {
    const group = { kept: [2, 4], errors: [0.001, 0] };
    const bounds = [
      { constant: 0, linear: Float64Array.of(1, 1, 0), whole: new Float64Array(3), products: [] },
      { constant: 1, linear: Float64Array.of(0, 0, 1), whole: new Float64Array(3), products: [] },
    ];
    const costly = { kept: [2, 4], errors: [0.5, 0] };
    const problem = { groups: [costly, group, group], bounds };
    expect(allocatePeak({ ...problem, most: 6 })).toEqual({ kind: 'found', picks: [1, 0, 1], error: 0.001 });
    expect(allocatePeak({ ...problem, most: 8 })).toEqual({ kind: 'found', picks: [1, 1, 1], error: 0 });
  });
});
