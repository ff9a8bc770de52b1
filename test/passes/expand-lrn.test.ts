// LRN written out against its definition in float64, at sizes of inputs where the runtime's own kernel loses digits.
import { afterAll, describe, expect, it } from 'vitest';
import { createFacts } from '../../src/analysis/inference.js';
import { createRng } from '../../src/base/rng.js';
import { parseModel } from '../../src/ir/text/parse.js';
import { expandLrn } from '../../src/passes/exact/expand-lrn.js';
import { configure } from '../../src/pipeline/configured-pass.js';
import { runPasses } from '../../src/pipeline/run-passes.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import { Tensor } from '../../src/tensor/tensor.js';
import { runModel } from './run-model.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

const [CHANNELS, POSITIONS, SIZE, ALPHA, BIAS] = [12, 16, 5, 0.1, 1];
const NET = `<ir_version: 8, opset_import: ["" : 13]>
g (float[1,12,4,4] x) => (float[1,12,4,4] y)
{
  y = LRN <size = 5, alpha = 0.1, beta = 0.75, bias = 1.0> (x)
}`;

function defined(x: Float32Array): Float64Array {
  return Float64Array.from(x, (value, at) => {
    const [c, p] = [Math.floor(at / POSITIONS), at % POSITIONS];
    let sum = 0;
    for (let j = Math.max(0, c - 2); j <= Math.min(CHANNELS - 1, c + 2); j++) sum += (x[j * POSITIONS + p] ?? 0) ** 2;
    return value / (BIAS + (ALPHA / SIZE) * sum) ** 0.75;
  });
}

describe('LRN written out', () => {
  it.each([1e-3, 1, 1e2, 1e4])('is the definition for inputs of size %f', async (scale) => {
    const model = parseModel(NET);
    const signal = new AbortController().signal;
    await runPasses(model, [configure(expandLrn, {})], { createFacts, evaluator: undefined, seed: 0, signal });
    expect(model.graph.nodes().map(({ opType }) => opType)).not.toContain('LRN');
    const rng = createRng(`lrn ${scale}`);
    // Sizes of neighbours differ by orders of magnitude.
    const x = Float32Array.from(
      { length: CHANNELS * POSITIONS },
      () => scale * rng.normal() * 10 ** (3 * rng.uniform() - 2),
    );
    const outputs = await runModel(host, model, new Map([['x', Tensor.fromNumbers('float32', [1, 12, 4, 4], x)]]));
    const wanted = defined(x);
    const found = outputs.get('y')?.toNumbers() ?? [];
    for (const [at, value] of wanted.entries())
      expect(Math.abs((found[at] ?? Number.NaN) - value)).toBeLessThan(2e-6 * Math.abs(value) + 1e-12);
  });
});
