// Calibration caches: as text and as files, whole and damaged; what merges, what does not.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createRng } from '../../../src/base/rng.js';
import { RANGE, type RangeState } from '../../../src/fit/range.js';
import { readCacheFile, writeCacheFile } from '../../../src/pipeline/calibration/cache-file.js';
import {
  checkCalibration,
  mergeCalibrations,
  readCalibration,
  writeCalibration,
  type CalibrationCache,
} from '../../../src/pipeline/calibration/cache.js';

const folder = mkdtempSync(join(tmpdir(), 'mcompress-cache-'));
afterAll(() => rmSync(folder, { recursive: true }));

const TOTAL = 12;
const batches = Array.from({ length: TOTAL }, (_, at) => {
  const rng = createRng(at);
  return Float32Array.from({ length: 50 }, () => (rng.uniform() < 0.3 ? 0 : rng.normal() * 2 ** (at % 5)));
});

function over(from: number, to: number, scale: number): RangeState {
  const accumulator = RANGE.create({ kind: 'range', values: ['v'] });
  for (const data of batches.slice(from, to))
    accumulator.add(new Map([['v', { data: data.map((x) => x * scale), dims: [data.length] }]]));
  return accumulator.state();
}

/** "12" would come before "conv" in an object. */
function cacheOf(from: number, to: number, changes: Partial<CalibrationCache> = {}): CalibrationCache {
  return {
    model: 'model digest',
    data: { kind: 'samples', digest: 'data digest', order: 'stored', seed: 0, total: TOTAL },
    parts: [{ from, to }],
    samples: to - from,
    skipped: [{ name: `broken ${from}`, reason: 'damaged' }].slice(from % 2),
    values: new Map([
      ['conv', over(from, to, 1)],
      ['12', over(from, to, -0.001)],
      ['empty', over(0, 0, 1)],
    ]),
    ...changes,
  };
}

const merged = (...caches: readonly CalibrationCache[]): CalibrationCache =>
  mergeCalibrations(caches.map((cache, at) => ({ file: `${at}.json`, cache })));

describe('as text', () => {
  it('comes back as it was, names in their order', () => {
    const cache = cacheOf(0, TOTAL);
    const read = readCalibration(writeCalibration(cache), 'c.json');
    expect(read).toEqual(cache);
    expect([...read.values.keys()]).toEqual(['conv', '12', 'empty']);
    expect(writeCalibration(read)).toBe(writeCalibration(cache));
  });

  it('refuses what is no cache, of another version, or damaged', () => {
    const text = writeCalibration(cacheOf(0, 3));
    const refused = ['', '[]', '{}', text.replace('"version":1', '"version":2'), text.slice(0, -9)];
    const spoiled = [
      text.replace('"exponent":-', '"exponent":"-'),
      text.replace('"positive":[', '"positive":[0.5,'),
      text.replace('"positive":[', '"positive":[-1000000000,'),
      text.replace('"minima":[', '"minima":[null,'),
      text.replace('"parts":[{"from":0', '"parts":[{"from":"a"'),
      text.replace('"order":"stored"', '"order":"any"'),
      text.replace('"name":"conv"', '"name":7'),
    ];
    for (const wrong of [...refused, ...spoiled]) {
      expect(wrong).not.toBe(text);
      expect(() => readCalibration(wrong, 'c.json')).toThrow(
        expect.objectContaining({ code: 'bad-data', at: { file: 'c.json' } }),
      );
    }
  });
});

describe('as files', () => {
  it('is compressed where the name says so, and read either way', async () => {
    const cache = cacheOf(0, TOTAL);
    const [plain, packed] = ['c.json', 'c.json.gz'].map((name) => join(folder, name)) as [string, string];
    await writeCacheFile(plain, cache);
    await writeCacheFile(packed, cache);
    expect(readFileSync(plain, 'utf8')).toBe(writeCalibration(cache));
    expect(readFileSync(packed).length).toBeLessThan(readFileSync(plain).length / 2);
    expect(await readCacheFile(packed)).toEqual(cache);
    expect(await readCacheFile(plain)).toEqual(cache);
    writeFileSync(packed, readFileSync(packed).subarray(0, 100));
    await expect(readCacheFile(packed)).rejects.toMatchObject({ code: 'bad-data' });
    await expect(readCacheFile(join(folder, 'none.json'))).rejects.toMatchObject({ code: 'not-found' });
  });
});

describe('merging', () => {
  it('gives the bytes of one run, in whatever order the shards are named', () => {
    const whole = writeCalibration(cacheOf(0, TOTAL, { skipped: [] }));
    const shards = [
      [0, 5],
      [5, 6],
      [6, 12],
    ].map(([from = 0, to = 0]) => cacheOf(from, to, { skipped: [] }));
    const [a, b, c] = shards;
    if (!a || !b || !c) throw new Error('no shards');
    expect(writeCalibration(merged(a, b, c))).toBe(whole);
    expect(writeCalibration(merged(c, a, b))).toBe(whole);
    expect(writeCalibration(merged(merged(b, c), a))).toBe(whole);
    // Through files too.
    const again = shards.map((shard) => readCalibration(writeCalibration(shard), 's'));
    expect(writeCalibration(merged(...again))).toBe(whole);
  });

  it('keeps gaps, and joins the lists of skipped samples', () => {
    const both = merged(cacheOf(6, 8), cacheOf(0, 4));
    expect(both.parts).toEqual([
      { from: 0, to: 4 },
      { from: 6, to: 8 },
    ]);
    expect(both.samples).toBe(6);
    expect(both.skipped.map(({ name }) => name)).toEqual(['broken 0', 'broken 6']);
  });

  it.each([
    ['another model', cacheOf(3, 6, { model: 'other' })],
    ['other data', cacheOf(3, 6, { data: { ...cacheOf(0, 1).data, digest: 'other' } })],
    ['another draw', cacheOf(3, 6, { data: { ...cacheOf(0, 1).data, seed: 7 } })],
    ['other values', cacheOf(3, 6, { values: new Map() })],
    ['the same samples', cacheOf(0, 3)],
    ['some of the same samples', cacheOf(2, 5)],
  ])('refuses %s', (_, other) => {
    expect(() => merged(cacheOf(0, 3), other)).toThrow(expect.objectContaining({ code: 'bad-data' }));
  });

  it('refuses samples that lie between those of another', () => {
    const gap = merged(cacheOf(0, 2), cacheOf(4, 6));
    expect(() => merged(gap, cacheOf(2, 4))).toThrow(/lies between/);
    expect(merged(cacheOf(4, 6), cacheOf(0, 2), cacheOf(2, 4)).parts).toEqual([{ from: 0, to: 6 }]);
  });
});

describe('checkCalibration', () => {
  it('passes the model and the data that it was made of, and refuses others', () => {
    const cache = cacheOf(0, 1);
    checkCalibration(cache, 'c.json', { model: 'model digest' });
    checkCalibration(cache, 'c.json', { model: 'model digest', data: 'data digest' });
    for (const expected of [{ model: 'x' }, { model: 'model digest', data: 'x' }])
      expect(() => checkCalibration(cache, 'c.json', expected)).toThrow(
        expect.objectContaining({ code: 'bad-data', at: { file: 'c.json' } }),
      );
  });
});
