// Evidence of groups as ONNX Runtime gives it: against numbers known beforehand, however memory splits the runs; and every
// score on a trained net.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChannelGroup } from '../../../src/analysis/channel-group.js';
import { findChannelGroups } from '../../../src/analysis/channels.js';
import { createRng } from '../../../src/base/rng.js';
import { openData } from '../../../src/data/open-data.js';
import { parsePreprocess } from '../../../src/data/preprocess.js';
import { absorbInputs } from '../../../src/fit/refit.js';
import { weightRows } from '../../../src/fit/patch-geometry.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { matrix } from '../../../src/linalg/matrix.js';
import { encodeModel } from '../../../src/onnx/encode.js';
import { openModel } from '../../../src/onnx/open.js';
import { isRefusal } from '../../../src/passes/plan.js';
import { readerLayer } from '../../../src/passes/linear-layer.js';
import { SCORES } from '../../../src/passes/prune/scores/registry.js';
import { unitIndices } from '../../../src/passes/prune/scores/units.js';
import type { GroupEvidence, ScoreNeed } from '../../../src/passes/prune/scores/score.js';
import { observeGroups, type ObserveGroupsOptions } from '../../../src/pipeline/pruning/observe-groups.js';
import { benchFacts, type QuantizationBench } from '../../../src/pipeline/quantization/bench.js';
import { Workspace } from '../../../src/pipeline/workspace.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import type { TensorMap } from '../../../src/runtime/wire-tensor.js';
import { Tensor } from '../../../src/tensor/tensor.js';

const assets = process.env['MCOMPRESS_ASSETS'] ?? fileURLToPath(new URL('../../../../shared/assets', import.meta.url));
const EVERYTHING: ReadonlySet<ScoreNeed> = new Set(['weights', 'activations', 'moments', 'covariance']);

let folder = '';
let workspace: Workspace;
const host = new RuntimeHost();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mc-groups-'));
  workspace = await Workspace.create(undefined);
});
afterAll(async () => {
  await host.dispose();
  await workspace.dispose();
  rmSync(folder, { recursive: true, force: true });
});

/** h is x, -x and 2 x; two readers alike and one that is not; s joins a sum. */
const NET = `<ir_version: 8, opset_import: ["" : 17]>
g (float[1,1,4,4] x) => (float[1,2,4,4] y, float[1,2,4,4] z, float[1,1,4,4] q)
<
  float[3,1,1,1] w = {1, -1, 2}, float[2,3,3,3] v = random(1), float[2,3,3,3] t = random(2), float[4,3,1,1] u = random(3),
  float[1,4,1,1] k = random(4)
>
{
  h = Conv (x, w)
  r = Relu (h)
  y = Conv <pads = [1, 1, 1, 1]> (r, v)
  z = Conv <pads = [1, 1, 1, 1]> (r, t)
  a = Conv (r, u)
  b = Relu (a)
  q = Conv (b, k)
}`;

const SAMPLES = 6;

const sample = (at: number): Float32Array => {
  const rng = createRng(`sample ${at}`);
  return Float32Array.from({ length: 16 }, () => rng.normal());
};

async function netBench(): Promise<QuantizationBench> {
  const path = join(folder, 'net.onnx');
  writeFileSync(path, Buffer.concat(encodeModel(undefined, parseModel(NET))));
  return {
    decoded: await openModel(path, {}),
    host,
    workspace,
    samples: SAMPLES,
    async *feeds(): AsyncGenerator<TensorMap> {
      for (let at = 0; at < SAMPLES; at++)
        yield Promise.resolve(new Map([['x', Tensor.fromNumbers('float32', [1, 1, 4, 4], sample(at))]]));
    },
    shapes: new Map([['x', [1, 1, 4, 4]]]),
    signal: new AbortController().signal,
  };
}

async function evidenceOf(
  bench: QuantizationBench,
  options: Partial<ObserveGroupsOptions> = {},
): Promise<{ readonly evidence: GroupEvidence[]; readonly passes: number }> {
  const facts = benchFacts(bench);
  const groups = findChannelGroups(bench.decoded.model, facts).filter(({ frozen }) => frozen === undefined);
  const evidence: GroupEvidence[] = [];
  let passes = 0;
  const onPass = (pass: number): void => void (passes = pass);
  for await (const one of observeGroups(bench, groups, { needs: EVERYTHING, onPass, ...options })) evidence.push(one);
  expect(evidence.map(({ group }) => group)).toEqual(groups);
  return { evidence, passes };
}

describe('observeGroups', () => {
  it('gives the magnitudes, moments and covariance of what readers read', async () => {
    const { evidence, passes } = await evidenceOf(await netBench());
    expect(passes).toBe(1);
    const [first] = evidence;
    expect(first?.group.width).toBe(3);
    const all = Array.from({ length: SAMPLES }, (_, at) => [...sample(at)]).flat();
    const sum = (of: (x: number) => number): number => all.reduce((total, x) => total + of(x), 0);
    const [found] = [...(first?.activations.values() ?? [])];
    expect(found?.count).toBe(16 * SAMPLES);
    const positive = sum((x) => Math.max(0, x));
    expect([...(found?.absolute ?? [])]).toEqual(
      [positive, sum((x) => Math.max(0, -x)), 2 * positive].map((x) => expect.closeTo(x, 4)),
    );
    expect(found?.zeros[0]).toBe(all.filter((x) => x <= 0).length);
    const [covariance] = [...(first?.covariance.values() ?? [])];
    expect(covariance).toMatchObject({ columns: 4, rows: 16 * SAMPLES });
    // The packed upper triangle begins with sum of r0^2, r0 r1, r0 r2, r0.
    const squares = sum((x) => Math.max(0, x) ** 2);
    expect([...(covariance?.gram.subarray(0, 4) ?? [])]).toEqual(
      [squares, 0, 2 * squares, positive].map((x) => expect.closeTo(x, 4)),
    );
    const readers = first?.group.readers ?? [];
    expect(readers.map(({ node }) => node.output?.name)).toEqual(['y', 'z', 'a']);
    const moments = readers.map((reader) => first?.moments.get(reader));
    expect(moments.map((one) => one?.parts[0]?.columns)).toEqual([28, 28, 4]);
    // What layers see does not depend on what they make of it: gathered once for both.
    expect(moments[1]).toBe(moments[0]);
  });

  it('gives the same however memory splits the runs, and less where less is needed', async () => {
    const bench = await netBench();
    const whole = await evidenceOf(bench);
    const split = await evidenceOf(bench, { valueBytes: 1 });
    expect(split.passes).toBe(2);
    expect(split.evidence.map(({ moments }) => [...moments.values()])).toEqual(
      whole.evidence.map(({ moments }) => [...moments.values()]),
    );
    expect((await evidenceOf(bench, { momentBytes: 1 })).evidence).toEqual(whole.evidence);
    const weights = await evidenceOf(bench, { needs: new Set(['weights']) });
    expect(weights.passes).toBe(0);
    expect(weights.evidence.every(({ activations, moments }) => activations.size + moments.size === 0)).toBe(true);
    const fewer = await evidenceOf(bench, { needs: new Set(['activations']), samples: 2 });
    expect([...(fewer.evidence[0]?.activations.values() ?? [])][0]?.count).toBe(32);
    expect(fewer.evidence[0]?.covariance.size).toBe(0);
  });
});

const resnet = `${assets}/models/resnet20-cifar10.onnx`;

describe.skipIf(!existsSync(resnet))('ResNet-20', () => {
  async function resnetBench(samples: number): Promise<QuantizationBench> {
    const decoded = await openModel(resnet, {});
    const name = decoded.model.graph.inputs[0]?.name ?? 'input';
    const inputs = [{ name, dtype: 'float32' as const, dims: [1, 3, 32, 32] }];
    const data = await openData(`${assets}/cifar10#train`, { inputs, preprocess: parsePreprocess('cifar10') });
    return {
      decoded,
      host,
      workspace,
      samples,
      async *feeds(): AsyncGenerator<TensorMap> {
        for await (const { feeds } of data.samples({ to: samples })) yield feeds;
      },
      shapes: new Map([[name, [1, 3, 32, 32]]]),
      signal: new AbortController().signal,
    };
  }

  /** Error relative to the variance of the outputs when `units` leave the readers of a group. */
  function errorOf(evidence: GroupEvidence, units: readonly number[], bench: QuantizationBench): number {
    const facts = benchFacts(bench);
    return evidence.group.readers.reduce((sum, reader) => {
      const layer = readerLayer(reader, facts);
      const [data] = reader.node.inputs;
      const weights = reader.node.inputs[1]?.constant;
      const part = evidence.moments.get(reader)?.parts[0];
      if (!layer || !weights || !part) throw new Error('a reader was not observed');
      const patch = part.columns - 1;
      const taps = patch / layer.inputs;
      // Residual streams grow from stage to stage: a unit is another channel in each of them.
      const channels = data && unitIndices(evidence.group, data, reader.axis);
      const stored = weightRows(layer, weights.toFloat64());
      const rows = matrix(layer.outputs, part.columns);
      for (let o = 0; o < layer.outputs; o++)
        rows.data.set(stored.subarray(o * patch, (o + 1) * patch), o * (patch + 1));
      const gone = units.flatMap((unit) =>
        (channels?.[unit] ?? []).flatMap((channel) => Array.from({ length: taps }, (_, tap) => channel * taps + tap)),
      );
      const everything = Array.from({ length: patch }, (_, column) => column);
      const [error, variance] = [gone, everything].map(
        (columns) => absorbInputs(part, rows, columns)?.errorAfter ?? Number.NaN,
      );
      return sum + (error ?? Number.NaN) / (variance ?? Number.NaN);
    }, 0);
  }

  it('every score ranks the units of every group, and second order loses less than chance', async () => {
    const bench = await resnetBench(140);
    const facts = benchFacts(bench);
    const { evidence } = await evidenceOf(bench);
    expect(evidence.length).toBeGreaterThanOrEqual(9);
    const rng = createRng('resnet');
    for (const one of evidence) {
      const { group } = one;
      for (const score of Object.values(SCORES)) {
        const result = score.score(one, { facts, rng });
        if (score.name === 'gamma') continue;
        if (isRefusal(result)) throw new Error(`${score.name} of ${group.name}: ${result.refused}`);
        expect(result.values).toHaveLength(group.width);
        expect(result.values.every((x) => Number.isFinite(x))).toBe(true);
        const { removal } = result;
        expect(removal === undefined || new Set(removal.order).size === group.width).toBe(true);
      }
      // A refit per reader takes time: the residual streams have up to 19.
      if (group.readers.length > 3) continue;
      const obs = SCORES.obs.score(one, { facts, rng, estimate: 'sample' });
      if (isRefusal(obs) || !obs.removal) throw new Error('no order');
      const half = Math.floor(group.width / 2);
      const chosen = obs.removal.order.slice(0, half);
      const error = errorOf(one, chosen, bench);
      expect(Math.abs((obs.removal.errors[half] ?? Number.NaN) - error)).toBeLessThan(0.01 * group.readers.length);
      expect(error).toBeLessThan(errorOf(one, drawn(group, half), bench));
    }
  }, 120_000);

  function drawn(group: ChannelGroup, count: number): number[] {
    const rng = createRng(`drawn ${group.name}`);
    const units = Array.from({ length: group.width }, (_, unit) => ({ unit, at: rng.uniform() }));
    return units
      .toSorted((a, b) => a.at - b.at)
      .slice(0, count)
      .map(({ unit }) => unit);
  }
});
