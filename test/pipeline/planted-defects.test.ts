// Random graphs with a defect planted at a random site, somewhere among the exact passes: nothing wrong is ever written.
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import type { Model } from '../../src/ir/model.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { openModel } from '../../src/onnx/open.js';
import type { ConfiguredPass } from '../../src/pipeline/configured-pass.js';
import { presetPasses } from '../../src/pipeline/recipe.js';
import { Reference } from '../../src/pipeline/verification.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import { randomGraph } from '../property/random-graphs.js';
import { SlimFolder } from './slim-case.js';
import { becomes, vanishes, wrongPass } from './wrong-passes.js';

const host = new RuntimeHost();
let folder: SlimFolder;
beforeAll(async () => {
  folder = await SlimFolder.create();
});
afterAll(async () => {
  await host.dispose();
  await folder.dispose();
});

const DEFECTS = {
  Relu: becomes('Abs'),
  Sigmoid: becomes('Tanh'),
  BatchNormalization: vanishes,
  Add: vanishes,
  Mul: vanishes,
  MaxPool: becomes('GlobalMaxPool'),
  Reshape: vanishes,
  Transpose: vanishes,
} as const;

/** The preset with a pass put in at a random place that is wrong at one site, or at every second one. */
function sabotaged(seed: string, sites: readonly Site[]): ConfiguredPass[] {
  const rng = createRng(seed);
  const [site, root] = rng.pick(sites);
  const at = rng.uniform() < 0.7 ? [site] : sites.map(([name]) => name).filter(() => rng.uniform() < 0.5);
  const preset = presetPasses('exact');
  return preset.toSpliced(rng.int(0, preset.length), 0, wrongPass({ root, at, change: DEFECTS[root] }));
}

type Site = readonly [output: string, root: keyof typeof DEFECTS];

function sitesOf(model: Model): Site[] {
  const isRoot = (op: string): op is keyof typeof DEFECTS => op in DEFECTS;
  return [...model.graph.nodes()].flatMap(({ opType, output }) =>
    output && isRoot(opType) ? [[output.name, opType] as const] : [],
  );
}

/** The first random graphs in which a defect can be planted. */
const SEEDS = Array.from({ length: 40 }, (_, i) => `planted/${i + 1}`)
  .filter((seed) => sitesOf(randomGraph(seed).model).length > 0)
  .slice(0, 8);

it('has graphs to plant defects in', () => {
  expect(SEEDS).toHaveLength(8);
});

it.each(SEEDS)('%s', async (seed) => {
  const { model } = randomGraph(seed);
  const sites = sitesOf(model);
  const input = folder.file(`${seed.replace('/', '-')}.onnx`);
  writeFileSync(input, Buffer.concat(encodeModel(undefined, model)));
  const recipe = { freeze: {}, opset: undefined, passes: sabotaged(seed, sites) };
  const { outcome, written } = await folder.slim(folder.request(input, { recipe }));
  expect(outcome.checked.undone.filter(({ rewrite }) => rewrite.pass !== 'plant-defect')).toEqual([]);
  expect([outcome.checked.verdict, outcome.checked.reason]).toEqual([
    outcome.checked.undone.length > 0 ? 'mismatch-undone' : 'agrees',
    outcome.checked.undone[0]?.check.reason,
  ]);
  const reference = await Reference.gather(host, input, { seed: 'unseen', signal: new AbortController().signal });
  // Rounding may show a little more on other feeds.
  expect(await reference.check(written, { mode: 'scale', limit: 5e-3 })).toMatchObject({ agrees: true });
  // Nothing but the planted pass is given up: without it the exact passes leave as many nodes.
  const clean = await folder.slim(folder.request(input));
  const [own, other] = [(await openModel(written)).model.nodeTotal, (await openModel(clean.written)).model.nodeTotal];
  expect(own).toBeLessThanOrEqual(other + outcome.checked.undone.length);
});
