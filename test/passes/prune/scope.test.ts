// What scores are compared over, and what leaves: shares, ties, units that a group keeps, groups that are built alike.
import { describe, expect, it } from 'vitest';
import type { ChannelGroup } from '../../../src/analysis/channel-group.js';
import { findChannelGroups } from '../../../src/analysis/channels.js';
import { createFacts } from '../../../src/analysis/inference.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import {
  rankUnits,
  selectLowest,
  signature,
  type Scope,
  type ScoredGroup,
} from '../../../src/passes/prune/scores/scope.js';

const group = (name: string, width: number): ChannelGroup => ({ name, width, members: [], makers: [], readers: [] });
const scored = (name: string, ...values: number[]): ScoredGroup => ({
  group: group(name, values.length),
  values: Float64Array.from(values),
});
const names = (groups: readonly ScoredGroup[], scope: Scope): string[][] =>
  rankUnits(groups, scope).map((ranking) => ranking.map((ranked) => `${ranked.group.name}${ranked.unit}`));

describe('rankUnits', () => {
  const [a, b] = [scored('a', 3, 1, 2), scored('b', 0.2, 0.1)];

  it('ranks within groups, or over all', () => {
    expect(names([a, b], { over: 'group' })).toEqual([
      ['a1', 'a2', 'a0'],
      ['b1', 'b0'],
    ]);
    expect(names([a, b], { over: 'all', normalize: 'none' })).toEqual([['b1', 'b0', 'a1', 'a2', 'a0']]);
  });

  it('brings groups to one scale by their mean or their norm', () => {
    // 1.5, 0.5, 1 and 4/3, 2/3.
    expect(names([a, b], { over: 'all', normalize: 'mean' })).toEqual([['a1', 'b1', 'a2', 'b0', 'a0']]);
    const [ranking] = rankUnits([a, b], { over: 'all', normalize: 'l2' });
    const scores = (ranking ?? []).filter((ranked) => ranked.group === a.group).map(({ score }) => score);
    expect(scores.reduce((sum, s) => sum + s * s, 0)).toBeCloseTo(3, 12);
    expect(names([scored('z', 0, 0), b], { over: 'all', normalize: 'mean' })).toEqual([['z0', 'z1', 'b1', 'b0']]);
  });

  it('breaks ties by group and unit, never by chance', () => {
    const equal = [scored('a', 1, 1), scored('b', 1, 1)];
    expect(names(equal, { over: 'all', normalize: 'none' })).toEqual([['a0', 'a1', 'b0', 'b1']]);
  });

  it('ranks groups together that are built alike', () => {
    const model = parseModel(`g (float[1,3,8,8] x) => (float[1,1,2,2] y)
      <float[4,3,3,3] w1 = random(1), float[6,4,3,3] w2 = random(2), float[5,6,3,3] w3 = random(3),
       float[2,5,1,1] w4 = random(4), float[1,2,1,1] w5 = random(5)> {
        a = Conv <pads = [1, 1, 1, 1]> (x, w1) ra = Relu (a)
        b = Conv <pads = [1, 1, 1, 1]> (ra, w2) rb = Relu (b)
        c = Conv <pads = [1, 1, 1, 1]> (rb, w3) rc = Relu (c)
        d = Conv (rc, w4) y = Conv <kernel_shape = [1, 1], strides = [4, 4]> (d, w5)
      }`);
    const groups = findChannelGroups(model, createFacts(model)).filter(({ frozen }) => frozen === undefined);
    expect(groups.map(({ width }) => width)).toEqual([4, 6, 5, 2]);
    expect(new Set(groups.slice(0, 2).map(signature)).size).toBe(1);
    expect(new Set(groups.map(signature)).size).toBe(3);
    const rankings = rankUnits(
      groups.map((one) => ({ group: one, values: new Float64Array(one.width).fill(1) })),
      { over: 'isomorphic', normalize: 'mean' },
    );
    expect(rankings.map(({ length }) => length)).toEqual([10, 5, 2]);
  });
});

describe('selectLowest', () => {
  it('takes a share of each ranking, rounded down, and keeps the least number of each group', () => {
    const groups = [scored('a', 1, 2, 3, 4, 5, 6, 7, 8, 9, 10), scored('b', 0.3, 0.2, 0.1)];
    const selected = (scope: Scope, share: number, least?: number): Record<string, number[]> =>
      Object.fromEntries(
        [...selectLowest(rankUnits(groups, scope), { share, ...(least === undefined ? {} : { least }) })].map(
          ([{ name }, units]) => [name, units],
        ),
      );
    expect(selected({ over: 'group' }, 0.3)).toEqual({ a: [0, 1, 2] });
    expect(selected({ over: 'group' }, 0.7)).toEqual({ a: [0, 1, 2, 3, 4, 5, 6], b: [1, 2] });
    expect(selected({ over: 'all', normalize: 'none' }, 0.31)).toEqual({ a: [0], b: [1, 2] });
    expect(selected({ over: 'group' }, 1, 2)).toEqual({ a: [0, 1, 2, 3, 4, 5, 6, 7], b: [2] });
    expect(selected({ over: 'group' }, 0)).toEqual({});
  });
});
