// Figures of a model, against numbers worked out by hand and by other tools.
import { createHash } from 'node:crypto';
import { readFileSync, rmSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseModel } from '../../src/ir/text/parse.js';
import { assumedSizes, digestFiles, figuresOf, inputSpecs } from '../../src/pipeline/model-facts.js';
import { precisionTolerance } from '../../src/pipeline/precision.js';
import { RewriteLog } from '../../src/pipeline/rewrite-log.js';
import { fixture } from './slim-case.js';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mcompress-facts-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('digestFiles', () => {
  it.each(['mnist-bn-as-exported.onnx', 'small/zero-size.onnx'])('is what other tools say of %s', async (name) => {
    const bytes = readFileSync(fixture(name));
    const zipped = gzipSync(bytes, { level: 9 });
    expect(gunzipSync(zipped).equals(bytes)).toBe(true);
    expect(await digestFiles(fixture(name), 0)).toEqual({
      name: name.split('/').at(-1),
      bytes: bytes.length,
      gzipBytes: zipped.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    });
  });

  it('counts external data, and then says nothing of gzip', async () => {
    const path = join(folder, 'model.onnx');
    writeFileSync(path, 'abc');
    expect(await digestFiles(path, 1000)).toMatchObject({ bytes: 1003, gzipBytes: undefined });
  });

  it('reads a file of many pieces whole', async () => {
    const path = join(folder, 'large.onnx');
    const bytes = Buffer.alloc(5 * 2 ** 20 + 17, 'pattern of some length');
    writeFileSync(path, bytes);
    const digest = await digestFiles(path, 0);
    expect(digest.bytes).toBe(bytes.length);
    expect(digest.sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(digest.gzipBytes).toBe(gzipSync(bytes, { level: 9 }).length);
  });
});

const CONV = `g (float[N,3,H,W] x) => (float[N,8,H,W] y) <float[8,3,3,3] w = random(1), float[8] b = random(2)> {
  c = Conv <pads = [1, 1, 1, 1]> (x, w, b)
  y = Relu (c)
}`;

describe('figuresOf', () => {
  it('counts symbols at the sizes given, and shows their names', () => {
    const model = parseModel(CONV);
    const sizes = new Map([
      ['N', 2],
      ['H', 4],
      ['W', 5],
    ]);
    const { cost, layers, peakActivationBytes } = figuresOf(model, sizes);
    // 2 images x 8 maps x 4 x 5 places x 27 products.
    expect(
      layers.map(({ opType, kind, macs, shape, parameters }) => ({ opType, kind, macs, shape, parameters })),
    ).toEqual([
      { opType: 'Conv', kind: 'tensor', macs: 2 * 8 * 20 * 27, shape: ['N', 8, 'H', 'W'], parameters: 224 },
      { opType: 'Relu', kind: 'non-tensor', macs: 0, shape: ['N', 8, 'H', 'W'], parameters: 0 },
    ]);
    expect(cost).toMatchObject({ nodes: 2, parameters: 224, macs: 8640 });
    // The input, which belongs to the caller, and the result of Conv, which Relu writes over.
    expect(peakActivationBytes).toBe(4 * (2 * 3 * 20 + 2 * 8 * 20));
  });

  it('counts a symbol without a size as 1', () => {
    const { layers, cost } = figuresOf(
      parseModel(CONV),
      new Map([
        ['H', 4],
        ['W', 5],
      ]),
    );
    expect(layers[0]?.macs).toBe(8 * 20 * 27);
    expect(cost.macs).toBe(8 * 20 * 27);
  });
});

describe('inputs', () => {
  const listed = parseModel(
    `g (float[N,4] x, int64 n, float[4] w, float[] u) => (float[N,4] y) <float[4] w = {1, 2, 3, 4}> { y = Add (x, w) }`,
  );

  it('are those that have to be fed', () => {
    expect(inputSpecs(listed)).toEqual([
      { name: 'x', dtype: 'float32', dims: ['N', 4] },
      { name: 'n', dtype: 'int64', dims: [] },
      { name: 'u', dtype: 'float32', dims: [] },
    ]);
  });

  it('take sizes from given shapes, or from the run', () => {
    const model = parseModel(CONV);
    expect(Object.fromEntries(assumedSizes(model, new Map([['x', [2, 3, 4, 5]]]), undefined))).toEqual({
      N: 2,
      H: 4,
      W: 5,
    });
    const search = { verdict: 'found', sizes: { N: 7, H: 8, W: 9 }, samples: [], refused: [], stuck: [] } as const;
    expect(Object.fromEntries(assumedSizes(model, new Map(), { search }))).toEqual({ N: 7, H: 8, W: 9 });
    expect(() => assumedSizes(model, new Map([['x', [2, 4, 4, 5]]]), undefined)).toThrow(/fixed to 3/);
  });
});

describe('precisionTolerance', () => {
  const log = (...passes: readonly string[]): RewriteLog => {
    const made = new RewriteLog();
    for (const pass of passes) made.tally(pass).rewrites = 1;
    made.tally('fold-batch-norm').milliseconds = 1;
    return made;
  };
  const model = (dtype: string) => parseModel(`g (${dtype}[2] x) => (${dtype}[2] y) { y = Neg (x) }`);

  it('asks for equal bits as long as only exact passes rewrote something', () => {
    expect(precisionTolerance(model('float'), log())).toEqual({ mode: 'bits' });
    expect(precisionTolerance(model('float'), log('remove-identity', 'fold-constants'))).toEqual({ mode: 'bits' });
    expect(precisionTolerance(model('float16'), log('remove-identity'))).toEqual({ mode: 'bits' });
  });

  it.each([
    ['float', 1e-4],
    ['double', 1e-4],
    ['float16', 1e-2],
    ['bfloat16', 5e-2],
  ])('allows %s models %d of the scale once one rounds', (dtype, limit) => {
    expect(precisionTolerance(model(dtype), log('remove-identity', 'fold-batch-norm'))).toEqual({
      mode: 'scale',
      limit,
    });
  });

  it('goes by the narrowest type, of weights too', () => {
    const mixed = parseModel(
      'g (float[2] x) => (float[2] y) <float16[2] h = {1, 2}> { c = Cast <to = 1> (h)\n y = Add (x, c) }',
    );
    expect(precisionTolerance(mixed, log('fold-batch-norm'))).toEqual({ mode: 'scale', limit: 1e-2 });
  });
});
