// Repair against answers that are known: channels that others can stand for, and constant ones, bring the outputs back; layers
// that nothing can help stay as they are; and a trained net agrees with the original again.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findChannelGroups } from '../../../src/analysis/channels.js';
import { InterruptError } from '../../../src/base/errors.js';
import { openData } from '../../../src/data/open-data.js';
import { parsePreprocess } from '../../../src/data/preprocess.js';
import { checkModel } from '../../../src/ir/check.js';
import { printModel } from '../../../src/ir/text/print.js';
import { openModel } from '../../../src/onnx/open.js';
import { allChannels, removeTracked } from '../../../src/pipeline/pruning/kept-channels.js';
import { repairLayers } from '../../../src/pipeline/pruning/repair.js';
import { benchFacts, type QuantizationBench } from '../../../src/pipeline/quantization/bench.js';
import { Workspace } from '../../../src/pipeline/workspace.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import type { TensorMap } from '../../../src/runtime/wire-tensor.js';
import { answers, apart, plantedBench, topClass, type PlantedNet } from './repair-net.js';

const host = new RuntimeHost();
let workspace: Workspace;

beforeAll(async () => {
  workspace = await Workspace.create(undefined);
});
afterAll(async () => {
  await host.dispose();
  await workspace.dispose();
});

const everyFourth = (width: number): number[] => Array.from({ length: Math.floor(width / 4) }, (_, unit) => 4 * unit);

const MIX = '1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2, -1';
const DIMS = [1, 3, 7, 7];

/** Channel 3 of h is h0 + 2 h1 - h2. */
const afterMix = (reader: string, weights: string, y = 'float[1,N,A,B] y'): PlantedNet => ({
  text: `g (float[1,3,7,7] x) => (${y})
<float[4,3,1,1] w = {${MIX}}, ${weights}>
{
  h = Conv (x, w)
  ${reader}
}`,
  dims: DIMS,
  units: { h: [3] },
});

/** The same in each of two groups of channels. */
const inTwoGroups: PlantedNet = {
  text: `g (float[1,3,7,7] x) => (float[1,6,7,7] y)
<float[8,3,1,1] w = {${MIX}, 2, 1, 0, 0, 1, 1, 0, 0, 3, 2, 2, 4}, float[6,4,3,3] v = random(1), float[6] b = random(2)>
{
  h = Conv (x, w)
  y = Conv <group = 2, pads = [1, 1, 1, 1]> (h, v, b)
}`,
  dims: DIMS,
  units: { h: [3] },
};

const READERS: Readonly<Record<string, PlantedNet>> = {
  'Conv, padded': afterMix('y = Conv <pads = [1, 1, 1, 1]> (h, v)', 'float[5,4,3,3] v = random(1)'),
  'Conv, strided and dilated': afterMix(
    'y = Conv <strides = [2, 1], dilations = [1, 2], pads = [0, 2, 1, 1]> (h, v, b)',
    'float[5,4,3,2] v = random(1), float[5] b = random(2)',
  ),
  'Conv, auto_pad': afterMix(
    'y = Conv <strides = [2, 2], auto_pad = "SAME_UPPER"> (h, v)',
    'float[5,4,3,3] v = random(1)',
  ),
  'Conv, grouped': inTwoGroups,
  ConvTranspose: afterMix(
    'y = ConvTranspose <strides = [2, 2], pads = [1, 0, 0, 1], output_padding = [1, 0]> (h, v)',
    'float[4,5,3,3] v = random(1)',
  ),
  'Gemm behind Flatten': afterMix(
    'f = Flatten (h)\n  y = Gemm (f, v, b)',
    'float[196,5] v = random(1), float[5] b = random(2)',
    'float[1,5] y',
  ),
  'Gemm with factors, transposed': afterMix(
    'p = GlobalAveragePool (h)\n  f = Flatten (p)\n  y = Gemm <alpha = 0.5, beta = 2.0, transB = 1> (f, v, b)',
    'float[5,4] v = random(1), float[5] b = random(2)',
    'float[1,5] y',
  ),
  'MatMul with its bias': afterMix(
    't = Transpose <perm = [0, 2, 3, 1]> (h)\n  m = MatMul (t, v)\n  y = Add (b, m)',
    'float[4,5] v = random(1), float[5] b = random(2)',
    'float[1,7,7,5] y',
  ),
  'MatMul without one': afterMix(
    't = Transpose <perm = [0, 2, 3, 1]> (h)\n  y = MatMul (t, v)',
    'float[4,5] v = random(1)',
    'float[1,7,7,5] y',
  ),
};

describe('a channel that others can stand for', () => {
  it.each(Object.entries(READERS))('%s', async (_, net) => {
    // Gemm behind Flatten has a column per position.
    const { bench, teacher, kept } = plantedBench(net, {
      host,
      workspace,
      samples: net.text.includes('196') ? 400 : 24,
    });
    const wanted = await answers(host, teacher, net.dims);
    expect(apart(wanted, await answers(host, bench.decoded, net.dims))).toBeGreaterThan(0.05);
    const { layers, refitted } = await repairLayers(bench, teacher, kept);
    expect(layers.map(({ result }) => result)).toEqual(['refitted']);
    expect(refitted).toBe(1);
    expect(layers[0]?.errorAfter).toBeLessThan(1e-9);
    expect(checkModel(bench.decoded.model)).toEqual([]);
    expect(apart(wanted, await answers(host, bench.decoded, net.dims))).toBeLessThan(1e-5);
  });

  it('leaves the original as it was', async () => {
    const { bench, teacher, kept } = plantedBench(inTwoGroups, { host, workspace, samples: 8 });
    const before = printModel(teacher.model, { weights: 'full' });
    await repairLayers(bench, teacher, kept);
    expect(printModel(teacher.model, { weights: 'full' })).toBe(before);
  });
});

describe('a constant channel', () => {
  const net: PlantedNet = {
    text: `g (float[1,2,6,6] x) => (float[1,2,4,4] y)
<float[3,2,1,1] w = {1, 0, 0, 1, 0, 0}, float[3] c = {0, 0, 5}, float[2,3,3,3] v = random(1)>
{
  h = Conv (x, w, c)
  y = Conv (h, v)
}`,
    dims: [1, 2, 6, 6],
    units: { h: [2] },
  };

  it('goes into a bias that was not there', async () => {
    const { bench, teacher, kept } = plantedBench(net, { host, workspace, samples: 40 });
    await repairLayers(bench, teacher, kept);
    const reader = bench.decoded.model.graph.last;
    const original = teacher.model.graph.last?.inputs[1]?.constant?.toNumbers() ?? [];
    const lost = [0, 1].map((o) => 5 * original.slice(o * 27 + 18, o * 27 + 27).reduce((sum, v) => sum + v, 0));
    expect(reader?.inputs[2]?.constant?.toNumbers()).toEqual(lost.map((b) => expect.closeTo(b, 4)));
    const rest = [0, 1].flatMap((o) => original.slice(o * 27, o * 27 + 18));
    expect(reader?.inputs[1]?.constant?.toNumbers()).toEqual(rest.map((v) => expect.closeTo(v, 4)));
  });

  it('is taken up behind a depthwise layer when its reader cannot be repaired', async () => {
    // The bias of the reader is computed: what it lost is a constant in front of the depthwise layer.
    const { bench, teacher, kept } = plantedBench(
      {
        text: `g (float[1,2,6,6] x) => (float[1,4,4,4] y)
<float[3,2,1,1] w = {1, 0, 0, 1, 0, 0}, float[3] c = {0, 0, 5}, float[2,3,1,1] v = random(1), float[4,1,3,3] d = random(2)>
{
  h = Conv (x, w, c)
  m = ReduceMean <axes = [0, 2, 3], keepdims = 0> (x)
  r = Conv (h, v, m)
  y = Conv <group = 2> (r, d)
}`,
        dims: [1, 2, 6, 6],
        units: { h: [2] },
      },
      { host, workspace, samples: 24 },
    );
    const wanted = await answers(host, teacher, [1, 2, 6, 6]);
    const { layers } = await repairLayers(bench, teacher, kept);
    expect(layers.map(({ result }) => result)).toEqual(['unsupported-bias', 'refitted']);
    expect(apart(wanted, await answers(host, bench.decoded, [1, 2, 6, 6]))).toBeLessThan(1e-5);
  });
});

/** Two residual blocks and a head; nothing can stand for what goes. */
const RESIDUAL: PlantedNet = {
  text: `g (float[1,3,8,8] x) => (float[1,4] y)
<float[6,3,3,3] w0 = random(0), float[6,6,3,3] w1 = random(1), float[6,6,3,3] w2 = random(2), float[6,6,3,3] w3 = random(3),
 float[6,6,3,3] w4 = random(4), float[6,4] w5 = random(5)>
{
  a = Conv <pads = [1, 1, 1, 1]> (x, w0)
  b = Conv <pads = [1, 1, 1, 1]> (a, w1)
  c = Relu (b)
  d = Conv <pads = [1, 1, 1, 1]> (c, w2)
  e = Add (a, d)
  f = Conv <pads = [1, 1, 1, 1]> (e, w3)
  i = Relu (f)
  j = Conv <pads = [1, 1, 1, 1]> (i, w4)
  k = Add (e, j)
  p = GlobalAveragePool (k)
  q = Flatten (p)
  y = MatMul (q, w5)
}`,
  dims: [1, 3, 8, 8],
  units: { b: [1, 4], f: [0] },
};

describe('layers behind the first change', () => {
  it('are repaired in order, or only those that sum over what went', async () => {
    const names = async (layers: 'readers' | 'all'): Promise<string[]> => {
      const { bench, teacher, kept } = plantedBench(RESIDUAL, { host, workspace, samples: 32 });
      const outcome = await repairLayers(bench, teacher, kept, { layers });
      const better = outcome.layers.filter(({ errorBefore = 0, errorAfter = 0 }) => errorAfter < errorBefore);
      expect(better).toHaveLength(outcome.refitted);
      return outcome.layers.map(({ opType, name }) => `${opType} ${name}`);
    };
    expect(await names('readers')).toHaveLength(2);
    expect((await names('all')).map((name) => name.split(' ')[0])).toEqual(['Conv', 'Conv', 'Conv', 'MatMul']);
  });

  it('are left alone but for those that are asked for', async () => {
    const { bench, teacher, kept } = plantedBench(RESIDUAL, { host, workspace, samples: 32 });
    const nodes = bench.decoded.model.graph.nodes().filter(({ opType }) => opType === 'Conv');
    const last = nodes.at(-1);
    const { layers } = await repairLayers(bench, teacher, kept, { layers: new Set(last ? [last] : []) });
    expect(layers.map(({ name, result }) => [name, result])).toEqual([[last?.label, 'refitted']]);
  });

  it('give the same however little memory there is, and in every run', async () => {
    const repaired = async (cacheBytes?: number): Promise<number[]> => {
      const { bench, teacher, kept } = plantedBench(RESIDUAL, { host, workspace, samples: 16 });
      await repairLayers(bench, teacher, kept, cacheBytes === undefined ? {} : { cacheBytes });
      const weights = [...bench.decoded.model.graph.initializers].toSorted((a, b) => (a.name < b.name ? -1 : 1));
      return weights.flatMap((value) => value.constant?.toNumbers() ?? []);
    };
    const first = await repaired();
    expect(await repaired()).toEqual(first);
    expect(apart(first, await repaired(0))).toBeLessThan(1e-5);
  });

  it('stop when asked to', async () => {
    const { bench, teacher, kept } = plantedBench(RESIDUAL, { host, workspace, samples: 16 });
    const controller = new AbortController();
    let stages = 0;
    const onStage = (): void => {
      if (++stages === 2) controller.abort();
    };
    await expect(repairLayers(bench, teacher, kept, { signal: controller.signal, onStage })).rejects.toThrow(
      InterruptError,
    );
  });

  it('are none where nothing was removed', async () => {
    const { bench, teacher } = plantedBench({ ...RESIDUAL, units: {} }, { host, workspace, samples: 4 });
    const before = printModel(bench.decoded.model, { weights: 'full' });
    expect(await repairLayers(bench, teacher, allChannels())).toEqual({ layers: [], refitted: 0, samples: 4 });
    expect(printModel(bench.decoded.model, { weights: 'full' })).toBe(before);
  });
});

describe('the guard', () => {
  it('leaves a layer alone that loses nothing, and takes away the bias it tried', async () => {
    const { bench, teacher, kept } = plantedBench(
      {
        text: `g (float[1,6] x) => (float[1,3] y)
<float[6,4] w = random(1), float[4,3] v = {1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0}>
{
  m = MatMul (x, w)
  h = Relu (m)
  y = MatMul (h, v)
}`,
        dims: [1, 6],
        units: { m: [3] },
      },
      { host, workspace, samples: 64 },
    );
    const before = printModel(bench.decoded.model, { weights: 'full' });
    const { layers } = await repairLayers(bench, teacher, kept);
    expect(layers.map(({ result }) => result)).toEqual(['no-better']);
    expect(printModel(bench.decoded.model, { weights: 'full' })).toBe(before);
  });

  it('keeps a wide layer on few samples from getting worse', async () => {
    // 20 samples of 2 positions for 577 columns: a plain fit would follow the samples.
    const net: PlantedNet = {
      text: `g (float[1,8,12,12] x) => (float[1,8,12,12] y)
<float[64,8,3,3] w = random(1), float[8,64,3,3] v = random(2)>
{
  a = Conv <pads = [1, 1, 1, 1]> (x, w)
  h = Relu (a)
  y = Conv <pads = [1, 1, 1, 1]> (h, v)
}`,
      dims: [1, 8, 12, 12],
      units: { a: [5, 20, 33, 47] },
    };
    const { bench, teacher, kept } = plantedBench(net, { host, workspace, samples: 20 });
    const error = async (): Promise<number> => {
      const [wanted, given] = [await answers(host, teacher, net.dims), await answers(host, bench.decoded, net.dims)];
      return wanted.reduce((sum, x, i) => sum + (x - (given[i] ?? 0)) ** 2, 0);
    };
    const unrepaired = await error();
    await repairLayers(bench, teacher, kept, { positions: 2 });
    expect(await error()).toBeLessThan(unrepaired);
  });
});

const assets = process.env['MCOMPRESS_ASSETS'] ?? fileURLToPath(new URL('../../../../shared/assets', import.meta.url));
const resnet = `${assets}/models/resnet20-cifar10.onnx`;

describe.skipIf(!existsSync(resnet))('ResNet-20 without a quarter of the channels inside its blocks', () => {
  it('agrees with the original again', { timeout: 300_000 }, async () => {
    const samples = 96;
    const [student, teacher] = [await openModel(resnet, {}), await openModel(resnet, {})];
    const name = student.model.graph.inputs[0]?.name ?? 'input';
    const inputs = [{ name, dtype: 'float32' as const, dims: [1, 3, 32, 32] }];
    const data = await openData(`${assets}/cifar10#train`, { inputs, preprocess: parsePreprocess('cifar10') });
    const bench: QuantizationBench = {
      decoded: student,
      host,
      workspace,
      samples,
      async *feeds(): AsyncGenerator<TensorMap> {
        for await (const { feeds } of data.samples({ to: samples })) yield feeds;
      },
      shapes: new Map([[name, [1, 3, 32, 32]]]),
      signal: new AbortController().signal,
    };
    const facts = benchFacts(bench);
    const inner = findChannelGroups(student.model, facts).filter(
      ({ frozen, makers }) => !frozen && makers.length === 1,
    );
    const removals = new Map(inner.map((group) => [group, everyFourth(group.width)]));
    const { kept } = removeTracked(student.model, facts, removals);
    const judge = async (): Promise<number> => {
      let agreeing = 0;
      let all = 0;
      for await (const { feeds } of data.samples({ from: samples, to: samples + 100 })) {
        const [own, original] = [await topClass(host, student, feeds), await topClass(host, teacher, feeds)];
        if (own === original) agreeing++;
        all++;
      }
      return agreeing / all;
    };
    const before = await judge();
    const { layers } = await repairLayers(bench, teacher, kept);
    expect(layers.filter(({ result }) => result === 'refitted').length).toBeGreaterThan(9);
    const after = await judge();
    expect(after).toBeGreaterThan(0.75);
    expect(after).toBeGreaterThan(before + 0.2);
  });
});
