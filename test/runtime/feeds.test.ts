// Random feeds, shapes and values given by a user, and sizes found by running real and small models.
import { mkdtempSync, rmSync, writeFileSync, copyFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { bindSizes, randomFeeds, type FeedKind, type InputSpec } from '../../src/runtime/feeds.js';
import { findFeeds, type FeedSearch } from '../../src/runtime/find-feeds.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import { readFeedFlags } from '../../src/runtime/user-feeds.js';
import type { DType } from '../../src/tensor/dtype.js';
import { sameTensor, Tensor } from '../../src/tensor/tensor.js';
import { asset, haveAssets } from './assets.js';
import { addModel, float32s, identityModel, int64s, tinyModel, TYPE } from './tiny-model.js';

const host = new RuntimeHost();
const folder = mkdtempSync(join(tmpdir(), 'mcompress-test-'));
afterAll(async () => {
  await host.dispose();
  rmSync(folder, { recursive: true });
});

const image: InputSpec = { name: 'image', dtype: 'float32', dims: ['n', 3, '', 8] };
const draw = (dtype: DType, kind: FeedKind, seed = 1): number[] =>
  randomFeeds([{ name: 'x', dtype, dims: [500] }], { seed, kind, sizes: {} })
    .get('x')
    ?.toNumbers() ?? [];
const numpyFile = (name: string): string => fileURLToPath(new URL(`../tensor/numpy/${name}`, import.meta.url));

describe('randomFeeds', () => {
  it('gives the same feeds for the same seed, others for another, and each input its own', () => {
    const specs = [
      { name: 'a', dtype: 'float32', dims: [9] },
      { name: 'b', dtype: 'float32', dims: [9] },
    ] as const;
    const feeds = (seed: number) =>
      [...randomFeeds(specs, { seed, kind: 'normal', sizes: {} }).values()].map((tensor) => tensor.toNumbers());
    expect(feeds(1)).toEqual(feeds(1));
    expect(feeds(1)).not.toEqual(feeds(2));
    expect(feeds(1)[0]).not.toEqual(feeds(1)[1]);
  });

  it('takes sizes of symbols, also of those without a name', () => {
    expect(randomFeeds([image], { seed: 1, kind: 'zeros', sizes: { n: 2, 'image#2': 4 } }).get('image')?.dims).toEqual([
      2, 3, 4, 8,
    ]);
    expect(() => randomFeeds([image], { seed: 1, kind: 'zeros', sizes: { n: 2 } })).toThrow('"image#2" has no size');
    expect(() => randomFeeds([image], { seed: 1, kind: 'zeros', sizes: { n: 2 ** 20, 'image#2': 2 ** 20 } })).toThrow(
      'too large',
    );
  });

  it('draws what the kind says', () => {
    const normal = draw('float32', 'normal');
    expect(Math.abs(normal.reduce((sum, x) => sum + x, 0) / 500)).toBeLessThan(0.2);
    expect(Math.max(...draw('float32', 'uniform'))).toBeLessThan(1);
    expect(Math.min(...draw('float32', 'uniform'))).toBeGreaterThanOrEqual(0);
    expect(new Set(draw('float32', 'zeros'))).toEqual(new Set([0]));
    expect(draw('float32', 'border')).toContain(-255);
    expect(Math.max(...draw('float32', 'faint').map(Math.abs))).toBeLessThan(0.06);
    expect(Math.max(...draw('float32', 'pixels'))).toBeGreaterThan(250);
    expect(Math.min(...draw('float32', 'pixels'))).toBeGreaterThanOrEqual(0);
  });

  it('keeps integers in the range that suits their width', () => {
    const range = (dtype: DType, kind: FeedKind): [number, number] => [
      Math.min(...draw(dtype, kind)),
      Math.max(...draw(dtype, kind)),
    ];
    expect(range('int64', 'normal')).toEqual([0, 7]);
    expect(range('bool', 'normal')).toEqual([0, 1]);
    expect(range('uint8', 'border')).toEqual([0, 255]);
    expect(range('int8', 'border')).toEqual([-128, 127]);
    expect(range('int8', 'zeros')).toEqual([0, 0]);
  });

  it('uses values given by the user', () => {
    const given = Tensor.fromNumbers('float32', [2], [5, 6]);
    const feeds = randomFeeds(
      [
        { name: 'a', dtype: 'float32', dims: ['n'] },
        { name: 'b', dtype: 'float32', dims: ['n'] },
      ],
      {
        seed: 1,
        kind: 'normal',
        sizes: { n: 2 },
        fixed: new Map<string, Tensor | { fill: number }>([
          ['a', given],
          ['b', { fill: 3 }],
        ]),
      },
    );
    expect(feeds.get('a')).toBe(given);
    expect(feeds.get('b')?.toNumbers()).toEqual([3, 3]);
  });
});

describe('bindSizes', () => {
  it('takes the sizes of symbols from shapes', () => {
    expect(bindSizes([image], new Map([['image', [4, 3, 16, 8]]]))).toEqual({ n: 4, 'image#2': 16 });
  });

  it.each([
    [[4, 3, 16], /has 4 dimensions/],
    [[4, 1, 16, 8], /fixed to 3/],
  ])('declines [%s]', (dims, why) => {
    expect(() => bindSizes([image], new Map([['image', dims]]))).toThrow(why);
  });

  it('declines two sizes for one symbol, and unknown inputs', () => {
    const twin = { ...image, name: 'twin' };
    expect(() =>
      bindSizes(
        [image, twin],
        new Map([
          ['image', [1, 3, 1, 8]],
          ['twin', [2, 3, 1, 8]],
        ]),
      ),
    ).toThrow(/"n" is 1 in another input/);
    expect(() => bindSizes([image], new Map([['images', [1]]]))).toThrow(/no input "images"/);
  });
});

describe('flags', () => {
  const specs: InputSpec[] = [
    { name: 'sr', dtype: 'int64', dims: [] },
    { name: 'x', dtype: 'float32', dims: ['n', 3] },
    { name: 'flag', dtype: 'bool', dims: [1] },
    { name: 'words', dtype: 'string', dims: [2] },
  ];
  const feed = (flag: string) => [...readFeedFlags([flag], specs).fixed.values()][0];
  const asTensor = (flag: string): Tensor => {
    const value = feed(flag);
    if (!(value instanceof Tensor)) throw new Error('not a tensor');
    return value;
  };

  it('parses --feed name=value', () => {
    expect(asTensor('sr=16000').toBigInts()).toEqual([16000n]);
    expect(asTensor('sr=16000').dims).toEqual([]);
    expect(asTensor('x=1,2,3,4,5,inf').dims).toEqual([2, 3]);
    expect(asTensor('x=1,2,3,4,5,inf').toNumbers()).toEqual([1, 2, 3, 4, 5, Infinity]);
    expect(asTensor('x=[[1,2,3]]').dims).toEqual([1, 3]);
    expect(asTensor('flag=true').toNumbers()).toEqual([1]);
    expect(feed('x=0.5')).toEqual({ fill: 0.5 });
    expect(
      asTensor('words=a,b')
        .strings()
        .map((word) => new TextDecoder().decode(word)),
    ).toEqual(['a', 'b']);
  });

  it.each([
    ['sr=1.5', /not a whole number/],
    ['sr=', /not a number/],
    ['x=1,two', /"two" is not a number/],
    ['x=[[1,2],[3]]', /different lengths/],
    ['x=1,2', /does not fit/],
    ['x=[1', /not a JSON array/],
    ['flag=7', /do not all fit/],
    ['y=1', /no input "y"/],
    ['words=a', /fit/],
  ])('declines --feed %s', (flag, why) => {
    expect(() => readFeedFlags([flag], specs)).toThrow(why);
  });

  it('reads files and turns their types into those of the inputs', () => {
    writeFileSync(join(folder, 'broken.npz'), 'nothing');
    expect(() => readFeedFlags([join(folder, 'broken.npz')], specs)).toThrow(/not a zip archive/);
    expect(() => readFeedFlags([join(folder, 'absent.npz')], specs)).toThrow(/does not exist/);
    expect(() => readFeedFlags(['no-equals-sign'], specs)).toThrow(/is not a feed/);
    copyFileSync(numpyFile('fortran.npy'), join(folder, 'x.npy'));
    expect(asTensor(`x=${join(folder, 'x.npy')}`).toNumbers()).toEqual([0, 1, 2, 3, 4, 5]);
    const archived = readFeedFlags(
      [numpyFile('stored.npz')],
      [
        { name: 'x', dtype: 'float32', dims: ['n'] },
        { name: 'flag', dtype: 'bool', dims: [] },
      ],
    );
    expect(archived.samples[0]?.get('x')?.dtype).toBe('float32');
    expect(archived.samples[0]?.get('x')?.toNumbers()).toEqual([0, 1, 2]);
    expect(() => readFeedFlags([numpyFile('stored.npz')], specs)).toThrow(/does not fit the input's \[n, 3\]/);
  });
});

function found(search: FeedSearch): Extract<FeedSearch, { verdict: 'found' }> {
  if (search.verdict !== 'found') throw search.error;
  return search;
}

describe('findFeeds', () => {
  const options = { seed: 0 };

  it('runs every kind, and a second size of each dynamic dimension', async () => {
    const { sizes, samples, refused } = found(await findFeeds(host, addModel(['n', 3], [1, 2, 3]), options));
    expect(sizes).toEqual({ n: 1 });
    expect(samples.map((sample) => sample.label)).toEqual(['normal', 'uniform', 'zeros', 'border', 'normal, n=2']);
    expect(samples[2]?.outputs.get('y')?.toNumbers()).toEqual([1, 2, 3]);
    expect(samples[4]?.outputs.get('y')?.dims).toEqual([2, 3]);
    expect(refused).toEqual([]);
  });

  it('feeds fainter and stronger values where an output is saturated, and says which stay so', async () => {
    // y is 0 or 1 unless x is faint, z is 1 whatever is fed.
    const model = tinyModel({
      nodes: [
        { op: 'Mul', inputs: ['x', 'c'], outputs: ['s'] },
        { op: 'Sigmoid', inputs: ['s'], outputs: ['y'] },
        { op: 'Abs', inputs: ['s'], outputs: ['a'] },
        { op: 'Add', inputs: ['a', 'c'], outputs: ['b'] },
        { op: 'Sigmoid', inputs: ['b'], outputs: ['z'] },
      ],
      inputs: [{ name: 'x', type: TYPE.float32, dims: [2] }],
      outputs: ['y', 'z'].map((name) => ({ name, type: TYPE.float32, dims: [2] })),
      tensors: [float32s('c', [1], [1000])],
    });
    const { samples, stuck } = found(await findFeeds(host, model, options));
    expect(samples.map((sample) => sample.label)).toEqual(['normal', 'uniform', 'zeros', 'border', 'faint', 'pixels']);
    expect(stuck).toEqual(['z']);
  });

  it('gives the same samples again', async () => {
    const model = addModel(['n', 3], [1, 2, 3]);
    const [one, two] = [found(await findFeeds(host, model, options)), found(await findFeeds(host, model, options))];
    one.samples.forEach((sample, i) => {
      const [a, b] = [sample.feeds.get('x'), two.samples[i]?.feeds.get('x')];
      expect(a && b && sameTensor(a, b)).toBe(true);
    });
  });

  it('searches the size that the model wants', async () => {
    // Reshape to [1, 3, 32, 32] takes only squares of 32 at batch 1.
    const model = tinyModel({
      nodes: [{ op: 'Reshape', inputs: ['x', 's'], outputs: ['y'] }],
      inputs: [{ name: 'x', type: TYPE.float32, dims: ['n', 3, 'h', 'w'] }],
      outputs: [{ name: 'y', type: TYPE.float32 }],
      tensors: [int64s('s', [1, 3, 32, 32])],
    });
    const { sizes, samples } = found(await findFeeds(host, model, options));
    expect(sizes).toEqual({ n: 1, h: 32, w: 32 });
    expect(samples.map((sample) => sample.label)).toEqual(['normal', 'uniform', 'zeros', 'border']);
  });

  it('searches an odd batch', async () => {
    const model = tinyModel({
      nodes: [{ op: 'Reshape', inputs: ['x', 's'], outputs: ['y'] }],
      inputs: [{ name: 'x', type: TYPE.float32, dims: ['n', 4] }],
      outputs: [{ name: 'y', type: TYPE.float32 }],
      tensors: [int64s('s', [7, 4])],
    });
    expect(found(await findFeeds(host, model, options)).sizes).toEqual({ n: 7 });
  });

  it('changes one dimension at a time where not all can change', async () => {
    // The batch is free, the length must stay 16.
    const model = tinyModel({
      nodes: [{ op: 'Add', inputs: ['x', 'b'], outputs: ['y'] }],
      inputs: [{ name: 'x', type: TYPE.float32, dims: ['batch', 't'] }],
      outputs: [{ name: 'y', type: TYPE.float32 }],
      tensors: [
        float32s(
          'b',
          [16],
          Array.from({ length: 16 }, () => 1),
        ),
      ],
    });
    const { samples } = found(await findFeeds(host, model, options));
    expect(samples.at(-1)?.label).toBe('normal, batch=2');
  });

  it('keeps integers small enough to be indices', async () => {
    const model = tinyModel({
      nodes: [{ op: 'Gather', inputs: ['table', 'i'], outputs: ['y'] }],
      inputs: [{ name: 'i', type: TYPE.int64, dims: [64] }],
      outputs: [{ name: 'y', type: TYPE.float32 }],
      tensors: [float32s('table', [2], [10, 20])],
    });
    const { samples, refused } = found(await findFeeds(host, model, options));
    expect(samples).toHaveLength(4);
    expect(refused).toEqual([]);
  });

  it('uses what was given, and takes sizes from it', async () => {
    const x = Tensor.fromNumbers(
      'float32',
      [5, 3],
      Array.from({ length: 15 }, () => 0),
    );
    const search = found(
      await findFeeds(host, addModel(['n', 3], [1, 2, 3]), {
        ...options,
        given: [new Map([['x', x]])],
        kinds: ['normal'],
      }),
    );
    expect(search.samples.map((sample) => sample.label)).toEqual(['given 1', 'normal', 'normal, n=6']);
    expect(search.samples[0]?.feeds.get('x')).toBe(x);
    const shaped = found(
      await findFeeds(host, addModel(['n', 3], [1, 2, 3]), { ...options, shapes: new Map([['x', [7, 3]]]) }),
    );
    expect(shaped.samples.every((sample) => sample.feeds.get('x')?.dims[0] === 7)).toBe(true);
  });

  it('runs a model without inputs once', async () => {
    const model = tinyModel({
      nodes: [{ op: 'Neg', inputs: ['a'], outputs: ['y'] }],
      outputs: [{ name: 'y', type: TYPE.float32 }],
      tensors: [float32s('a', [1], [4])],
    });
    const { samples } = found(await findFeeds(host, model, options));
    expect(samples.map((sample) => sample.outputs.get('y')?.scalar())).toEqual([-4]);
  });

  it('is unverified where nothing runs, with the reason', async () => {
    const never = tinyModel({
      nodes: [{ op: 'Reshape', inputs: ['x', 's'], outputs: ['y'] }],
      inputs: [{ name: 'x', type: TYPE.float32, dims: ['n'] }],
      outputs: [{ name: 'y', type: TYPE.float32 }],
      tensors: [int64s('s', [99991])],
    });
    expect(await findFeeds(host, never, options)).toMatchObject({
      verdict: 'unverified',
      error: { code: 'runtime-failed' },
    });
    expect(await findFeeds(host, Uint8Array.of(1, 2), options)).toMatchObject({
      verdict: 'unverified',
      error: { code: 'runtime-rejects' },
    });
    expect(await findFeeds(host, identityModel(TYPE.bfloat16), options)).toMatchObject({
      verdict: 'unverified',
      error: { code: 'unsupported' },
    });
  });

  it('does not hide a contradiction between what was given and the model', async () => {
    await expect(
      findFeeds(host, addModel(['n', 3], [1, 2, 3]), { ...options, shapes: new Map([['x', [1, 4]]]) }),
    ).rejects.toMatchObject({ code: 'bad-feed' });
  });
});

describe.skipIf(!haveAssets)('findFeeds on real models', () => {
  it.each([
    ['mnist-bn-as-exported.onnx', new Map<string, number>()],
    ['silero-vad-16k.onnx', new Map([['sr', 16000]])],
    ['resnet8-cifar10-int8-qdq.onnx', new Map()],
    ['streaming-wakeword-1d.onnx', new Map()],
    ['basic-pitch-nmp.onnx', new Map()],
    ['ultraface-rfb-320.onnx', new Map()],
    ['dscnn-kws.onnx', new Map()],
  ])('%s runs', async (name, values) => {
    const fixed = new Map([...values].map(([input, fill]) => [input, { fill }]));
    const { samples, refused } = found(await findFeeds(host, asset(name), { seed: 0, fixed }));
    expect(samples.length).toBeGreaterThanOrEqual(4);
    expect(refused).toEqual([]);
  });
});
