// Costs of hand-worked models, and MACs and parameters of the shared models as an independent count gave them.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { histogramOf, modelCost, nodeCosts, type ModelCost, type NodeCost } from '../../src/analysis/cost.js';
import { createFacts } from '../../src/analysis/inference.js';
import { weightsByType } from '../../src/analysis/weights.js';
import { parseModel } from '../../src/ir/text/parse.js';
import { openModel } from '../../src/onnx/open.js';

function costs(
  text: string,
  sizes: Readonly<Record<string, number>> = {},
): { readonly nodes: readonly NodeCost[]; readonly model: ModelCost } {
  const model = parseModel(text);
  const facts = createFacts(model, { assumedSizes: new Map(Object.entries(sizes)) });
  return { nodes: nodeCosts(model, facts), model: modelCost(model, facts) };
}

const zeros = (count: number): string => Array(count).fill('0').join(', ');

describe('one node', () => {
  it('Conv: output elements x C/group x kernel, at the assumed sizes', () => {
    const text = `g (float[N,4,8,8] x) => (float[N,6,4,4] y) <float[6,2,3,3] w = {${zeros(108)}}, float[6] b = {${zeros(6)}}>
      { y = Conv <strides = [2, 2], pads = [1, 1, 1, 1], group = 2> (x, w, b) }`;
    expect(costs(text, { N: 3 }).nodes[0]).toMatchObject({
      kind: 'tensor',
      macs: 3 * 6 * 4 * 4 * 2 * 9,
      parameters: 114,
      weightBytes: 456,
      activationBytes: 4 * 3 * (4 * 64 + 6 * 16),
      counted: true,
    });
    expect(costs(text).nodes[0]?.macs).toBe(6 * 4 * 4 * 2 * 9);
  });

  it.each([
    [
      'ConvTranspose: input elements x O/group x kernel',
      `g (float[1,4,5,5] x) => (float[1,6,11,11] y) <float[4,3,3,3] w = {${zeros(108)}}> { y = ConvTranspose <strides = [2, 2], group = 2> (x, w) }`,
      100 * 3 * 9,
    ],
    [
      'Gemm',
      `g (float[7,5] x) => (float[7,3] y) <float[3,5] w = {${zeros(15)}}> { y = Gemm <transB = 1> (x, w) }`,
      7 * 3 * 5,
    ],
    [
      'MatMul with a batch',
      'g (float[2,7,5] x, float[5,3] w) => (float[2,7,3] y) { y = MatMul (x, w) }',
      2 * 7 * 3 * 5,
    ],
    [
      'Einsum of two operands',
      'g (float[2,7,5] x, float[2,5,3] w) => (float[2,7,3] y) { y = Einsum <equation = "bij,bjk->bik"> (x, w) }',
      2 * 7 * 3 * 5,
    ],
    [
      'LSTM: sequence x batch x elements of W and R',
      'g (float[5,2,3] x, float[1,16,3] w, float[1,16,4] r) => (float[5,1,2,4] y) { y = LSTM <hidden_size = 4> (x, w, r) }',
      5 * 2 * (48 + 64),
    ],
    [
      'QLinearConv',
      'g (uint8[1,3,4,4] x, float s, uint8 z, uint8[2,3,1,1] w) => (uint8[1,2,4,4] y) { y = QLinearConv (x, s, z, w, s, z, s, z) }',
      32 * 3,
    ],
    [
      'MaxPool',
      'g (float[1,3,4,4] x) => (float[1,3,2,2] y) { y = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (x) }',
      0,
    ],
  ])('%s', (_, text, macs) => expect(costs(text).nodes[0]).toMatchObject({ macs, counted: true }));

  it('views and readers of dims move nothing but what they write', () => {
    const { nodes } = costs(
      'g (float[2,8] x) => (float[16] y, int64[2] s) <int64[1] t = {-1}> { y = Reshape (x, t) s = Shape (x) }',
    );
    expect(
      nodes.map(({ activationBytes, weightBytes, parameters }) => [activationBytes, weightBytes, parameters]),
    ).toEqual([
      [0, 0, 1],
      [16, 0, 0],
    ]);
  });

  it('says what it cannot count', () => {
    const { nodes, model } = costs(
      '<opset_import: ["" : 17, "acme" : 1]> g (float[2] x) => (float[2] y) { a = acme.Mystery (x) y = Relu (a) }',
    );
    expect(nodes.map(({ counted, kind }) => [counted, kind])).toEqual([
      [false, undefined],
      [false, 'non-tensor'],
    ]);
    expect(model.notCounted).toBe(2);
  });
});

describe('a model', () => {
  it('counts a shared weight once, and its bytes at every node that reads it', () => {
    const { nodes, model } = costs(
      'g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { a = Add (x, w) y = Add (a, w) }',
    );
    expect(nodes.map(({ parameters, weightBytes }) => [parameters, weightBytes])).toEqual([
      [2, 8],
      [0, 8],
    ]);
    expect(model).toMatchObject({ nodes: 2, parameters: 2, weightBytes: 8, bytesMoved: 2 * 24, macs: 0, flops: 0 });
  });

  it('adds up energy: arithmetic, weights from DRAM, activations from the cache that holds them', () => {
    // 12 MACs of float32 at 4.6 pJ; 48 bytes of weights at 162.5 pJ; 12 + 16 bytes of activations at 1.25 pJ.
    const { model } = costs(
      'g (float[1,3] x) => (float[1,4] y) <float[3,4] w = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}> { y = MatMul (x, w) }',
    );
    expect(model.energyPj).toBeCloseTo(12 * 4.6 + 48 * 162.5 + 28 * 1.25, 6);
    expect(model.flops).toBe(24);
  });

  it('shares out nodes, MACs and bytes among tensor layers, other layers and plumbing', () => {
    const { model } = costs(
      `g (float[1,3] x) => (float[4,1] y) <float[3,4] w = {${zeros(12)}}> { a = MatMul (x, w) b = Relu (a) y = Transpose (b) }`,
    );
    expect(model.shares).toEqual({
      tensor: { nodes: 1, macs: 12, bytes: 76 },
      'non-tensor': { nodes: 1, macs: 0, bytes: 32 },
      plumbing: { nodes: 1, macs: 0, bytes: 32 },
    });
  });

  it('takes arithmetic on shapes for plumbing', () => {
    const { nodes } = costs('g (float[N,3] x) => (int64[2] y) <int64 two = {2}> { s = Shape (x) y = Mul (s, two) }');
    expect(nodes.map(({ kind }) => kind)).toEqual(['plumbing', 'plumbing']);
  });

  it('lists operators by frequency, then by name, those of other domains with them in front', () => {
    const model = parseModel(
      '<opset_import: ["" : 17, "acme" : 1]> g (float[2] x) => (float[2] y) { a = Relu (x) b = acme.Odd (a) c = Relu (b) y = Abs (c) }',
    );
    expect([...histogramOf(model.graph)]).toEqual([
      ['Relu', 2],
      ['Abs', 1],
      ['acme.Odd', 1],
    ]);
  });

  it('counts weights by type, Constant nodes among them', () => {
    const model = parseModel(
      'g (float[2] x) => (float[2] y) <float[2] w = {1, 2}, float16[3] h = {1, 2, 3}, int4[3] q = {1, 2, 3}> { c = Constant <value = float[4] {1, 2, 3, 4}> () y = Add (x, w) }',
    );
    expect([...weightsByType(model)]).toEqual([
      ['float32', { tensors: 2, parameters: 6, bytes: 24 }],
      ['float16', { tensors: 1, parameters: 3, bytes: 6 }],
      ['int4', { tensors: 1, parameters: 3, bytes: 2 }],
    ]);
  });
});

describe('control flow and calls', () => {
  const branches = (
    condition: string,
  ): string => `g (${condition === 'b' ? 'bool b, ' : ''}float[2,3] x) => (float[2,4] y)
    <float[3,4] w = {${zeros(12)}}, float[3,8] v = {${zeros(24)}}${condition === 'b' ? '' : `, bool b = {${condition}}`}>
    { y = If (b) <then_branch = t () => (float[2,4] p) { p = MatMul (x, w) }, else_branch = e () => (float[2,8] q) { q = MatMul (x, v) }> }`;

  it.each([
    ['b', 48, [0, 1]],
    ['1', 24, [1, 0]],
    ['0', 48, [0, 1]],
  ])('If on %s: the known branch, else the dearer one', (condition, macs, runs) => {
    const { model, nodes } = costs(branches(condition));
    expect(model).toMatchObject({ macs, nodes: 3 });
    expect(nodes.slice(1).map((node) => node.runs)).toEqual(runs);
  });

  const loop = (
    trips: string,
  ): string => `g (float[2,2] x${trips === '' ? ', int64 m' : ''}) => (float[2,2] y) <float[2,2] w = {${zeros(4)}}${trips === '' ? '' : `, int64 m = {${trips}}`}>
    { y = Loop (m, "", x) <body = b (int64 i, bool c, float[2,2] v) => (bool d, float[2,2] u) { d = Identity (c) u = MatMul (v, w) }> }`;

  it.each([
    ['5', 40],
    ['', 8],
    ['9223372036854775807', 8],
  ])('Loop of %s trips: each one, or one where nothing says how many', (trips, macs) => {
    expect(costs(loop(trips)).model).toMatchObject({ macs, nodes: 3 });
  });

  it('a call of a local function costs what its body does, with the sizes of the call', () => {
    const { nodes, model } = costs(`<opset_import: ["" : 17, "loc" : 1]>
      g (float[2,3] x, float[3,4] w) => (float[2,4] y) { y = loc.Twice (x, w) }
      <domain: "loc", opset_import: ["" : 17]> Twice (a, b) => (c) <float[1] two = {2}> { d = MatMul (a, b) c = Mul (d, two) }`);
    expect(nodes).toHaveLength(1);
    expect(nodes[0]).toMatchObject({
      kind: 'tensor',
      macs: 24,
      parameters: 1,
      weightBytes: 4,
      activationBytes: 4 * (6 + 12 + 8) + 4 * (8 + 8),
      counted: true,
    });
    expect(model).toMatchObject({ nodes: 1, parameters: 1, macs: 24 });
  });
});

/** MACs, and elements of all initializers and Constant tensors, as listed beside the shared models. */
const LISTED: Readonly<Record<string, readonly [macs: number, parameters: number]>> = {
  'resnet20-cifar10': [40_551_040, 269_058],
  'resnet20-cifar10-as-exported': [40_551_040, 271_138],
  'resnet56-cifar10': [125_485_696, 851_010],
  'resnet8-cifar10': [12_501_632, 77_708],
  'resnet8-cifar10-int8-qdq': [12_501_632, 78_613],
  'squeezenet1.1-imagenet': [349_151_936, 1_235_496],
  'mobilenetv1-025-vww': [7_489_664, 210_852],
  'dscnn-kws': [2_656_768, 22_610],
  'streaming-wakeword-1d': [826_368, 47_717],
  'mnist-cntk': [786_560, 5_998],
  'ultraface-rfb-320': [100_418_560, 307_683],
  'style-candy': [20_353_167_360, 424_911],
  'basic-pitch-nmp': [524_079_648, 36_037],
};

describe.each(Object.entries(LISTED))('%s', (name, [macs, parameters]) => {
  const path = fileURLToPath(new URL(`../../../shared/assets/models/${name}.onnx`, import.meta.url));
  it.skipIf(!existsSync(path))('has the MACs and parameters listed for it', async () => {
    const { model } = await openModel(path);
    expect(modelCost(model, createFacts(model))).toMatchObject({ macs, parameters, notCounted: 0 });
  });
});
