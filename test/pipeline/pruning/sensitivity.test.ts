// Curves of error by width: on a net with a unit that others make up for, against the model with the units really removed;
// interpolation by hand; without data; and groups that cannot be studied.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findChannelGroups } from '../../../src/analysis/channels.js';
import { createRng } from '../../../src/base/rng.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { encodeModel } from '../../../src/onnx/encode.js';
import { openModel } from '../../../src/onnx/open.js';
import { removeUnits } from '../../../src/passes/prune/remove-units.js';
import { absorbUnits } from '../../../src/pipeline/pruning/absorb-units.js';
import { observeGroups } from '../../../src/pipeline/pruning/observe-groups.js';
import { interpolated, studyGroups, type StudyOptions } from '../../../src/pipeline/pruning/sensitivity.js';
import type { GroupStudy } from '../../../src/pipeline/pruning/width-choice.js';
import { benchFacts, type QuantizationBench } from '../../../src/pipeline/quantization/bench.js';
import { OutputReference } from '../../../src/pipeline/quantization/output-error.js';
import { Workspace } from '../../../src/pipeline/workspace.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import type { TensorMap } from '../../../src/runtime/wire-tensor.js';
import { Tensor } from '../../../src/tensor/tensor.js';

let folder = '';
let workspace: Workspace;
const host = new RuntimeHost();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mc-curves-'));
  workspace = await Workspace.create(undefined);
});
afterAll(async () => {
  await host.dispose();
  await workspace.dispose();
  rmSync(folder, { recursive: true, force: true });
});

/** Unit 1 of h is twice unit 0, behind the Relu too; those of k have nothing in common. */
const NET = `<ir_version: 8, opset_import: ["" : 17]>
g (float[1,2,5,5] x) => (float[1,3,5,5] y)
<
  float[4,2,1,1] a = {1, -0.5, 2, -1, 0.3, 1, -0.7, 0.6}, float[4] ab = {0.1, 0.2, -0.1, 0.05},
  float[6,4,3,3] b = random(2), float[6] bb = random(3), float[3,6,1,1] c = random(4)
>
{
  h = Conv (x, a, ab)
  r = Relu (h)
  k = Conv <pads = [1, 1, 1, 1]> (r, b, bb)
  s = Relu (k)
  y = Conv (s, c)
}`;

/** The same for layers of rows: a Gemm with factors, and a product without a bias. */
const ROWS = `<ir_version: 8, opset_import: ["" : 17]>
g (float[1,2] x) => (float[1,3] y, float[1,2] z)
<
  float[2,4] a = {1, 2, 0.3, -0.7, -0.5, -1, 1, 0.6}, float[4] ab = {0.1, 0.2, -0.1, 0.05},
  float[3,4] b = random(2), float[3] bb = random(3), float[4,2] c = random(4)
>
{
  h = Gemm (x, a, ab)
  r = Relu (h)
  y = Gemm <alpha = 0.5, beta = 2.0, transB = 1> (r, b, bb)
  z = MatMul (r, c)
}`;

const SAMPLES = 64;

async function benchOf(text: string): Promise<QuantizationBench> {
  const path = join(folder, 'net.onnx');
  writeFileSync(path, Buffer.concat(encodeModel(undefined, parseModel(text))));
  const decoded = await openModel(path, {});
  const dims = text === ROWS ? [1, 2] : [1, 2, 5, 5];
  const size = dims.reduce((all, n) => all * n, 1);
  return {
    decoded,
    host,
    workspace,
    samples: SAMPLES,
    async *feeds(): AsyncGenerator<TensorMap> {
      for (let at = 0; at < SAMPLES; at++) {
        const rng = createRng(`sample ${at}`);
        const numbers = Float32Array.from({ length: size }, () => rng.normal());
        yield Promise.resolve(new Map([['x', Tensor.fromNumbers('float32', dims, numbers)]]));
      }
    },
    shapes: new Map([['x', dims]]),
    signal: new AbortController().signal,
  };
}

const OPTIONS: StudyOptions = {
  score: 'obs',
  seed: 1,
  levels: { rule: { kind: 'multiples', of: 1 } },
  data: 'given',
  judged: 8,
};

async function studyOf(bench: QuantizationBench, options: Partial<StudyOptions> = {}): Promise<GroupStudy> {
  const groups = findChannelGroups(bench.decoded.model, benchFacts(bench));
  return studyGroups(bench, groups, { ...OPTIONS, ...options });
}

const bytesOf = ({ decoded }: QuantizationBench): Buffer => Buffer.concat(encodeModel(undefined, decoded.model));

describe('studyGroups', () => {
  it('finds that a unit which others make up for costs nothing, and leaves the model as it was', async () => {
    const bench = await benchOf(NET);
    const before = bytesOf(bench);
    const { studied, left } = await studyOf(bench);
    expect(bytesOf(bench).equals(before)).toBe(true);
    expect(left.map(({ group, why }) => [group.name, why])).toEqual([['y', 'frozen']]);
    const [h, k] = studied;
    expect(h?.curve).toMatchObject({ kept: [1, 2, 3, 4], measured: [2, 3], basis: 'measured' });
    expect([0, 1]).toContain(h?.order[0]);
    const [fewest = 0, two = 0, three = 1, all] = h?.curve.errors ?? [];
    expect(three).toBeLessThan(1e-6);
    expect(two).toBeGreaterThan(1e-3);
    expect(fewest).toBeGreaterThanOrEqual(two);
    expect(all).toBe(0);
    expect(k?.curve.errors.slice(0, -1).every((error) => error > 1e-5)).toBe(true);
  });

  it('measures what a branch is worth with a linear map of the stream in its place', async () => {
    const weights = (text: string) => `<ir_version: 8, opset_import: ["" : 17]>
g (float[1,2,5,5] x) => (float[1,3,5,5] y)
<
  float[4,2,3,3] a = random(1), float[3,4,1,1] b = random(2), float[3] bb = {50, 50, 50}, float[4,3,1,1] c = random(3),
  float[3,4,3,3] d = random(4)
>
{
  s = Conv <pads = [1, 1, 1, 1]> (x, a)
  h = Conv (s, b, bb)
  r = ${text} (h)
  t = Conv (r, c)
  z = Add (s, t)
  k = Relu (z)
  y = Conv <pads = [1, 1, 1, 1]> (k, d)
}`;
    const curveOf = async (text: string) => {
      const bench = await benchOf(weights(text));
      const before = bytesOf(bench);
      const { studied } = await studyOf(bench, { levels: { rule: { kind: 'multiples', of: 1 }, branches: 'may-go' } });
      expect(bytesOf(bench).equals(before)).toBe(true);
      return studied.find(({ group }) => group.name === 'h')?.curve;
    };
    // What the Relu never cuts is linear in the stream; a sine is not.
    const [linear, bent] = [await curveOf('Relu'), await curveOf('Sin')];
    expect(linear?.kept).toEqual([0, 1, 2, 3]);
    expect(linear?.measured).toContain(0);
    expect(linear?.errors[0]).toBeLessThan(1e-3);
    expect(bent?.errors[0]).toBeGreaterThan(1e-2);
  });

  it('judges on samples apart from those that fit, however few there are', async () => {
    const bench = await benchOf(`<ir_version: 8, opset_import: ["" : 17]>
g (float[1,2,5,5] x) => (float[1,4] y)
<
  int64[2] rows = {1, 50}, float[50,64] a = random(1), float[64] ab = random(2), float[64,4] b = random(3)
>
{
  f = Reshape (x, rows)
  h = Gemm (f, a, ab)
  r = Relu (h)
  y = MatMul (r, b)
}`);
    // 6 rows are met by a fit of 8 units or more, whatever units these are.
    const { studied } = await studyOf({ ...bench, samples: 8 });
    const { kept = [], errors = [] } = studied.find(({ group }) => group.name === 'h')?.curve ?? {};
    expect(errors[kept.findIndex((units) => units >= 24)]).toBeGreaterThan(0.02);
  });

  it('counts on the layers behind where all of them will be refitted', async () => {
    const bench = await benchOf(NET);
    const [alone, repaired] = [await studyOf(bench), await studyOf(bench, { repair: 'on' })];
    const ratios = alone.studied.map(
      ({ curve }, at) => (repaired.studied[at]?.curve.errors[0] ?? 0) / (curve.errors[0] ?? 1),
    );
    // Behind the reader of h lies one layer, behind that of k none.
    expect(ratios[0]).toBeCloseTo(1 / 1.05, 6);
    expect(ratios[1]).toBeCloseTo(1, 6);
  });

  it('measures what comes out when the units are really removed', async () => {
    const bench = await benchOf(NET);
    const { studied } = await studyOf(bench);
    for (const name of ['h', 'k']) {
      const fresh = await benchOf(NET);
      const reference = await OutputReference.of(fresh);
      await reference.noise({ samples: 8 });
      const facts = benchFacts(fresh);
      const group = findChannelGroups(fresh.decoded.model, facts).find((one) => one.name === name);
      const curve = studied.find((one) => one.group.name === name);
      if (!group || !curve) throw new Error(name);
      const kept = curve.curve.measured[0] ?? 0;
      const gone = curve.order.slice(0, group.width - kept);
      // Statistics come from the samples behind those that errors are measured on.
      const rest = { ...fresh, samples: SAMPLES - 8, feeds: () => behind(fresh.feeds(), 8) };
      for await (const evidence of observeGroups(rest, [group], { needs: new Set(['moments']), seed: 1 }))
        absorbUnits(evidence, gone, facts);
      expect(removeUnits(fresh.decoded.model, facts, new Map([[group, gone]])).removed).toHaveLength(1);
      const error = await reference.noise({ samples: 8 });
      expect(error).toBeCloseTo(curve.curve.errors[curve.curve.kept.indexOf(kept)] ?? Number.NaN, 5);
    }
  });

  it('refits readers that are products of matrices, whatever factors they have', async () => {
    const { studied } = await studyOf(await benchOf(ROWS));
    const [h] = studied;
    expect(h?.group.readers).toHaveLength(2);
    expect(h?.curve.errors[h.curve.kept.indexOf(3)]).toBeLessThan(1e-5);
    expect(h?.curve.errors[h.curve.kept.indexOf(2)]).toBeGreaterThan(1e-3);
  });

  it('gives the same twice', async () => {
    const [once, twice] = [await studyOf(await benchOf(NET)), await studyOf(await benchOf(NET))];
    expect(twice.studied.map(({ order, curve }) => ({ order, curve }))).toEqual(
      once.studied.map(({ order, curve }) => ({ order, curve })),
    );
  });

  it('without data goes by the share of the squared filters, or by what the score knows', async () => {
    const bench = await benchOf(NET);
    const { studied } = await studyOf(bench, { data: 'none', score: 'l2' });
    const norms = [1 + 0.25 + 0.01, 4 + 1 + 0.04, 0.09 + 1 + 0.01, 0.49 + 0.36 + 0.0025];
    const total = norms.reduce((sum, x) => sum + x, 0);
    const [a = 0, b = 0, c = 0] = norms.toSorted((x, y) => x - y);
    expect(studied[0]?.curve).toMatchObject({ basis: 'weights', measured: [], kept: [1, 2, 3, 4] });
    expect(studied[0]?.curve.errors).toEqual([a + b + c, a + b, a, 0].map((x) => expect.closeTo(x / total, 6)));
    const folded = await studyOf(bench, { data: 'none', score: 'folding' });
    const errors = folded.studied[0]?.scores.removal?.errors;
    expect(folded.studied[0]?.curve.errors).toEqual(
      [3, 2, 1, 0].map((gone) => expect.closeTo(errors?.[gone] ?? -1, 9)),
    );
  });

  it('says which groups it could not study', async () => {
    const bench = await benchOf(NET);
    const scoreless = await studyOf(bench, { score: 'gamma' });
    expect(scoreless.studied).toEqual([]);
    expect(scoreless.left.map(({ group, why, refusal }) => [group.name, why, refusal])).toEqual([
      ['h', 'no-score', 'no-normalization'],
      ['k', 'no-score', 'no-normalization'],
      ['y', 'frozen', undefined],
    ]);
    const fixed = await studyOf(bench, { levels: { rule: { kind: 'multiples', of: 5 } } });
    expect(fixed.studied.map(({ group }) => group.name)).toEqual(['k']);
    expect(fixed.left.map(({ group, why }) => [group.name, why])).toEqual([
      ['h', 'no-level'],
      ['y', 'frozen'],
    ]);
  });
});

async function* behind(feeds: AsyncIterable<TensorMap>, skipped: number): AsyncGenerator<TensorMap> {
  let seen = 0;
  for await (const feed of feeds) if (seen++ >= skipped) yield feed;
}

describe('interpolated', () => {
  const local = (units: number): number => ({ 2: 8, 4: 4, 6: 1, 8: 0 })[units] ?? Number.NaN;

  it('follows the local curve: the scale runs in powers from one measured width to the next, level outside', () => {
    // Scales 2 at 6 and 8 at 2: 4 half way.
    const errors = interpolated(
      [2, 4, 6, 8],
      [
        { units: 2, error: 64 },
        { units: 6, error: 2 },
      ],
      local,
    );
    expect(errors).toEqual([64, 16, 2, 0].map((x) => expect.closeTo(x, 9)));
    expect(interpolated([2, 4, 6, 8], [{ units: 4, error: 2 }], local)).toEqual(
      [4, 2, 0.5, 0].map((x) => expect.closeTo(x, 9)),
    );
  });

  it('costs no more than the whole branch, which says nothing about the widths between', () => {
    const errors = interpolated(
      [0, 2, 4, 6, 8],
      [
        { units: 0, error: 5 },
        { units: 4, error: 4 },
      ],
      (units) => local(units || 2),
    );
    expect(errors).toEqual([5, 5, 4, 1, 0].map((x) => expect.closeTo(x, 9)));
  });

  it('never rises with width, takes measured errors as they are where the local curve knows nothing, and stays finite', () => {
    const errors = interpolated(
      [2, 4, 6, 8],
      [
        { units: 4, error: 1 },
        { units: 6, error: 3 },
      ],
      () => 0,
    );
    expect(errors).toEqual([3, 3, 3, 0]);
    expect(interpolated([2, 8], [{ units: 2, error: Infinity }], local)).toEqual([1e6, 0]);
  });
});
