// The fusion proof against ONNX Runtime: nets in which everything is fused, and what runs besides.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseModel } from '../../src/ir/text/parse.js';
import type { Value } from '../../src/ir/value.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { openModel } from '../../src/onnx/open.js';
import { proveFusion, type FusionProof } from '../../src/pipeline/fusion-proof.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import { PLAIN, plan, POOL, proverOf, ranAs, S8 } from './fusion-case.js';
import { QdqNet, type Quantization } from './qdq-net.js';

let host: RuntimeHost;
beforeAll(() => {
  host = new RuntimeHost();
});
afterAll(() => host.dispose());
const prove = proverOf(() => host);

/** Convolutions, a residual sum with Relu, a Concat of differing scales, pools, and a classifier with float results. */
function wholeNet(net: QdqNet, x: Value, given: Quantization = {}): Value {
  const q = (value: Value, more: Quantization = {}): Value => net.qdq(value, { ...given, ...more });
  const least = given.type === 'int8' ? -128 : 0;
  const a = q(net.one('Relu', [net.conv(x, PLAIN, { axis: 0 })]), { zero: least });
  const b = q(net.conv(a, PLAIN, { axis: 0, bias: 'float' }));
  const sum = q(net.one('Relu', [net.one('Add', [a, b])]), { scale: 0.04, zero: least });
  const pooled = q(net.one('MaxPool', [sum], POOL), { scale: 0.04, zero: least });
  const depthwise = q(net.conv(pooled, PLAIN, { group: 16, axis: 0 }));
  const joined = q(net.one('Concat', [pooled, depthwise], { axis: 1 }), { scale: 0.05 });
  const mean = q(net.one('GlobalAveragePool', [joined]));
  const features = q(net.one('Flatten', [mean]));
  const weights = net.weights([10, 32], { axis: 0 });
  return net.one('Gemm', [features, weights, net.bias(features, weights, 10)], { transB: 1 });
}

const WHOLE = [
  'QLinearConv',
  'QLinearConv',
  'QLinearAdd',
  'MaxPool',
  'QLinearConv',
  'QLinearConcat',
  'QLinearGlobalAveragePool',
  'Flatten',
  'QGemm',
];

describe('a net in which everything is fused', () => {
  it('is proved, with conversions at its border only', async () => {
    const proof = await prove(wholeNet);
    expect(ranAs(proof)).toEqual(WHOLE);
    expect(proof.nodes.every(({ fused, cause, detail }) => fused && cause === undefined && detail === undefined)).toBe(
      true,
    );
    expect(proof.conversions.map(({ kind, place }) => [kind, place])).toEqual([['quantize', 'border']]);
    expect(proof.quantizedAtLoad).toEqual([]);
  });

  it('is proved without names of nodes', async () => {
    expect(ranAs(await prove(wholeNet, { names: 'none' }))).toEqual(WHOLE);
  });

  it('is proved with int8 activations where the session keeps them', async () => {
    const proof = await prove((net, x) => wholeNet(net, x, { type: 'int8' }), { input: S8, int8Activations: 'kept' });
    expect(ranAs(proof)).toEqual(WHOLE);
  });

  it('is found, named or not, where the runtime rewrites int8 to uint8', async () => {
    const chain = (net: QdqNet, x: Value): Value => {
      const pooled = net.qdq(net.one('MaxPool', [net.qdq(net.conv(x, PLAIN), S8)], POOL), S8);
      return net.qdq(net.conv(net.qdq(net.one('AveragePool', [pooled], POOL), S8), PLAIN), S8);
    };
    for (const names of [{}, { names: 'none' } as const]) {
      const proof = await prove(chain, { input: S8, ...names });
      expect(ranAs(proof)).toEqual(['QLinearConv', 'MaxPool', 'QLinearAveragePool', 'QLinearConv']);
    }
  });

  it('finds what the runtime moves its conversions around', async () => {
    const behind = await prove((net, x) => net.qdq(net.one('MaxPool', [net.conv(x, PLAIN)], POOL)));
    expect(ranAs(behind)).toEqual(['QLinearConv', 'MaxPool']);
    const before = await prove((net, x) => net.qdq(net.conv(net.one('MaxPool', [x], POOL), PLAIN)), { names: 'none' });
    expect(ranAs(before)).toEqual(['MaxPool', 'QLinearConv']);
  });

  it('reads scales and zero points of Constant nodes', async () => {
    const model = parseModel(`<ir_version: 8, opset_import: ["" : 13]> g (float[1,4,6,6] x) => (float[1,4,6,6] y)
      <int8[4,4,1,1] w = uniform(-40, 40, 1)> {
        s = Constant <value_float = 0.02> ()  z = Constant <value = uint8 {7}> ()
        ws = Constant <value_float = 0.01> ()  wz = Constant <value = int8 {0}> ()
        q = QuantizeLinear (x, s, z) d = DequantizeLinear (q, s, z) dw = DequantizeLinear (w, ws, wz)
        v = Conv (d, dw) r = Relu (v) rq = QuantizeLinear (r, s, z) y = DequantizeLinear (rq, s, z)
      }`);
    const proof = await proveFusion(host, Buffer.concat(encodeModel(undefined, model)), plan(model.allNodes()));
    expect(proof.nodes).toMatchObject([
      { cause: 'zero-point', detail: expect.stringContaining('zero point 7, and the Relu needs 0') },
    ]);
  });

  it('takes what the runtime leaves out for done', async () => {
    const proof = await prove((net, x) => net.qdq(net.conv(net.qdq(net.one('Identity', [x])), PLAIN)));
    expect(proof.nodes.map(({ fused, ranAs: as }) => [fused, as])).toEqual([
      [true, undefined],
      [true, 'QLinearConv'],
    ]);
  });

  it('finds a product that is one operator with the sum behind it', async () => {
    const proof = await prove((net, x) => {
      const features = net.qdq(net.one('Flatten', [net.qdq(net.one('GlobalAveragePool', [x]))]));
      const product = net.one('MatMul', [features, net.weights([16, 10])]);
      return net.qdq(net.one('Add', [product, net.random('float32', [10])]));
    });
    expect(ranAs(proof).slice(-2)).toEqual(['QGemm', 'QGemm']);
  });

  it('is proved inside a subgraph', async () => {
    const model =
      parseModel(`<ir_version: 8, opset_import: ["" : 13]> g (float[1,4,6,6] x, bool c) => (float[1,4,6,6] y)
      <float s = {0.02}, uint8 z = {128}, float ws = {0.01}, int8[4,4,1,1] w = uniform(-40, 40, 1), int8 wz = {0}> {
        y = If <
          then_branch = t () => (float[1,4,6,6] a) {
            q = QuantizeLinear (x, s, z) d = DequantizeLinear (q, s, z) dw = DequantizeLinear (w, ws, wz)
            [inner] v = Conv (d, dw) vq = QuantizeLinear (v, s, z) a = DequantizeLinear (vq, s, z)
          },
          else_branch = e () => (float[1,4,6,6] b) {
            q2 = QuantizeLinear (x, s, z) d2 = DequantizeLinear (q2, s, z) dw2 = DequantizeLinear (w, ws, wz)
            [other] u = Conv (d2, dw2) r = Relu (u) uq = QuantizeLinear (r, s, z) b = DequantizeLinear (uq, s, z)
          }
        > (c)
      }`);
    const planned = plan(model.allNodes()).filter(({ opType }) => opType === 'Conv');
    const proof = await proveFusion(host, Buffer.concat(encodeModel(undefined, model)), planned);
    expect(proof.nodes.map(({ planned: { node }, fused, cause }) => [node, fused, cause])).toEqual([
      ['inner', true, undefined],
      ['other', false, 'zero-point'],
    ]);
  });
});

describe('what runs besides', () => {
  it('counts conversions around an island, and weights that are dequantized in each run', async () => {
    const { conversions } = await prove((net, x) => {
      const a = net.qdq(net.conv(x, PLAIN));
      const b = net.qdq(net.one('LRN', [a], { size: 5 }));
      return net.qdq(net.conv(b, PLAIN, { opType: 'ConvTranspose', bias: 'none' }));
    });
    const inside = conversions.filter(({ place }) => place === 'inside');
    expect(inside.map(({ kind }) => kind).toSorted()).toEqual([
      'dequantize',
      'dequantize',
      'quantize',
      'quantize',
      'weights',
    ]);
    const [around] = inside.filter(({ kind, behind }) => kind === 'dequantize' && behind?.startsWith('QLinearConv'));
    expect(around?.before).toEqual([expect.stringMatching(/^LRN LRN\d+$/)]);
    expect(conversions.filter(({ place }) => place === 'border').map(({ kind }) => kind)).toEqual([
      'quantize',
      'dequantize',
    ]);
  });

  it('names float layers that the runtime quantizes by itself', async () => {
    const layer = (guard: 'bare' | 'guarded') => async (): Promise<FusionProof> => {
      const net = new QdqNet();
      const x = net.qdq(net.conv(net.qdq(net.input([1, 16, 8, 8])), PLAIN));
      const y = net.one('Conv', [x, net.random('float32', [16, 16, 1, 1])]);
      const end = guard === 'bare' ? y : net.one('LeakyRelu', [y], { alpha: { float: 1 } });
      const z = net.qdq(end);
      const planned = plan(net.model.graph.nodes()).filter(({ opType }, i) => opType === 'Conv' && i === 0);
      return proveFusion(host, net.bytes(z), planned);
    };
    expect((await layer('bare')()).quantizedAtLoad).toEqual([
      { node: expect.stringMatching(/^Conv\d+$/), ranAs: 'QLinearConv' },
    ]);
    expect((await layer('guarded')()).quantizedAtLoad).toEqual([]);
  });

  it('ends when it is aborted', async () => {
    const net = new QdqNet();
    const bytes = net.bytes(net.qdq(net.input([1, 16, 8, 8])));
    await expect(proveFusion(host, bytes, [], { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'InterruptError',
    });
  });
});

const folder = process.env['MCOMPRESS_ASSETS'] ?? fileURLToPath(new URL('../../../shared/assets', import.meta.url));
const resnet8 = `${folder}/models/resnet8-cifar10-int8-qdq.onnx`;

describe.skipIf(!existsSync(resnet8))('resnet8-cifar10-int8-qdq.onnx', () => {
  it('runs in integers where int8 activations stay, and half in float where they do not', async () => {
    const planned = plan((await openModel(resnet8)).model.allNodes()).filter(({ opType }) =>
      /^(Conv|Add)$/.test(opType),
    );
    const kept = await proveFusion(host, resnet8, planned, { int8Activations: 'kept' });
    expect(kept.nodes.filter(({ fused }) => !fused).map(({ cause }) => cause)).toEqual([]);
    const rewritten = await proveFusion(host, resnet8, planned);
    const missed = rewritten.nodes.filter(({ fused }) => !fused);
    expect(missed.length).toBeGreaterThan(0);
    const convolutions = missed.filter(({ planned: { opType } }) => opType === 'Conv');
    expect(new Set(convolutions.map(({ cause }) => cause))).toEqual(new Set(['type']));
  });
});
