// Nodes that no runtime accepts, which a reader without operator schemas lets through: the exact passes end, keep the
// invariants, and can be rolled back. Found by test/fuzz.
import { expect, it } from 'vitest';
import { createFacts } from '../../src/analysis/inference.js';
import { checkModel } from '../../src/ir/check.js';
import { parseModel } from '../../src/ir/text/parse.js';
import { printModel } from '../../src/ir/text/print.js';
import { presetPasses } from '../../src/pipeline/recipe.js';
import { runPasses } from '../../src/pipeline/run-passes.js';

const CASES: readonly (readonly [string, string])[] = [
  ['a Constant with two outputs', 'g (float x) => (y) { a, b = Constant <value_float = 2.0> () y = Mul (x, a) }'],
  [
    'an If whose branches give nothing',
    `g (float x) => (y) <bool c = {1}> {
      y = If (c) <then_branch = t () => () { a = Neg (x) }, else_branch = e () => () { b = Abs (x) }>
    }`,
  ],
  [
    'a Loop whose body gives less than the node',
    `g (float x) => (y, z) <int64 n = {1}, bool c = {1}> {
      y, z = Loop (n, c, x) <body = b (int64 i, bool go, float v) => (go, w) { w = Neg (v) }>
    }`,
  ],
  [
    'a call that wants more than the function gives',
    `g (float x) => (y, z) { y, z = l.f (x) }
    <domain: "l", opset_import: ["" : 17]>
    f (a) => (b) { b = Neg (a) }`,
  ],
  [
    'parallel convolutions with activations of two outputs',
    `g (float[1,2,8,8] x) => (y, z, q) <float[4,2,3,3] v = random(1), float[4,2,3,3] w = random(2)> {
      a = Conv (x, v)
      b = Conv (x, w)
      y, q = Relu (a)
      z = Relu (b)
    }`,
  ],
  [
    'a normalization over an axis that no memory holds, without a scale',
    `g (float[N,5,2147483647] x) => (y) <float two = {2}, float e = {0.00001}> {
      m = ReduceMean <axes = [-1]> (x)
      d = Sub (x, m)
      p = Pow (d, two)
      v = ReduceMean <axes = [-1]> (p)
      s = Add (v, e)
      r = Sqrt (s)
      y = Div (d, r)
    }`,
  ],
  [
    'a branch in a branch that returns a weight of the one around it',
    `g (float x, bool c) => (y) <bool t = {1}> {
      y = If (t) <then_branch = a () => (p) <float w = {2}> {
        p = If (c) <then_branch = b () => (w) { u = Neg (x) }, else_branch = d () => (q) { q = Mul (x, w) }>
      }, else_branch = e () => (z) { z = Abs (x) }>
    }`,
  ],
  [
    'more channels than any memory holds, scaled in front of a Conv',
    `g (float[N,2147483647,8,8] x) => (y) <float m = {0.5}, float s = {2}, float[4,1,3,3] w = random(1)> {
      a = Sub (x, m)
      b = Neg (a)
      d = Div (b, s)
      y = Conv (d, w)
    }`,
  ],
  [
    'a Conv whose kernel_shape is not that of its weights, between others',
    `g (float[1,2,8,8] x) => (y) <float[2,2,3,3] v = random(1), float[3,2,1,1] w = random(2)> {
      a = Conv <kernel_shape = [3, 9223372036854775807]> (x, v)
      y = Conv <kernel_shape = [1, 1]> (a, w)
    }`,
  ],
  [
    'an AveragePool with a kernel of a billion positions behind a Conv',
    `g (float[1,2,8,8] x) => (y) <float[3,2,1,1] w = random(2)> {
      a = Conv (x, w)
      y = AveragePool <kernel_shape = [1000000000, 1]> (a)
    }`,
  ],
];

it.each(CASES)('%s', async (_, text) => {
  const model = parseModel(`<ir_version: 8, opset_import: ["" : 17, "l" : 1]>\n${text}`);
  const [mark, before] = [model.journal.mark(), printModel(model, { weights: 'full' })];
  await runPasses(model, presetPasses('exact'), {
    createFacts: (changed) => createFacts(changed),
    seed: 0,
    signal: new AbortController().signal,
  });
  expect(checkModel(model)).toEqual([]);
  model.journal.seek(mark);
  expect(printModel(model, { weights: 'full' })).toBe(before);
});
