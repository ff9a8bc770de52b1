// What runs within a choice among all passes are given: samples for fits and for selection, and never those of the report.
import { describe, expect, it } from 'vitest';
import type { OpenedData } from '../../../src/data/open-data.js';
import type { Sample, StreamOptions } from '../../../src/data/data-set.js';
import { shuffledOrder } from '../../../src/data/sample-order.js';
import type { CombineRun } from '../../../src/pipeline/combining/combine-run.js';
import { DEFAULT_COMBINING } from '../../../src/pipeline/combining/settings.js';
import {
  deepenRequest,
  factorizeRequest,
  int8Request,
  pruneRequest,
} from '../../../src/pipeline/combining/stage-request.js';
import { presetPasses } from '../../../src/pipeline/recipe.js';
import { splitForPruning } from '../../../src/pipeline/pruning/split-samples.js';

const SIZE = 1000;
const [FITTED, SELECTED, SEED] = [400, 300, 3];

const numbered: OpenedData = {
  path: 'numbers',
  size: SIZE,
  kind: 'numbers',
  labelled: false,
  labelsFrom: undefined,
  classes: undefined,
  preprocess: 'raw',
  expectClasses: () => undefined,
  digest: () => Promise.resolve('numbers'),
  async *samples({ from = 0, to = SIZE, seed = 0 }: StreamOptions = {}): AsyncGenerator<Sample> {
    for (const place of shuffledOrder(SIZE, seed).slice(from, to))
      yield { name: String(place), label: undefined, feeds: new Map() };
  },
  skipped: [],
  warnings: () => [],
};

const order = [...shuffledOrder(SIZE, SEED)].map(String);
const asked = { name: 'prune', input: 'a.onnx', output: 'b.onnx', limit: 0.5, best: 'slim', until: 5 } as const;
const signal = new AbortController().signal;

const run = {
  request: {
    settings: { ...DEFAULT_COMBINING, maxDrop: 1 },
    recipe: { freeze: { x: [1, 2] }, opset: 17, passes: presetPasses('exact') },
    seed: SEED,
    signal,
  },
  reference: { path: 'original.onnx' },
  data: numbered,
  samples: {
    counts: { fitted: FITTED, selected: SELECTED, reported: SIZE - FITTED - SELECTED },
    select: { order: 'shuffled', seed: SEED, from: FITTED, to: FITTED + SELECTED },
  },
  last: [],
  time: { from: 0, to: 10 },
} as unknown as CombineRun;

async function names(data: OpenedData | undefined, options?: StreamOptions): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of data?.samples(options) ?? []) found.push(name);
  return found;
}

const requests = {
  deepen: deepenRequest(run, asked),
  prune: pruneRequest(run, asked),
  factorize: factorizeRequest(run, asked),
  int8: int8Request(run, asked, 'x64-vnni'),
};

describe('a run within', () => {
  it.each(Object.entries(requests))('(%s) sees no sample of the report', async (_, { openData }) => {
    const seen = new Set(await names(await openData?.([], signal)));
    expect(seen.size).toBeGreaterThan(SELECTED);
    expect(order.slice(FITTED + SELECTED).filter((name) => seen.has(name))).toEqual([]);
  });

  it('fits on the first part, chooses on the second, and judges on the same', async () => {
    const request = requests.prune;
    const data = await request.openData?.([], signal);
    const split = data && (await splitForPruning(request, data, []));
    expect(split?.counts).toEqual({ fitted: FITTED, selected: SELECTED, reported: SELECTED });
    const chosen = order.slice(FITTED, FITTED + SELECTED);
    expect(await names(data, split?.select)).toEqual(chosen);
    expect(await names(data, split?.report)).toEqual(chosen);
  });

  it('counts losses against the original, within its limit, and does not freeze or convert again', () => {
    for (const one of Object.values(requests)) {
      expect(one).toMatchObject({ against: 'original.onnx', input: { path: 'a.onnx' }, output: 'b.onnx' });
      expect(one.recipe).toMatchObject({ freeze: {}, opset: undefined });
    }
    expect(requests.deepen.settings).toMatchObject({ maxDrop: 0.5, for: 'latency', samples: FITTED });
    expect(requests.int8.maxDrop).toBe(0.5);
  });
});
