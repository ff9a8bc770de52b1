// Profiles of real models given back to their nodes.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openModel } from '../../src/onnx/open.js';
import { layerTimes } from '../../src/pipeline/layer-times.js';
import { findFeeds } from '../../src/runtime/find-feeds.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import { profileModel, type Profile } from '../../src/runtime/profile.js';
import type { Model } from '../../src/ir/model.js';
import { fixture, SlimFolder } from './slim-case.js';

const host = new RuntimeHost();
let folder: SlimFolder;
beforeAll(async () => {
  folder = await SlimFolder.create();
});
afterAll(async () => {
  await host.dispose();
  await folder.dispose();
});

async function profiled(name: string, optimization: 'all' | 'disabled'): Promise<{ model: Model; profile: Profile }> {
  const search = await findFeeds(host, fixture(name), { seed: 0, kinds: ['uniform'] });
  const feeds = search.verdict === 'found' ? search.samples[0]?.feeds : undefined;
  if (!feeds) throw new Error('the model does not run');
  const profile = await profileModel(host, fixture(name), feeds, { budget: 50, optimization });
  return { model: (await openModel(fixture(name))).model, profile };
}

describe.each(['mnist-bn-as-exported.onnx', 'small/residual-net.onnx', 'small/if-runtime.onnx', 'small/loop.onnx'])(
  '%s',
  (name) => {
    it.each(['all', 'disabled'] as const)('has a time for every node that ran, with optimization %s', async (level) => {
      const { model, profile } = await profiled(name, level);
      const { attribution, of, labels } = layerTimes(model, profile);
      const nodes = [...model.graphs()].flatMap((graph) => [...graph.nodes()]);
      expect([...labels.values()].sort()).toEqual(nodes.map(({ label }) => label).sort());
      expect(attribution.unknown).toEqual([]);
      const given = [...of.values(), ...attribution.inserted].reduce((sum, { us }) => sum + us, 0);
      const ran = profile.nodes.reduce((sum, { us }) => sum + us, 0);
      expect(given).toBeCloseTo(ran, 6);
      // As it is written, what is not taken into another node ran as itself.
      const asItself = nodes.filter((node) => of.get(node)?.ranAs === node.opType).length;
      expect(asItself).toBeGreaterThan(level === 'disabled' ? nodes.length / 2 : 0);
    });
  },
);

it('tells nodes of the main graph without names apart', async () => {
  const text = `g (float[1,3,32,32] x, bool c) => (float[1,8,32,32] y)
  <float[8,3,3,3] w = random(1), float[8,8,3,3] v = random(2)> {
    a = Conv <pads = [1, 1, 1, 1]> (x, w)
    b = Conv <pads = [1, 1, 1, 1]> (a, v)
    y = If (c) <then_branch = t () => (p) { p = Conv <pads = [1, 1, 1, 1]> (b, v) }, else_branch = e () => (q) { q = Neg (b) }>
  }`;
  const path = await folder.model('unnamed.onnx', text);
  const model = (await openModel(path)).model;
  expect(model.graphs().flatMap((graph) => [...graph.nodes()].map(({ name }) => name))).toEqual(
    Array<string>(5).fill(''),
  );
  const search = await findFeeds(host, path, { seed: 0, kinds: ['uniform'], fixed: new Map([['c', { fill: 1 }]]) });
  const feeds = search.verdict === 'found' ? search.samples[0]?.feeds : undefined;
  const profile = await profileModel(host, path, feeds ?? new Map(), { budget: 50, optimization: 'disabled' });
  const { of, labels } = layerTimes(model, profile);
  expect(labels.size).toBe(5);
  // The runtime numbers such nodes in each graph anew and so gives p's time to a: what there is to tell is in the main graph.
  const times = new Map([...of].map(([node, { us }]) => [node.output?.name, us > 0]));
  expect(Object.fromEntries(times)).toMatchObject({ a: true, b: true, y: true });
});

it('goes by names alone when the optimized graph cannot be read', async () => {
  const { model, profile } = await profiled('small/residual-net.onnx', 'disabled');
  const { of } = layerTimes(model, { ...profile, optimizedModel: Uint8Array.of(1, 2, 3) });
  expect([...of.values()].filter(({ ranAs }) => ranAs !== undefined).length).toBeGreaterThan(10);
});
