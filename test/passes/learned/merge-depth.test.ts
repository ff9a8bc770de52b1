// What depth merging offers: which segments and branches, what they become, and what is left alone.
import { afterAll, describe, expect, it } from 'vitest';
import { createFacts } from '../../../src/analysis/inference.js';
import { checkModel } from '../../../src/ir/check.js';
import type { Model } from '../../../src/ir/model.js';
import type { BlockProposal } from '../../../src/passes/learned/block-rule.js';
import { MERGE_DEPTH } from '../../../src/passes/learned/merge-depth.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { difference, feedsFor, runModel } from '../run-model.js';
import { linearOutput, parsed } from './linear-model.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

const found = (model: Model) => MERGE_DEPTH.find(model.graph, createFacts(model));

/** Form and block of each. */
const named = (proposals: readonly BlockProposal[]): string[] =>
  proposals.map(({ form, block }) => `${form}@${block.output?.name}`);

function proposed(model: Model, form: string, block?: string): BlockProposal {
  const proposal = found(model).proposals.find(
    (one) => one.form === form && (block === undefined || one.block.output?.name === block),
  );
  if (!proposal) throw new Error(`${form} is not among ${named(found(model).proposals).join(' ')}`);
  return proposal;
}

const CONV = 'Conv <pads = [1, 1, 1, 1]>';
const DEPTHWISE = 'Conv <group = 4, pads = [1, 1, 1, 1]>';
const CHAIN = `h = ${CONV} (x, w, b)\n r = Relu (h)\n k = ${CONV} (r, v, c)\n y = Sigmoid (k)`;
const BLOCK = `h = ${CONV} (x, w, b)\n r = Relu (h)\n k = ${CONV} (r, v, c)\n s = Add (k, x)\n y = Relu (s)`;

const POINT = 'Conv <kernel_shape = [1, 1]>';

describe('what is offered', () => {
  it.each([
    ['a chain: as wide as its widest kernel', CHAIN, ['2@h']],
    ['a residual block: folded with its stream, or gone', BLOCK, ['drop@h', '2-folded@h', '2-folded-point@h']],
    [
      'an activation in front of a block, kept, folded, or gone with it',
      `q = Sigmoid (x)\n r = Relu (q)\n h = ${CONV} (r, w, b)\n t = Relu (h)\n k = ${CONV} (t, v, c)\n s = Add (q, k)\n y = Sigmoid (s)`,
      ['drop@h', '2@h', '2-folded@h', '2-folded-point@h'],
    ],
    [
      'neighbours and all of them, those without depthwise layers only where that is cheaper',
      `h = ${CONV} (x, w, b)\n r = Clip (h, zero, six)\n k = ${DEPTHWISE} (r, d)\n t = LeakyRelu (k)\n l = ${POINT} (t, p)\n y = Sigmoid (l)`,
      ['2@h', '3@h'],
    ],
    [
      'depthwise layers, as wide as each',
      `h = ${DEPTHWISE} (x, d)\n r = Relu (h)\n k = ${DEPTHWISE} (r, e)\n y = Sigmoid (k)`,
      ['2@h'],
    ],
    [
      'two blocks: each, both, and the second with what is in front of it left alone',
      `${BLOCK.replaceAll('y', 'z')}\n l = ${CONV} (z, w)\n t = Relu (l)\n m = ${CONV} (t, v)\n u = Add (z, m)\n y = Relu (u)`,
      ['drop@h', '2-folded@h', '2-folded-point@h', '4-folded@h', 'drop@l', '2-folded@l', '2-folded-point@l'],
    ],
    ['a sum that is an output', `h = ${CONV} (x, w)\n y = Add (x, h)`, ['drop@h']],
    [
      'a block that crops its stream',
      `h = Conv (x, w, b)\n n = Exp (h)\n u = Slice (x, one, end, axes)\n s = Add (n, u)\n y = Relu (s)`,
      ['drop@h'],
    ],
    [
      'a branch that is no chain, which can only go',
      `h = ${CONV} (x, w)\n g = GlobalAveragePool (h)\n e1 = Sigmoid (g)\n k = Mul (h, e1)\n s = Add (x, k)\n y = Relu (s)`,
      ['drop@h'],
    ],
  ])('%s', (_, body, forms) => {
    const more = ', int64[2] one = {1, 1}, int64[2] end = {-1, -1}, int64[2] axes = {2, 3}';
    expect(named(found(parsed(body, { more })).proposals)).toEqual(forms);
  });

  it.each([
    ['two activations, one of which others read', `${CHAIN}\n z = Sigmoid (r)`, 'float[1,O,A,B] y, float[1,P,C,D] z'],
    ['an output of the graph in between', CHAIN, 'float[1,4,12,11] h, float[1,O,A,B] y'],
    [
      'a sum that broadcasts',
      `h = ${CONV} (x, w)\n g = GlobalAveragePool (h)\n k = ${POINT} (g, p)\n y = Add (x, k)`,
      undefined,
    ],
    [
      'a branch that others read',
      `h = ${CONV} (x, w)\n s = Add (x, h)\n y = Sigmoid (s)\n z = Sigmoid (h)`,
      'float[1,O,A,B] y, float[1,P,C,D] z',
    ],
    [
      'a sum of two branches',
      `h = ${CONV} (x, w)\n k = ${CONV} (x, v)\n q = Exp (h)\n o = Exp (k)\n s = Add (q, o)\n y = Relu (s)`,
      undefined,
    ],
    [
      'a pool of the largest in between',
      `h = ${CONV} (x, w)\n m = MaxPool <kernel_shape = [2, 2]> (h)\n k = ${CONV} (m, v)\n y = Relu (k)`,
      undefined,
    ],
  ])('nothing of %s', (_, body, outputs) => {
    expect(named(found(parsed(body, outputs === undefined ? {} : { outputs })).proposals)).toEqual([]);
  });

  it('is called by form and first convolution', () => {
    const more = `l = ${CONV} (z, w)\n t = Relu (l)\n m = ${CONV} (t, v)\n u = Add (z, m)\n o = ${CONV} (u, w)\n y = Relu (o)`;
    const body = `${BLOCK.replaceAll('y', 'z')}\n ${more}`;
    const names = named(found(parsed(body)).proposals);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(MERGE_DEPTH.forms).toHaveProperty(name.split('@')[0] ?? '');
  });
});

describe('what is left alone', () => {
  it.each([
    ['shared-value', `${CHAIN}\n z = Sigmoid (r)`, { outputs: 'float[1,O,A,B] y, float[1,P,C,D] z' }, undefined],
    ['graph-output', CHAIN, { outputs: 'float[1,4,12,11] h, float[1,O,A,B] y' }, undefined],
    [
      'weights-not-constant',
      CHAIN.replace('h = ', 'u = Relu (w)\n h = ').replace('(x, w, b)', '(x, u, b)'),
      {},
      undefined,
    ],
    ['dearer', `h = ${POINT} (x, p)\n r = Relu (h)\n k = ${DEPTHWISE} (r, d)\n y = Sigmoid (k)`, {}, '2'],
    ['cropped', 'h = Conv (x, w)\n r = Relu (h)\n k = Conv (r, v)\n y = Relu (k)', {}, '2'],
  ])('%s', (code, body, written, form) => {
    const { declined } = found(parsed(body, written));
    expect(declined.filter((one) => one.code === code).map((one) => one.form)).toContain(form);
    expect(MERGE_DEPTH.declines).toHaveProperty(code);
  });

  it('what is not float32', () => {
    const body = `f = Cast <to = 11> (x)\n h = Conv (f, q)\n r = Relu (h)\n k = Conv (r, q)\n y = Cast <to = 1> (k)`;
    const { proposals, declined } = found(parsed(body, { more: ', double[4,4,1,1] q = random(9)' }));
    expect(named(proposals)).toEqual([]);
    expect(declined.map(({ code }) => code)).toContain('not-float32');
  });
});

describe('a proposal that is carried out', () => {
  const INVERTED = `h = Conv (x, q, a)\n r = Clip (h, zero, six)\n k = Conv <group = 24, pads = [1, 1, 1, 1]> (r, t)\n r1 = Clip (k, zero, six)
  l = Conv (r1, u, b)\n s = Add (x, l)\n y = Sigmoid (s)`;
  const more =
    ', float[24,4,1,1] q = random(8), float[24] a = random(9), float[24,1,3,3] t = random(10), float[4,24,1,1] u = random(11)';

  it('is the segment without its activations, where the kernel holds all of it', async () => {
    const model = parsed(INVERTED, { more });
    const feeds = feedsFor(model, 1);
    const x = feeds.get('x');
    if (!x) throw new Error('no feed');
    const expected = await linearOutput(host, { body: INVERTED, written: { more }, stride: 1 }, x, [12, 11]);
    const { layers, kept } = proposed(model, '3-folded').apply();
    expect(checkModel(model)).toEqual([]);
    expect(model.graph.nodes().map(({ opType }) => opType)).toEqual(['Conv', 'Sigmoid']);
    expect(layers.map(({ output }) => output?.name)).toEqual(['s']);
    expect(kept.size).toBe(0);
    expect(difference(new Map([['y', expected]]), await runModel(host, model, feeds), 1e-5)).toBe(undefined);
  });

  it('takes the middle of the kernel otherwise', () => {
    const model = parsed(`h = ${DEPTHWISE} (x, d)\n r = Relu (h)\n k = ${DEPTHWISE} (r, e)\n y = Sigmoid (k)`);
    const numbers = (name: string): number[] =>
      [...model.graph.initializers].find((value) => value.name === name)?.constant?.toNumbers() ?? [];
    const [d, e] = [numbers('d'), numbers('e')];
    const [layer] = proposed(model, '2').apply().layers;
    expect(checkModel(model)).toEqual([]);
    expect(layer?.ints('pads')).toEqual([1, 1, 1, 1]);
    const weights = layer?.inputs[1]?.constant?.toNumbers() ?? [];
    expect(weights.length).toBe(36);
    for (const [i, weight] of weights.entries()) {
      // One more than in the middle of 3 taps is the middle of 5.
      const [channel, row, column] = [Math.floor(i / 9), (Math.floor(i / 3) % 3) + 1, (i % 3) + 1];
      let sum = 0;
      for (let a = 0; a < 9; a++) {
        const [y, x] = [row - Math.floor(a / 3), column - (a % 3)];
        if (y >= 0 && y < 3 && x >= 0 && x < 3) sum += (e[channel * 9 + a] ?? 0) * (d[channel * 9 + y * 3 + x] ?? 0);
      }
      expect(weight).toBeCloseTo(sum, 5);
    }
  });

  it('keeps the name behind a Relu, and gives what is in front of it another: there it is fitted', () => {
    const model = parsed(BLOCK);
    const [layer] = proposed(model, '2-folded').apply().layers;
    expect(model.graph.nodes().map(({ opType, output }) => [opType, output?.name])).toEqual([
      ['Conv', layer?.output?.name],
      ['Relu', 'y'],
    ]);
    expect(['h', 'r', 'k', 's', 'x']).not.toContain(layer?.output?.name);
    expect(layer?.inputs[0]?.name).toBe('x');
  });

  it('keeps the name of what no Relu reads', () => {
    const model = parsed(CHAIN);
    const [layer] = proposed(model, '2').apply().layers;
    expect(layer?.output?.name).toBe('k');
  });

  it('computes no more what a branch alone needed', async () => {
    const gate = `h = ${CONV} (x, w)\n g = GlobalAveragePool (h)\n e1 = Sigmoid (g)\n k = Mul (h, e1)`;
    const model = parsed(`q = Sigmoid (x)\n ${gate.replace('(x,', '(q,')}\n s = Add (k, q)\n y = ${POINT} (s, p)`);
    const feeds = feedsFor(model, 1);
    const expected = await runModel(host, parsed(`q = Sigmoid (x)\n y = ${POINT} (q, p)`), feeds);
    expect(proposed(model, 'drop').apply().layers).toEqual([]);
    expect(checkModel(model)).toEqual([]);
    expect(model.graph.nodes().map(({ opType }) => opType)).toEqual(['Sigmoid', 'Add', 'Conv']);
    expect(model.graph.nodes()[1]?.output?.name).toBe('s');
    expect(difference(expected, await runModel(host, model, feeds), 0)).toBe(undefined);
  });

  it('leaves weights that other layers read', () => {
    const model = parsed(`${BLOCK.replaceAll('y', 'z')}\n q = Sigmoid (z)\n y = ${CONV} (q, w, b)`);
    proposed(model, '2-folded').apply();
    expect(checkModel(model)).toEqual([]);
    expect(model.graph.nodes().at(-1)?.inputs[1]?.name).toBe('w');
  });
});
