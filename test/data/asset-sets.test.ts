// The data sets that lie beside the checkout: formats as they come from others, read whole.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openData } from '../../src/data/open-data.js';
import { parsePreprocess } from '../../src/data/preprocess.js';
import { collect, port } from './sample-files.js';

const assets = process.env['MCOMPRESS_ASSETS'] ?? fileURLToPath(new URL('../../../shared/assets', import.meta.url));

describe.skipIf(!existsSync(assets))('shared data sets', () => {
  it('imagenet-1000: labels from names, any part of it, in the range of the preset', async () => {
    const data = await openData(`${assets}/images/imagenet-1000`, {
      inputs: [port(['n', 3, 224, 224])],
      preprocess: parsePreprocess('imagenet'),
    });
    expect(data).toMatchObject({ size: 1000, labelled: true });
    const samples = await collect(data, { order: 'shuffled', seed: 1, to: 20 });
    expect(samples.every(({ name, label }) => name.startsWith(`${label}_n`))).toBe(true);
    for (const { feeds } of samples) {
      const values = feeds.get('x')?.toFloat64() ?? new Float64Array();
      expect(values).toHaveLength(3 * 224 * 224);
      expect(values.every((value) => value >= -2.2 && value <= 2.7)).toBe(true);
    }
    expect(data.skipped).toEqual([]);
  });

  it('cifar10: the parts by their names; the published first labels of the test set', async () => {
    const options = { inputs: [port(['n', 3, 32, 32])], preprocess: parsePreprocess('cifar10') };
    const data = await openData(`${assets}/cifar10#test`, options);
    expect(data.size).toBe(1000);
    const first = await collect(data, { to: 5 });
    expect(first.map(({ label }) => data.classes?.[label ?? 0])).toEqual(['cat', 'ship', 'ship', 'airplane', 'frog']);
    expect((await openData(`${assets}/cifar10#train`, options)).size).toBe(4000);
    expect(await collect(data, { order: 'shuffled' })).toHaveLength(1000);
    expect(data.warnings()).toEqual([]);
  });

  it('features: 15 samples of each of 3 classes', async () => {
    const data = await openData(`${assets}/features`, { inputs: [port(['n', 30, 1, 40])] });
    const labels = (await collect(data)).map(({ label }) => label);
    expect([0, 1, 2].map((label) => labels.filter((other) => other === label).length)).toEqual([15, 15, 15]);
  });
});
