// The search along a line of candidates: halving on the samples for selection, and which others may stand for the one that is found.
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { searchDrop } from '../../src/pipeline/drop-search.js';
import { factorizeRequest } from './factorizing/run.js';
import { MNIST } from './pruning/run.js';

/** A line of candidates of which each loses a point more than the one before; judging one takes `judgeMs`. */
async function search(count: number, maxDrop: number, until = Infinity, judgeMs = 0) {
  const candidates = Array.from({ length: count }, (_, at) => ({ at, file: () => Promise.resolve({ path: MNIST }) }));
  const request = { ...factorizeRequest(MNIST, ''), output: undefined, until };
  const judge = async ({ at }: { readonly at: number }) => {
    await setTimeout(judgeMs);
    const loss = {
      measure: 'top-1 lost',
      unit: 'points',
      value: at + 1,
      interval: undefined,
      verdict: undefined,
    } as const;
    return { at, loss };
  };
  const found = await searchDrop(request, { maxDrop, candidates, judge });
  return { looked: found.steps.map(({ at }) => at), allowed: found.candidates.map(({ at }) => at) };
}

describe('the search for a loss', () => {
  it('halves, and goes back in ever longer steps to the first', async () => {
    const { looked, allowed } = await search(32, 20);
    expect(looked.length).toBeLessThanOrEqual(6);
    expect(allowed).toEqual([19, 18, 17, 15, 11, 3, 0]);
  });

  it('looks at one with little change where the time is over before it began', async () => {
    expect(await search(32, 20, 0)).toEqual({ looked: [7], allowed: [7, 6, 5, 3, 0] });
    expect(await search(32, 5, 0)).toEqual({ looked: [7], allowed: [] });
  });

  it('begins none that would end after the time, but for a last one where nothing is allowed yet', async () => {
    expect((await search(32, 20, performance.now() + 300, 200)).looked).toEqual([15]);
    expect((await search(32, 5, performance.now() + 300, 200)).looked).toEqual([15, 3]);
  });

  it.each([
    [32, 100, [31, 30, 29, 27, 23, 15, 0]],
    [32, 1, [0]],
    [32, 2, [1, 0]],
    [32, 0.5, []],
    [0, 5, []],
  ])('of %i candidates with %f points: %j', async (count, maxDrop, wanted) => {
    expect((await search(count, maxDrop)).allowed).toEqual(wanted);
  });
});
