// Why a planned node is not fused: every cause provoked on ONNX Runtime by a small graph.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Value } from '../../src/ir/value.js';
import { proveFusion, type NodeProof } from '../../src/pipeline/fusion-proof.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import { OTHER, PLAIN, POOL, POSITIVE, proverOf, ranAs, S8, type Prove } from './fusion-case.js';
import { QdqNet } from './qdq-net.js';

let host: RuntimeHost;
beforeAll(() => {
  host = new RuntimeHost();
});
afterAll(() => host.dispose());
const prove = proverOf(() => host);

/** The proof of the first planned node. */
async function first(...given: Parameters<Prove>): Promise<NodeProof> {
  const { nodes } = await prove(...given);
  const [node] = nodes;
  if (!node) throw new Error('nothing was planned');
  return node;
}

/** The proof of the only planned node of this type. */
async function only(opType: string, ...given: Parameters<Prove>): Promise<NodeProof> {
  const { nodes } = await prove(...given);
  const found = nodes.filter(({ planned }) => planned.opType === opType);
  expect(found).toHaveLength(1);
  return found[0] as NodeProof;
}

describe('causes', () => {
  it('zero-point: Relu, and a zero point that is not the minimum', async () => {
    const proof = await first((net, x) => net.qdq(net.one('Relu', [net.conv(x, PLAIN)])));
    expect(proof).toMatchObject({ fused: false, ranAs: 'FusedConv with Relu', cause: 'zero-point' });
    expect(proof.detail).toBe('the QuantizeLinear behind it has the zero point 128, and the Relu needs 0');
    const signed = await first((net, x) => net.qdq(net.one('Relu', [net.conv(x, PLAIN)]), S8), {
      input: S8,
      int8Activations: 'kept',
    });
    expect(signed).toMatchObject({ fused: false, cause: 'zero-point' });
  });

  it('clip-range: Clip cuts off what the integers hold; a wider one does not', async () => {
    const clipped = (high: number) => (net: QdqNet, x: Value) => {
      const bounds = [0, high].map((bound) => net.tensor('float32', [], bound));
      return net.qdq(net.one('Clip', [net.conv(x, PLAIN), ...bounds]), { scale: 0.03, zero: 0 });
    };
    const proof = await first(clipped(6));
    expect(proof).toMatchObject({ fused: false, cause: 'clip-range' });
    expect(proof.detail).toBe('Clip from 0 to 6 cuts what the QuantizeLinear holds: 0 to 7.65');
    expect(await first(clipped(8))).toMatchObject({ fused: true, ranAs: 'QLinearConv' });
  });

  it('second-consumer: a reader in float, two readers, two QuantizeLinear', async () => {
    const withRelu = await first((net, x) => {
      const y = net.conv(x, PLAIN);
      return [net.qdq(y), net.one('Sigmoid', [y])];
    });
    expect(withRelu).toMatchObject({ fused: false, ranAs: 'Conv', cause: 'second-consumer' });
    expect(withRelu.detail).toMatch(/^its result is also read by Sigmoid\d+$/);
    const twice = await first((net, x) => {
      const y = net.conv(x, PLAIN);
      return [net.qdq(y), net.qdq(y, OTHER)];
    });
    expect(twice.detail).toBe('its result has 2 QuantizeLinear behind it');
    const behindRelu = await first((net, x) => {
      const y = net.one('Relu', [net.conv(x, PLAIN)]);
      return [net.qdq(y, POSITIVE), net.one('Sigmoid', [y])];
    });
    expect(behindRelu).toMatchObject({ fused: false, cause: 'second-consumer' });
  });

  it('graph-output: returned as it is', async () => {
    const proof = await first((net, x) => {
      const y = net.conv(x, PLAIN);
      return [net.qdq(y), y];
    });
    expect(proof).toMatchObject({ fused: false, cause: 'graph-output' });
    expect(await first((net, x) => net.conv(x, PLAIN))).toMatchObject({ fused: false, cause: 'graph-output' });
  });

  it('output-not-quantized: another operator between, or a float bias with a float result', async () => {
    const leaky = await first((net, x) => net.qdq(net.one('LeakyRelu', [net.conv(x, PLAIN)], { alpha: 0.1 })));
    expect(leaky).toMatchObject({ fused: false, ranAs: 'FusedConv with LeakyRelu', cause: 'output-not-quantized' });
    const gemm = await only('Gemm', (net, x) => {
      const features = net.qdq(net.one('Flatten', [x]));
      return net.one('Gemm', [features, net.weights([1024, 10]), net.random('float32', [10])]);
    });
    expect(gemm).toMatchObject({ fused: false, ranAs: 'Gemm', cause: 'output-not-quantized' });
  });

  it('input-not-dequantized: an island, a constant, an input of the model next to it', async () => {
    const island = await only('Conv', (net, x) => net.qdq(net.conv(net.one('LRN', [x], { size: 5 }), PLAIN)));
    expect(island).toMatchObject({ fused: false, cause: 'input-not-dequantized' });
    expect(island.detail).toMatch(/is computed by LRN LRN\d+ in float, not dequantized$/);
    const constant = await only('Mul', (net, x) =>
      net.qdq(net.one('Mul', [x, net.tensor('float32', [1, 16, 1, 1], 0.5)])),
    );
    expect(constant).toMatchObject({ fused: false, cause: 'input-not-dequantized' });
    expect(constant.detail).toContain('a float constant');
    const raw = await only('Conv', (net) => net.qdq(net.conv(net.model.graph.inputs[0] as Value, PLAIN)));
    expect(raw.detail).toContain('an input of the model');
  });

  it('asks for the scale before operators that the runtime moves conversions across', async () => {
    const proof = await only('Conv', (net, x) => {
      const moved = net.one('Transpose', [x], { perm: [0, 1, 3, 2] });
      return net.qdq(net.one('Relu', [net.conv(moved, PLAIN)]));
    });
    expect(proof).toMatchObject({ fused: false, cause: 'zero-point' });
    const misscaled = await only('Conv', (net, x) => {
      const moved = net.one('Transpose', [x], { perm: [0, 1, 3, 2] });
      return net.qdq(net.conv(moved, PLAIN, { bias: 'misscaled' }));
    });
    expect(misscaled).toMatchObject({ fused: false, cause: 'bias-scale' });
  });

  it('type: activations that differ, 16 bits, uint8 weights with int8 activations, branches of int8', async () => {
    const mixed = (net: QdqNet, x: Value) => net.qdq(net.conv(x, PLAIN), S8);
    expect(await first(mixed, { int8Activations: 'kept' })).toMatchObject({ fused: false, cause: 'type' });
    const wide = await first((net, x) => net.qdq(net.conv(x, PLAIN), { scale: 0.001, type: 'uint16' }), { opset: 21 });
    expect(wide).toMatchObject({ fused: false, cause: 'type', detail: 'uint16 where the kernels take 8 bits' });
    const weights = await first((net, x) => net.qdq(net.conv(x, PLAIN, { type: 'uint8' }), S8), {
      input: S8,
      int8Activations: 'kept',
    });
    expect(weights).toMatchObject({ fused: false, cause: 'type' });
    const residual = (net: QdqNet, x: Value): Value => {
      const a = net.qdq(net.conv(x, PLAIN), S8);
      return net.qdq(net.one('Add', [a, net.qdq(net.conv(a, PLAIN), S8)]), S8);
    };
    const rewritten = await prove(residual, { input: S8 });
    expect(rewritten.nodes.find(({ fused }) => !fused)).toMatchObject({ cause: 'type' });
    expect(ranAs(await prove(residual, { input: S8, int8Activations: 'kept' }))).toEqual([
      'QLinearConv',
      'QLinearConv',
      'QLinearAdd',
    ]);
  });

  it('bias-scale: Conv refuses it, Gemm computes something else', async () => {
    const conv = await first((net, x) => net.qdq(net.conv(x, PLAIN, { bias: 'misscaled' })));
    expect(conv).toMatchObject({ fused: false, ranAs: 'Conv', cause: 'bias-scale' });
    const gemm = await only('Gemm', (net, x) => {
      const features = net.qdq(net.one('Flatten', [x]));
      const weights = net.weights([1024, 10]);
      return net.qdq(net.one('Gemm', [features, weights, net.bias(features, weights, 10, 'misscaled')]));
    });
    expect(gemm).toMatchObject({ fused: false, ranAs: 'QGemm', cause: 'bias-scale' });
    expect(gemm.detail).toBe('its bias has the scale 0.0003 where input times weights give 0.0002');
    expect(await first((net, x) => net.qdq(net.conv(x, PLAIN, { bias: 'ulp' })))).toMatchObject({ fused: true });
  });

  it('weights: float, or scales along the wrong axis, which the kernel would read otherwise', async () => {
    const float = await only('MatMul', (net, x) =>
      net.qdq(net.one('MatMul', [net.qdq(net.one('Flatten', [x])), net.random('float32', [1024, 10])])),
    );
    expect(float).toMatchObject({ fused: false, ranAs: 'MatMul', cause: 'weights' });
    const wrongAxis = await first((net, x) => net.qdq(net.conv(x, PLAIN, { axis: 1, bias: 'none' })));
    expect(wrongAxis).toMatchObject({ fused: false, ranAs: 'QLinearConv', cause: 'weights' });
  });

  it('no-int8-kernel: operators and attributes that run in float', async () => {
    const transposed = await first((net, x) => net.qdq(net.conv(x, PLAIN, { opType: 'ConvTranspose' })));
    expect(transposed).toMatchObject({ fused: false, ranAs: 'ConvTranspose', cause: 'no-int8-kernel' });
    const linear = await first((net, x) =>
      net.qdq(net.one('Resize', [x, undefined, net.tensor('float32', [4], [1, 1, 2, 2])], { mode: 'linear' })),
    );
    expect(linear.detail).toBe('the runtime has no integer kernel for Resize with the mode linear');
    const mean = await first((net, x) => net.qdq(net.one('ReduceMean', [x], { axes: [2, 3] })));
    expect(mean).toMatchObject({ fused: false, ranAs: 'ReduceMean', cause: 'no-int8-kernel' });
    const beta = await only('Gemm', (net, x) => {
      const features = net.qdq(net.one('Flatten', [x]));
      const weights = net.weights([1024, 10]);
      return net.qdq(net.one('Gemm', [features, weights, net.bias(features, weights, 10)], { beta: 0.5 }));
    });
    expect(beta.detail).toContain('a beta other than 1');
  });

  it('opset: MaxPool before 12', async () => {
    const pool = (net: QdqNet, x: Value): Value => net.qdq(net.one('MaxPool', [x], POOL));
    expect(await first(pool, { opset: 11 })).toMatchObject({ fused: false, ranAs: 'MaxPool', cause: 'opset' });
    expect(await first(pool, { opset: 12 })).toMatchObject({ fused: true, ranAs: 'MaxPool' });
  });

  it('parameters: MaxPool with another scale behind it', async () => {
    const proof = await first((net, x) => net.qdq(net.one('MaxPool', [x], POOL), OTHER));
    expect(proof).toMatchObject({ fused: false, ranAs: 'MaxPool', cause: 'parameters' });
    expect(proof.detail).toBe('scale and zero point must stay, and are 0.02 and 128 before it, 0.03 and 100 behind it');
  });

  it('unknown: a plan of something that is not there', async () => {
    const net = new QdqNet();
    const bytes = net.bytes(net.qdq(net.conv(net.qdq(net.input([1, 16, 8, 8])), PLAIN)));
    const planned = [{ node: 'gone', opType: 'Conv', output: 'nowhere', kind: 'conv' }];
    const { nodes } = await proveFusion(host, bytes, planned);
    expect(nodes).toMatchObject([{ fused: false, ranAs: undefined, cause: 'unknown' }]);
  });
});
