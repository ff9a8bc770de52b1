// Conversion to float16 over the models beside the repository: half the size, and outputs that agree.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createFacts } from '../../src/analysis/inference.js';
import { weightsOf } from '../../src/analysis/weights.js';
import type { Model } from '../../src/ir/model.js';
import { parseModel } from '../../src/ir/text/parse.js';
import { printModel } from '../../src/ir/text/print.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { openModel } from '../../src/onnx/open.js';
import { foldConstants } from '../../src/passes/exact/fold-constants.js';
import { convertFp16 } from '../../src/passes/quantize/convert-fp16.js';
import { configure } from '../../src/pipeline/configured-pass.js';
import { createEvaluator } from '../../src/pipeline/evaluator.js';
import { runPasses } from '../../src/pipeline/run-passes.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import { isFloat } from '../../src/tensor/dtype.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { ASSET_MODELS } from '../asset-models.js';
import { assetFolder } from '../onnx/model-files.js';
import { feedsFor } from './run-model.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

const signal = new AbortController().signal;
const environment = {
  createFacts: (model: Model) => createFacts(model),
  evaluator: createEvaluator(host, signal),
  seed: 0,
  signal,
};
const FOLDERS = [assetFolder, ...(process.env['MCOMPRESS_MODELS']?.split(':') ?? [])];
const pathOf = (name: string): string | undefined =>
  FOLDERS.map((folder) => join(folder, name)).find((path) => existsSync(path));

/** Sizes and contents of inputs where random ones will not do, as in golden cases. */
const FEEDS: Readonly<Record<string, string>> = {
  'ppocrv4-det.onnx': 'float[1,3,64,96] x = uniform(-2, 2, 1)',
  'silero-vad-16k.onnx': 'batch = 1\nsequence = 576\nint64 sr = {16000}',
};

/** Quantized already, so that nothing is left to convert; a picture of 720 x 720 takes seconds. */
const LEFT_OUT: ReadonlySet<string> = new Set(['resnet8-cifar10-int8-qdq.onnx', 'style-candy.onnx']);

/** Outputs of nets are probabilities and the like: errors count against 1 where all outputs are smaller. */
function worst(before: ReadonlyMap<string, Tensor>, after: ReadonlyMap<string, Tensor>): number {
  let error = 0;
  for (const [name, tensor] of before) {
    if (!isFloat(tensor.dtype)) continue;
    const [a, b] = [tensor.toFloat64(), after.get(name)?.toFloat64() ?? new Float64Array()];
    const scale = a.reduce((largest, x) => Math.max(largest, Math.abs(x)), 1);
    expect(b.length).toBe(a.length);
    for (const [i, x] of a.entries()) error = Math.max(error, Math.abs(x - (b[i] ?? Number.NaN)) / scale);
  }
  return error;
}

describe.each(ASSET_MODELS.filter((name) => !LEFT_OUT.has(name)))('%s', (name) => {
  const path = pathOf(name);

  it.skipIf(path === undefined).each(['weights', 'values'])('form=%s', async (form) => {
    const file = path ?? '';
    const { model } = await openModel(file);
    const feeds = feedsFor(model, 1, FEEDS[name]);
    const before = await host.run(file, feeds, { optimization: 'all' });
    await runPasses(model, [configure(convertFp16, { form })], environment);
    const bytes = Buffer.concat(encodeModel(undefined, model));
    const after = await host.run(bytes, feeds, { optimization: 'all' });
    expect(worst(before, after)).toBeLessThan(1e-2);
    const weights = weightsOf(model).reduce((sum, tensor) => sum + tensor.byteLength, 0);
    expect(bytes.length).toBeLessThan(statSync(file).size - 0.8 * weights);
  });
});

describe('the recipe of exact passes behind it', () => {
  it('leaves stored float16 as it is', async () => {
    const model = parseModel('g (float[N,16] x) => (float[N,16] y) <float[16,16] w = random(1)> { y = MatMul (x, w) }');
    const recipe = [configure(foldConstants, {}), configure(convertFp16, {})];
    await runPasses(model, recipe, environment);
    expect(printModel(model, { weights: 'brief' })).toContain('float16[16,16]');
  });
});
