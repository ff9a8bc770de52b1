// Folders and lists of pictures and .npy files: what is read, in which order, with which labels.
import { describe, expect, it } from 'vitest';
import { openData, type DataOptions } from '../../src/data/open-data.js';
import { parsePreprocess } from '../../src/data/preprocess.js';
import { collect, failure, jpeg, npy, png, pngOf, port, useDataFolder, valuesOf, type Color } from './sample-files.js';

const folder = useDataFolder();
const RGB = [port(['n', 3, 2, 2])];
const open = (path: string, options: Partial<DataOptions> = {}) =>
  openData(path, { inputs: RGB, preprocess: parsePreprocess('raw'), ...options });
const shade = (value: number): Color => [value, value + 1, value + 2];

/** Name, label and first value of every sample. */
async function rows(path: string, options: Partial<DataOptions> = {}): Promise<unknown[]> {
  return (await collect(await open(path, options))).map((sample) => [sample.name, sample.label, valuesOf(sample)[0]]);
}

function classFolders(): string {
  folder.write('set/dog/1.png', png(shade(30)));
  folder.write('set/cat/b.PNG', png(shade(20)));
  folder.write('set/cat/a.jpg', jpeg([10, 10, 10]));
  folder.write('set/cat/.hidden.png', 'no picture');
  folder.write('set/cat/notes.txt', 'no picture');
  return folder.path('set');
}

describe('a folder per class', () => {
  it('numbers the classes in the order of their names', async () => {
    const data = await open(classFolders());
    expect(data).toMatchObject({
      kind: 'image folder',
      size: 3,
      labelled: true,
      labelsFrom: 'sub-folders',
      classes: ['cat', 'dog'],
    });
    expect(await rows(folder.path('set'))).toEqual([
      ['cat/a.jpg', 0, 10],
      ['cat/b.PNG', 0, 20],
      ['dog/1.png', 1, 30],
    ]);
  });

  it('takes names that are numbers for the labels', async () => {
    for (const name of ['0', '2', '10']) folder.write(`${name}/1.png`, png(shade(Number(name))));
    expect(await rows(folder.path())).toEqual([
      ['0/1.png', 0, 0],
      ['10/1.png', 10, 10],
      ['2/1.png', 2, 2],
    ]);
    expect((await open(folder.path())).classes).toBeUndefined();
  });

  it('asks for a part where there are several', async () => {
    for (const part of ['train', 'val']) folder.write(`${part}/cat/1.png`, png(shade(part.length)));
    expect(await failure(open(folder.path()))).toMatchObject({
      code: 'bad-value',
      fix: expect.stringMatching(/#train or .*#val/),
    });
    expect(await rows(`${folder.path()}#val`)).toEqual([['cat/1.png', 0, 3]]);
    expect(await failure(open(`${folder.path()}#test`))).toMatchObject({
      code: 'bad-value',
      fix: 'choose one of: train, val',
    });
  });
});

describe('a flat folder', () => {
  it('has no labels, and leaves sub-folders out, saying so', async () => {
    folder.write('b.png', png(shade(2)));
    folder.write('a.png', png(shade(1)));
    folder.write('old/c.png', png(shade(3)));
    const data = await open(folder.path());
    expect(data).toMatchObject({ size: 2, labelled: false, labelsFrom: undefined, classes: undefined });
    expect(data.warnings()).toEqual(['1 sub-folder left out']);
    expect(await rows(folder.path())).toEqual([
      ['a.png', undefined, 1],
      ['b.png', undefined, 2],
    ]);
  });

  it('reads labels in front of the names, when all have one', async () => {
    folder.write('0007_n0144.png', png(shade(1)));
    folder.write('12_cat.png', png(shade(2)));
    expect(await rows(folder.path())).toEqual([
      ['0007_n0144.png', 7, 1],
      ['12_cat.png', 12, 2],
    ]);
    folder.write('cat.png', png(shade(3)));
    expect((await open(folder.path())).labelled).toBe(false);
  });

  it('reads .npy files, a sample each', async () => {
    folder.write('1.npy', npy('float32', [3, 2, 2], [...Array(12).keys()]));
    folder.write(
      '2.npy',
      npy(
        'float32',
        [1, 3, 2, 2],
        [...Array(12).keys()].map((i) => i + 100),
      ),
    );
    expect(await rows(folder.path())).toEqual([
      ['1.npy', undefined, 0],
      ['2.npy', undefined, 100],
    ]);
    expect((await open(folder.path())).kind).toBe('folder of .npy files');
  });

  it('is refused when nothing in it is a sample', async () => {
    folder.write('empty/readme.md', '');
    expect(await failure(open(folder.path('empty')))).toMatchObject({ code: 'bad-data', exitCode: 3 });
    expect(await failure(open(folder.path('none')))).toMatchObject({ code: 'not-found', exitCode: 3 });
  });
});

describe('a mapping file', () => {
  it.each([
    ['labels.csv', 'file,label\n"cat/a.jpg",5\nb.PNG,7\n1,9\n'],
    ['labels.csv', 'cat/a.jpg;5\r\ncat\\b.PNG;7\r\ndog/1.png;9\r\n'],
    ['labels.tsv', 'cat/a.jpg\t5\nb.PNG\t7\n1.png\t9'],
    ['labels.txt', '# labels\ncat/a.jpg 5\nb.PNG 7\n\n1.png 9\n'],
    ['labels.json', '{"cat/a.jpg": 5, "b": "7", "./dog/1.png": 9}'],
    ['labels.json', '[["cat/a.jpg", 5], ["b.PNG", 7], ["1.png", 9]]'],
  ])('names files by path, name or stem: %s %j', async (name, content) => {
    classFolders();
    const labels = folder.write(name, content);
    expect(await rows(folder.path('set'), { labels })).toEqual([
      ['cat/a.jpg', 5, 10],
      ['cat/b.PNG', 7, 20],
      ['dog/1.png', 9, 30],
    ]);
  });

  it('may hold words, which become classes', async () => {
    const labels = folder.write('labels.txt', 'a.jpg tabby\nb.PNG siamese\n1.png tabby\n');
    const data = await open(classFolders(), { labels });
    expect(data).toMatchObject({ classes: ['siamese', 'tabby'], labelsFrom: 'labels.txt' });
    expect((await collect(data)).map(({ label }) => label)).toEqual([1, 0, 1]);
  });

  it('may hold one label per file without names, in their order', async () => {
    const labelsOf = async (labels: string): Promise<unknown[]> =>
      (await collect(await open(classFolders(), { labels }))).map(({ label }) => label);
    expect(await labelsOf(folder.write('truth.txt', '4\n8\n6\n'))).toEqual([4, 8, 6]);
    expect(await labelsOf(folder.write('truth.npy', npy('int64', [3], [1, 2, 3])))).toEqual([1, 2, 3]);
    expect(await failure(open(classFolders(), { labels: folder.write('few.txt', '4\n8\n') }))).toMatchObject({
      code: 'bad-data',
    });
  });

  it('leaves out files that it does not name, and says which of its names are unknown', async () => {
    const labels = folder.write('labels.txt', 'a.jpg 3\nmissing.png 4\n');
    const data = await open(classFolders(), { labels });
    expect((await collect(data)).map(({ name }) => name)).toEqual(['cat/a.jpg']);
    expect(data.warnings()).toEqual(
      expect.arrayContaining([
        'labels.txt names 1 file that the folder lacks (missing.png)',
        '2 files without a label left out',
      ]),
    );
  });

  it.each([
    ['labels.txt', 'x.png 3\n', /none of its names/],
    ['labels.txt', '# nothing\n', /names no samples/],
    ['labels.json', '{"a.jpg": ', /not JSON/],
    ['labels.json', '{"a.jpg": [3]}', /an entry is/],
  ])('is refused: %s %j', async (name, content, why) => {
    const labels = folder.write(name, content);
    const error = await failure(open(classFolders(), { labels }));
    expect(error).toMatchObject({ code: 'bad-data', at: { file: labels } });
    expect(error.message).toMatch(why);
  });

  it('is refused when it is not there', async () => {
    expect(await failure(open(classFolders(), { labels: folder.path('no.csv') }))).toMatchObject({ code: 'bad-data' });
  });
});

describe('a list of files', () => {
  it('names samples relative to itself, spaces and all', async () => {
    classFolders();
    folder.write('set/my dog.png', png(shade(40)));
    const list = folder.write('lists/val.txt', '../set/cat/a.jpg 3\n../set/my dog.png 1\n');
    expect(await rows(list)).toEqual([
      ['../set/cat/a.jpg', 3, 10],
      ['../set/my dog.png', 1, 40],
    ]);
    const bare = folder.write('lists/bare.txt', '../set/cat/a.jpg\n../set/my dog.png\n');
    expect((await open(bare)).labelled).toBe(false);
    expect((await open(bare)).size).toBe(2);
  });

  it('counts a file that is missing as a sample that cannot be read', async () => {
    classFolders();
    const list = folder.write('list.csv', 'path,label\nset/cat/a.jpg,3\nset/none.png,1\n');
    const data = await open(list);
    expect(await collect(data)).toHaveLength(1);
    expect(data.skipped).toEqual([{ name: 'set/none.png', reason: 'the file cannot be opened' }]);
  });

  it('is refused when it lists no samples, or comes with labels', async () => {
    const text = folder.write('text.txt', 'Once upon a time\nthere was a file\n');
    expect(await failure(open(text))).toMatchObject({ code: 'bad-data' });
    const list = folder.write('list.txt', 'a.png 1\n');
    expect(await failure(open(list, { labels: text }))).toMatchObject({ code: 'bad-data' });
  });
});

describe('pictures', () => {
  it('may be one alone', async () => {
    expect(await rows(folder.write('one.png', png(shade(9))))).toEqual([['one.png', undefined, 9]]);
  });

  it('lose transparency, and grey ones get three channels', async () => {
    folder.write('gray.png', pngOf(Buffer.of(0, 50, 60, 0, 70, 80), { height: 2, width: 2, colorType: 0 }));
    const rgba = Buffer.of(0, 1, 2, 3, 0, 4, 5, 6, 255, 0, 7, 8, 9, 128, 10, 11, 12, 64);
    folder.write('rgba.png', pngOf(rgba, { height: 2, width: 2, colorType: 6 }));
    const [gray, color] = await collect(await open(folder.path()));
    expect(gray && valuesOf(gray)).toEqual([50, 60, 70, 80, 50, 60, 70, 80, 50, 60, 70, 80]);
    expect(color && valuesOf(color)).toEqual([1, 4, 7, 10, 2, 5, 8, 11, 3, 6, 9, 12]);
  });

  it('go into models with channels last', async () => {
    folder.write('a.png', png(shade(5)));
    const [sample] = await collect(await open(folder.path(), { inputs: [port(['n', 2, 2, 3])] }));
    expect(sample?.feeds.get('x')?.dims).toEqual([1, 2, 2, 3]);
    expect(sample && valuesOf(sample)).toEqual([5, 6, 7, 5, 6, 7, 5, 6, 7, 5, 6, 7]);
  });
});
