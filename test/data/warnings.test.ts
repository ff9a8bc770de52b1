// What is said about samples that look wrong, and that nothing is said about those that look right.
import { describe, expect, it } from 'vitest';
import { openData, type DataOptions } from '../../src/data/open-data.js';
import { parsePreprocess } from '../../src/data/preprocess.js';
import { collect, npy, png, pngOf, port, useDataFolder } from './sample-files.js';

const folder = useDataFolder();
const inputs = [port(['n', 3, 4, 4])];

/** Warnings after all samples were read. */
async function warnings(
  path: string,
  options: Partial<DataOptions> = {},
  classes?: number,
): Promise<readonly string[]> {
  const data = await openData(path, { inputs, preprocess: parsePreprocess('unit'), ...options });
  if (classes !== undefined) data.expectClasses(classes);
  expect(data.warnings().filter((warning) => !warning.includes('left out'))).toEqual([]);
  await collect(data);
  return data.warnings();
}

/** 40 pictures of noise in two classes. */
function healthy(height = 4, width = 4): string {
  for (let i = 0; i < 40; i++) {
    const rows = Buffer.concat(
      Array.from({ length: height }, (_, y) =>
        Buffer.from([0, ...Array.from({ length: width * 3 }, (_unused, x) => (i * 31 + y * 57 + x * x * 23) % 256)]),
      ),
    );
    folder.write(`set/${i % 2 ? 'cat' : 'dog'}/${i}.png`, pngOf(rows, { height, width, colorType: 2 }));
  }
  return folder.path('set');
}

const floats = (make: (i: number) => number, count = 40): string =>
  folder.write(
    'x.npy',
    npy(
      'float32',
      [count, 3, 4, 4],
      Array.from({ length: count * 48 }, (_, i) => make(i)),
    ),
  );

describe('warnings', () => {
  it('are none about healthy pictures', async () => {
    expect(await warnings(healthy(), {}, 2)).toEqual([]);
    for (const preset of ['imagenet', 'caffe', 'tf', 'raw'])
      expect(await warnings(folder.path('set'), { preprocess: parsePreprocess(preset) })).toEqual([]);
  });

  it('count every sample once, however often it is read', async () => {
    for (let i = 0; i < 20; i++) folder.write(`dark/${i}.png`, png([0, 0, 0]));
    const data = await openData(folder.path('dark'), { inputs, preprocess: parsePreprocess('unit') });
    for (let i = 0; i < 3; i++) await collect(data, { to: 10 });
    expect(data.warnings()).toContain('all 10 samples have one value everywhere, like a black picture');
  });

  it('speak of what was assumed', async () => {
    expect(await warnings(healthy(), { preprocess: undefined })).toEqual([
      expect.stringMatching(/^no --preprocess was given: imagenet is assumed/),
    ]);
    const gray = [port(['n', 1, 4, 4])];
    const data = await openData(folder.path('set'), { inputs: gray });
    await collect(data);
    expect(data.preprocess).toBe('unit');
  });

  it('speak of black pictures, one class and few samples', async () => {
    for (let i = 0; i < 3; i++) folder.write(`black/cat/${i}.png`, png([0, 0, 0]));
    expect(await warnings(folder.path('black'))).toEqual([
      'all 3 samples have one value everywhere, like a black picture',
      'there are only 3 samples',
      'all labelled samples are of class 0',
    ]);
  });

  it('speak of labels that the model does not have, and of other numbers of classes', async () => {
    const labels = folder.write('labels.txt', Array.from({ length: 40 }, (_, i) => `${i}.png ${i}`).join('\n'));
    expect(await warnings(healthy(), { labels }, 10)).toEqual([
      'labels go up to 39, the model has 10 classes (0 to 9)',
    ]);
    expect(await warnings(healthy(), { labels }, 40)).toEqual([]);
    expect(await warnings(healthy(), {}, 1000)).toEqual([
      expect.stringMatching(/^the data names 2 classes, the model has 1000/),
    ]);
  });

  it('speak of pictures that had to be enlarged', async () => {
    expect(await warnings(healthy(2, 2))).toEqual([
      "all 40 samples are smaller than the model's input and were enlarged",
    ]);
  });

  it('speak of floats that look like pictures, of those scaled twice, and of those beyond the range', async () => {
    const pixels = floats((i) => (i * 29) % 256);
    expect(await warnings(pixels, { preprocess: undefined })).toEqual([
      expect.stringMatching(/^values are whole numbers from 0\.00 to 255/),
    ]);
    expect(await warnings(pixels, { preprocess: parsePreprocess('raw') })).toEqual([]);
    expect(await warnings(pixels)).toEqual([]);
    const scaled = floats((i) => ((i * 29) % 256) / 255);
    expect(await warnings(scaled, { preprocess: undefined })).toEqual([]);
    expect(await warnings(scaled)).toEqual([expect.stringMatching(/nearly the same everywhere after unit/)]);
    const wide = floats((i) => (i * 29) % 1024);
    expect(await warnings(wide)).toEqual([expect.stringMatching(/^values go from 0\.00 to 4\.\d+ after unit/)]);
  });

  it('speak of values that are no numbers', async () => {
    expect(
      await warnings(
        floats((i) => (i === 5 ? Number.NaN : i / 7)),
        { preprocess: undefined },
      ),
    ).toEqual(['1 of 40 samples hold NaN or infinite values']);
  });
});
