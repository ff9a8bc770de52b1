// What is left out when a result is slower than the original; timings come from a table here.
import { describe, expect, it } from 'vitest';
import { configure, type ConfiguredPass } from '../../src/pipeline/configured-pass.js';
import { RewriteLog } from '../../src/pipeline/rewrite-log.js';
import { isSlower, keepFast, type GatedResult } from '../../src/pipeline/speed-gate.js';
import type { TransactionResult } from '../../src/pipeline/transaction.js';
import { defineLocalPass } from '../../src/passes/pass.js';
import type { RatioVerdict } from '../../src/runtime/statistics.js';
import { timedPair as pair } from './timings.js';

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];
const passes: readonly ConfiguredPass[] = NAMES.map((name) =>
  configure(
    defineLocalPass({
      name,
      category: 'exact',
      exactness: 'exact',
      needs: [],
      summary: name,
      details: name,
      options: {},
      declines: {},
      stats: {},
      roots: ['*'],
      rewrite: () => false,
    }),
  ),
);

const resultOf = (names: readonly string[]): TransactionResult => {
  const log = new RewriteLog();
  for (const name of names) {
    log.tally(name).rewrites = 1;
    log.rewrites.push({ pass: name, site: name, before: 0 });
  }
  return { log, undone: [], check: undefined };
};

/** A model that is slower whenever `slow` says so of the passes that made it. */
async function gate(
  slow: (names: readonly string[]) => boolean,
  { keep = [] as readonly string[], idle = [] as readonly string[] } = {},
): Promise<
  GatedResult & { readonly timings: number; readonly kept: readonly string[]; readonly standing: readonly string[] }
> {
  let current: readonly string[] = NAMES;
  let timings = 0;
  const active = (): readonly string[] => current.filter((name) => !idle.includes(name));
  const gated = await keepFast(
    passes,
    passes.filter(({ pass }) => keep.includes(pass.name)),
    resultOf(active()),
    {
      apply: async (some) => {
        current = some.map(({ pass }) => pass.name);
        return resultOf(active());
      },
      time: async () => {
        timings++;
        return pair(slow(active()) ? 'slower' : 'no-difference');
      },
    },
  );
  return { ...gated, timings, standing: active(), kept: [...gated.result.log.tallies.keys()] };
}

describe('isSlower', () => {
  it.each([
    ['slower', 'faster', true],
    ['no-difference', 'slower', true],
    ['faster', 'slower', false],
    ['no-difference', 'no-difference', false],
    ['faster', 'faster', false],
  ] as const)('runs %s, loads %s: %s', (latency, load, expected) => {
    expect(isSlower(pair(latency, load))).toBe(expected);
  });
});

describe('keepFast', () => {
  it('times once when nothing is slower', async () => {
    const { kept, rejected, timings } = await gate(() => false);
    expect({ kept, rejected, timings }).toEqual({ kept: NAMES, rejected: [], timings: 1 });
  });

  it.each(NAMES)('finds that %s slows the model down, and keeps the rest', async (guilty) => {
    const { kept, rejected, timing } = await gate((names) => names.includes(guilty));
    expect(rejected.map(({ pass }) => pass)).toEqual([guilty]);
    expect(kept).toEqual(NAMES.filter((name) => name !== guilty));
    expect(isSlower(timing)).toBe(false);
  });

  it('finds several', async () => {
    const { kept, rejected } = await gate((names) => names.includes('b') || names.includes('e'));
    expect(rejected.map(({ pass }) => pass)).toEqual(['b', 'e']);
    expect(kept).toEqual(['a', 'c', 'd', 'f']);
  });

  it('finds the later one of two that are slow only together', async () => {
    const { kept, rejected } = await gate((names) => names.includes('b') && names.includes('d'));
    expect(rejected.map(({ pass }) => pass)).toEqual(['d']);
    expect(kept).toEqual(['a', 'b', 'c', 'e', 'f']);
  });

  it('leaves everything out when each pass slows the model down', async () => {
    const { kept, rejected, result } = await gate((names) => names.length > 0);
    expect(rejected.map(({ pass }) => pass)).toEqual(NAMES);
    expect(kept).toEqual([]);
    expect(result.log.rewrites).toEqual([]);
  });

  it('asks only of passes that changed something', async () => {
    const { rejected } = await gate((names) => names.includes('c'), { idle: ['a', 'b', 'd'] });
    expect(rejected.map(({ pass }) => pass)).toEqual(['c']);
  });

  it('never leaves out what was asked for, and says that the model is slower', async () => {
    const { kept, standing, rejected, timing } = await gate((names) => names.includes('a'), { keep: ['a'] });
    expect(rejected).toEqual([]);
    expect(kept).toEqual(NAMES);
    expect(standing).toEqual(NAMES);
    expect(isSlower(timing)).toBe(true);
  });

  it('believes a finding only when a second timing confirms it', async () => {
    const verdicts: RatioVerdict[] = ['slower', 'no-difference'];
    const gated = await keepFast(passes, [], resultOf(NAMES), {
      apply: () => Promise.reject(new Error('nothing had to be applied')),
      time: async () => pair(verdicts.shift() ?? 'slower'),
    });
    expect(gated.rejected).toEqual([]);
    expect(gated.timing.latency.verdict).toBe('no-difference');
  });

  it('does not touch a model in which nothing was rewritten', async () => {
    const gated = await keepFast(passes, [], resultOf([]), {
      apply: () => Promise.reject(new Error('nothing had to be applied')),
      time: async () => pair('slower'),
    });
    expect(gated.rejected).toEqual([]);
  });
});
