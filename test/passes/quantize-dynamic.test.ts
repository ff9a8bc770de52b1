// Dynamic quantization on the runtime: what it fuses, how far outputs are from float, and a net with an LSTM in branches.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createFacts } from '../../src/analysis/inference.js';
import type { Model } from '../../src/ir/model.js';
import { parseModel } from '../../src/ir/text/parse.js';
import { decodeModel } from '../../src/onnx/decode.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { openModel } from '../../src/onnx/open.js';
import { columnWeights } from '../../src/passes/dynamic-product.js';
import { EXACT_PASSES } from '../../src/passes/exact/passes.js';
import { quantizeDynamic } from '../../src/passes/quantize/quantize-dynamic.js';
import { configure } from '../../src/pipeline/configured-pass.js';
import { createEvaluator } from '../../src/pipeline/evaluator.js';
import { runPasses } from '../../src/pipeline/run-passes.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import { optimizedGraph } from '../../src/runtime/optimized-graph.js';
import { Tensor } from '../../src/tensor/tensor.js';
import { permuteTensor } from '../../src/tensor/view.js';
import { assetFolder } from '../onnx/model-files.js';
import { difference, feedsFor } from './run-model.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

const signal = new AbortController().signal;
const environment = {
  createFacts: (model: Model) => createFacts(model),
  evaluator: createEvaluator(host, signal),
  seed: 0,
  signal,
};
const quantized = (options: Record<string, unknown> = {}) => configure(quantizeDynamic, options);
const bytesOf = (model: Model): Buffer => Buffer.concat(encodeModel(undefined, model));

const NET = `g (float[N,64] x, float[5,1,32] s) => (float[N,48] y, float[N,64,48] z, float[5,1,1,32] t)
  <float[64,96] w1 = random(1), float[96] b1 = random(2), float[48,96] w2 = random(3), float[48] b2 = random(4),
   float[64,48] w3 = random(5), float[1,128,32] w = random(6), float[1,128,32] r = random(7), float[1,256] b = random(8),
   int64[1] axis = {1}, float[64,1] k = random(9)> {
    a = MatMul (x, w1)
    a2 = Add (a, b1)
    a3 = Relu (a2)
    y = Gemm <transB = 1> (a3, w2, b2)
    i = Unsqueeze (x, axis)
    m = Mul (i, k)
    z = MatMul (m, w3)
    t = LSTM <hidden_size = 32> (s, w, r, b)
  }`;

describe('quantizeDynamic', () => {
  it('gives nodes that the runtime fuses, and outputs near those of float', async () => {
    const [before, after] = [parseModel(NET), parseModel(NET)];
    await runPasses(after, [quantized({ minimum: 1 })], environment);
    const fused = decodeModel(await optimizedGraph(host, bytesOf(after))).model.graph.nodes();
    const types = fused.map(({ opType }) => opType).sort();
    expect(types.filter((type) => type.includes('Quantize') || type.includes('Integer'))).toEqual([
      'DynamicQuantizeLSTM',
      'DynamicQuantizeMatMul',
      'DynamicQuantizeMatMul',
      'DynamicQuantizeMatMul',
    ]);
    for (const seed of [0, 1]) {
      const feeds = feedsFor(before, seed);
      const [float, integer] = [await host.run(bytesOf(before), feeds), await host.run(bytesOf(after), feeds)];
      expect(difference(float, integer, 0.02)).toBeUndefined();
      expect(difference(float, integer, 1e-5)).toBeDefined();
    }
  });

  it('is nearer to float with 8 bits than with 7', async () => {
    const errors: number[] = [];
    for (const bits of [7, 8]) {
      const model = parseModel(NET);
      await runPasses(model, [quantized({ minimum: 1, 'weight-bits': bits })], environment);
      const feeds = feedsFor(model, 0);
      const a = (await host.run(bytesOf(parseModel(NET)), feeds)).get('z')?.toFloat64() ?? new Float64Array();
      const b = (await host.run(bytesOf(model), feeds)).get('z')?.toFloat64() ?? new Float64Array();
      errors.push(a.reduce((sum, x, i) => sum + (x - (b[i] ?? 0)) ** 2, 0));
    }
    expect(errors[1]).toBeLessThan(errors[0] ?? 0);
  });
});

describe('columnWeights', () => {
  it('rounds half to even, keeps zero columns, and has a scale per column of every matrix', () => {
    const matrices = Tensor.fromNumbers('float32', [2, 2, 2], [4, 0, 2.5, 0, -8, 1, 3, -0.5]);
    const { integers, scales } = columnWeights(matrices, 4);
    expect(scales.toNumbers()).toEqual([1, 1, 2, 0.25]);
    expect(integers.toNumbers()).toEqual([4, 0, 2, 0, -4, 4, 2, -2]);
    expect(scales.dims).toEqual([2, 2]);
  });
});

/** Rounded as the runtime does it: 256 steps over the whole tensor, 0 among them. */
function rounded(tensor: Tensor): Tensor {
  const numbers = tensor.toFloat64();
  const [low, high] = [Math.min(0, ...numbers), Math.max(0, ...numbers)];
  const scale = Math.fround((high - low) / 255);
  const zero = Math.round(-low / scale);
  const steps = numbers.map((x) => scale * (Math.min(255, Math.max(0, Math.round(x / scale) + zero)) - zero));
  return Tensor.fromNumbers('float32', tensor.dims, steps);
}

describe('the dynamic LSTM of the runtime', () => {
  const NET_OF = (
    batch: number,
  ): string => `g (float[1,${batch},24] x, float[1,${batch},32] h, float[1,${batch},32] c) =>
      (float[1,1,${batch},32] y) <float[1,128,24] w = random(1), float[1,128,32] r = random(2), float[1,256] b = random(3)> {
    y = LSTM <hidden_size = 32> (x, w, r, b, , h, c)
  }`;

  // In a batch one scale serves all samples: what one of them is off by depends on the others, and nothing else is wrong.
  it.each([1, 2, 3])('gives the LSTM of the rounded inputs for a batch of %i', async (batch) => {
    const model = parseModel(NET_OF(batch));
    const feeds = new Map([...feedsFor(model, 3)].map(([name, tensor]) => [name, tensor]));
    const spread =
      feeds
        .get('x')
        ?.toFloat64()
        .map((x, i) => (i < 24 ? 40 * x : x)) ?? [];
    feeds.set('x', Tensor.fromNumbers('float32', [1, batch, 24], spread));
    const weights = (at: number): Tensor => {
      const source = [...model.allNodes()][0]?.inputs[at]?.constant;
      if (!source) throw new TypeError('no weights');
      const { integers, scales } = columnWeights(permuteTensor(source, [0, 2, 1]), 127);
      const columns = scales.size;
      const real = integers.toFloat64().map((w, i) => w * (scales.toNumbers()[i % columns] ?? 0));
      return permuteTensor(Tensor.fromNumbers('float32', integers.dims, real), [0, 2, 1]);
    };
    const reference = parseModel(NET_OF(batch));
    const [node] = [...reference.allNodes()];
    for (const at of [1, 2]) {
      const value = node?.inputs[at];
      if (node && value)
        reference.graph.setInput(node, at, reference.graph.addInitializer(weights(at), `rounded${at}`));
    }
    const roundedFeeds = new Map([...feeds].map(([name, one]) => [name, name === 'c' ? one : rounded(one)]));
    const wanted = await host.run(bytesOf(reference), roundedFeeds);
    await runPasses(model, [quantized({ minimum: 1 })], environment);
    expect([...model.allNodes()].map(({ opType }) => opType)).toEqual(['DynamicQuantizeLSTM']);
    expect(difference(wanted, await host.run(bytesOf(model), feeds), 1e-4)).toBeUndefined();
  });
});

describe('recurrent layers without a dynamic kernel', () => {
  it.each(['GRU', 'RNN'])('the runtime knows no DynamicQuantize%s, and the pass says so', async (opType) => {
    const gates = opType === 'GRU' ? 3 : 1;
    const text = (
      name: string,
      domain: string,
    ): string => `<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
      g (float[5,1,32] s) => (float[5,1,1,32] y) <float[1,${gates * 32},32] w = random(1), float[1,${gates * 32},32] r = random(2)> {
        y = ${domain}${name} <hidden_size = 32> (s, w, r)
      }`;
    const unknown = bytesOf(parseModel(text(`DynamicQuantize${opType}`, 'com.microsoft.')));
    await expect(host.describe(unknown, {})).rejects.toMatchObject({ code: 'runtime-rejects' });
    const model = parseModel(text(opType, ''));
    const log = await runPasses(model, [quantized({ minimum: 1 })], environment);
    expect(log.rewrites).toEqual([]);
    expect(log.declines().map((one) => one.code)).toContain('no-kernel');
  });
});

const silero = join(assetFolder, 'silero-vad-16k.onnx');

describe.skipIf(!existsSync(silero))('silero-vad-16k', () => {
  it('runs its LSTM in 8 bits, and agrees', async () => {
    const { model } = await openModel(silero);
    const feeds = feedsFor(model, 1, 'batch = 1\nsequence = 576\nint64 sr = {16000}');
    const before = await host.run(silero, feeds);
    await runPasses(model, [...EXACT_PASSES.map((pass) => configure(pass, {})), quantized()], environment);
    const types = [...model.allNodes()].map(({ opType }) => opType);
    expect(types).toContain('DynamicQuantizeLSTM');
    expect(types).not.toContain('LSTM');
    expect(difference(before, await host.run(bytesOf(model), feeds), 0.02)).toBeUndefined();
    const two = feedsFor(model, 1, 'batch = 2\nsequence = 576\nint64 sr = {16000}');
    expect(difference(await host.run(silero, two), await host.run(bytesOf(model), two), 0.05)).toBeUndefined();
  });
});
