// Time by width: profiled once and then taken from the table; a table with times that are known exactly gives exactly these at
// widths that it was not asked about; a table of another machine without entries; groups that meet.
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findChannelGroups } from '../../../src/analysis/channels.js';
import type { ChannelGroup } from '../../../src/analysis/channel-group.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { encodeModel } from '../../../src/onnx/encode.js';
import { openModel } from '../../../src/onnx/open.js';
import { costAt } from '../../../src/pipeline/pruning/costs.js';
import { latencyCost, type LatencyCost, type LatencyCostOptions } from '../../../src/pipeline/pruning/latency-costs.js';
import { benchFacts, type QuantizationBench } from '../../../src/pipeline/quantization/bench.js';
import { Workspace } from '../../../src/pipeline/workspace.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import type { TensorMap } from '../../../src/runtime/wire-tensor.js';
import { Tensor } from '../../../src/tensor/tensor.js';

const NET = `<ir_version: 8, opset_import: ["" : 17]>
g (float[1,3,8,8] x) => (float[1,5,8,8] y)
< float[16,3,3,3] a = random(1), float[16,16,3,3] b = random(2), float[5,16,1,1] c = random(3) >
{
  h = Conv <pads = [1, 1, 1, 1]> (x, a)
  r = Relu (h)
  k = Conv <pads = [1, 1, 1, 1]> (r, b)
  s = Relu (k)
  y = Conv (s, c)
}`;

let folder = '';
let workspace: Workspace;
let bench: QuantizationBench;
let groups: readonly ChannelGroup[] = [];
const host = new RuntimeHost();
const feeds: TensorMap = new Map([['x', Tensor.fromNumbers('float32', [1, 3, 8, 8], new Float32Array(192).fill(0.5))]]);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mc-times-'));
  workspace = await Workspace.create(undefined);
  const path = join(folder, 'net.onnx');
  writeFileSync(path, Buffer.concat(encodeModel(undefined, parseModel(NET))));
  bench = {
    decoded: await openModel(path, {}),
    host,
    workspace,
    samples: 1,
    async *feeds(): AsyncGenerator<TensorMap> {
      yield Promise.resolve(feeds);
    },
    shapes: new Map([['x', [1, 3, 8, 8]]]),
    signal: new AbortController().signal,
  };
  groups = findChannelGroups(bench.decoded.model, benchFacts(bench));
});
afterAll(async () => {
  await host.dispose();
  await workspace.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const times = (options: Partial<LatencyCostOptions>): Promise<LatencyCost> => {
  const levels = new Map(groups.map((group) => [group, group.frozen ? [group.width] : [4, 8, 12, 16]]));
  return latencyCost(bench, groups, { levels, feeds, threads: 1, seed: 3, budget: 20, ...options });
};

const kept = (h: number, k: number): Map<ChannelGroup, number> =>
  new Map(groups.map((group) => [group, group.name === 'h' ? h : group.name === 'k' ? k : group.width]));

/** Of a layer in the table, from its signature. */
function knownTime(signature: string): number {
  const [, outputs = 0, inputs = 0, taps = 0] = (/wfloat32\[(\d+)x(\d+)x(\d+)/.exec(signature) ?? []).map(Number);
  const [, read = 0] = (/float32\[1x(\d+)x8x8\]/.exec(signature) ?? []).map(Number);
  return outputs > 0 ? 5 + 0.5 * inputs + 0.25 * outputs + 0.1 * inputs * outputs * taps : 0.02 * read;
}

const knownTotal = (h: number, k: number): number => {
  const conv = (inputs: number, outputs: number, taps: number): number =>
    5 + 0.5 * inputs + 0.25 * outputs + 0.1 * inputs * outputs * taps;
  return conv(3, h, 3) + conv(h, k, 3) + conv(k, 5, 1) + 0.02 * (h + k);
};

describe('latencyCost', () => {
  it('profiles the model at some widths once, leaves it as it was, and goes by the table from then on', async () => {
    const own = join(folder, 'own');
    const before = Buffer.concat(encodeModel(undefined, bench.decoded.model));
    const first = await times({ folder: own });
    expect(Buffer.concat(encodeModel(undefined, bench.decoded.model)).equals(before)).toBe(true);
    expect(first.profiled).toBeGreaterThan(0);
    expect(first.unknown).toBe(0);
    expect(costAt(first.cost, kept(16, 16))).toBeGreaterThan(0);
    const { constant, linear, products } = first.cost;
    expect([constant, ...linear, ...products.map(({ factor }) => factor)].every((x) => x >= 0)).toBe(true);
    const second = await times({ folder: own });
    expect(second).toEqual({ ...first, profiled: 0 });
  });

  it('gives known times exactly, between the widths of the table too', async () => {
    const own = join(folder, 'known');
    await times({ folder: own });
    const [file = ''] = readdirSync(own);
    const table = JSON.parse(readFileSync(join(own, file), 'utf8')) as { microseconds: Record<string, number> };
    const known = Object.keys(table.microseconds).map((signature) => [signature, knownTime(signature)] as const);
    expect(known.length).toBeGreaterThan(8);
    const path = join(folder, 'table.json');
    writeFileSync(path, JSON.stringify({ ...table, microseconds: Object.fromEntries(known) }));
    const { cost, profiled, deviation } = await times({ latencyTable: path });
    expect(profiled).toBe(0);
    expect(deviation).toBeLessThan(1e-3);
    for (const [h, k] of [
      [16, 16],
      [10, 3],
      [1, 14],
      [7, 7],
    ] as const)
      expect(costAt(cost, kept(h, k)) / knownTotal(h, k)).toBeCloseTo(1, 2);
    expect(cost.products.map(({ a, b }) => [groups[a]?.name, groups[b]?.name])).toContainEqual(['h', 'k']);
  });

  it('goes by work where the table of another machine has nothing', async () => {
    const path = join(folder, 'foreign.json');
    const foreign = { schema: 'mcompress-latency-table', version: 1, cpu: 'other', fingerprint: 'f', runtime: '1' };
    writeFileSync(path, JSON.stringify({ ...foreign, threads: 1, microseconds: {} }));
    const found = await times({ latencyTable: path });
    expect(found).toMatchObject({ profiled: 0, deviation: undefined, unknown: 5 });
    expect(costAt(found.cost, kept(8, 8))).toBeLessThan(0.6 * costAt(found.cost, kept(16, 16)));
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ microseconds: {} });
  });
});
