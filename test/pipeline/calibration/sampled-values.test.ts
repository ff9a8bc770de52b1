// Ranges of large values, of which the runtime takes samples, against looking at every element that it returns.
import { afterAll, describe, expect, it } from 'vitest';
import { createFacts } from '../../../src/analysis/inference.js';
import { createRng } from '../../../src/base/rng.js';
import { RANGE, type RangeState } from '../../../src/fit/range.js';
import type { Model } from '../../../src/ir/model.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { printModel } from '../../../src/ir/text/print.js';
import { calibratedValues } from '../../../src/pipeline/calibration/calibrated-values.js';
import { observeRanges } from '../../../src/pipeline/calibration/observe-ranges.js';
import { addSamples } from '../../../src/pipeline/calibration/sampled-values.js';
import { instrument } from '../../../src/pipeline/instrument.js';
import { Workspace } from '../../../src/pipeline/workspace.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import type { TensorMap } from '../../../src/runtime/wire-tensor.js';
import { Tensor } from '../../../src/tensor/tensor.js';

const host = new RuntimeHost();
const workspace = await Workspace.create(undefined);
afterAll(async () => {
  await host.dispose();
  await workspace.dispose();
});

// Large at 64 x 64; `l` is not finite where the input is below -0.5.
const model = (opset: number): Model =>
  parseModel(`<ir_version: 8, opset_import: ["" : ${opset}]>
    net (float[N,1,H,W] x) => (float[N,16,H,W] y)
    <float[16,1,1,1] w = {1,2,3,4,5,6,7,8,-1,-2,-3,-4,-5,-6,-7,-8}, float[1,1,1,1] half = {0.5}> {
      c = Conv (x, w)\n a = Abs (c)\n h = Add (x, half)\n l = Log (h)\n y = Add (a, l)
    }`);

function feeds(seed: number, from: number, ...sizes: readonly (readonly number[])[]): TensorMap[] {
  const rng = createRng(seed);
  return sizes.map((dims) => {
    const numbers = Float32Array.from({ length: dims.reduce((all, dim) => all * dim, 1) }, () => from + rng.uniform());
    return new Map([['x', Tensor.fromNumbers('float32', dims, numbers)]]);
  });
}

async function* streamed(all: readonly TensorMap[]): AsyncGenerator<TensorMap> {
  for (const feed of all) yield await Promise.resolve(feed);
}

async function byAll(of: Model, all: readonly TensorMap[]): Promise<Record<string, RangeState>> {
  const values = calibratedValues(of, createFacts(of));
  const { path } = await instrument({ model: of }, values, workspace);
  const states: Record<string, RangeState> = {};
  for (const { name } of values) {
    const accumulator = RANGE.create({ kind: 'range', values: [name] });
    for (const feed of all) {
      const tensor = feed.get(name) ?? (await host.run(path, feed)).get(name);
      accumulator.add(new Map([[name, { data: Float32Array.from(tensor?.toNumbers() ?? []), dims: [] }]]));
    }
    states[name] = accumulator.state();
  }
  return states;
}

async function observed(of: Model, all: readonly TensorMap[]): Promise<[Record<string, RangeState>, number]> {
  let streams = 0;
  const ranges = await observeRanges(
    host,
    workspace,
    { model: of },
    {
      values: calibratedValues(of, createFacts(of)),
      feeds: () => {
        streams++;
        return streamed(all);
      },
    },
  );
  return [Object.fromEntries([...ranges].map(([{ name }, state]) => [name, state])), streams];
}

describe('sampled values', () => {
  const square = [1, 1, 64, 64];

  // Slice has steps since 10.
  it.each([7, 9, 10, 13, 18])('give the ranges of all elements in operator set %i', async (opset) => {
    const all = feeds(opset, 0, square, square, square);
    const [states, streams] = await observed(model(opset), all);
    expect(states).toEqual(await byAll(model(opset), all));
    expect(streams).toBe(2);
  });

  it('are looked at as a whole where sizes differ, or an element is not finite', async () => {
    const mixed = feeds(1, 0, square, square, [1, 1, 50, 70], square);
    const [states, streams] = await observed(model(13), mixed);
    expect(states).toEqual(await byAll(model(13), mixed));
    expect(streams).toBe(3);
    const broken = feeds(2, -0.7, square, square);
    const [others, again] = await observed(model(13), broken);
    expect(others).toEqual(await byAll(model(13), broken));
    expect(others['l']?.nonFinite).toBeGreaterThan(0);
    expect(again).toBe(3);
  });

  it('are taken where sizes are known only', () => {
    const open = parseModel(`<ir_version: 8, opset_import: ["" : 13]> net (float[4] x) => (float[k] y) {
      i = NonZero (x)\n f = Cast <to = 1> (i)\n y = Neg (f)\n
    }`);
    const before = printModel(open, { weights: 'full' });
    const mark = open.journal.mark();
    const { outputs, specs } = addSamples(open.graph, calibratedValues(open, createFacts(open)), createFacts(open));
    expect([[...specs.keys()].map(({ name }) => name), outputs.length]).toEqual([['x'], 2]);
    open.journal.seek(mark);
    expect(printModel(open, { weights: 'full' })).toBe(before);
  });
});
