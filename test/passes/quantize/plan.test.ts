// What a plan takes into integers, what it leaves in float and why, and which values share a scale.
import { describe, expect, it } from 'vitest';
import { createFacts } from '../../../src/analysis/inference.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { planQuantization, type PlanOptions, type QuantizationPlan } from '../../../src/passes/quantize/plan.js';

const NOTHING: PlanOptions = { float: new Set() };
const WEIGHTS = `float[16,16,1,1] w = random(1), float[16,16,1,1] v = random(2), float[16] b = fill(1), float one = {1},
  float two = {2}, float six = {6}, float zero = {0}, float less = {-1}, int64[4] whole = {0, 0, 0, 0}, int64[2] flat = {0, -1}`;

function planOf(body: string, options = NOTHING, header = 'float[N,16,8,8] x) => (float y'): QuantizationPlan {
  const text = body.startsWith('g (') ? body : `g (${header}) <${WEIGHTS}> {\n${body}\n}`;
  const model = parseModel(text);
  return planQuantization(model, createFacts(model), options);
}

const nodesOf = ({ nodes }: QuantizationPlan): string[] =>
  nodes.map(({ node, operator, activation, result }) =>
    [node.opType, operator.role, activation?.opType, result === 'float' ? 'float' : undefined]
      .filter(Boolean)
      .join(' '),
  );
const groupsOf = ({ groups }: QuantizationPlan): string[] =>
  groups
    .map(({ values }) =>
      values
        .map(({ name }) => name)
        .sort()
        .join(' '),
    )
    .sort();
const floatsOf = ({ floats }: QuantizationPlan): string[] =>
  [...floats].map(([node, code]) => `${node.output?.name}: ${code}`);
const boundsOf = ({ groups }: QuantizationPlan, name: string) =>
  groups.find(({ values }) => values.some((value) => value.name === name));

describe('what runs on integers', () => {
  it('products with what follows them, sums, pools, and the last Gemm with a float result', () => {
    const plan = planOf(
      `a = Conv (x, w, b)
       r = Relu (a)
       c = Conv (r, v)
       s = Add (c, r)
       p = GlobalAveragePool (s)
       f = Flatten (p)
       l = LeakyRelu (f)
       y = Exp (l)`,
      NOTHING,
    );
    expect(nodesOf(plan).slice(0, 5)).toEqual([
      'Conv product Relu',
      'Conv product',
      'Add own',
      'GlobalAveragePool own',
      'Flatten same',
    ]);
  });

  it('leaves the mean that gives the last scores in float, with what shapes them', () => {
    const plan = planOf('a = Conv (x, w)\np = GlobalAveragePool (a)\nf = Flatten (p)\ny = Softmax (f)', NOTHING);
    expect(nodesOf(plan)).toEqual(['Conv product']);
    expect([...plan.floats].map(([node, code]) => `${node.opType} ${code}`).toSorted()).toEqual([
      'Flatten float-neighbours',
      'GlobalAveragePool last-activation',
      'Softmax no-int8-kernel',
    ]);
  });

  it('a Gemm with a float result quantizes nothing behind it', () => {
    const plan = planOf(
      'g (float[N,4] x) => (float[N,2] y) <float[4,3] w = random(1), float[3,2] v = random(2)> { a = Gemm (x, w) y = Gemm (a, v) }',
    );
    expect(nodesOf(plan)).toEqual(['Gemm product', 'Gemm product float']);
    expect(groupsOf(plan)).toEqual(['a', 'x']);
  });

  it('takes a Clip with 0 in its range into the node, and no other', () => {
    const plan = planOf('a = Conv (x, w)\nr = Clip (a, zero, six)\nc = Conv (r, v)\ny = Clip (c, one, six)');
    expect(nodesOf(plan)).toEqual(['Conv product Clip', 'Conv product']);
    expect(boundsOf(plan, 'r')?.bounds).toEqual({ low: 0, high: 6 });
    expect(boundsOf(plan, 'c')?.bounds).toEqual({ low: -Infinity, high: Infinity });
  });

  it('takes no activation that is not the only reader', () => {
    const plan = planOf('a = Conv (x, w)\nr = Relu (a)\ny = Add (a, r)');
    expect(nodesOf(plan)[0]).toBe('Conv product');
  });
});

describe('what stays in float, and why', () => {
  it.each([
    ['no-int8-kernel', 'a = Conv (x, w)\ny = Exp (a)', 'y'],
    ['weights-not-constant', 'g (float[N,16,8,8] x, float[16,16,1,1] m) => (float y) { y = Conv (x, m) }', 'y'],
    [
      'bias',
      'g (float[N,16,8,8] x, float[16] m) => (float y) <float[16,16,1,1] w = random(1)> { y = Conv (x, w, m) }',
      'y',
    ],
    ['attributes', 'g (float[N,4] x) => (float y) <float[4,3] w = random(1)> { y = Gemm <alpha = 2.0> (x, w) }', 'y'],
    ['float-neighbours', 'y = Add (x, x)', 'y'],
    ['asked', '[me] a = Conv (x, w)\ny = Conv (a, v)', 'a'],
    ['last-activation', 'a = Conv (x, w)\ny = Sigmoid (a)', 'y'],
    [
      'slower-on-integers',
      'a = Conv (x, w)\np = AveragePool <kernel_shape = [2, 2], ceil_mode = 1> (a)\ny = Conv (p, v)',
      'p',
    ],
    ['resize-mode', 'a = Conv (x, w)\nq = Resize <mode = "linear"> (a, , scales)\ny = Conv (q, v)', 'q'],
    [
      'not-float32',
      'g (float16[N,16,8,8] x) => (float16 y) <float16[16,16,1,1] w = random(1)> { y = Conv (x, w) }',
      'y',
    ],
  ])('%s', (code, body, name) => {
    const text = body.includes('scales')
      ? `g (float[N,16,8,8] x) => (float y) <${WEIGHTS}, float[4] scales = {1, 1, 2, 2}> { ${body} }`
      : body;
    expect(floatsOf(planOf(text, { float: new Set(['me']) }))).toContain(`${name}: ${code}`);
  });

  it('no-range: nodes whose values were not seen', () => {
    const model = parseModel(`g (float[N,16,8,8] x) => (float y) <${WEIGHTS}> { a = Conv (x, w) y = Conv (a, v) }`);
    const known = new Map([...model.graph.inputs].map((value) => [value, 1]));
    const plan = planQuantization(model, createFacts(model), { float: new Set(), known });
    expect(floatsOf(plan)).toEqual(['a: no-range', 'y: no-range']);
  });
});

describe('weights that are inputs of the graph', () => {
  it.each([
    ['Conv', 'float[16,16,1,1] w', 'y = Conv (x, w)'],
    ['depthwise Conv', 'float[16,1,3,3] w', 'y = Conv <group = 16> (x, w)'],
    ['MatMul', 'float[8,8] w', 'y = MatMul (x, w)'],
  ])('are a reason to stay in float: %s', (_, input, body) => {
    const plan = planOf(`g (float[N,16,8,8] x, ${input}) => (float y) { ${body} }`);
    expect(plan.nodes).toEqual([]);
    expect(floatsOf(plan)).toEqual(['y: weights-not-constant']);
  });

  it('the same for Gemm, and for a bias that is an input', () => {
    const gemm = planOf('g (float[N,4] x, float[4,3] w) => (float y) { y = Gemm (x, w) }');
    expect(floatsOf(gemm)).toEqual(['y: weights-not-constant']);
    const bias = planOf('g (float[N,4] x, float[3] b) => (float y) <float[4,3] w = random(1)> { y = Gemm (x, w, b) }');
    expect(floatsOf(bias)).toEqual(['y: bias']);
  });
});

describe('what is taken to be slower on integers', () => {
  it.each([
    ['8 groups of 2', 8, 2, 'grouped'],
    ['4 groups of 4', 4, 4, undefined],
    ['depthwise', 16, 1, undefined],
  ])('%s', (_, group, width, code) => {
    const plan = planOf(
      `g (float[N,16,8,8] x) => (float y) <float[16,${width},1,1] w = random(1)> { y = Conv <group = ${group}> (x, w) }`,
    );
    expect(plan.nodes.map(({ slower }) => slower)).toEqual([code]);
  });
});

describe('values of one scale', () => {
  it('are those around what moves or picks elements', () => {
    const plan = planOf(`a = Conv (x, w)
      p = MaxPool <kernel_shape = [2, 2]> (a)
      q = MaxPool <kernel_shape = [2, 2]> (p)
      t = Transpose <perm = [0, 1, 3, 2]> (q)
      y = Conv (t, v)`);
    expect(groupsOf(plan)).toEqual(['a p q t', 'x', 'y']);
  });

  it('are the pieces of a Split', () => {
    const plan = planOf('a = Conv (x, w)\nl, r = Split <axis = 1> (a)\ny = Add (l, r)');
    expect(groupsOf(plan)).toEqual(['a l r', 'x', 'y']);
  });

  it('are parts of a Concat that have the same bounds, each read by it alone', () => {
    const body = (second: string): string => `a = Conv (x, w)
      r = Clip (a, zero, six)
      c = Conv (x, v)
      q = ${second} 
      t = Concat <axis = 1> (r, q)
      y = GlobalAveragePool (t)`;
    expect(groupsOf(planOf(body('Clip (c, zero, six)')))).toContain('q r t');
    expect(groupsOf(planOf(body('Clip (c, zero, one)')))).toContain('t');
    expect(groupsOf(planOf(body('Add (c, c)')))).toContain('q t');
    const shared = planOf(`${body('Clip (c, zero, six)')}\nz = Conv (r, w)`);
    expect(groupsOf(shared)).toContain('q t');
    expect(groupsOf(shared)).toContain('r');
  });

  it('do not go through sums', () => {
    expect(groupsOf(planOf('a = Conv (x, w)\nc = Conv (a, v)\ny = Add (a, c)'))).toEqual(['a', 'c', 'x', 'y']);
  });

  it('go through a convolution that copies channels, and no other', () => {
    const copy = (last: number): string =>
      `g (float[N,2,4,4] x) => (float y) <float[2,2,1,1] w = random(1), float[3,2,1,1] c = {0, 0, 1, 0, 0, ${last}}> {
        a = Conv (x, w)
        y = Conv <strides = [2, 2]> (a, c)
      }`;
    expect(groupsOf(planOf(copy(1)))).toEqual(['a y', 'x']);
    expect(groupsOf(planOf(copy(0.5)))).toEqual(['a', 'x', 'y']);
  });

  it('of a Sigmoid lie between 0 and 1', () => {
    const plan = planOf('a = Conv (x, w)\ns = Sigmoid (a)\ny = Mul (a, s)');
    expect(boundsOf(plan, 's')?.fixed).toEqual({ low: 0, high: 1 });
    expect(boundsOf(plan, 'a')?.fixed).toBeUndefined();
  });
});
