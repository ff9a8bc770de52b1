// Arrays as data: .npy, .npz, idx, CIFAR, raw floats; what fits a model, and what is refused.
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { openData, type DataOptions } from '../../src/data/open-data.js';
import { parsePreprocess } from '../../src/data/preprocess.js';
import { cifarRecord, collect, failure, idx, npy, npz, port, useDataFolder, valuesOf } from './sample-files.js';

const folder = useDataFolder();
const range = (count: number, from = 0): number[] => Array.from({ length: count }, (_, i) => i + from);
const VECTOR = [port(['n', 4])];
const open = (path: string, options: Partial<DataOptions> = {}) => openData(path, { inputs: VECTOR, ...options });
const raw = parsePreprocess('raw');

describe('.npy', () => {
  it('holds samples along its first axis, floats as they are', async () => {
    const data = await open(folder.write('x.npy', npy('float32', [3, 4], range(12))));
    expect(data).toMatchObject({ kind: '.npy array', size: 3, labelled: false });
    const samples = await collect(data);
    expect(samples.map(({ name }) => name)).toEqual(['x.npy#0', 'x.npy#1', 'x.npy#2']);
    expect(samples.map((sample) => valuesOf(sample))).toEqual([range(4), range(4, 4), range(4, 8)]);
    expect(samples[0]?.feeds.get('x')?.dims).toEqual([1, 4]);
    expect(data.preprocess).toBe('raw');
  });

  it('takes labels from beside it, or those given', async () => {
    folder.write('x_test.npy', npy('float32', [3, 4], range(12)));
    folder.write('y_test.npy', npy('int64', [3], [2, 0, 1]));
    const data = await open(folder.path('x_test.npy'));
    expect(data.labelsFrom).toBe('y_test.npy');
    expect((await collect(data)).map(({ label }) => label)).toEqual([2, 0, 1]);
    const scores = folder.write('scores.npy', npy('float32', [3, 2], [0, 1, 1, 0, 0.2, 0.8]));
    const words = folder.write('words.txt', 'b\na\nb\n');
    const labelsOf = async (labels: string): Promise<unknown[]> =>
      (await collect(await open(folder.path('x_test.npy'), { labels }))).map(({ label }) => label);
    expect(await labelsOf(scores)).toEqual([1, 0, 1]);
    expect(await labelsOf(words)).toEqual([1, 0, 1]);
  });

  it('treats bytes as pictures, whichever axis the channels are', async () => {
    const inputs = [port(['n', 3, 2, 2])];
    const first = range(12).map((i) => i * 10);
    const last = range(4).flatMap((i) => [first[i] ?? 0, first[i + 4] ?? 0, first[i + 8] ?? 0]);
    folder.write('first.npy', npy('uint8', [1, 3, 2, 2], first));
    folder.write('last.npy', npy('uint8', [1, 2, 2, 3], last));
    for (const name of ['first.npy', 'last.npy']) {
      const [sample] = await collect(await open(folder.path(name), { inputs, preprocess: raw }));
      expect(sample && valuesOf(sample)).toEqual(first);
    }
    const [sample] = await collect(await open(folder.path('last.npy'), { inputs, preprocess: parsePreprocess('tf') }));
    expect(valuesOf(sample ?? { name: '', label: 0, feeds: new Map() })[1]).toBeCloseTo(10 / 127.5 - 1, 6);
  });

  it('turns floats with the channels last round, and scales them only when asked', async () => {
    const inputs = [port([1, 3, 1, 2])];
    const path = folder.write('x.npy', npy('float32', [1, 1, 2, 3], [1, 2, 3, 4, 5, 6]));
    const values = async (options: Partial<DataOptions>): Promise<number[]> =>
      (await collect(await open(path, { inputs, ...options }))).flatMap((sample) => valuesOf(sample));
    expect(await values({})).toEqual([1, 4, 2, 5, 3, 6]);
    expect(await values({ preprocess: parsePreprocess('raw:mean=1,std=2') })).toEqual([0, 1.5, 0.5, 2, 1, 2.5]);
  });

  it('is one sample when it is of the shape of the input, without the batch axis too', async () => {
    const inputs = [port([1, 2, 3, 4])];
    expect((await open(folder.write('a.npy', npy('float32', [2, 3, 4], range(24))), { inputs })).size).toBe(1);
    expect((await open(folder.write('b.npy', npy('float32', [5, 2, 3, 4], range(120))), { inputs })).size).toBe(5);
    const gray = [port([1, 1, 2, 2])];
    expect((await open(folder.write('c.npy', npy('uint8', [7, 2, 2], range(28))), { inputs: gray })).size).toBe(7);
  });

  it('keeps its own size where the model leaves it open', async () => {
    const inputs = [port(['n', 3, 'h', 'w'])];
    const path = folder.write('open.npy', npy('float32', [2, 3, 4, 5], range(120)));
    for (const options of [{}, { preprocess: raw }, { preprocess: parsePreprocess('imagenet') }]) {
      const samples = await collect(await open(path, { inputs, ...options }));
      expect(samples.map(({ feeds }) => feeds.get('x')?.dims)).toEqual([
        [1, 3, 4, 5],
        [1, 3, 4, 5],
      ]);
    }
  });

  it('is cast to the type of the input', async () => {
    const path = folder.write('ids.npy', npy('int32', [2, 4], range(8)));
    const [sample] = await collect(await open(path, { inputs: [{ name: 'ids', dtype: 'int64', dims: ['n', 4] }] }));
    expect(sample?.feeds.get('ids')?.toBigInts()).toEqual([0n, 1n, 2n, 3n]);
  });

  it('is refused when it does not fit, is cut off, or has other labels', async () => {
    const wrong = await failure(open(folder.write('x.npy', npy('float32', [3, 5], range(15)))));
    expect(wrong).toMatchObject({ code: 'bad-data', message: 'the array, 3x5 of float32, does not fit the input "x"' });
    const whole = npy('float32', [3, 4], range(12));
    expect(await failure(open(folder.write('cut.npy', whole.subarray(0, -4))))).toMatchObject({ code: 'bad-data' });
    expect(await failure(open(folder.write('bad.npy', 'no array')))).toMatchObject({ code: 'bad-feed' });
    const text = Buffer.from(whole.toString('latin1').replace("'<f4'", "'|O' "), 'latin1');
    expect(await failure(open(folder.write('objects.npy', text)))).toMatchObject({ code: 'bad-feed' });
    const labels = folder.write('labels.npy', npy('int64', [2], [0, 1]));
    const path = folder.write('good.npy', whole);
    expect(await failure(open(path, { labels }))).toMatchObject({ message: 'there are 2 labels for 3 samples' });
    const halves = folder.write('halves.npy', npy('float32', [3], [0, 0.5, 1]));
    expect(await failure(open(path, { labels: halves }))).toMatchObject({ message: 'the labels are no whole numbers' });
    expect(await failure(open(path, { inputs: [port([1, 4]), port([1, 4], 'z')] }))).toMatchObject({
      code: 'bad-data',
    });
  });
});

describe('.npz', () => {
  it('holds x and y', async () => {
    const path = folder.write('d.npz', npz({ y: npy('int64', [2], [1, 0]), x: npy('float32', [2, 4], range(8)) }));
    const data = await open(path);
    expect(data).toMatchObject({ size: 2, labelled: true, labelsFrom: 'y' });
    expect((await collect(data)).map((sample) => [sample.label, valuesOf(sample)])).toEqual([
      [1, range(4)],
      [0, range(4, 4)],
    ]);
  });

  it('holds an array per input', async () => {
    const inputs = [port(['n', 4], 'a'), { name: 'b', dtype: 'int64', dims: ['n'] } as const];
    const path = folder.write('d.npz', npz({ a: npy('float32', [2, 4], range(8)), b: npy('int64', [2], [5, 6]) }));
    const samples = await collect(await open(path, { inputs }));
    expect(samples.map((sample) => [valuesOf(sample, 'a'), valuesOf(sample, 'b')])).toEqual([
      [range(4), [5]],
      [range(4, 4), [6]],
    ]);
    const uneven = npz({ a: npy('float32', [2, 4], range(8)), b: npy('int64', [3], [5, 6, 7]) });
    expect(await failure(open(folder.write('u.npz', uneven), { inputs }))).toMatchObject({
      message: 'the arrays hold different numbers of samples: 2, 3',
    });
  });

  it('takes inputs without a batch axis in front as they are', async () => {
    const inputs = [port(['n', 4]), port([2, 'n', 3], 'state'), { name: 'rate', dtype: 'int64', dims: [] } as const];
    const arrays = {
      x: npy('float32', [2, 4], range(8)),
      state: npy('float32', [2, 2, 1, 3], range(12)),
      rate: npy('int64', [2], [16000, 8000]),
    };
    const samples = await collect(await open(folder.write('states.npz', npz(arrays)), { inputs }));
    expect(samples.map(({ feeds }) => [...feeds.values()].map(({ dims }) => dims))).toEqual([
      [[1, 4], [2, 1, 3], []],
      [[1, 4], [2, 1, 3], []],
    ]);
    expect(samples[1] && [valuesOf(samples[1], 'state'), valuesOf(samples[1], 'rate')]).toEqual([range(6, 6), [8000]]);
  });

  it('holds parts, as the files of Keras', async () => {
    const x = (from: number): Buffer => npy('float32', [1, 4], range(4, from));
    const path = folder.write('k.npz', npz({ x_train: x(0), x_test: x(10), y_test: npy('int64', [1], [3]) }));
    expect(await failure(open(path))).toMatchObject({ fix: 'name a part: k.npz#train or k.npz#test' });
    const [sample] = await collect(await open(`${path}#test`));
    expect([sample?.label, sample && valuesOf(sample)]).toEqual([3, range(4, 10)]);
  });

  it('is refused with the names of what is in it', async () => {
    const path = folder.write('d.npz', npz({ foo: npy('float32', [2, 4], range(8)) }));
    expect(await failure(open(path))).toMatchObject({ code: 'bad-data', message: 'the file holds foo: none is for x' });
    expect(await failure(open(folder.write('e.npz', 'no zip')))).toMatchObject({ code: 'bad-feed' });
    const short = npz({ x: npy('float32', [2, 4], range(8)), y: npy('int64', [1], [0]) });
    expect(await failure(open(folder.write('f.npz', short)))).toMatchObject({
      message: expect.stringContaining('1 labels'),
    });
  });
});

describe('idx', () => {
  const inputs = [port([1, 1, 2, 2])];
  const images = (part: string): [string, Buffer] => [`${part}-images-idx3-ubyte`, idx([2, 2, 2], range(8, 100))];
  const labels = (part: string): [string, Buffer] => [`${part}-labels-idx1-ubyte`, idx([2], [7, 4])];

  it('is read with the labels beside it, gzipped or not', async () => {
    const path = folder.write(...images('t10k'));
    folder.write(...labels('t10k'));
    const data = await open(path, { inputs, preprocess: raw });
    expect(data).toMatchObject({ kind: 'idx', size: 2, labelsFrom: 't10k-labels-idx1-ubyte' });
    const read = async (from: string): Promise<unknown[]> =>
      (await collect(await open(from, { inputs, preprocess: raw }))).map((sample) => [sample.label, valuesOf(sample)]);
    const wanted = [
      [7, [100, 101, 102, 103]],
      [4, [104, 105, 106, 107]],
    ];
    expect(await read(path)).toEqual(wanted);
    const [name, bytes] = images('t10k');
    folder.write(`zip/${name}.gz`, gzipSync(bytes));
    folder.write(`zip/${labels('t10k')[0]}.gz`, gzipSync(labels('t10k')[1]));
    expect(await read(folder.path('zip'))).toEqual(wanted);
    expect(await read(folder.path(`zip/${name}.gz`))).toEqual(wanted);
  });

  it('asks for a part where there are two', async () => {
    for (const part of ['t10k', 'train']) folder.write(...images(part));
    expect(await failure(open(folder.path(), { inputs }))).toMatchObject({
      code: 'bad-value',
      fix: expect.stringMatching(/#train or .*#test/),
    });
    expect((await open(`${folder.path()}#train`, { inputs })).labelled).toBe(false);
    expect(await failure(open(`${folder.path()}#val`, { inputs }))).toMatchObject({ code: 'bad-value' });
  });

  it('is refused when cut off, or with other labels', async () => {
    const [name, bytes] = images('t10k');
    expect(await failure(open(folder.write(name, bytes.subarray(0, -1)), { inputs }))).toMatchObject({
      code: 'bad-data',
    });
    const path = folder.write(name, bytes);
    folder.write('t10k-labels-idx1-ubyte', idx([3], [1, 2, 3]));
    expect(await failure(open(path, { inputs }))).toMatchObject({ message: 'there are 3 labels for 2 samples' });
    expect(await failure(open(folder.write('x.gz', 'no gzip'), { inputs }))).toMatchObject({ code: 'bad-data' });
  });
});

describe('CIFAR', () => {
  const inputs = [port(['n', 3, 32, 32])];
  const batch = (...reds: number[]): Buffer => Buffer.concat(reds.map((red) => cifarRecord([red % 10], [red, 1, 2])));
  const read = async (path: string): Promise<unknown[]> =>
    (await collect(await open(path, { inputs, preprocess: raw }))).map((sample) => {
      const values = valuesOf(sample);
      return [sample.name, sample.label, values[0], values[1024], values[3071]];
    });

  it('reads batches of a folder by part, packed or not', async () => {
    folder.write('data_batch_1.bin', batch(11, 12));
    folder.write('data_batch_2.bin.gz', gzipSync(batch(13)));
    folder.write('data_batch_2.bin', batch(13));
    folder.write('test_batch.bin.gz', gzipSync(batch(19)));
    expect(await failure(open(folder.path(), { inputs }))).toMatchObject({ code: 'bad-value' });
    expect(await read(`${folder.path()}#train`)).toEqual([
      ['data_batch_1.bin#0', 1, 11, 1, 2],
      ['data_batch_1.bin#1', 2, 12, 1, 2],
      ['data_batch_2.bin#0', 3, 13, 1, 2],
    ]);
    expect(await read(`${folder.path()}#test`)).toEqual([['test_batch.bin.gz#0', 9, 19, 1, 2]]);
    expect(await read(folder.path('test_batch.bin.gz'))).toEqual([['test_batch.bin.gz#0', 9, 19, 1, 2]]);
    const { classes } = await open(folder.path('data_batch_1.bin'), { inputs });
    expect(classes?.[9]).toBe('truck');
  });

  it('reads CIFAR-100 by its fine label', async () => {
    folder.write('train.bin', Buffer.concat([cifarRecord([3, 77], [5, 6, 7]), cifarRecord([4, 88], [8, 9, 10])]));
    expect(await read(folder.path('train.bin'))).toEqual([
      ['train.bin#0', 77, 5, 6, 7],
      ['train.bin#1', 88, 8, 9, 10],
    ]);
    expect((await open(folder.path(), { inputs })).kind).toBe('CIFAR-100');
  });

  it('is refused when it is no whole number of records', async () => {
    expect(await failure(open(folder.write('test.bin', batch(1).subarray(0, -1)), { inputs }))).toMatchObject({
      code: 'bad-data',
      message: expect.stringContaining('3073 or 3074'),
    });
    expect(await failure(open(folder.write('test.bin', ''), { inputs }))).toMatchObject({ code: 'bad-data' });
  });
});

describe('raw floats', () => {
  it('have the shape of the model, and labels in a file that begins alike', async () => {
    const path = folder.write('words-2x4.f32', Buffer.from(Float32Array.from(range(8)).buffer));
    folder.write('words-2.labels.u8', Uint8Array.of(9, 3));
    folder.write('other.labels.u8', Uint8Array.of(1, 1));
    for (const place of [path, folder.path()]) {
      const data = await open(place);
      expect(data.labelsFrom).toBe('words-2.labels.u8');
      expect((await collect(data)).map((sample) => [sample.label, valuesOf(sample)])).toEqual([
        [9, range(4)],
        [3, range(4, 4)],
      ]);
    }
  });

  it('are refused when the shape is open or the size is none', async () => {
    const path = folder.write('a.f32', Buffer.from(Float32Array.from(range(9)).buffer));
    expect(await failure(open(path))).toMatchObject({ code: 'bad-data', message: expect.stringContaining('36 bytes') });
    expect(await failure(open(path, { inputs: [port(['n', 't'])] }))).toMatchObject({ code: 'bad-data' });
  });
});

it('refuses a part of what has none', async () => {
  const path = folder.write('x.npy', npy('float32', [3, 4], range(12)));
  expect(await failure(open(`${path}#test`))).toMatchObject({ code: 'bad-value', fix: 'leave out #test' });
});

it('names what it understands when it does not understand', async () => {
  expect(await failure(open(folder.write('x.doc', 'hello')))).toMatchObject({
    code: 'bad-data',
    fix: expect.stringContaining('CIFAR'),
  });
});
