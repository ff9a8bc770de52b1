// Streams of samples: order, parts, what is skipped, what is decoded ahead, stopping.
import { describe, expect, it } from 'vitest';
import { InterruptError } from '../../src/base/errors.js';
import { loadSharp } from '../../src/data/decode-image.js';
import { openData, type DataOptions } from '../../src/data/open-data.js';
import { parsePreprocess } from '../../src/data/preprocess.js';
import { readAhead } from '../../src/data/read-ahead.js';
import { shuffledOrder, splitData } from '../../src/data/sample-order.js';
import { collect, failure, jpeg, npy, png, port, useDataFolder, valuesOf } from './sample-files.js';

const folder = useDataFolder();
const RGB = [port(['n', 3, 4, 4])];
const open = (path: string, options: Partial<DataOptions> = {}) =>
  openData(path, { inputs: RGB, preprocess: parsePreprocess('raw'), ...options });

/** A .npy file of `count` samples: each holds its own number. */
function numbered(count: number): string {
  return folder.write('numbers.npy', npy('float32', [count, 1], [...Array(count).keys()]));
}
const ONE = { inputs: [port(['n', 1])] };
const numbers = async (path: string, stream: Parameters<typeof collect>[1] = {}): Promise<number[]> =>
  (await collect(await open(path, ONE), stream)).flatMap((sample) => valuesOf(sample));

describe('order', () => {
  it('is that of the files, or drawn from a seed', async () => {
    const path = numbered(50);
    const stored = [...Array(50).keys()];
    expect(await numbers(path)).toEqual(stored);
    const first = await numbers(path, { order: 'shuffled', seed: 1 });
    expect(first).not.toEqual(stored);
    expect(first.toSorted((a, b) => a - b)).toEqual(stored);
    expect(await numbers(path, { order: 'shuffled', seed: 1 })).toEqual(first);
    expect(await numbers(path, { order: 'shuffled', seed: 2 })).not.toEqual(first);
  });

  it('is cut into parts by positions', async () => {
    const path = numbered(50);
    const whole = await numbers(path, { order: 'shuffled', seed: 3 });
    const { calibrate, score } = splitData(50, 20, 3);
    expect(await numbers(path, calibrate)).toEqual(whole.slice(0, 20));
    expect(await numbers(path, score)).toEqual(whole.slice(20));
    expect(await numbers(path, { from: 45, to: 99 })).toEqual([45, 46, 47, 48, 49]);
    expect(await numbers(path, { from: 7, to: 7 })).toEqual([]);
    expect(await numbers(path, { from: 60 })).toEqual([]);
  });

  it('spreads the classes evenly when there are labels', () => {
    // 90 of class 0, 10 of class 1, stored class by class.
    const labels = Array.from({ length: 100 }, (_, i) => (i < 90 ? 0 : 1));
    for (const seed of [0, 1, 2]) {
      const order = shuffledOrder(100, seed, labels);
      expect([...order].toSorted((a, b) => a - b)).toEqual([...Array(100).keys()]);
      for (let from = 0; from < 100; from += 20) {
        const rare = order.slice(from, from + 20).filter((index) => labels[index] === 1).length;
        expect(rare).toBe(2);
      }
    }
    expect(shuffledOrder(100, 0, labels)).not.toEqual(shuffledOrder(100, 1, labels));
  });

  it('puts no class always in front', () => {
    const labels = [0, 0, 0, 1, 1, 1, 2, 2, 2];
    const firsts = new Set(Array.from({ length: 40 }, (_, seed) => labels[shuffledOrder(9, seed, labels)[0] ?? 0]));
    expect(firsts.size).toBe(3);
  });

  it('splits what is asked for, within bounds', () => {
    expect(splitData(10, 99, 0).score).toMatchObject({ from: 10, to: 10 });
    expect(splitData(10, -1, 0).calibrate).toMatchObject({ from: 0, to: 0 });
  });
});

describe('samples that cannot be read', () => {
  const broken = (count: number): void => {
    for (let i = 0; i < count; i++) folder.write(`broken${i}.jpg`, jpeg([9, 9, 9], 64, 64).subarray(0, 400));
  };

  it('are skipped, named and counted', async () => {
    folder.write('good.jpg', jpeg([9, 9, 9]));
    broken(1);
    folder.write('empty.png', '');
    folder.write('text.png', 'not a picture at all');
    const data = await open(folder.path());
    expect((await collect(data)).map(({ name }) => name)).toEqual(['good.jpg']);
    expect(data.skipped.map(({ name }) => name)).toEqual(['broken0.jpg', 'empty.png', 'text.png']);
    expect(data.skipped[0]?.reason).toMatch(/cannot be decoded: .*premature end/);
    expect(data.skipped[1]?.reason).toBe('the file is empty');
    await collect(data);
    expect(data.skipped).toHaveLength(3);
  });

  it('end the stream beyond the limit', async () => {
    for (let i = 0; i < 20; i++) folder.write(`good${i}.png`, png([9, 9, 9]));
    broken(11);
    const error = await failure(collect(await open(folder.path())));
    expect(error).toMatchObject({ code: 'bad-data', exitCode: 3 });
    expect(error.message).toMatch(/^11 samples cannot be used \(broken0\.jpg: .*; \.\.\.\)$/);
    const patient = await open(folder.path(), { maxSkipped: { count: 0, share: 0.5 } });
    expect(await collect(patient)).toHaveLength(20);
    const strict = await open(folder.path(), { maxSkipped: { count: 0, share: 0 } });
    expect(await failure(collect(strict))).toMatchObject({ message: expect.stringMatching(/^1 samples/) });
  });

  it('end the stream when they are all there is', async () => {
    broken(2);
    expect(await failure(collect(await open(folder.path())))).toMatchObject({ code: 'bad-data' });
  });

  it('tell of arrays that do not fit, and of inputs that take no pictures', async () => {
    folder.write('a.npy', npy('float32', [3, 5, 5], [...Array(75).keys()]));
    folder.write('b.npy', npy('float32', [3, 4, 4], [...Array(48).keys()]));
    const data = await open(folder.path());
    expect(await collect(data)).toHaveLength(1);
    expect(data.skipped[0]?.reason).toMatch(/3x5x5|5 x 5/);
    const picture = folder.write('pictures/a.png', png([1, 2, 3]));
    const vector = await open(picture, { inputs: [port([1, 10])] });
    expect(await failure(collect(vector))).toMatchObject({ message: expect.stringContaining('is no picture') });
    const two = await open(picture, { inputs: [...RGB, port([1], 'z')] });
    expect(await failure(collect(two))).toMatchObject({ message: expect.stringContaining('takes 2 inputs') });
  });

  it('are another matter than a decoder that is missing', async () => {
    const missing = loadSharp(() => Promise.reject(new Error("Cannot find package 'sharp'")));
    expect(await failure(missing)).toMatchObject({ code: 'not-available', exitCode: 2, fix: 'npm install sharp' });
  });
});

describe('reading ahead', () => {
  it('keeps the order and the bound, whatever is ready first', async () => {
    let running = 0;
    let most = 0;
    let begun = 0;
    const seen: number[] = [];
    const work = async (i: number): Promise<number> => {
      begun++;
      most = Math.max(most, ++running);
      await new Promise((resolve) => {
        setTimeout(resolve, (i * 7) % 5);
      });
      running--;
      return i;
    };
    for await (const i of readAhead(20, work, { depth: 3, signal: undefined })) {
      seen.push(i);
      // What was begun and not yet taken: at most 3 behind the one in hand.
      expect(begun - seen.length).toBeLessThanOrEqual(3);
    }
    expect(seen).toEqual([...Array(20).keys()]);
    expect(most).toBeLessThanOrEqual(3);
  });

  it('begins nothing more when its reader leaves', async () => {
    let begun = 0;
    for await (const i of readAhead(100, (index) => Promise.resolve((begun++, index)), { depth: 4, signal: undefined }))
      if (i === 5) break;
    expect(begun).toBeLessThanOrEqual(10);
  });

  it('hands an error on when its turn comes, and not before', async () => {
    const seen: number[] = [];
    const work = (i: number): Promise<number> => (i === 2 ? Promise.reject(new Error('two')) : Promise.resolve(i));
    const reading = (async () => {
      for await (const i of readAhead(9, work, { depth: 4, signal: undefined })) seen.push(i);
    })();
    await expect(reading).rejects.toThrow('two');
    expect(seen).toEqual([0, 1]);
  });

  it('stops when it is told to', async () => {
    const stop = new AbortController();
    const data = await open(numbered(50), ONE);
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { name } of data.samples({ signal: stop.signal })) {
        seen.push(name);
        if (seen.length === 3) stop.abort();
      }
    })();
    await expect(reading).rejects.toBeInstanceOf(InterruptError);
    expect(seen).toHaveLength(3);
  });
});
