// Streams turned by what ONNX Runtime shows of them: the model computes the same, and channels of no use come last, which no
// choice of the channels that were there does as well.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findChannelGroups } from '../../../src/analysis/channels.js';
import { checkModel } from '../../../src/ir/check.js';
import { printModel } from '../../../src/ir/text/print.js';
import { maskUnits } from '../../../src/passes/prune/mask-units.js';
import { rotateStreams } from '../../../src/pipeline/pruning/rotate-streams.js';
import { benchFacts, type QuantizationBench } from '../../../src/pipeline/quantization/bench.js';
import { Workspace } from '../../../src/pipeline/workspace.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { answers, apart, plantedBench } from './repair-net.js';

const host = new RuntimeHost();
let workspace: Workspace;

beforeAll(async () => {
  workspace = await Workspace.create(undefined);
});
afterAll(async () => {
  await host.dispose();
  await workspace.dispose();
});

const DIMS = [1, 3, 8, 8];
const SAMPLES = 24;

/** Two inverted residual blocks on a stream h of 6 channels, which a layer with an activation reads at the end. */
const MOBILE = `g (float[1,3,8,8] x) => (float[1,7,A,B] y)
<float[6,3,3,3] w = random(1), float[6] b = random(2), float[12,6,1,1] e = random(3), float[12,1,3,3] d = random(4),
 float[6,12,1,1] p = random(5), float[6] pb = random(6), float[12,6,1,1] f = random(7), float[12,1,3,3] c = random(8),
 float[6,12,1,1] q = random(9), float[7,6,1,1] v = random(10), float[7] vb = random(11), float lo = {0}, float hi = {6}>
{
  h = Conv <pads = [1, 1, 1, 1]> (x, w, b)
  e1 = Conv (h, e)
  e2 = Clip (e1, lo, hi)
  e3 = Conv <group = 12, pads = [1, 1, 1, 1]> (e2, d)
  e4 = Clip (e3, lo, hi)
  e5 = Conv (e4, p, pb)
  s = Add (h, e5)
  f1 = Conv (s, f)
  f2 = Clip (f1, lo, hi)
  f3 = Conv <group = 12, pads = [1, 1, 1, 1]> (f2, c)
  f4 = Clip (f3, lo, hi)
  f5 = Conv (f4, q)
  t = Add (s, f5)
  o = Conv (t, v, vb)
  y = Relu (o)
}`;

/** h has four channels, all of which are read; but they are made of three, and so one of another basis is idle. */
const DEPENDENT = `g (float[1,3,8,8] x) => (float[1,5,A,B] y)
<float[4,3,1,1] w = {1, 1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 1}, float[5,4,3,3] v = random(1), float[5] c = random(2)>
{
  h = Conv (x, w)
  y = Conv <pads = [1, 1, 1, 1]> (h, v, c)
}`;

const benchOf = (text: string, samples = SAMPLES): QuantizationBench =>
  plantedBench({ text, dims: DIMS, units: {} }, { host, workspace, samples }).bench;

async function turned(bench: QuantizationBench): Promise<readonly string[]> {
  return rotateStreams(bench, findChannelGroups(bench.decoded.model, benchFacts(bench)), { seed: 1 });
}

/** How far the outputs are off when a unit of the group reads as zero. */
async function lossOf(bench: QuantizationBench, name: string, unit: number): Promise<number> {
  const { decoded } = bench;
  const before = await answers(host, decoded, DIMS);
  const facts = benchFacts(bench);
  const group = findChannelGroups(decoded.model, facts).find((one) => one.name === name);
  if (!group) throw new Error(`no group ${name}`);
  const mark = decoded.model.journal.mark();
  maskUnits(facts, new Map([[group, [unit]]]));
  const after = await answers(host, decoded, DIMS);
  decoded.model.journal.seek(mark);
  return apart(before, after);
}

async function lossesOf(bench: QuantizationBench, name: string, width: number): Promise<number[]> {
  const losses: number[] = [];
  for (let unit = 0; unit < width; unit++) losses.push(await lossOf(bench, name, unit));
  return losses;
}

describe('rotateStreams', () => {
  it('turns the stream of a MobileNet-like net, which computes the same; what has activations stays as it is', async () => {
    const bench = benchOf(MOBILE);
    const { model } = bench.decoded;
    const answered = await answers(host, bench.decoded, DIMS);
    const numbers = new Map([...model.graph.initializers].map((value) => [value, value.constant?.toNumbers().join()]));
    expect(await turned(bench)).toEqual(['h']);
    expect(checkModel(model)).toEqual([]);
    expect(apart(answered, await answers(host, bench.decoded, DIMS))).toBeLessThan(1e-5);
    const kept = [...numbers].filter(([{ constant }, before]) => constant?.toNumbers().join() === before);
    expect(kept.map(([{ name }]) => name).sort()).toEqual(['c', 'd', 'hi', 'lo', 'vb']);
  });

  it('a channel that others make up for has become one of no use, the last', async () => {
    const bench = benchOf(DEPENDENT);
    const before = await lossesOf(bench, 'h', 4);
    expect(Math.min(...before)).toBeGreaterThan(0.1);
    expect(await turned(bench)).toEqual(['h']);
    const after = await lossesOf(bench, 'h', 4);
    expect(after[3]).toBeLessThan(1e-5);
    expect(Math.min(...after.slice(0, 3))).toBeGreaterThan(0.1);
  });

  it('the last channel costs less than any channel that was there', async () => {
    const text = DEPENDENT.replace(
      'float[4,3,1,1] w = {1, 1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 1}',
      'float[4,3,3,3] w = random(5)',
    );
    const bench = benchOf(text.replace('h = Conv (x', 'h = Conv <pads = [1, 1, 1, 1]> (x'));
    const before = await lossesOf(bench, 'h', 4);
    await turned(bench);
    const after = await lossesOf(bench, 'h', 4);
    expect(after[3]).toBeLessThan(Math.min(...before));
    expect(after[3]).toBe(Math.min(...after));
  });

  it('channels are uncorrelated afterwards, and their variances are what readers lose', async () => {
    const text = `g (float[1,3,8,8] x) => (float[1,2,8,8] y) <float[2,3,1,1] w = {3, 0, 0, 3, 1, 0}, float[2,2,1,1] v = {1, 0, 0, 2}>
{
  h = Conv (x, w)
  y = Conv (h, v)
}`;
    const bench = benchOf(text, 200);
    await turned(bench);
    const { model } = bench.decoded;
    const filters = [...model.graph.initializers].find(({ name }) => name === 'w')?.constant?.toNumbers() ?? [];
    const [a, b] = [filters.slice(0, 3), filters.slice(3)];
    const dot = (p: readonly number[], q: readonly number[]): number =>
      p.reduce((sum, x, i) => sum + x * (q[i] ?? 0), 0);
    // Inputs are white, so that filters show the covariance; y is diag(1, 2) h: eigenvalues of [9 18; 18 40] are 48.26, 0.746.
    const root = Math.sqrt((49 * 49) / 4 - 36);
    expect(dot(a, a) / (24.5 + root)).toBeCloseTo(1, 1);
    expect(dot(b, b) / (24.5 - root)).toBeCloseTo(1, 1);
    expect(Math.abs(dot(a, b))).toBeLessThan(0.2 * Math.sqrt(dot(a, a) * dot(b, b)));
  });

  it('the same in every run; and nothing where there is no linear stream, or less to see than it has channels', async () => {
    const [one, other] = [benchOf(MOBILE), benchOf(MOBILE)];
    await turned(one);
    await turned(other);
    expect(printModel(one.decoded.model, { weights: 'full' })).toBe(
      printModel(other.decoded.model, { weights: 'full' }),
    );
    const still =
      benchOf(`g (float[1,3,8,8] x) => (float[1,5,8,8] y) <float[4,3,1,1] w = random(1), float[5,4,1,1] v = random(2)>
{
  h = Conv (x, w)
  r = Relu (h)
  y = Conv (r, v)
}`);
    const rows = benchOf(
      `g (float[1,3,8,8] x) => (float[1,5] y)
<float[1,3,1,1] k = random(1), float[64,9] w = random(2), float[9,5] v = random(3)>
{
  a = Conv (x, k)
  f = Flatten (a)
  h = Gemm (f, w)
  y = Gemm (h, v)
}`,
      8,
    );
    for (const bench of [still, rows]) {
      const before = printModel(bench.decoded.model, { weights: 'full' });
      expect(await turned(bench)).toEqual([]);
      expect(printModel(bench.decoded.model, { weights: 'full' })).toBe(before);
    }
  });
});
