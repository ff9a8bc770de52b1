// The digest of data: the same for the same samples, wherever they lie; another for other samples or preprocessing.
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { openData, type DataOptions } from '../../src/data/open-data.js';
import { parsePreprocess } from '../../src/data/preprocess.js';
import { cifarRecord, npy, npz, png, port, useDataFolder } from './sample-files.js';

const folder = useDataFolder();
const inputs = [port(['n', 3, 4, 4])];
const digest = async (path: string, options: Partial<DataOptions> = {}): Promise<string> =>
  (await openData(path, { inputs, preprocess: parsePreprocess('unit'), ...options })).digest();

function pictures(name: string, second: number): string {
  folder.write(`${name}/cat/1.png`, png([1, 2, 3]));
  folder.write(`${name}/dog/1.png`, png([second, 5, 6]));
  return folder.path(name);
}

describe('the digest of pictures', () => {
  it('is a SHA-256 that does not hang on names and places', async () => {
    const one = await digest(pictures('one', 4));
    expect(one).toMatch(/^[0-9a-f]{64}$/);
    expect(await digest(pictures('two', 4))).toBe(one);
    folder.write('three/a/x.png', png([1, 2, 3]));
    folder.write('three/b/y.png', png([4, 5, 6]));
    expect(await digest(folder.path('three'))).toBe(one);
  });

  it('is another for other bytes, labels, number of samples, or preprocessing', async () => {
    const path = pictures('one', 4);
    const labels = folder.write('labels.txt', 'cat/1.png 1\ndog/1.png 0\n');
    const others = [
      await digest(path),
      await digest(pictures('two', 7)),
      await digest(path, { labels }),
      await digest(path, { preprocess: parsePreprocess('tf') }),
      await digest(path, { preprocess: parsePreprocess('unit:resize=none') }),
      await digest(path, { preprocess: undefined }),
    ];
    folder.write('one/dog/2.png', png([8, 8, 8]));
    others.push(await digest(path));
    expect(new Set(others).size).toBe(others.length);
  });
});

describe('the digest of arrays', () => {
  it('does not hang on how they are packed', async () => {
    const batch = Buffer.concat([cifarRecord([1], [1, 2, 3]), cifarRecord([2], [4, 5, 6])]);
    const options = { inputs: [port(['n', 3, 32, 32])] };
    const plain = await digest(folder.write('plain/test.bin', batch), options);
    expect(await digest(folder.write('packed/test.bin.gz', gzipSync(batch)), options)).toBe(plain);
    batch[0] = 3;
    expect(await digest(folder.write('other/test.bin', batch), options)).not.toBe(plain);
  });

  it('of a .npz speaks of what is used of it', async () => {
    const options = { inputs: [port(['n', 2])] };
    const x = npy('float32', [2, 2], [1, 2, 3, 4]);
    const bare = await digest(folder.write('a.npz', npz({ x })), options);
    expect(await digest(folder.write('b.npz', npz({ more: npy('float32', [1], [1]), x })), options)).toBe(bare);
    expect(await digest(folder.write('c.npz', npz({ x, y: npy('int64', [2], [0, 1]) })), options)).not.toBe(bare);
    const others = npy('float32', [2, 2], [1, 2, 3, 5]);
    expect(await digest(folder.write('d.npz', npz({ x: others })), options)).not.toBe(bare);
  });

  it('of a module is made of what it yields', async () => {
    const options = { inputs: [port(['n', 2])] };
    const code = (last: number, note: string): string =>
      `// ${note}\nexport const samples = [{ input: { data: [1, ${last}], dims: [2] } }];\n`;
    const first = await digest(folder.write('a.mjs', code(2, 'one')), options);
    expect(await digest(folder.write('b.mjs', code(2, 'two')), options)).toBe(first);
    expect(await digest(folder.write('c.mjs', code(3, 'one')), options)).not.toBe(first);
  });
});
