// The cheapest assignment of nodes to forms, against trying all of them.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../../src/base/rng.js';
import { assignForms, type CutEdge, type FormCosts } from '../../../src/pipeline/quantization/search-cut.js';

function costOf(forms: readonly boolean[], costs: readonly FormCosts[], edges: readonly CutEdge[]): number {
  const own = costs.reduce((sum, { first, second }, at) => sum + (forms[at] ? second : first), 0);
  return edges.reduce((sum, { a, b, cost }) => sum + (forms[a] === forms[b] ? 0 : cost), own);
}

function all(count: number): boolean[][] {
  return Array.from({ length: 2 ** count }, (_, bits) =>
    Array.from({ length: count }, (_one, at) => ((bits >> at) & 1) === 1),
  );
}

function random(seed: number): { costs: FormCosts[]; edges: CutEdge[] } {
  const rng = createRng(seed);
  const count = rng.int(1, 9);
  const costs = Array.from({ length: count }, () => ({ first: rng.uniform() * 10, second: rng.uniform() * 10 }));
  const edges = Array.from({ length: rng.int(0, 14) }, () => ({
    a: rng.int(0, count - 1),
    b: rng.int(0, count - 1),
    cost: rng.uniform() * 6,
  })).filter(({ a, b }) => a !== b);
  return { costs, edges };
}

describe('assignForms', () => {
  it('finds the cheapest of all assignments', () => {
    for (let seed = 0; seed < 200; seed++) {
      const { costs, edges } = random(seed);
      const least = Math.min(...all(costs.length).map((forms) => costOf(forms, costs, edges)));
      expect(costOf(assignForms(costs, edges), costs, edges)).toBeCloseTo(least, 9);
    }
  });

  it('only moves nodes to the second form as the first gets dearer', () => {
    for (let seed = 0; seed < 50; seed++) {
      const { costs, edges } = random(seed);
      let before = costs.map(() => false);
      for (const price of [0, 1, 2, 4, 8]) {
        const dearer = costs.map(({ first, second }, at) => ({ first: first + price * (at % 3), second }));
        const forms = assignForms(dearer, edges);
        before.forEach((isSecond, at) => expect(isSecond && !forms[at]).toBe(false));
        before = forms;
      }
    }
  });

  it('takes the first form where both cost the same', () => {
    expect(assignForms([{ first: 1, second: 1 }], [])).toEqual([false]);
    expect(assignForms([], [])).toEqual([]);
  });

  it('takes a run of neighbours along rather than convert between them', () => {
    const costs = [
      { first: 9, second: 1 },
      { first: 2, second: 3 },
      { first: 9, second: 1 },
    ];
    const edges = [
      { a: 0, b: 1, cost: 1 },
      { a: 1, b: 2, cost: 1 },
    ];
    expect(assignForms(costs, [])).toEqual([true, false, true]);
    expect(assignForms(costs, edges)).toEqual([true, true, true]);
  });
});
