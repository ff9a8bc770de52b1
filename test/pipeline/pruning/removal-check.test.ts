// The check of a removal: what equals the masked original goes, a group for which it does not is given back, and is named.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findChannelGroups } from '../../../src/analysis/channels.js';
import { printModel } from '../../../src/ir/text/print.js';
import { openModel } from '../../../src/onnx/open.js';
import { allChannels } from '../../../src/pipeline/pruning/kept-channels.js';
import { removeChecked } from '../../../src/pipeline/pruning/removal-check.js';
import { benchFacts, type QuantizationBench } from '../../../src/pipeline/quantization/bench.js';
import { Workspace } from '../../../src/pipeline/workspace.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { netData, writeNet } from '../quantization/net.js';

const folder = mkdtempSync(join(tmpdir(), 'mcompress-removal-check-'));
let host: RuntimeHost;
let workspace: Workspace;
beforeAll(async () => {
  host = new RuntimeHost();
  workspace = await Workspace.create(undefined);
});
afterAll(async () => {
  await host.dispose();
  await workspace.dispose();
  rmSync(folder, { recursive: true });
});

async function openBench(): Promise<QuantizationBench> {
  const data = netData(4);
  return {
    decoded: await openModel(writeNet(folder)),
    host,
    workspace,
    async *feeds() {
      for await (const { feeds } of data.samples()) yield feeds;
    },
    samples: 4,
    shapes: new Map([['x', [1, 3, 24, 24]]]),
    signal: new AbortController().signal,
  };
}

it('lets go what equals the masked original', async () => {
  const bench = await openBench();
  const groups = findChannelGroups(bench.decoded.model, benchFacts(bench)).filter(({ frozen }) => !frozen);
  expect(groups.length).toBeGreaterThan(1);
  const removals = new Map(groups.map((group) => [group, [0, 3, 5]]));
  const { removed, defects, error, kept } = await removeChecked(bench, removals, allChannels());
  expect([removed.length, defects.size]).toEqual([groups.length, 0]);
  expect(error).toBeLessThan(1e-5);
  expect(kept.get('c2_y')?.get(1)).toEqual([1, 2, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
});

it('gives back the group that is wrong, and only that', async () => {
  const bench = await openBench();
  const groups = findChannelGroups(bench.decoded.model, benchFacts(bench)).filter(({ frozen }) => !frozen);
  const [first, ...others] = groups;
  if (!first) throw new TypeError('no group');
  // A group that does not know its readers: zeros are put nowhere, and its channels are missed.
  const wrong = { ...first, readers: [] };
  const removals = new Map([wrong, ...others].map((group) => [group, [1, 2]]));
  const { removed, defects, error } = await removeChecked(bench, removals, allChannels());
  expect([...defects.keys()]).toEqual([wrong]);
  expect(defects.get(wrong)).toMatch(/output "c5_y" differs/);
  expect(removed).toEqual(others);
  expect(error).toBeLessThan(1e-5);
  const widths = findChannelGroups(bench.decoded.model, benchFacts(bench)).map(({ name, width }) => [name, width]);
  expect(new Map(widths as [string, number][]).get(first.name)).toBe(first.width);
});

it('of nothing changes nothing', async () => {
  const bench = await openBench();
  const before = printModel(bench.decoded.model, { weights: 'full' });
  const { removed, error } = await removeChecked(bench, new Map(), allChannels());
  expect([removed, error]).toEqual([[], undefined]);
  expect(printModel(bench.decoded.model, { weights: 'full' })).toBe(before);
});
