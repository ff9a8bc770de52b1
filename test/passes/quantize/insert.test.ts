// What is inserted runs on ONNX Runtime, is fused, and computes what the float model does within the error of 8 bits.
import { afterAll, describe, expect, it } from 'vitest';
import { checkModel } from '../../../src/ir/check.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { decodeModel } from '../../../src/onnx/decode.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { Tensor } from '../../../src/tensor/tensor.js';
import { feedsFor, relativeError } from '../run-model.js';
import { bytesOf, quantizeNet, type QuantizeNetOptions } from './quantize-net.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

interface Outcome {
  readonly missed: readonly string[];
  readonly ran: readonly string[];
  readonly inside: readonly string[];
  readonly atLoad: readonly string[];
  readonly floats: Readonly<Record<string, string>>;
  readonly error: number;
}

async function quantized(
  text: string,
  { keepOverridable = false, ...options }: QuantizeNetOptions & { readonly keepOverridable?: boolean } = {},
): Promise<Outcome> {
  const { model } = decodeModel(bytesOf(parseModel(text)), { keepOverridable });
  const feeds = [1, 2, 3].map((seed) => feedsFor(model, seed));
  const before = bytesOf(model);
  const names = model.graph.outputs.map(({ name }) => name);
  const net = await quantizeNet(host, model, feeds, options);
  expect(checkModel(model)).toEqual([]);
  expect(model.graph.outputs.map(({ name }) => name)).toEqual(names);
  let error = 0;
  for (const feed of feeds) {
    const expected = await host.run(before, feed, { optimization: 'disabled' });
    const actual = await host.run(net.bytes, feed, { optimization: 'all' });
    for (const [name, tensor] of expected) {
      const other = actual.get(name);
      expect(other?.dims).toEqual(tensor.dims);
      if (other) error = Math.max(error, relativeError(tensor, other));
    }
  }
  const proof = await net.prove();
  return {
    missed: proof.nodes.filter(({ fused }) => !fused).map(({ planned, detail }) => `${planned.output}: ${detail}`),
    ran: proof.nodes.map(({ ranAs }) => ranAs ?? ''),
    inside: proof.conversions.filter(({ place }) => place === 'inside').map(({ kind, value }) => `${kind} ${value}`),
    atLoad: proof.quantizedAtLoad.map(({ node }) => node),
    floats: Object.fromEntries([...net.plan.floats].map(([node, code]) => [node.opType, code])),
    error,
  };
}

const FUSED = { missed: [], inside: [], atLoad: [] };
const W = 'float[16,16,3,3] w1 = random(1), float[16,16,3,3] w2 = random(2), float[16] b1 = uniform(-1, 1, 3)';
const head = (opset = 17, shape = 'float[N,16,8,8]', outputs = 'float[N,16,8,8] y') =>
  `<ir_version: 8, opset_import: ["" : ${opset}]>\ng (${shape} x) => (${outputs})`;

describe('a net', () => {
  it.each([13, 15, 17, 19, 21])('of opset %i with a residual sum', async (opset) => {
    const found = await quantized(`${head(opset)} <${W}> {
      a = Conv <pads = [1, 1, 1, 1]> (x, w1, b1)
      r = Relu (a)
      c = Conv <pads = [1, 1, 1, 1]> (r, w2)
      s = Add (c, r)
      y = Relu (s)
    }`);
    expect(found).toMatchObject(FUSED);
    expect(found.ran).toEqual(['QLinearConv', 'QLinearConv', 'QLinearAdd']);
    expect(found.error).toBeLessThan(0.03);
  });

  it('with Concat, MaxPool, Split and Clip', async () => {
    const found = await quantized(`${head(17, 'float[N,16,8,8]', 'float[N,16,4,4] y, float[N,16,4,4] z')}
    <${W}, float one = {1}, float zero = {0}, float[16,32,1,1] w3 = random(5)> {
      a = Conv <pads = [1, 1, 1, 1]> (x, w1, b1)
      r = Clip (a, zero, one)
      c = Conv <pads = [1, 1, 1, 1]> (x, w2)
      q = Clip (c, zero, one)
      t = Concat <axis = 1> (r, q)
      p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (t)
      y = Conv (p, w3)
      u, v = Split <axis = 1> (p)
      z = Add (u, v)
    }`);
    expect(found).toMatchObject(FUSED);
    expect(found.error).toBeLessThan(0.03);
  });

  it('ending in GlobalAveragePool, Flatten, Gemm', async () => {
    const found = await quantized(`${head(17, 'float[N,16,8,8]', 'float[N,10] y')}
    <${W}, float[16,10] g = random(7), float[10] gb = uniform(-1, 1, 8)> {
      a = Conv <pads = [1, 1, 1, 1]> (x, w1, b1)
      r = Relu (a)
      p = GlobalAveragePool (r)
      f = Flatten (p)
      y = Gemm (f, g, gb)
    }`);
    expect(found).toMatchObject(FUSED);
    expect(found.ran.at(-1)).toBe('QGemm');
    expect(found.error).toBeLessThan(0.03);
  });

  it.each(['transB = 0', 'transB = 1'])('of two Gemms, %s', async (attribute) => {
    const found = await quantized(`${head(17, 'float[N,16]', 'float[N,16] y')}
    <float[16,16] g = random(7), float[16] gb = uniform(-1, 1, 8), float[16,16] h = random(9)> {
      a = Gemm <${attribute}> (x, g, gb)
      r = Relu (a)
      y = Gemm <${attribute}> (r, h)
    }`);
    expect(found).toMatchObject(FUSED);
    expect(found.error).toBeLessThan(0.03);
  });

  it.each(['float[N,16]', 'float[N,5,16]'])('of MatMuls on %s', async (shape) => {
    const found = await quantized(`${head(17, shape, `${shape} y`)}
    <float[16,16] g = random(7), float[16,16] h = random(9)> {
      a = MatMul (x, g)
      y = MatMul (a, h)
    }`);
    expect(found).toMatchObject(FUSED);
    expect(found.error).toBeLessThan(0.03);
  });

  it.each([
    [1, 'float[N,16,8]'],
    [3, 'float[N,16,4,4,4]'],
  ])('of convolutions in %i dimensions', async (rank, shape) => {
    const kernel = Array(rank).fill(1).join();
    const found = await quantized(`${head(17, shape, `${shape} y`)}
    <float[16,16,${kernel}] w1 = random(1), float[16,16,${kernel}] w2 = random(2)> {
      a = Conv (x, w1)
      r = Relu (a)
      y = Conv (r, w2)
    }`);
    expect(found).toMatchObject(FUSED);
    expect(found.error).toBeLessThan(0.03);
  });

  it('with a layer whose weights the caller may replace, which stays in float', async () => {
    const found = await quantized(
      `<ir_version: 8, opset_import: ["" : 17]>
      g (float[N,16,8,8] x, float[16,16,3,3] v) => (float[N,16,8,8] y)
      <float[16,16,3,3] w = random(1), float[16,16,3,3] v = random(2)> {
        a = Conv <pads = [1, 1, 1, 1]> (x, w)
        c = Conv <pads = [1, 1, 1, 1]> (a, v)
        y = Conv <pads = [1, 1, 1, 1]> (c, w)
      }`,
      { keepOverridable: true },
    );
    expect(found).toMatchObject({ missed: [], atLoad: [], floats: { Conv: 'weights-not-constant' } });
    expect(found.ran).toEqual(['QLinearConv', 'QLinearConv']);
    expect(found.error).toBeLessThan(0.05);
  });

  it('with weights that are shared, and weights that are inputs too', async () => {
    const found = await quantized(`<ir_version: 8, opset_import: ["" : 17]>
    g (float[N,16,8,8] x, float[16,16,3,3] v) => (float[N,16,8,8] y)
    <float[16,16,3,3] w = random(1), float[16,16,3,3] v = random(2)> {
      a = Conv <pads = [1, 1, 1, 1]> (x, w)
      b = Conv <pads = [1, 1, 1, 1]> (a, w)
      c = Conv <pads = [1, 1, 1, 1]> (b, v)
      y = Conv <pads = [1, 1, 1, 1]> (c, w)
    }`);
    expect(found.missed).toEqual([]);
    expect(found.error).toBeLessThan(0.05);
  });
});

describe('AveragePool', () => {
  const net = (attributes: string, channels = 16): string => `<ir_version: 8, opset_import: ["" : 17]>
    g (float[N,16,8,8] x) => (float y) <float[${channels},16,1,1] w = random(1), float[16,${channels},1,1] v = random(2)> {
      a = Conv (x, w)
      p = AveragePool <${attributes}> (a)
      y = Conv (p, v)
    }`;

  it.each([
    'kernel_shape = [2, 2], strides = [2, 2]',
    'kernel_shape = [3, 3], pads = [1, 1, 1, 1], count_include_pad = 1',
    'kernel_shape = [3, 2], strides = [1, 2], auto_pad = "VALID"',
  ])('becomes a depthwise convolution: %s', async (attributes) => {
    const found = await quantized(net(attributes));
    expect(found).toMatchObject(FUSED);
    expect(found.ran).toEqual(['QLinearConv', 'QLinearConv', 'QLinearConv']);
    expect(found.error).toBeLessThan(0.03);
  });

  it.each([
    ['that divides by what is not padding', 'kernel_shape = [3, 3], pads = [1, 1, 1, 1]', 16],
    ['with partial windows', 'kernel_shape = [3, 3], strides = [2, 2], ceil_mode = 1', 16],
    ['of channels that the depthwise kernel is slow on', 'kernel_shape = [2, 2]', 24],
  ])('stays in float %s', async (_, attributes, channels) => {
    const found = await quantized(net(attributes, channels));
    expect(found).toMatchObject({ missed: [], atLoad: [], floats: { AveragePool: 'slower-on-integers' } });
  });
});

describe('HardSigmoid and HardSwish', () => {
  const gated = (body: string): string => `${head()} <${W}> {
    a = Conv <pads = [1, 1, 1, 1]> (x, w1, b1)
    ${body}
    y = Conv <pads = [1, 1, 1, 1]> (h, w2)
  }`;

  it.each([
    ['h = HardSigmoid (a)', ['QLinearConv', 'QLinearAdd', 'QLinearConv']],
    ['h = HardSigmoid <alpha = 0.05, beta = 0.4> (a)', ['QLinearConv', 'QLinearAdd', 'QLinearConv']],
    ['h = HardSwish (a)', ['QLinearConv', 'QLinearMul', 'QLinearConv']],
    [
      'g = HardSigmoid <alpha = 0.16666667> (a)\nh = Mul (a, g)',
      ['QLinearConv', 'QLinearAdd', 'QLinearMul', 'QLinearConv'],
    ],
    ['g = HardSwish (a)\nh = Relu (g)', ['QLinearConv', 'QLinearMul', 'QLinearConv']],
  ])('become sums and products of integers: %s', async (body, ran) => {
    const found = await quantized(gated(body));
    expect(found).toMatchObject(FUSED);
    expect(found.ran).toEqual(ran);
    expect(found.error).toBeLessThan(0.03);
  });

  it('reach both ends: below, between and above the slope', async () => {
    const model = parseModel(`<ir_version: 8, opset_import: ["" : 17]>
      g (float[1,1,1,7] x) => (float[1,1,1,7] y) <float[1,1,1,1] w = {1}, float[1,1,1,1] v = {1}> {
        a = Conv (x, w)
        h = HardSigmoid (a)
        y = Conv (h, v)
      }`);
    const feeds = new Map([['x', Tensor.fromNumbers('float32', [1, 1, 1, 7], [-4, -2.5, -1, 0, 1, 2.5, 4])]]);
    const net = await quantizeNet(host, model, [feeds]);
    const actual = (await host.run(net.bytes, feeds, { optimization: 'all' })).get('y')?.toNumbers() ?? [];
    [0, 0, 0.3, 0.5, 0.7, 1, 1].forEach((wanted, i) => expect(actual[i]).toBeCloseTo(wanted, 1.7));
  });

  it.each([
    ['of the other slope', 'h = HardSigmoid <alpha = -0.2> (a)', 'attributes'],
    ['that only the caller reads', 'h = Relu (a)\nz = HardSigmoid (h)', 'last-activation'],
  ])('stay in float %s', async (_, body, code) => {
    const text = body.includes('z =')
      ? gated(body).replace('float[N,16,8,8] y)', 'float[N,16,8,8] y, float[N,16,8,8] z)')
      : gated(body);
    const found = await quantized(text);
    expect(found).toMatchObject({ missed: [], atLoad: [], floats: { HardSigmoid: code } });
  });

  it.each(['float[N,16,8,8]', 'float[1,16,8,8]'])('alone they stay in float: %s', async (shape) => {
    const found = await quantized(`${head(17, shape, `${shape} y`)} { e = Exp (x) y = HardSwish (e) }`);
    expect(found).toMatchObject({ ran: [], floats: { HardSwish: 'float-neighbours' } });
  });
});

describe('a value', () => {
  it('inside the net that the caller reads too comes out quantized, under its name', async () => {
    const found = await quantized(`${head(17, 'float[N,16,8,8]', 'float[N,16,8,8] r, float[N,16,8,8] y')} <${W}> {
      a = Conv <pads = [1, 1, 1, 1]> (x, w1, b1)
      r = Relu (a)
      y = Conv <pads = [1, 1, 1, 1]> (r, w2)
    }`);
    expect(found).toMatchObject({ ...FUSED, inside: [] });
    expect(found.error).toBeLessThan(0.03);
  });

  it('that the caller reads, and one node twice', async () => {
    const found = await quantized(`${head(17, 'float[N,16,8,8]', 'float[N,16,8,8] r, float[N,16,8,8] y')} <${W}> {
      r = Conv <pads = [1, 1, 1, 1]> (x, w1, b1)
      s = Add (r, r)
      y = Conv <pads = [1, 1, 1, 1]> (s, w2)
    }`);
    expect(found.missed).toEqual([]);
    expect(found.error).toBeLessThan(0.03);
  });

  it('that a branch reads', async () => {
    const found = await quantized(`<ir_version: 8, opset_import: ["" : 17]>
    g (float[N,16,8,8] x, bool c) => (float[N,16,8,8] y, float[N,16,8,8] z) <${W}> {
      a = Conv <pads = [1, 1, 1, 1]> (x, w1, b1)
      y = Conv <pads = [1, 1, 1, 1]> (a, w2)
      z = If (c) <
        then_branch = one () => (float[N,16,8,8] t) { t = Exp (a) },
        else_branch = two () => (float[N,16,8,8] e) { e = Neg (a) }
      >
    }`);
    expect(found.missed).toEqual([]);
  });
});

describe('a layer asked to stay in float', () => {
  it.each(['r = Relu (b)', 'r = Identity (b)', 'r = Clip (b, zero, one)'])('runs in float: %s', async (activation) => {
    const found = await quantized(
      `${head()} <${W}, float zero = {0}, float one = {1}> {
      a = Conv <pads = [1, 1, 1, 1]> (x, w1, b1)
      [middle] b = Conv <pads = [1, 1, 1, 1]> (a, w2)
      ${activation}
      y = Conv <pads = [1, 1, 1, 1]> (r, w1)
    }`,
      { float: ['middle'] },
    );
    expect(found).toMatchObject({ missed: [], atLoad: [] });
    expect(found.floats).toMatchObject({ Conv: 'asked' });
    expect(found.error).toBeLessThan(0.04);
  });
});

it('guards a layer whose weights are known only once the runtime has folded constants', async () => {
  const found = await quantized(`${head()} <${W}, float two = {2}> {
    a = Conv <pads = [1, 1, 1, 1]> (x, w1, b1)
    w = Mul (w2, two)
    b = Conv <pads = [1, 1, 1, 1]> (a, w)
    y = Conv <pads = [1, 1, 1, 1]> (b, w1)
  }`);
  expect(found).toMatchObject({ missed: [], atLoad: [] });
  expect(found.floats).toMatchObject({ Conv: 'weights-not-constant' });
});

it('guards a layer whose result is moved before it is quantized', async () => {
  const found = await quantized(
    `${head()} <${W}> {
    a = Conv <pads = [1, 1, 1, 1]> (x, w1, b1)
    [middle] b = Conv <pads = [1, 1, 1, 1]> (a, w2)
    r = Relu (b)
    [moved] t = Transpose <perm = [0, 1, 3, 2]> (r)
    y = Conv <pads = [1, 1, 1, 1]> (t, w1)
  }`,
    { float: ['middle', 'moved'] },
  );
  expect(found).toMatchObject({ missed: [], atLoad: [] });
});

it('gives the integers of a strided shortcut as they are', async () => {
  const found = await quantized(`${head(17, 'float[N,4,9,9]', 'float[N,16,5,5] y')}
  <float[16,4,1,1] w0 = random(9), float[16,16,1,1] w1 = random(1), float[16,16,1,1] copy = {${Array.from(
    { length: 256 },
    (_, i) => (i % 17 === 0 ? 1 : 0),
  ).join()}}> {
    a = Conv (x, w0)
    r = Relu (a)
    b = Conv <strides = [2, 2]> (r, w1)
    s = Conv <strides = [2, 2]> (r, copy)
    y = Add (b, s)
  }`);
  expect(found).toMatchObject(FUSED);
});
