// The measuring functions on small and real models: what they return, that they clean up and can be stopped. How fast
// anything is, is not tested here.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InterruptError } from '../../src/base/errors.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import { compareLatency, timeModel } from '../../src/runtime/latency.js';
import { openLatencyTable } from '../../src/runtime/latency-table.js';
import { layerTimer } from '../../src/runtime/layer-timer.js';
import { compareLoadTime } from '../../src/runtime/load-time.js';
import { describeMachine } from '../../src/runtime/machine.js';
import { peakMemory } from '../../src/runtime/memory.js';
import { profileModel, readProfile } from '../../src/runtime/profile.js';
import { Tensor } from '../../src/tensor/tensor.js';
import { asset, haveAssets } from './assets.js';
import { addModel, float32s, tinyModel, TYPE } from './tiny-model.js';

const host = new RuntimeHost();
const folder = mkdtempSync(join(tmpdir(), 'mcompress-test-'));
afterAll(async () => {
  await host.dispose();
  rmSync(folder, { recursive: true });
});

const one = addModel(['n', 3], [1, 2, 3]);
const two = addModel(['n', 3], [4, 5, 6]);
const feeds = new Map([['x', Tensor.fromNumbers('float32', [1, 3], [1, 2, 3])]]);
const quick = { budget: 1 };

describe('compareLatency', () => {
  it('times both models in as many blocks of either order', async () => {
    const seen: number[] = [];
    const result = await compareLatency(host, one, two, feeds, { ...quick, onProgress: (blocks) => seen.push(blocks) });
    expect(result.blocks % 2).toBe(0);
    expect(seen.at(-1)).toBe(result.blocks);
    expect(result.rounds).toBeGreaterThanOrEqual(10);
    expect(result.batch).toBeGreaterThan(1);
    for (const { wall } of [result.before, result.after]) {
      expect(wall.min).toBeGreaterThan(0);
      expect(wall.p50).toBeLessThanOrEqual(wall.p90);
      expect(wall.p90).toBeLessThanOrEqual(wall.p99);
    }
    expect(result.wall.low).toBeLessThanOrEqual(result.wall.value);
    expect(result.wall.high).toBeGreaterThanOrEqual(result.wall.value);
    expect(['faster', 'slower', 'no-difference']).toContain(result.verdict);
  });

  it('times a model against itself, with two sessions', async () => {
    const result = await compareLatency(host, one, one, feeds, quick);
    expect(result.after.wall.min).toBeGreaterThan(0);
  });

  it('leaves no session open, and the host usable', async () => {
    await compareLatency(host, one, two, feeds, quick);
    expect((await host.run(one, feeds)).get('y')?.toNumbers()).toEqual([2, 4, 6]);
  });

  it('passes the errors of a model and of a feed on', async () => {
    await expect(compareLatency(host, one, Uint8Array.of(1), feeds, quick)).rejects.toMatchObject({
      code: 'runtime-rejects',
    });
    await expect(compareLatency(host, one, two, new Map(), quick)).rejects.toMatchObject({ code: 'bad-feed' });
  });

  it.skipIf(!haveAssets)('is stopped at once in the middle (style-candy)', async () => {
    const own = new RuntimeHost();
    const model = asset('style-candy.onnx');
    const [input] = (await own.describe(model)).inputs;
    const dims = input?.dims.map((dim) => (typeof dim === 'number' ? dim : 1)) ?? [];
    const image = new Map([
      [input?.name ?? '', Tensor.fromNumbers('float32', dims, new Float64Array(dims.reduce((a, b) => a * b, 1)))],
    ]);
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 400);
    await expect(compareLatency(own, model, model, image, { signal: abort.signal })).rejects.toBeInstanceOf(
      InterruptError,
    );
    await own.dispose();
    expect(own.pid).toBeUndefined();
  });
});

describe('timeModel', () => {
  it('gives the median with its interval', async () => {
    const result = await timeModel(host, one, feeds, quick);
    expect(result.interval.low).toBeLessThanOrEqual(result.interval.high);
    expect(result.interval.value).toBeCloseTo(result.wall.p50, 1);
    expect(result.threads).toBe(1);
  });
});

describe('compareLoadTime', () => {
  it('times creations of both models', async () => {
    const result = await compareLoadTime(host, one, two, { ...quick, precision: 10 });
    expect(result.rounds).toBeGreaterThanOrEqual(7);
    expect(result.before.wall.min).toBeGreaterThan(0);
    expect(result.after.cpu.p50).toBeGreaterThan(0);
  });

  it('passes on that a model does not load', async () => {
    await expect(compareLoadTime(host, one, Uint8Array.of(9, 9), quick)).rejects.toMatchObject({
      code: 'runtime-rejects',
    });
  });
});

describe('peakMemory', () => {
  it('sees a large intermediate value', async () => {
    // Concat copies of a big input: 8 x 4 MiB more than what the small feed needs.
    const model = tinyModel({
      nodes: [
        { op: 'Concat', inputs: Array.from({ length: 8 }, () => 'x'), outputs: ['c'], ints: { axis: 0 } },
        { op: 'Relu', inputs: ['c'], outputs: ['y'] },
      ],
      inputs: [{ name: 'x', type: TYPE.float32, dims: ['n'] }],
      outputs: [{ name: 'y', type: TYPE.float32, dims: ['m'] }],
    });
    const size = (n: number) => new Map([['x', Tensor.fromNumbers('float32', [n], new Float64Array(n))]]);
    const small = await peakMemory(model, size(1));
    const large = await peakMemory(model, size(2 ** 20));
    expect(small.base).toBeGreaterThan(2 ** 20);
    expect(large.peak).toBeGreaterThanOrEqual(large.loaded);
    expect(large.added - small.added).toBeGreaterThan(32 * 2 ** 20);
  });
});

describe('profileModel', () => {
  it('times every node and dumps the optimized graph', async () => {
    const model = tinyModel({
      nodes: [
        { op: 'Add', name: 'first', inputs: ['x', 'b'], outputs: ['s'] },
        { op: 'Softmax', name: 'second', inputs: ['s'], outputs: ['y'] },
      ],
      inputs: [{ name: 'x', type: TYPE.float32, dims: ['n', 3] }],
      outputs: [{ name: 'y', type: TYPE.float32, dims: ['n', 3] }],
      tensors: [float32s('b', [3], [1, 2, 3])],
    });
    const profile = await profileModel(host, model, feeds, { budget: 5 });
    expect(profile.nodes.map(({ name, opType, calls }) => [name, opType, calls])).toEqual([
      ['first', 'Add', 1],
      ['second', 'Softmax', 1],
    ]);
    expect(profile.totalUs).toBeGreaterThan(0);
    expect(profile.optimizedModel?.byteLength).toBeGreaterThan(50);
    expect(
      (await profileModel(host, model, feeds, { budget: 5, optimizedGraph: 'none' })).optimizedModel,
    ).toBeUndefined();
  });

  it('leaves no file behind, also after an error', async () => {
    const own = new RuntimeHost();
    const place = await own.exclusive(async (link) => link.folder());
    await profileModel(own, one, feeds, { budget: 5 });
    await expect(profileModel(own, one, new Map(), { budget: 5 })).rejects.toMatchObject({ code: 'bad-feed' });
    expect(readdirSync(place)).toEqual([]);
    await own.dispose();
  });
});

describe('readProfile', () => {
  const event = (name: string, ts: number, dur: number, cat = 'Node'): string =>
    `${JSON.stringify({ cat, name, ts, dur, ph: 'X', args: { op_name: name.split('_')[0] } })},`;
  const run = (at: number, scale: number): string[] => [
    event('Relu_kernel_time', at, 10 * scale),
    event('Add_kernel_time', at + 20 * scale, 5 * scale),
    event('Add_kernel_time', at + 30 * scale, 5 * scale),
    // The loop holds both additions.
    event('Loop_kernel_time', at + 15 * scale, 30 * scale),
    event('model_run', at, 50 * scale, 'Session'),
  ];

  it('takes the time of nodes inside off the node around them, and medians over the runs after warming up', async () => {
    const lines = [
      '[',
      event('session_initialization', 0, 9, 'Session'),
      ...run(1000, 7),
      ...run(2000, 1),
      ...run(3000, 2),
      ...run(4000, 3),
      ']',
    ];
    expect(await readProfile(lines, 1)).toEqual({
      runs: 3,
      totalUs: 100,
      nodes: [
        { name: 'Relu', opType: 'Relu', us: 20, calls: 1 },
        { name: 'Add', opType: 'Add', us: 20, calls: 2 },
        { name: 'Loop', opType: 'Loop', us: 40, calls: 1 },
      ],
    });
  });

  it('has nothing to say about a profile without runs', async () => {
    expect(await readProfile(['[', ']'], 0)).toEqual({ runs: 0, totalUs: 0, nodes: [] });
  });
});

describe('layerTimer', () => {
  let table: ReturnType<typeof openLatencyTable>;
  beforeAll(() => {
    table = openLatencyTable({
      machine: describeMachine(),
      threads: 1,
      folder,
      measure: layerTimer(host, { threads: 1 }),
    });
  });

  it('measures a one-layer model for the table', async () => {
    const us = await table.measure('Add 1x3 float32', () => addModel([1, 3], [1, 2, 3]));
    expect(us).toBeGreaterThan(0);
    expect(table.lookup('Add 1x3 float32')).toBe(us);
  });

  it('declines a layer whose shape is open', async () => {
    await expect(table.measure('Add ?x3 float32', () => one)).rejects.toMatchObject({ code: 'bad-feed' });
  });
});
