// Which units leave in one cycle, worked out by hand.
import { expect, it } from 'vitest';
import type { ChannelGroup } from '../../../src/analysis/channel-group.js';
import { cycleUnits } from '../../../src/pipeline/pruning/cycle-units.js';
import type { GroupScores } from '../../../src/pipeline/pruning/score-groups.js';

const scored = (name: string, values: readonly number[]): GroupScores => {
  const group: ChannelGroup = { name, width: values.length, members: [], makers: [], readers: [] };
  return { group, scores: { values: Float64Array.from(values) }, refusal: undefined };
};
const every = (group: ChannelGroup): number[] => Array.from({ length: group.width }, (_, at) => at + 1);
const named = (removals: ReadonlyMap<ChannelGroup, readonly number[]>): unknown =>
  Object.fromEntries([...removals].map(([group, units]) => [group.name, units]));
const GLOBAL = { over: 'all', normalize: 'none' } as const;

it('the lowest of all groups together', () => {
  const groups = [scored('a', [1, 5, 2, 6]), scored('b', [3, 9, 8, 7, 10, 11])];
  const { removals, widths } = cycleUnits(groups, new Map(), { scope: GLOBAL, share: 0.3, levels: every });
  expect(named(removals)).toEqual({ a: [0, 2], b: [0] });
  expect([...widths]).toEqual([
    ['a', 2],
    ['b', 5],
  ]);
});

it('the lowest of each group', () => {
  const groups = [scored('a', [1, 5, 2, 6]), scored('b', [30, 90, 80, 70])];
  const { removals } = cycleUnits(groups, new Map(), { scope: { over: 'group' }, share: 0.5, levels: every });
  expect(named(removals)).toEqual({ a: [0, 2], b: [0, 3] });
});

it('one at least, and never the last of a group', () => {
  const groups = [scored('a', [1, 2]), scored('b', [0])];
  const first = cycleUnits(groups, new Map(), { scope: { over: 'group' }, share: 0.1, levels: every });
  expect(named(first.removals)).toEqual({ a: [0] });
  const second = cycleUnits([scored('a', [2]), scored('b', [0])], first.widths, {
    scope: { over: 'group' },
    share: 0.9,
    levels: every,
  });
  expect(named(second.removals)).toEqual({});
});

it('on paper until a width is reached that suits', () => {
  const levels = (): number[] => [4, 8];
  const options = { scope: GLOBAL, share: 0.25, levels } as const;
  const groups = [scored('a', [1, 2, 3, 4, 5, 6, 7, 8])];
  const first = cycleUnits(groups, new Map(), options);
  expect([named(first.removals), first.widths.get('a')]).toEqual([{}, 6]);
  // A quarter of the 6 that remain is one.
  const second = cycleUnits(groups, first.widths, options);
  expect([named(second.removals), second.widths.get('a')]).toEqual([{}, 5]);
  const third = cycleUnits(groups, second.widths, options);
  expect([named(third.removals), third.widths.get('a')]).toEqual([{ a: [0, 1, 2, 3] }, 4]);
});

it('nothing of groups without scores', () => {
  const none: GroupScores = { ...scored('a', [1, 2]), scores: undefined };
  expect(named(cycleUnits([none], new Map(), { scope: GLOBAL, share: 0.5, levels: every }).removals)).toEqual({});
});
