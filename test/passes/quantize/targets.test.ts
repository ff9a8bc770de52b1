// The targets that are not this machine, through insertion and the fusion proof: int8 activations for Arm, 7-bit weights for x86
// without VNNI; the types and magnitudes that their kernels need, every node fused, outputs near those of float.
import { afterAll, describe, expect, it } from 'vitest';
import { checkModel } from '../../../src/ir/check.js';
import type { Model } from '../../../src/ir/model.js';
import type { Node } from '../../../src/ir/node.js';
import type { Value } from '../../../src/ir/value.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { TARGETS, type TargetName } from '../../../src/passes/quantize/target.js';
import { saturatingShare } from '../../../src/pipeline/quantization/saturation.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { feedsFor, relativeError } from '../run-model.js';
import { bytesOf, quantizeNet } from './quantize-net.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

const W = 'float[16,16,3,3] w1 = random(1), float[16,16,3,3] w2 = random(2), float[16] b1 = uniform(-1, 1, 3)';
const NETS: Readonly<Record<string, string>> = {
  'a residual sum': `g (float[N,16,8,8] x) => (float[N,16,8,8] y) <${W}> {
    a = Conv <pads = [1, 1, 1, 1]> (x, w1, b1)
    r = Relu (a)
    c = Conv <pads = [1, 1, 1, 1]> (r, w2)
    s = Add (c, r)
    y = Relu (s)
  }`,
  'Concat, MaxPool, Split and Clip': `g (float[N,16,8,8] x) => (float[N,16,4,4] y, float[N,16,4,4] z)
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
  }`,
  'depthwise, GlobalAveragePool, Flatten, Gemm': `g (float[N,16,8,8] x) => (float[N,10] y)
  <${W}, float[16,1,3,3] d = random(4), float[16,10] g = random(7), float[10] gb = uniform(-1, 1, 8)> {
    a = Conv <pads = [1, 1, 1, 1]> (x, w1, b1)
    r = Relu (a)
    e = Conv <group = 16, pads = [1, 1, 1, 1]> (r, d)
    p = GlobalAveragePool (e)
    f = Flatten (p)
    y = Gemm (f, g, gb)
  }`,
  'HardSwish, and a gate of HardSigmoid': `g (float[N,16,8,8] x) => (float[N,16,8,8] y) <${W}> {
    a = Conv <pads = [1, 1, 1, 1]> (x, w1, b1)
    h = HardSwish (a)
    p = GlobalAveragePool (h)
    g = HardSigmoid (p)
    m = Mul (h, g)
    q = AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1], count_include_pad = 1> (m)
    y = Conv <pads = [1, 1, 1, 1]> (q, w2)
  }`,
  'MatMul and Sigmoid': `g (float[N,16] x) => (float[N,16] y) <float[16,16] g = random(7), float[16,16] h = random(9)> {
    a = MatMul (x, g)
    s = Sigmoid (a)
    y = MatMul (s, h)
  }`,
};

/** Types of the integers of activations: those of the zero points of every QuantizeLinear. */
const activationTypes = (model: Model): Set<string | undefined> =>
  new Set(
    [...model.allNodes()].filter((node) => node.is('QuantizeLinear')).map(({ inputs }) => inputs[2]?.constant?.dtype),
  );

const products = (model: Model): Node[] =>
  [...model.allNodes()].filter((node) => ['Conv', 'Gemm', 'MatMul'].includes(node.opType));

/** The largest integer of the weights, and the type of the bias, of each product. */
const operands = (model: Model): { readonly largest: number; readonly bias: string | undefined }[] =>
  products(model).map(({ inputs }) => {
    const weights = inputs[1]?.producer?.inputs[0]?.constant;
    expect(weights?.dtype).toBe('int8');
    const largest = Math.max(...(weights?.toNumbers() ?? []).map(Math.abs));
    return { largest, bias: inputs[2]?.producer?.inputs[0]?.constant?.dtype };
  });

interface Expected {
  readonly activations: string;
  readonly limit: number;
  readonly error: number;
}
const EXPECTED: Readonly<Record<Exclude<TargetName, 'x64-vnni'>, Expected>> = {
  arm64: { activations: 'int8', limit: 127, error: 0.04 },
  'x64-avx2': { activations: 'uint8', limit: 63, error: 0.06 },
};

describe.each(['arm64', 'x64-avx2'] as const)('%s', (name) => {
  const { activations, limit, error } = EXPECTED[name];

  it.each(Object.entries(NETS))('%s', async (_, body) => {
    const model = parseModel(`<ir_version: 8, opset_import: ["" : 17]>\n${body}`);
    const feeds = [1, 2, 3].map((seed) => feedsFor(model, seed));
    const before = bytesOf(model);
    const net = await quantizeNet(host, model, feeds, { target: TARGETS[name] });
    expect(checkModel(model)).toEqual([]);
    expect([...activationTypes(model)]).toEqual([activations]);
    const found = operands(model);
    expect(found.length).toBeGreaterThan(1);
    // Every scale is used: the largest weight of a channel is the largest integer.
    expect(found.map(({ largest }) => largest)).toEqual(found.map(() => limit));
    expect(found.flatMap(({ bias }) => bias ?? []).every((dtype) => dtype === 'int32')).toBe(true);
    const { nodes, quantizedAtLoad } = await net.prove();
    expect(nodes.length).toBeGreaterThan(2);
    expect(nodes.filter(({ fused }) => !fused).map(({ planned, detail }) => `${planned.output}: ${detail}`)).toEqual(
      [],
    );
    expect(quantizedAtLoad).toEqual([]);
    for (const feed of feeds) {
      const expected = await host.run(before, feed, { optimization: 'disabled' });
      const actual = await host.run(net.bytes, feed, { optimization: 'all' });
      for (const [output, tensor] of expected) {
        const other = actual.get(output);
        expect(other && relativeError(tensor, other)).toBeLessThan(error);
      }
    }
  });
});

describe('7-bit weights', () => {
  const shares = async (name: TargetName): Promise<readonly (number | undefined)[]> => {
    const model = parseModel(`<ir_version: 8, opset_import: ["" : 17]>\n${NETS['a residual sum']}`);
    await quantizeNet(host, model, [feedsFor(model, 1)], { target: TARGETS[name] });
    return products(model).map(saturatingShare);
  };

  it('cannot overflow where 8-bit weights can', async () => {
    expect(await shares('x64-avx2')).toEqual([0, 0]);
    for (const share of await shares('x64-vnni')) expect(share).toBeGreaterThan(0);
  });
});

describe('int8 activations', () => {
  it('behind a Relu begin at -128, as the kernel needs', async () => {
    const model = parseModel(`<ir_version: 8, opset_import: ["" : 17]>\n${NETS['a residual sum']}`);
    const net = await quantizeNet(host, model, [feedsFor(model, 1)], { target: TARGETS.arm64 });
    const pointOf = (value: Value | undefined): number | undefined => value && net.parameters.get(value)?.zeroPoint;
    const behindRelu = net.plan.nodes.filter(({ activation }) => activation);
    expect(behindRelu.map(({ outputs: [value] }) => pointOf(value))).toEqual([-128, -128]);
    expect(pointOf(model.graph.inputs[0])).not.toBe(-128);
  });
});
