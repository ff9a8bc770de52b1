// The search along a line of candidates: halving on the samples for selection, and which others may stand for the one that is found.
import { describe, expect, it } from 'vitest';
import { searchDrop } from '../../src/pipeline/drop-search.js';
import { factorizeRequest } from './factorizing/run.js';
import { MNIST } from './pruning/run.js';

/** A line of candidates of which each loses a point more than the one before. */
async function search(count: number, maxDrop: number, until = Infinity) {
  const candidates = Array.from({ length: count }, (_, at) => ({ at, file: () => Promise.resolve({ path: MNIST }) }));
  const request = { ...factorizeRequest(MNIST, ''), output: undefined, until };
  const judge = ({ at }: { readonly at: number }) =>
    Promise.resolve({
      at,
      loss: { measure: 'top-1 lost', unit: 'points', value: at + 1, interval: undefined, verdict: undefined } as const,
    });
  const found = await searchDrop(request, { maxDrop, candidates, judge });
  return { looked: found.steps.map(({ at }) => at), allowed: found.candidates.map(({ at }) => at) };
}

describe('the search for a loss', () => {
  it('halves, and goes back in ever longer steps to the first', async () => {
    const { looked, allowed } = await search(32, 20);
    expect(looked.length).toBeLessThanOrEqual(6);
    expect(allowed).toEqual([19, 18, 17, 15, 11, 3, 0]);
  });

  it('is content with what is allowed once the time is over, and looks on where nothing is', async () => {
    expect((await search(32, 20, 0)).looked).toEqual([15]);
    expect((await search(32, 5, 0)).looked).toEqual([15, 7, 3]);
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
