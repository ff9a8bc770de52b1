// Chains that one convolution can stand for: where they begin and end, geometry worked out by hand, and, where a chain is linear, the
// convolution that is exactly it.
import { afterAll, describe, expect, it } from 'vitest';
import { createFacts } from '../../../src/analysis/inference.js';
import { checkModel } from '../../../src/ir/check.js';
import type { Model } from '../../../src/ir/model.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import {
  planStreamline,
  replaceStreamline,
  startingWeights,
  type StreamlineForm,
  type StreamlinePlan,
} from '../../../src/passes/learned/replace-streamline.js';
import { streamlineAt, type StreamlineSite } from '../../../src/passes/learned/streamline-site.js';
import { isRefusal } from '../../../src/passes/plan.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { feedsFor, runModel } from '../run-model.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

const parsed = (body: string, { y = 'float[1,O,A,B] y', size = '[1,2,12,11]', more = '' } = {}): Model =>
  parseModel(`<ir_version: 8, opset_import: ["" : 17]>
g (float${size} x) => (${y})
<float[4,2,3,3] w = random(1), float[4] b = random(2)${more}>
{
${body}
}`);

function siteOf(model: Model): StreamlineSite | undefined {
  const conv = model.graph.nodes().find(({ opType }) => opType === 'Conv');
  return conv && streamlineAt(conv, createFacts(model));
}

function planOf(model: Model, form: StreamlineForm): StreamlinePlan {
  const site = siteOf(model);
  const plan = site && planStreamline(site, form, createFacts(model));
  if (!plan || isRefusal(plan)) throw new Error(`no plan: ${plan?.refused}`);
  return plan;
}

const CONV = 'h = Conv <pads = [1, 1, 1, 1]> (x, w, b)';
const LRN = 'LRN <size = 3, alpha = 0.1>';
const POOL = 'MaxPool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]>';

describe('a chain', () => {
  it.each([
    [
      'of everything',
      `${CONV}\n r = Relu (h)\n n = ${LRN} (r)\n y = ${POOL} (n)`,
      ['activation', 'normalization', 'pool'],
    ],
    ['with an activation behind', `${CONV}\n n = ${LRN} (h)\n y = Relu (n)`, ['normalization', 'activation']],
    ['with a scale', `${CONV}\n r = Relu (h)\n y = Mul (r, s)`, ['activation', 'normalization']],
    ['up to what is no clip', `${CONV}\n p = ${POOL} (h)\n y = Sigmoid (p)`, ['pool']],
    ['up to what others read', `${CONV}\n p = ${POOL} (h)\n n = ${LRN} (p)\n y = Add (n, p)`, ['pool']],
    [
      'without the second activation',
      `${CONV}\n p = ${POOL} (h)\n r = Relu (p)\n y = Clip (r, zero, six)`,
      ['pool', 'activation'],
    ],
  ])('%s', (_, body, kinds) => {
    const more = ', float[1,4,1,1] s = random(3), float zero = {0}, float six = {6}';
    expect(siteOf(parsed(body, { more }))?.links.map(({ kind }) => kind)).toEqual(kinds);
  });

  it.each([
    ['nothing but an activation', `${CONV}\n y = Relu (h)`],
    ['an output of the graph in front', `${CONV}\n y = ${LRN} (h)`, 'float[1,4,12,11] h, float[1,O,A,B] y'],
    [
      'weights that another layer reads',
      `${CONV}\n n = ${LRN} (h)\n k = Conv <pads = [1, 1, 1, 1]> (x, w)\n y = Add (n, k)`,
    ],
    ['weights that are computed', `v = Relu (w)\n h = Conv (x, v, b)\n y = ${LRN} (h)`],
  ])('is none with %s', (_, body, y = 'float[1,O,A,B] y') => {
    expect(siteOf(parsed(body, { y }))).toBe(undefined);
  });
});

describe('the geometry', () => {
  const body = `${CONV}\n r = Relu (h)\n n = ${LRN} (r)\n y = ${POOL} (n)`;

  it('keeps that of the convolution where only normalizations go', () => {
    const { layer, taken } = planOf(parsed(body), 'normless');
    expect(layer).toMatchObject({ kernel: [3, 3], strides: [1, 1], begins: [1, 1], ends: [1, 1] });
    expect(taken.map(({ node }) => node.opType)).toEqual(['Relu', 'LRN']);
  });

  // 3 + (3 - 1) 1 = 5 positions every 2, from 1 + 1 in front on. Of 12: 6 windows, the last from 8 to 13, which is 1 beyond.
  it('sees all that was pooled', () => {
    const { layer } = planOf(parsed(body), 'enlarged');
    expect(layer).toMatchObject({ kernel: [5, 5], strides: [2, 2], begins: [2, 2], ends: [1, 2], dilations: [1, 1] });
  });

  it('looks at the middle of it', () => {
    const { layer } = planOf(parsed(body), 'strided');
    expect(layer).toMatchObject({ kernel: [3, 3], strides: [2, 2], begins: [1, 1], ends: [0, 1] });
  });

  it('goes through several pools and strides', () => {
    const twice = `h = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (x, w, b)
  p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (h)
  y = AveragePool <kernel_shape = [2, 2], strides = [1, 1]> (p)`;
    // 3, then 3 + 1 2 = 5 every 4, then 5 + 1 4 = 9 every 4.
    const { layer } = planOf(parsed(twice), 'enlarged');
    expect(layer).toMatchObject({ kernel: [9, 9], strides: [4, 4], begins: [1, 1] });
  });

  it.each([
    ['no-normalization', 'normless', `${CONV}\n y = ${POOL} (h)`, '[1,2,12,11]'],
    ['no-pool', 'enlarged', `${CONV}\n y = ${LRN} (h)`, '[1,2,12,11]'],
    ['behind-a-pool', 'normless', `${CONV}\n p = ${POOL} (h)\n y = ${LRN} (p)`, '[1,2,12,11]'],
    ['unknown-size', 'enlarged', `${CONV}\n y = ${POOL} (h)`, '[1,2,H,W]'],
    [
      'cropped',
      'strided',
      'h = Conv (x, w, b)\n y = MaxPool <kernel_shape = [3, 3], strides = [2, 2]> (h)',
      '[1,2,12,11]',
    ],
    // Padded in front only: the middle three of five positions fit twice into five, where all five fit once.
    [
      'size',
      'strided',
      'h = Conv <pads = [1, 1, 0, 0]> (x, w, b)\n y = MaxPool <kernel_shape = [3, 3], strides = [2, 2]> (h)',
      '[1,2,5,5]',
    ],
  ] as const)('%s', (code, form, body2, size) => {
    const model = parsed(body2, { size });
    const site = siteOf(model);
    const plan = site && planStreamline(site, form, createFacts(model));
    expect(plan && isRefusal(plan) ? plan.refused : 'planned').toBe(code);
  });
});

describe('the convolution in its place', () => {
  const linear =
    'h = Conv <strides = [1, 2], pads = [1, 0, 1, 2]> (x, w, b)\n y = AveragePool <kernel_shape = [2, 3], strides = [2, 2]> (h)';

  it('is exactly a chain that is linear', async () => {
    const model = parsed(linear, { size: '[1,2,13,16]' });
    const feeds = feedsFor(model, 1);
    const before = await runModel(host, model, feeds);
    const plan = planOf(model, 'enlarged');
    expect(plan.layer.kernel).toEqual([4, 7]);
    const [rows, columns] = [2, 3];
    const old = plan.site.stored.weights;
    // The mean over the pool of the kernel, moved by the stride each time.
    const weights = new Float64Array(8 * 28);
    for (let filter = 0; filter < 8; filter++)
      for (let i = 0; i < 9 * rows * columns; i++) {
        const [tap, place] = [Math.floor(i / (rows * columns)), i % (rows * columns)];
        const y = Math.floor(tap / 3) + Math.floor(place / columns);
        const x = (tap % 3) + 2 * (place % columns);
        const at = filter * 28 + y * 7 + x;
        weights[at] = (weights[at] ?? 0) + (old[filter * 9 + tap] ?? 0) / (rows * columns);
      }
    replaceStreamline(plan, weights);
    expect(checkModel(model)).toEqual([]);
    expect(model.graph.nodes().map(({ opType }) => opType)).toEqual(['Conv']);
    const after = await runModel(host, model, feeds);
    const [a, b] = [before.get('y')?.toNumbers() ?? [], after.get('y')?.toNumbers() ?? []];
    expect(b.length).toBe(a.length);
    for (const [i, value] of a.entries()) expect(b[i]).toBeCloseTo(value, 5);
  });

  it.each(['normless', 'strided', 'enlarged'] as const)('%s: keeps sizes, names and the activation', async (form) => {
    const model = parsed(`${CONV}\n r = Clip (h, zero, six)\n n = ${LRN} (r)\n p = ${POOL} (n)\n y = Sigmoid (p)`, {
      more: ', float zero = {0}, float six = {6}',
    });
    const feeds = feedsFor(model, 1);
    const before = await runModel(host, model, feeds);
    const plan = planOf(model, form);
    replaceStreamline(plan, startingWeights(plan));
    expect(checkModel(model)).toEqual([]);
    const operators = form === 'normless' ? ['Conv', 'Clip', 'MaxPool', 'Sigmoid'] : ['Conv', 'Clip', 'Sigmoid'];
    expect(model.graph.nodes().map(({ opType }) => opType)).toEqual(operators);
    const clip = model.graph.nodes()[1];
    expect(clip?.output?.name).toBe(form === 'normless' ? 'n' : 'p');
    const after = await runModel(host, model, feeds);
    expect(after.get('y')?.dims).toEqual(before.get('y')?.dims);
  });

  it('begins with the old kernel in the middle', () => {
    const plan = planOf(parsed(`${CONV}\n y = ${POOL} (h)`), 'enlarged');
    const weights = startingWeights(plan);
    const first = Array.from({ length: 5 }, (_, y) => [...weights.subarray(y * 5, (y + 1) * 5)]);
    const old = Array.from(plan.site.stored.weights).slice(0, 9);
    expect(first.slice(1, 4).flatMap((row) => row.slice(1, 4))).toEqual(old);
    expect(first.flat().filter((weight) => weight !== 0).length).toBe(9);
  });
});
