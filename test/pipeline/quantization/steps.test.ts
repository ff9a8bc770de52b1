// The steps of quantization, each on a small net: what it is for, it does, and it never makes the outputs worse than without.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openModel } from '../../../src/onnx/open.js';
import { absorbBiases } from '../../../src/pipeline/quantization/absorb-biases.js';
import { observeChannels, type QuantizationBench } from '../../../src/pipeline/quantization/bench.js';
import { correctBiases } from '../../../src/pipeline/quantization/correct-biases.js';
import { OutputReference } from '../../../src/pipeline/quantization/output-error.js';
import {
  applyQuantization,
  prepareQuantization,
  type Preparation,
  type QuantizationSettings,
} from '../../../src/pipeline/quantization/quantize.js';
import { refineRanges } from '../../../src/pipeline/quantization/refine-ranges.js';
import { Workspace } from '../../../src/pipeline/workspace.js';
import { TARGETS } from '../../../src/passes/quantize/target.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { netData, writeNet } from './net.js';

const SAMPLES = 12;
const SETTINGS: QuantizationSettings = {
  target: TARGETS['x64-vnni'],
  calibrators: ['min-max', 'percentile-99.9', 'mse'],
  equalize: 'on',
  rounding: 'second-order',
};

let folder = '';
let workspace: Workspace;
const host = new RuntimeHost();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mc-steps-'));
  workspace = await Workspace.create(undefined);
});
afterAll(async () => {
  await host.dispose();
  await workspace.dispose();
  rmSync(folder, { recursive: true, force: true });
});

async function netBench(): Promise<QuantizationBench> {
  const decoded = await openModel(writeNet(folder), {});
  return {
    decoded,
    host,
    workspace,
    samples: SAMPLES,
    async *feeds() {
      for await (const { feeds } of netData(SAMPLES).samples()) yield feeds;
    },
    shapes: new Map([['x', [1, 3, 24, 24]]]),
    signal: new AbortController().signal,
  };
}

/** Error of the outputs of a quantized net, and what was prepared. */
async function errorWith(
  settings: Partial<QuantizationSettings>,
  change: (bench: QuantizationBench, preparation: Preparation) => Promise<Preparation> = (_, same) =>
    Promise.resolve(same),
): Promise<{ error: number; preparation: Preparation; bench: QuantizationBench; reference: OutputReference }> {
  const bench = await netBench();
  const reference = await OutputReference.of(bench);
  const preparation = await change(bench, await prepareQuantization(bench, { ...SETTINGS, ...settings }));
  applyQuantization(bench, preparation, new Set());
  return { error: await reference.noise({ samples: SAMPLES }), preparation, bench, reference };
}

describe('second-order rounding', () => {
  it('brings the outputs nearer than rounding to the nearest', async () => {
    const nearest = await errorWith({ rounding: 'nearest', equalize: 'off' });
    const second = await errorWith({ equalize: 'off' });
    expect(second.error).toBeLessThan(nearest.error);
    expect(second.preparation.rounded.size).toBe(5);
    expect(nearest.preparation.rounded.size).toBe(0);
  });
});

describe('the choice of ranges', () => {
  it('takes for every value the calibrator with the least noise at its readers', async () => {
    const { preparation } = await errorWith({});
    for (const { calibrator, noise } of preparation.ranges.values()) {
      if (calibrator === 'fixed' || noise.size === 0) continue;
      expect(noise.get(calibrator)).toBe(Math.min(...noise.values()));
    }
    expect([...preparation.ranges.values()].some(({ noise }) => noise.size > 1)).toBe(true);
  });

  it('has nothing to choose with one calibrator', async () => {
    const { preparation } = await errorWith({ calibrators: ['min-max'] });
    expect(new Set([...preparation.ranges.values()].map(({ calibrator }) => calibrator))).toEqual(new Set(['min-max']));
  });
});

describe('the error of the outputs', () => {
  const net = (last: string, weight: number): string => `<ir_version: 8, opset_import: ["" : 17]>
    g (float[1,3,24,24] x) => (float[1,1,24,24] y) <float[1,3,1,1] w = {${weight}, 2, 1}, float[1] b = {-30}> {
    c = Conv (x, w, b)
    ${last}
  }`;
  const errorOf = async (last: string, weight: number): Promise<number> => {
    const bench = await netBench();
    const other = { ...bench, decoded: { ...bench.decoded, model: parseModel(net(last, weight)) } };
    const float = { ...bench.decoded, model: parseModel(net(last, 1)) };
    return (await OutputReference.of(other, float)).noise({ samples: 2 });
  };

  it('is that of the scores in front of a last Sigmoid', async () => {
    const scores = await errorOf('y = Identity (c)', 1.1);
    expect(scores).toBeGreaterThan(0);
    expect(await errorOf('y = Sigmoid (c)', 1.1)).toBeCloseTo(scores, 12);
    expect(await errorOf('d = Sigmoid (c)\ny = Identity (d)', 1.1)).toBeCloseTo(scores, 12);
    expect(await errorOf('y = Exp (c)', 1.1)).toBeGreaterThan(5 * scores);
    expect(await errorOf('y = Sigmoid (c)', 1)).toBe(0);
  });
});

describe('refined ranges', () => {
  it('never leave the outputs further away on the samples, and keep the model as prepared', async () => {
    const plain = await errorWith({ calibrators: ['min-max'] });
    let mark: unknown;
    const refined = await errorWith({ calibrators: ['min-max'] }, async (bench, preparation) => {
      const result = await refineRanges(bench, preparation);
      mark = bench.decoded.model.journal.mark();
      expect(mark).toBe(preparation.mark);
      return result;
    });
    expect(refined.error).toBeLessThanOrEqual(plain.error);
  });
});

describe('bias correction', () => {
  it('brings the mean of every product back to that of the float model', async () => {
    const { bench, preparation } = await errorWith({ rounding: 'nearest' });
    const applied = applyQuantization(bench, preparation, new Set());
    const shift = async (): Promise<number> => {
      const outputs = [...preparation.means.byNode.keys()].flatMap(({ output }) => output ?? []);
      const now = await observeChannels(bench, outputs);
      return [...preparation.means.byNode].reduce((sum, [node, mean]) => {
        const found = node.output && now.get(node.output);
        return sum + mean.reduce((all, m, c) => all + (m - (found?.mean[c] ?? 0)) ** 2, 0);
      }, 0);
    };
    const before = await shift();
    await correctBiases(bench, applied.biases, preparation.means);
    expect(await shift()).toBeLessThan(before / 4);
  });
});

describe('absorbed biases', () => {
  /** Channel 0 of `a` is never below 5 on any input; `b` reads it without padding, and with. */
  const net = (attributes: string): string => `<ir_version: 8, opset_import: ["" : 17]>
g (float[1,1,4,4] x) => (float[1,1,N,N] y)
<
  float[2,1,1,1] wa = {0.01, 1}, float[2] ba = {5, 0},
  float[1,2,3,3] wb = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1}, float[1] bb = {0}
>
{
  a = Conv (x, wa, ba)
  r = Relu (a)
  y = Conv ${attributes} (r, wb, bb)
}`;

  it.each([
    ['', 1],
    ['<pads = [1, 1, 1, 1]>', 0],
  ])('move what a channel has at least to the next layer, unless that pads %s', async (attributes, expected) => {
    const model = parseModel(net(attributes));
    const { decoded, ...bench } = await netBench();
    const small: QuantizationBench = { ...bench, shapes: new Map(), decoded: { ...decoded, model } };
    const [, relu] = model.graph.nodes();
    if (!relu?.output) throw new TypeError('no Relu');
    const seen = new Map([[relu.output, { min: Float64Array.of(5, 0), max: Float64Array.of(5.1, 3) }]]);
    expect(absorbBiases(small, seen)).toBe(expected);
    const [first, , second] = model.graph.nodes().map(({ inputs }) => inputs[2]?.constant?.toNumbers());
    // Half of 5 is moved: 45 = 1 + ... + 9 times it.
    expect(first).toEqual([expected === 1 ? 2.5 : 5, 0]);
    expect(second).toEqual([expected === 1 ? 112.5 : 0]);
  });
});
