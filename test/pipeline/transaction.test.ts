// Defects planted among the exact passes: each is found on ONNX Runtime and taken back alone, and the rest is kept.
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InputError, InterruptError } from '../../src/base/errors.js';
import type { ConfiguredPass } from '../../src/pipeline/configured-pass.js';
import { parsePass, presetPasses } from '../../src/pipeline/recipe.js';
import { slim, type SlimRequest } from '../../src/pipeline/slim.js';
import { Reference } from '../../src/pipeline/verification.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import { fixture, operators, presetWith, SlimFolder } from './slim-case.js';
import { timedPair } from './timings.js';
import {
  askingGlobalPass,
  becomes,
  clippedAt,
  scales,
  takesBatchOne,
  vanishes,
  wrongGlobalPass,
  wrongPass,
} from './wrong-passes.js';

/** BatchNormalization folds into Conv, Identity goes, Relu behind Relu goes: four rewrites that are right. */
const NET = `
net (float[N,3,8,8] x) => (float[N,4,8,8] y, float[N,4,8,8] z)
<float[4,3,3,3] w = random(1), float[4] g = uniform(0.5, 2, 2), float[4] b = random(3), float[4] m = random(4),
 float[4] v = uniform(0.5, 2, 5), float[4,4,1,1] w2 = random(6)>
{
  c = Conv <pads = [1, 1, 1, 1]> (x, w)
  n = BatchNormalization (c, g, b, m, v)
  r1 = Relu (n)
  i = Identity (r1)
  c2 = Conv (i, w2)
  r2 = Relu (c2)
  r3 = Relu (r2)
  y = Tanh (r3)
  z = Sigmoid (c2)
}`;

const RIGHT = ['Conv', 'Relu', 'Conv', 'Relu', 'Tanh', 'Sigmoid'];

let folder: SlimFolder;
const host = new RuntimeHost();
beforeAll(async () => {
  folder = await SlimFolder.create();
});
afterAll(async () => {
  await host.dispose();
  await folder.dispose();
});

let runs = 0;
async function run(passes: readonly ConfiguredPass[], changes: Partial<SlimRequest> = {}, text = NET) {
  const input = await folder.model(`net-${++runs}.onnx`, text);
  const request = folder.request(input, { recipe: { freeze: {}, opset: undefined, passes }, ...changes });
  const { outcome, written } = await folder.slim(request);
  return { outcome, written, kinds: await operators(written), agreed: await agrees(input, written) };
}

/** Whether two files agree on feeds that the run did not see. */
async function agrees(original: string, written: string): Promise<boolean | undefined> {
  const { signal } = new AbortController();
  const reference = await Reference.gather(host, original, { seed: 'another', signal });
  expect(reference.obstacle).toBeUndefined();
  return (await reference.check(written, { mode: 'scale', limit: 1e-4 }))?.agrees;
}

const reluToAbs = wrongPass({ root: 'Relu', at: ['r1'], change: becomes('Abs') });

describe.each(['end', 'each'] as const)('checking at "%s"', (verify) => {
  it('keeps everything when nothing is wrong', async () => {
    const { outcome, kinds, agreed } = await run(presetPasses('exact'), { verify });
    expect(outcome.checked).toMatchObject({ verdict: 'agrees', undone: [], reason: undefined });
    expect(kinds).toEqual(RIGHT);
    expect(agreed).toBe(true);
  });

  it.each([
    ['values wrong at one site', reluToAbs, 'r1'],
    ['a node left out', wrongPass({ root: 'Relu', at: ['r1'], change: vanishes }), 'r1'],
    ['what is wrong by the size of a batch only', wrongPass({ root: 'Tanh', change: takesBatchOne }), 'y'],
    ['what is wrong beyond 6 only', wrongPass({ root: 'Relu', at: ['r1'], change: clippedAt(6) }), 'r1'],
    ['a model that does not load', wrongPass({ root: 'Relu', at: ['r2'], change: becomes('NoSuchOperator') }), 'r2'],
    ['a model that does not run', wrongPass({ root: 'Sigmoid', change: becomes('Transpose') }), 'z'],
    ['a weight that is off by a thousandth', wrongPass({ root: 'Conv', at: ['c2'], change: scales(1, 1.001) }), 'c2'],
    [
      'a defect of a pass that promises equal bits',
      wrongPass({ root: 'Relu', at: ['r1'], exactness: 'exact', change: becomes('Abs') }),
      'r1',
    ],
  ])('takes back %s', async (_what, wrong, site) => {
    const { outcome, kinds, agreed } = await run(presetWith(wrong), { verify });
    expect(outcome.checked.verdict).toBe('mismatch-undone');
    expect(outcome.checked.undone.map(({ rewrite }) => [rewrite.pass, rewrite.site])).toEqual([['plant-defect', site]]);
    expect(outcome.checked.check?.agrees).toBe(true);
    expect(kinds).toEqual(RIGHT);
    expect(agreed).toBe(true);
    expect(outcome.log.rewrites.map(({ pass }) => pass)).not.toContain('plant-defect');
  });

  it('takes back two, and says of each what was wrong', async () => {
    const other = wrongPass({ name: 'plant-another', root: 'Sigmoid', change: becomes('Softsign') });
    const { outcome, kinds, agreed } = await run(presetWith(reluToAbs, other), { verify });
    expect(outcome.checked.verdict).toBe('mismatch-undone');
    expect(outcome.checked.undone.map(({ rewrite }) => rewrite.site).sort()).toEqual(['r1', 'z']);
    for (const { check } of outcome.checked.undone)
      expect(check).toMatchObject({ agrees: false, reason: /has other values/ });
    expect(kinds).toEqual(RIGHT);
    expect(agreed).toBe(true);
  });

  it.each([
    ['without asking', wrongGlobalPass],
    ['asking at each site', askingGlobalPass],
  ])('takes back a pass over the whole model, %s', async (_how, wrong) => {
    const { outcome, kinds, agreed } = await run(presetWith(wrong), { verify });
    expect(outcome.checked.verdict).toBe('mismatch-undone');
    expect(new Set(outcome.checked.undone.map(({ rewrite }) => rewrite.pass))).toEqual(new Set([wrong.pass.name]));
    // Abs of what is not negative is right, and may stand.
    expect(kinds.filter((op) => op !== 'Abs')).toEqual(RIGHT);
    expect(agreed).toBe(true);
  });

  it('takes back a pass that is wrong at thirty sites, and only that pass', async () => {
    const branches = Array.from(
      { length: 30 },
      (_, i) => `i${i} = Identity (x)\n a${i} = Add (i${i}, c${i})\n r${i} = Relu (a${i})\n`,
    );
    const constants = Array.from({ length: 30 }, (_, i) => `float c${i} = {${i / 15 - 1}}`);
    const parts = branches.map((_, i) => `r${i}`).join(', ');
    const wide = `wide (float[N,4] x) => (float[N,M] y) <${constants.join(', ')}> {
      ${branches.join('')} t = Concat <axis = 1> (${parts})\n y = Tanh (t) }`;
    const wrong = wrongPass({ root: 'Relu', change: becomes('Abs') });
    const { outcome, kinds, agreed } = await run(presetWith(wrong), { verify }, wide);
    expect(outcome.checked).toMatchObject({ verdict: 'mismatch-undone', check: { agrees: true } });
    expect(kinds.filter((op) => op === 'Identity')).toEqual([]);
    expect(kinds.filter((op) => op === 'Relu')).toHaveLength(30);
    expect(agreed).toBe(true);
  });

  it('holds a pass that promises equal bits to its own promise, not to that of those before it', async () => {
    const [rounding, exact] = ['fold-batch-norm', 'remove-identity'].map((name) => parsePass(name));
    if (!rounding || !exact) throw new Error('no such pass');
    const { outcome, kinds, agreed } = await run([rounding, exact], { verify });
    expect(outcome.checked).toMatchObject({ verdict: 'agrees', check: { agrees: true } });
    expect(kinds).toEqual(['Conv', 'Relu', 'Conv', 'Relu', 'Relu', 'Tanh', 'Sigmoid']);
    expect(agreed).toBe(true);
  });

  it('does not blame anyone where outputs are random', async () => {
    const { outcome } = await folder.slim(folder.request(fixture('small/random-operators.onnx'), { verify }));
    expect(outcome.checked).toMatchObject({ verdict: 'unverified', undone: [] });
    expect(outcome.checked.reason).toMatch(/random|itself/);
  });

  it('leaves random outputs out of the comparison, and still takes back what is wrong at the others', async () => {
    const random = `random (float[2,8] x) => (float[2,8] y, float[2,8] z) {
      i = Identity (x)\n r = RandomNormalLike (i)\n y = Add (i, r)\n j = Identity (x)\n k = Relu (j)\n z = Tanh (k) }`;
    const input = await folder.model('random.onnx', random);
    const recipe = { freeze: {}, opset: undefined, passes: presetPasses('exact') };
    const { outcome, written } = await folder.slim(folder.request(input, { verify, recipe }));
    expect(outcome.checked).toMatchObject({
      verdict: 'unverified',
      undone: [],
      check: { agrees: true, unstable: ['y'] },
    });
    expect(outcome.checked.reason).toContain('"y"');
    expect(await operators(written)).toEqual(['RandomNormalLike', 'Add', 'Relu', 'Tanh']);
    const wrong = wrongPass({ root: 'Relu', change: becomes('Abs') });
    const other = await folder.slim(
      folder.request(input, { verify, recipe: { ...recipe, passes: presetWith(wrong) } }),
    );
    expect(other.outcome.checked.undone.map(({ rewrite }) => rewrite.site)).toEqual(['k']);
    expect(await operators(other.written)).toEqual(['RandomNormalLike', 'Add', 'Relu', 'Tanh']);
  });

  it('warns of an output that no feed moves', async () => {
    const saturated = `dull (float[N,4] x) => (float[N,4] y, float[N,4] z) <float big = {1000}> {
      a = Abs (x)\n b = Add (a, big)\n y = Sigmoid (b)\n z = Identity (a) }`;
    const { outcome } = await folder.slim(folder.request(await folder.model('dull.onnx', saturated), { verify }));
    expect(outcome.checked.verdict).toBe('agrees');
    expect(outcome.checked.warnings).toEqual([expect.stringContaining('output "y" stays constant')]);
  });

  it.each(['custom-domain', 'newest-ir'])(
    'is unverified where ONNX Runtime does not run the model: %s',
    async (name) => {
      const { outcome, written } = await folder.slim(
        folder.request(fixture(`small/${name}.onnx`), { verify, measure: 'on' }),
      );
      expect(outcome.checked).toMatchObject({ verdict: 'unverified', undone: [], check: undefined });
      expect(outcome.checked.reason).toMatch(/ONNX Runtime does not load the model/);
      expect(outcome.measurement).toBeUndefined();
      expect(existsSync(written)).toBe(true);
    },
  );
});

it('finds a wrong rewrite once, though the speed gate runs the passes again and again', async () => {
  const input = await folder.model('gated.onnx', NET);
  const recipe = { freeze: {}, opset: undefined, passes: presetWith(reluToAbs) };
  const request = folder.request(input, { recipe, measure: 'on' });
  let timings = 0;
  // Slow with everything and with the first pass alone: it goes, with some ten runs of passes in between.
  const outcome = await slim(request, { time: async () => timedPair(timings++ < 5 ? 'slower' : 'no-difference') });
  await outcome.dispose();
  expect(timings).toBeGreaterThan(5);
  expect(outcome.rejected).not.toEqual([]);
  expect(outcome.checked.verdict).toBe('mismatch-undone');
  expect(outcome.checked.undone.map(({ rewrite, reproducer }) => [rewrite.site, reproducer])).toEqual([
    ['r1', `${request.output}.reproducer-1`],
  ]);
  expect(existsSync(`${request.output}.reproducer-2`)).toBe(false);
});

it('is written without figures, with a warning, when the original cannot be timed', async () => {
  const request = folder.request(await folder.model('untimed.onnx', NET), { measure: 'on' });
  const outcome = await slim(request, {
    time: async () => {
      throw new InputError('runtime-rejects', 'ONNX Runtime does not load the model: no kernel');
    },
  });
  await outcome.dispose();
  expect(outcome).toMatchObject({ measurement: undefined, rejected: [], checked: { verdict: 'agrees' } });
  expect(outcome.checked.warnings).toEqual(['nothing was measured: ONNX Runtime does not load the model: no kernel']);
  const broken = slim(request, {
    time: async () => {
      throw new InterruptError('stopped');
    },
  });
  await expect(broken).rejects.toBeInstanceOf(InterruptError);
});
