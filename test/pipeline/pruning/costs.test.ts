// Costs by width against the model with the units really removed: multiplications, parameters and bytes, on nets of every shape
// that groups take, at random widths.
import { describe, expect, it } from 'vitest';
import { findChannelGroups } from '../../../src/analysis/channels.js';
import { modelCost } from '../../../src/analysis/cost.js';
import { createFacts } from '../../../src/analysis/inference.js';
import { peakActivations } from '../../../src/analysis/liveness.js';
import { residualBranch } from '../../../src/analysis/residual-branch.js';
import { createRng } from '../../../src/base/rng.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { removeUnits } from '../../../src/passes/prune/remove-units.js';
import { costAt, countedCost, memoryForms } from '../../../src/pipeline/pruning/costs.js';

const HEAD = '<ir_version: 8, opset_import: ["" : 17]>';

const NETS: Readonly<Record<string, string>> = {
  'a residual block': `${HEAD}
g (float[1,3,8,8] x) => (float[1,5] y)
< float[8,3,3,3] a = random(1), float[8] ab = random(2), float[6,8,3,3] b = random(3), float[8,6,3,3] c = random(4),
  float[8,8,1,1] d = random(5), float[5,8] e = random(6), float[5] eb = random(7) >
{
  s = Conv <pads = [1, 1, 1, 1]> (x, a, ab)
  r = Relu (s)
  h = Conv <pads = [1, 1, 1, 1]> (r, b)
  k = Relu (h)
  t = Conv <pads = [1, 1, 1, 1]> (k, c)
  u = Add (r, t)
  z = Conv (u, d)
  w = Add (u, z)
  p = GlobalAveragePool (w)
  f = Flatten (p)
  y = Gemm <transB = 1> (f, e, eb)
}`,
  'a depthwise block': `${HEAD}
g (float[1,3,8,8] x) => (float[1,4,4,4] y)
< float[12,3,1,1] a = random(1), float[12,1,3,3] d = random(2), float[12] s = random(3), float[12] o = random(4),
  float[12] m = random(5), float[12] v = random(6), float[4,12,1,1] b = random(7) >
{
  h = Conv (x, a)
  n = BatchNormalization (h, s, o, m, v)
  c = Conv <group = 12, pads = [1, 1, 1, 1], strides = [2, 2]> (n, d)
  y = Conv (c, b)
}`,
  'parts of a Concat, and a transposed convolution': `${HEAD}
g (float[1,3,8,8] x) => (float[1,3,16,16] y)
< float[6,3,1,1] a = random(1), float[4,3,3,3] b = random(2), float[8,10,3,3] c = random(3), float[8,3,2,2] t = random(4) >
{
  h = Conv (x, a)
  k = Conv <pads = [1, 1, 1, 1]> (x, b)
  j = Concat <axis = 1> (h, k)
  m = Conv <pads = [1, 1, 1, 1]> (j, c)
  r = Relu (m)
  y = ConvTranspose <strides = [2, 2]> (r, t)
}`,
  'features of a Flatten': `${HEAD}
g (float[1,3,4,4] x) => (float[1,2] y)
< float[5,3,1,1] a = random(1), float[80,7] b = random(2), float[7] bb = random(3), float[7,2] c = random(4) >
{
  h = Conv (x, a)
  f = Flatten (h)
  g = Gemm (f, b, bb)
  r = Relu (g)
  y = MatMul (r, c)
}`,
  'a grouped convolution': `${HEAD}
g (float[1,8,6,6] x) => (float[1,3,6,6] y)
< float[8,8,1,1] a = random(1), float[12,4,3,3] b = random(2), float[3,12,1,1] c = random(3) >
{
  h = Conv (x, a)
  k = Conv <group = 2, pads = [1, 1, 1, 1]> (h, b)
  y = Conv (k, c)
}`,
};

const KINDS = ['macs', 'params', 'size'] as const;

describe('countedCost', () => {
  for (const [name, text] of Object.entries(NETS)) {
    it(`is what is left when units are removed: ${name}`, () => {
      let tried = 0;
      for (let seed = 0; seed < 12; seed++) {
        const model = parseModel(text);
        const facts = createFacts(model);
        const groups = findChannelGroups(model, facts);
        const costs = KINDS.map((kind) => countedCost(model, facts, groups, kind));
        const before = modelCost(model, facts);
        expect(costs.map((cost) => costAt(cost, new Map()))).toEqual(
          [before.macs, before.parameters, before.weightBytes].map((x) => expect.closeTo(x, 6)),
        );
        const rng = createRng(`${name} ${seed}`);
        const removals = new Map(
          groups
            .filter(({ frozen, width }) => !frozen && width > 1)
            .map((group) => {
              const most = residualBranch(group, facts) ? group.width : group.width - 1;
              return [group, Array.from({ length: rng.int(0, most) }, (_, unit) => unit)] as const;
            }),
        );
        const { removed } = removeUnits(model, facts, removals);
        const kept = new Map(removed.map((group) => [group, group.width - (removals.get(group)?.length ?? 0)]));
        const after = modelCost(model, createFacts(model));
        expect(costs.map((cost) => costAt(cost, kept))).toEqual(
          [after.macs, after.parameters, after.weightBytes].map((x) => expect.closeTo(x, 6)),
        );
        if (after.macs < before.macs) tried++;
      }
      expect(tried).toBeGreaterThan(6);
    });
  }

  for (const [name, text] of Object.entries(NETS)) {
    it(`of memory: the largest is the peak when units are removed: ${name}`, () => {
      const peaks = new Set<number>();
      for (let seed = 0; seed < 8; seed++) {
        const model = parseModel(text);
        const facts = createFacts(model);
        const groups = findChannelGroups(model, facts);
        const forms = memoryForms(model, facts, groups);
        const peakAt = (kept: ReadonlyMap<(typeof groups)[number], number>): number =>
          Math.max(...forms.map((form) => costAt(form, kept)));
        expect(peakAt(new Map())).toBe(peakActivations(model, facts).bytes);
        const rng = createRng(`memory ${name} ${seed}`);
        const removals = new Map(
          groups
            .filter(({ frozen, width }) => !frozen && width > 1)
            .map((group) => [group, Array.from({ length: rng.int(0, group.width - 1) }, (_, unit) => unit)] as const),
        );
        const { removed } = removeUnits(model, facts, removals);
        const kept = new Map(removed.map((group) => [group, group.width - (removals.get(group)?.length ?? 0)]));
        const { bytes } = peakActivations(model, createFacts(model));
        expect(peakAt(kept)).toBeCloseTo(bytes, 6);
        peaks.add(bytes);
      }
      expect(peaks.size).toBeGreaterThan(2);
    });
  }

  it('ties two groups where a layer reads one and makes the other, and counts a layer within one group as a square', () => {
    const model = parseModel(NETS['a residual block'] ?? '');
    const facts = createFacts(model);
    const groups = findChannelGroups(model, facts);
    expect(groups.map(({ name }) => name)).toEqual(['s', 'h', 'y']);
    const { constant, linear, products } = countedCost(model, facts, groups, 'macs');
    expect(constant).toBeCloseTo(0, 9);
    // s: 3 x 9 inputs at 64 positions; h and y by themselves cost nothing.
    expect([...linear]).toEqual([64 * 27, 0, 0].map((x) => expect.closeTo(x, 9)));
    const found = products.map(({ a, b, factor }) => [a, b, Math.round(factor)]);
    expect(found).toEqual([
      [0, 0, 64],
      [0, 1, 2 * 9 * 64],
      [0, 2, 1],
    ]);
  });
});
