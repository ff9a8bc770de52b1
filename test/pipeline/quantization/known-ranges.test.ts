// Ranges out of a calibration cache: taken where the value still is what the cache looked at, and only of the same model and
// samples; and ranges out of the journal of a run that was cut off.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OpenedData } from '../../../src/data/open-data.js';
import { openModel } from '../../../src/onnx/open.js';
import type { CalibrationCache } from '../../../src/pipeline/calibration/cache.js';
import { writeCacheFile } from '../../../src/pipeline/calibration/cache-file.js';
import { calibrateModel } from '../../../src/pipeline/calibration/calibrate-model.js';
import type { QuantizeOutcome, QuantizeRequest } from '../../../src/pipeline/quantization/outcome.js';
import { quantizeFile } from '../../../src/pipeline/quantization/quantize-file.js';
import { digits, fakeData, fixture } from '../evaluation/fake-data.js';
import { opened, requestFor, writeNet } from './net.js';

const MNIST = fixture('mnist-bn-as-exported.onnx');
const folder = mkdtempSync(join(tmpdir(), 'mcompress-ranges-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'mnist.calibration.json.gz');
const data = (): OpenedData => opened(fakeData(digits()));
let cache: CalibrationCache;

beforeAll(async () => {
  const decoded = await openModel(MNIST, {});
  const request = { decoded, path: MNIST, data: data(), limit: undefined, shard: undefined, seed: 0, threads: 1 };
  const signal = new AbortController().signal;
  ({ cache } = await calibrateModel({ ...request, shapes: new Map(), signal }));
  await writeCacheFile(file, cache);
}, 60_000);

async function run(changes: Partial<QuantizeRequest>): Promise<QuantizeOutcome & { readonly bytes: Buffer }> {
  const outcome = await quantizeFile(
    requestFor(MNIST, {
      output: join(folder, 'out.onnx'),
      openData: () => Promise.resolve(data()),
      calibrationSamples: 50,
      calibrators: ['min-max'],
      refineRanges: 'off',
      ...changes,
    }),
  );
  const bytes = readFileSync(outcome.path);
  await outcome.dispose();
  return { ...outcome, bytes };
}

const rangeOf = (name: string): { min: number; max: number } | undefined => {
  const state = cache.values.get(name);
  return state && { min: state.min, max: state.max };
};

describe('a calibration cache', () => {
  it('gives the range of every value where nothing was equalized', { timeout: 60_000 }, async () => {
    const { values, calibration } = await run({ calibration: file, equalize: 'off' });
    expect(values.length).toBeGreaterThan(5);
    const known = values.filter(({ value }) => cache.values.has(value));
    expect(calibration.cache).toEqual({ values: known.length, samples: 300 });
    expect(known.length).toBeGreaterThan(values.length - 3);
    for (const { value, observed } of known) expect(observed).toEqual(rangeOf(value));
    const without = await run({ equalize: 'off' });
    expect(without.calibration.cache).toBeUndefined();
    expect(without.values.some(({ value, observed }) => observed.max !== rangeOf(value)?.max)).toBe(true);
  });

  it('is not used for values whose channels were scaled', { timeout: 60_000 }, async () => {
    const { values, calibration, loss } = await run({ calibration: file, equalize: 'on' });
    const taken = values.filter(({ value, observed }) => observed.max === rangeOf(value)?.max);
    const { values: cached = 0 } = calibration.cache ?? {};
    expect(cached).toBeGreaterThan(0);
    expect(cached).toBeLessThan(values.length);
    expect(taken.length).toBeGreaterThanOrEqual(cached);
    expect(loss?.value).toBeLessThan(2);
  });

  it('of another model, or of other samples, is refused', async () => {
    const model = writeNet(folder);
    await expect(run({ calibration: file, input: { path: model } })).rejects.toMatchObject({
      code: 'bad-data',
      message: expect.stringContaining('another model') as string,
    });
    const other = { ...data(), digest: () => Promise.resolve('other') };
    await expect(run({ calibration: file, openData: () => Promise.resolve(other) })).rejects.toMatchObject({
      code: 'bad-data',
      message: expect.stringContaining('other samples') as string,
    });
    await expect(run({ calibration: join(folder, 'nowhere.json') })).rejects.toMatchObject({ code: 'not-found' });
  });

  it('warns when it knows samples that score', { timeout: 60_000 }, async () => {
    const known = async (changes: Partial<CalibrationCache>): Promise<boolean> => {
      const path = join(folder, 'part.json');
      await writeCacheFile(path, { ...cache, ...changes });
      const { warnings } = await run({ calibration: path, equalize: 'off', rounding: 'nearest', correctBiases: 'off' });
      return warnings.some((text) => text.includes('samples that score'));
    };
    const shuffled = { ...cache.data, order: 'shuffled' } as const;
    expect(await known({})).toBe(true);
    expect(await known({ data: shuffled, parts: [{ from: 0, to: 50 }] })).toBe(false);
    expect(await known({ data: shuffled, parts: [{ from: 0, to: 51 }] })).toBe(true);
    expect(await known({ data: { ...shuffled, seed: 5 }, parts: [{ from: 0, to: 50 }] })).toBe(true);
  });
});

it('a run that goes on takes its ranges from the journal', { timeout: 60_000 }, async () => {
  const journal = join(folder, 'journal.jsonl');
  const stages: string[] = [];
  const first = await run({ journal });
  const again = await run({ journal, onStage: (text) => stages.push(text) });
  expect(stages).toContain('choosing ranges');
  expect(stages).not.toContain('calibrating');
  expect(again.bytes.equals(first.bytes)).toBe(true);
  const other = await run({ journal, calibration: file, onStage: (text) => stages.push(text) });
  expect(other.warnings.join()).toContain('begun anew');
  expect(stages).toContain('calibrating');
});
