// Choices of widths from hand-made studies: by a share of the units, by budgets that can and cannot be met, and along the
// frontier; which units leave, and why groups keep theirs.
import { describe, expect, it } from 'vitest';
import { findChannelGroups } from '../../../src/analysis/channels.js';
import { createFacts } from '../../../src/analysis/inference.js';
import { GateError } from '../../../src/base/errors.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { chooseWidths, widthFrontier } from '../../../src/pipeline/pruning/choose-widths.js';
import { countedCost } from '../../../src/pipeline/pruning/costs.js';
import type { StudiedGroup, WidthPlan } from '../../../src/pipeline/pruning/width-choice.js';

/** h and k of 8 units each, at 16 and at 4 positions; y is the output. */
const NET = `<ir_version: 8, opset_import: ["" : 17]>
g (float[1,4,4,4] x) => (float[1,2,2,2] y)
< float[8,4,1,1] a = random(1), float[8,8,1,1] b = random(2), float[2,8,1,1] c = random(3) >
{
  h = Conv (x, a)
  r = Relu (h)
  k = Conv <strides = [2, 2]> (r, b)
  s = Relu (k)
  y = Conv (s, c)
}`;

interface Shape {
  /** Error of a group at 0, 2, 4, 6 units fewer than 8; see `planOf`. */
  readonly h: readonly [number, number, number];
  readonly k: readonly [number, number, number];
}

const EQUAL: Shape = { h: [0.4, 0.2, 0.1], k: [0.4, 0.2, 0.1] };

function planOf(errors: Shape = EQUAL): WidthPlan {
  const model = parseModel(NET);
  const facts = createFacts(model);
  const groups = findChannelGroups(model, facts);
  const [h, k, y] = groups;
  if (!h || !k || !y) throw new Error('three groups');
  const studied = [h, k].map((group, at): StudiedGroup => {
    // Unit 7 - i has the score i, ten times that in the second group: the last units leave first.
    const values = Float64Array.from({ length: 8 }, (_, unit) => (7 - unit) * (at === 0 ? 1 : 10));
    const order = [7, 6, 5, 4, 3, 2, 1, 0];
    const own = [...(at === 0 ? errors.h : errors.k), 0];
    return {
      group,
      scores: { values },
      order,
      curve: { kept: [2, 4, 6, 8], errors: own, basis: 'measured', measured: [4] },
    };
  });
  return {
    study: { order: groups, studied, left: [{ group: y, why: 'frozen' }] },
    costs: (['macs', 'params'] as const).map((kind) => countedCost(model, facts, groups, kind)),
  };
}

/** Of h at 16 positions, k at 4, y at 4. */
const macsAt = (h: number, k: number): number => 16 * 4 * h + 4 * h * k + 4 * 2 * k;

const widthsOf = (choice: ReturnType<typeof chooseWidths>): number[] => choice.groups.map(({ after }) => after);

describe('chooseWidths', () => {
  it('meets a budget with the least error, and says which units leave and what it predicts', () => {
    const plan = planOf();
    const choice = chooseWidths(plan, { kind: 'macs', factor: 0.6 });
    const all = [2, 4, 6, 8].flatMap((h) => [2, 4, 6, 8].map((k) => ({ h, k, macs: macsAt(h, k) })));
    const error = (kept: number): number => ({ 2: 0.4, 4: 0.2, 6: 0.1, 8: 0 })[kept] ?? Infinity;
    const best = all
      .filter(({ macs }) => macs <= 0.6 * macsAt(8, 8))
      .reduce((least, { h, k }) => Math.min(least, error(h) + error(k)), Infinity);
    expect(choice.method).toBe('exact');
    expect(choice.error).toBeCloseTo(best, 12);
    const [h = 0, k = 0, y] = widthsOf(choice);
    expect(y).toBe(2);
    expect(choice.costs[0]).toEqual({ kind: 'macs', before: macsAt(8, 8), after: macsAt(h, k) });
    expect(choice.costs[1]?.before).toBe(8 * 4 + 8 * 8 + 2 * 8);
    for (const { group, before, after } of choice.groups) {
      const gone = [7, 6, 5, 4, 3, 2, 1, 0].slice(0, before - after).toReversed();
      expect(choice.removals.get(group)).toEqual(before > after ? gone : undefined);
    }
  });

  it('takes from the group that loses less, and says why the other keeps its units', () => {
    const dear = planOf({ h: [90, 80, 70], k: [0.3, 0.2, 0.1] });
    const choice = chooseWidths(dear, { kind: 'params', factor: 0.5 });
    expect(widthsOf(choice)).toEqual([8, 2, 2]);
    expect(choice.groups.map(({ why }) => why)).toEqual(['worth', undefined, 'frozen']);
    expect(chooseWidths(dear, { kind: 'params', absolute: 56 })).toEqual(choice);
  });

  it('says when a smaller width saves nothing', () => {
    const plan = planOf();
    const [macs] = plan.costs;
    if (!macs) throw new Error('a cost');
    const free = { ...macs, products: [], linear: macs.linear.map((x, at) => (at === 0 ? x : 0)) };
    const choice = chooseWidths({ ...plan, costs: [free] }, { kind: 'macs', factor: 0.75 });
    expect(widthsOf(choice)).toEqual([6, 8, 2]);
    expect(choice.groups[1]?.why).toBe('no-gain');
  });

  it('refuses a budget that no widths meet, and says what is possible', () => {
    const least = (Math.ceil((100 * macsAt(2, 2)) / macsAt(8, 8)) / 100).toFixed(2);
    const refused = (): unknown => chooseWidths(planOf(), { kind: 'macs', factor: 0.05 });
    expect(refused).toThrow(GateError);
    expect(refused).toThrow(`cannot bring the multiplications down to 0.05x: ${least}x is the least`);
    expect(() => chooseWidths(planOf(), { kind: 'params', absolute: 3 })).toThrow('down to 3: ');
    expect(chooseWidths(planOf(), { kind: 'macs', absolute: macsAt(2, 2) }).error).toBeCloseTo(0.8, 12);
  });

  it('by a share: within each group, or of all units by their scores; to the nearest width that is allowed', () => {
    const plan = planOf();
    const uniform = chooseWidths(plan, { kind: 'ratio', value: 0.25, scope: { over: 'group' } });
    expect(widthsOf(uniform)).toEqual([6, 6, 2]);
    expect(uniform).toMatchObject({ method: 'ratio', error: 0.2 });
    // Of 16 units the 4 of lowest score leave: 0, 0, 1 and 2: three of h, one of k; the wider of two equally near widths.
    const global = chooseWidths(plan, { kind: 'ratio', value: 0.25, scope: { over: 'all', normalize: 'none' } });
    expect(widthsOf(global)).toEqual([6, 8, 2]);
    expect(global.groups[1]?.why).toBe('no-level');
    expect([...global.removals.values()]).toEqual([[6, 7]]);
    const levelled = chooseWidths(plan, { kind: 'ratio', value: 0.25, scope: { over: 'all', normalize: 'mean' } });
    expect(widthsOf(levelled)).toEqual([6, 6, 2]);
    const none = chooseWidths(plan, { kind: 'ratio', value: 0.1, scope: { over: 'group' } });
    expect(none.groups.map(({ why }) => why)).toEqual(['worth', 'worth', 'frozen']);
    expect(none.removals.size).toBe(0);
  });

  it('a budget without what groups cost in it is a defect of the caller', () => {
    expect(() => chooseWidths(planOf(), { kind: 'latency', factor: 0.5 })).toThrow('a budget of latency');
  });
});

describe('widthFrontier', () => {
  it('leads from all units to the fewest, each choice the one that chooseWidths gives for its cost', () => {
    const plan = planOf({ h: [0.5, 0.25, 0.1], k: [0.3, 0.2, 0.05] });
    const choices = widthFrontier(plan, 'macs', { points: 6 });
    expect(widthsOf(choices[0] ?? chooseWidths(plan, { kind: 'macs', factor: 1 }))).toEqual([8, 8, 2]);
    expect(choices.at(-1)?.groups.map(({ after }) => after)).toEqual([2, 2, 2]);
    expect(choices.length).toBeLessThanOrEqual(6);
    expect(choices.length).toBeGreaterThan(3);
    for (const choice of choices) {
      const after = choice.costs[0]?.after ?? 0;
      expect(chooseWidths(plan, { kind: 'macs', absolute: after }).error).toBeCloseTo(choice.error, 12);
    }
  });
});
