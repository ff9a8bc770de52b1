// Folding: of units that are the same nothing is lost, of others the mean filter stands with the length that they had, and what
// cannot be folded stays as it is.
import { afterAll, describe, expect, it } from 'vitest';
import type { ChannelGroup } from '../../../src/analysis/channel-group.js';
import { findChannelGroups } from '../../../src/analysis/channels.js';
import type { Facts } from '../../../src/analysis/facts.js';
import { createFacts } from '../../../src/analysis/inference.js';
import { checkModel } from '../../../src/ir/check.js';
import type { Model } from '../../../src/ir/model.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { printModel } from '../../../src/ir/text/print.js';
import { foldGroups } from '../../../src/passes/prune/fold-units.js';
import { removeUnits } from '../../../src/passes/prune/remove-units.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { difference, feedsFor, runModel } from '../run-model.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

interface Net {
  readonly model: Model;
  readonly facts: Facts;
  group(name: string): ChannelGroup;
}

function netOf(text: string): Net {
  const model = parseModel(text);
  const facts = createFacts(model);
  const groups = findChannelGroups(model, facts);
  const group = (name: string): ChannelGroup => {
    const found = groups.find((one) => one.name === name);
    if (!found) throw new Error(`no group ${name} in ${groups.map((one) => one.name).join(', ')}`);
    return found;
  };
  return { model, facts, group };
}

const numbersOf = (model: Model, name: string): number[] =>
  [...model.graph.initializers].find((value) => value.name === name)?.constant?.toNumbers() ?? [];

/** Units 0 and 2 of every layer that makes them are the same, by value. */
const TWINS: Readonly<Record<string, string>> = {
  'through an activation into a padded Conv': `g (float[1,2,5,5] x) => (float[1,2,5,5] y)
<float[3,2,1,1] w = {1, -2, 3, 1, 1, -2}, float[3] b = {0.5, 1, 0.5}, float[2,3,3,3] v = random(1)>
{
  a = Conv (x, w, b)
  t = Tanh (a)
  y = Conv <pads = [1, 1, 1, 1]> (t, v)
}`,
  'through a normalization and a depthwise layer': `g (float[1,2,5,5] x) => (float[1,2,3,3] y)
<float[3,2,1,1] w = {1, -2, 3, 1, 1, -2}, float[3] s = {1, 2, 1}, float[3] m = {0.1, 0, 0.1}, float[3] r = {2, 1, 2}, float[3] o = {3, 1, 3},
 float[3,1,3,3] d = {1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9}, float[2,3,1,1] v = random(1)>
{
  a = Conv (x, w)
  n = BatchNormalization (a, s, o, m, r)
  q = Relu (n)
  e = Conv <group = 3> (q, d)
  y = Conv (e, v)
}`,
  'through Flatten into a Gemm': `g (float[1,2,2,2] x) => (float[1,3] y)
<float[3,2,1,1] w = {1, -2, 3, 1, 1, -2}, float[12,3] v = random(1), float[3] c = random(2)>
{
  a = Conv (x, w)
  q = Relu (a)
  f = Flatten (q)
  y = Gemm (f, v, c)
}`,
  'through a sum into a ConvTranspose': `g (float[1,2,4,4] x) => (float[1,2,8,8] y)
<float[3,2,1,1] w = {1, -2, 3, 1, 1, -2}, float[3,2,1,1] u = {4, 5, 0, 1, 4, 5}, float[3,2,2,2] v = random(1)>
{
  a = Conv (x, w)
  b = Conv (x, u)
  s = Add (a, b)
  q = Relu (s)
  y = ConvTranspose <strides = [2, 2]> (q, v)
}`,
  'of a MatMul, read twice': `g (float[4,2] x) => (float[4,3] y, float[4,2] z)
<float[2,3] w = {1, 3, 1, -2, 1, -2}, float[3,3] v = random(1), float[2,3] u = random(2)>
{
  a = MatMul (x, w)
  q = Sigmoid (a)
  y = MatMul (q, v)
  z = Gemm <transB = 1> (q, u)
}`,
};

describe('units that are the same', () => {
  it.each(Object.entries(TWINS))('%s become one', async (_, text) => {
    const { model, facts, group } = netOf(text);
    const { removals, refused } = foldGroups(facts, new Map([[group('a'), 2]]));
    expect(refused.size).toBe(0);
    expect([...removals.values()]).toEqual([[2]]);
    expect(removeUnits(model, facts, removals).refused.size).toBe(0);
    expect(checkModel(model)).toEqual([]);
    const original = parseModel(text);
    const feeds = feedsFor(original, 0);
    expect(difference(await runModel(host, original, feeds), await runModel(host, model, feeds), 1e-6)).toBeUndefined();
  });
});

describe('units that are alike', () => {
  const PLAIN = `g (float[1,2,2,2] x) => (float[1,1,2,2] y)
<float[3,2,1,1] w = {3, 4, -9, -9, 4, 3}, float[3] b = {1, 7, 2}, float[1,3,1,1] v = {10, 20, 30}>
{
  a = Conv (x, w, b)
  q = Relu (a)
  y = Conv (q, v)
}`;

  it('are one with their mean filter, as long as they were, and the sum of what is read', () => {
    const { model, facts, group } = netOf(PLAIN);
    const { removals } = foldGroups(facts, new Map([[group('a'), 2]]));
    removeUnits(model, facts, removals);
    // The mean of (3, 4) and (4, 3) is (3.5, 3.5), whose length is 4.95 and not 5.
    const length = 5 / Math.SQRT2;
    expect(numbersOf(model, 'w')).toEqual([length, length, -9, -9].map((x) => expect.closeTo(x, 5)));
    expect(numbersOf(model, 'b')).toEqual([1.5, 7]);
    expect(numbersOf(model, 'v')).toEqual([40, 20]);
  });

  it('keep the mean as it is where that is asked for', () => {
    const { model, facts, group } = netOf(PLAIN);
    removeUnits(model, facts, foldGroups(facts, new Map([[group('a'), 2]]), { variance: 'as-is' }).removals);
    expect(numbersOf(model, 'w')).toEqual([3.5, 3.5, -9, -9]);
  });

  it('have less variance in front of a normalization, which is told so', () => {
    const { model, facts, group } = netOf(`g (float[1,2,2,2] x) => (float[1,1,2,2] y)
<float[3,2,1,1] w = {3, 4, -9, -9, 4, 3}, float[3] s = {1, 1, 3}, float[3] o = {0, 1, 4}, float[3] m = {0, 1, 2},
 float[3] r = {1, 5, 3}, float[1,3,1,1] v = {10, 20, 30}>
{
  a = Conv (x, w)
  n = BatchNormalization (a, s, o, m, r)
  y = Conv (n, v)
}`);
    removeUnits(model, facts, foldGroups(facts, new Map([[group('a'), 2]])).removals);
    expect(numbersOf(model, 'w')).toEqual([3.5, 3.5, -9, -9]);
    expect(numbersOf(model, 'r')).toEqual([expect.closeTo((2 * 24.5) / 25, 5), 5]);
    expect([numbersOf(model, 's'), numbersOf(model, 'o'), numbersOf(model, 'm')]).toEqual([
      [2, 1],
      [2, 1],
      [1, 1],
    ]);
  });
});

describe('what cannot be folded', () => {
  const refusalOf = (text: string, name: string): string | undefined => {
    const { model, facts, group } = netOf(text);
    const before = printModel(model, { weights: 'full' });
    const { removals, refused } = foldGroups(facts, new Map([[group(name), 1]]));
    expect(removals.size).toBe(0);
    expect(printModel(model, { weights: 'full' })).toBe(before);
    return refused.get(group(name));
  };

  it('is a group that is frozen', () => {
    const text = `g (float[1,2,2,2] x) => (float[1,3,2,2] a, float[1,1,2,2] y)
<float[3,2,1,1] w = random(1), float[1,3,1,1] v = random(2)>
{
  a = Conv (x, w)
  y = Conv (a, v)
}`;
    expect(refusalOf(text, 'a')).toBe('frozen');
  });

  it('is a group that something else reads than a layer with stored weights', () => {
    const text = `g (float[1,2,2,2] x) => (float[1,1,2,2] y)
<float[3,2,1,1] w = random(1), float[1,3,1,1] v = random(2)>
{
  a = Conv (x, w)
  n = Sigmoid (v)
  y = Conv (a, n)
}`;
    expect(refusalOf(text, 'a')).toBe('unsupported-reader');
  });

  it('is nothing where the width is what it was', () => {
    const { facts, group } = netOf(TWINS['of a MatMul, read twice'] ?? '');
    expect(foldGroups(facts, new Map([[group('a'), 3]]))).toEqual({ removals: new Map(), refused: new Map() });
  });
});
