// Models on disk: weights beside the model, and files that appear whole or not at all.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InputError, InterruptError } from '../../src/base/errors.js';
import { writeFiles, type NewFile } from '../../src/onnx/atomic-files.js';
import { decodeModel, type DecodedModel } from '../../src/onnx/decode.js';
import { openModel } from '../../src/onnx/open.js';
import { writeModel } from '../../src/onnx/write.js';
import { Tensor, type LazyBytes } from '../../src/tensor/tensor.js';
import { floats, modelOf, onnx, value } from './proto-bytes.js';

const place = { folder: '' };
const inFolder = (name: string): string => join(place.folder, name);

beforeEach(() => {
  place.folder = mkdtempSync(join(tmpdir(), 'mcompress-write-'));
});
afterEach(() => rmSync(place.folder, { recursive: true, force: true }));

const ramp = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Weights of 8, 1024, 8000 and 4096 bytes; the last two nodes read the same one. */
function someModel(): DecodedModel {
  const sizes = { tiny: 2, row: 256, wide: 2000, page: 1024 };
  return decodeModel(
    modelOf({
      input: [value('x', 1, [1])],
      output: [value('y', 1, ['n'])],
      node: Object.keys(sizes).map((name, i, names) => ({
        opType: 'Concat',
        input: [i === 0 ? 'x' : `v${i}`, name],
        output: [i === names.length - 1 ? 'y' : `v${i + 1}`],
        attribute: [{ name: 'axis', type: 2, i: 0 }],
      })),
      initializer: Object.entries(sizes).map(([name, count]) => floats(name, ramp(count))),
    }),
  );
}

const numbersOf = ({ model }: DecodedModel): object =>
  Object.fromEntries([...model.graph.initializers].map(({ name, constant }) => [name, constant?.toNumbers()]));

describe('writeModel', () => {
  it('puts everything into one file by default', async () => {
    const { model, document } = someModel();
    const path = inFolder('m.onnx');
    const written = await writeModel(document, model, path);
    expect(written).toEqual({ bytes: statSync(path).size, externalBytes: 0, files: [path] });
    expect(readdirSync(place.folder)).toEqual(['m.onnx']);
  });

  it('puts weights of a kilobyte and more into a file beside the model when asked, at addresses that can be mapped', async () => {
    const { model, document } = someModel();
    const path = inFolder('m.onnx');
    const written = await writeModel(document, model, path, { externalData: 'always' });
    expect(written.files).toEqual([`${path}.data`, path]);
    expect(written.externalBytes).toBe(statSync(`${path}.data`).size);
    const tensors = onnx.ModelProto.decode(readFileSync(path)).graph?.initializer ?? [];
    const entries = tensors.map(({ name, externalData, rawData, floatData }) => [
      name,
      Object.fromEntries((externalData ?? []).map((entry) => [entry.key, entry.value])),
      (rawData?.length ?? 0) + (floatData?.length ?? 0) * 4,
    ]);
    expect(entries).toEqual([
      ['tiny', {}, 8],
      ['row', { location: 'm.onnx.data', offset: '0', length: '1024' }, 0],
      ['wide', { location: 'm.onnx.data', offset: '4096', length: '8000' }, 0],
      ['page', { location: 'm.onnx.data', offset: '12288', length: '4096' }, 0],
    ]);
    const again = await openModel(path);
    expect(again.document.hasExternalData).toBe(true);
    expect(numbersOf(again)).toEqual(numbersOf(someModel()));
  });

  it('takes external weights inside when they fit, and the result needs no other file', async () => {
    const first = someModel();
    await writeModel(first.document, first.model, inFolder('a.onnx'), { externalData: 'always' });
    const { model, document } = await openModel(inFolder('a.onnx'));
    await writeModel(document, model, inFolder('b.onnx'));
    rmSync(inFolder('a.onnx.data'));
    expect(numbersOf(await openModel(inFolder('b.onnx')))).toEqual(numbersOf(someModel()));
  });

  it('moves weights out by itself when the model passes what one file can hold', async () => {
    const { model, document } = someModel();
    const path = inFolder('m.onnx');
    const { bytes, externalBytes } = await writeModel(document, model, path, { maxBytes: 2000 });
    expect(bytes).toBeLessThan(2000);
    expect(externalBytes).toBeGreaterThan(13_000);
    expect(numbersOf(await openModel(path))).toEqual(numbersOf(someModel()));
  });

  it.each([
    ['it may not use a second file', { maxBytes: 2000, externalData: 'never' as const }],
    ['the rest is too large by itself', { maxBytes: 100 }],
  ])('refuses a model that is too large when %s', async (_, options) => {
    const { model, document } = someModel();
    await expect(writeModel(document, model, inFolder('m.onnx'), options)).rejects.toMatchObject({
      code: 'too-large',
      fix: expect.stringContaining('--external-data'),
    });
    expect(readdirSync(place.folder)).toEqual([]);
  });

  it('replaces a model and the data it is read from', async () => {
    const path = inFolder('m.onnx');
    const first = someModel();
    await writeModel(first.document, first.model, path, { externalData: 'always' });
    const { model, document } = await openModel(path);
    model.graph.addInitializer(Tensor.fromNumbers('float32', [300], ramp(300)), 'more');
    await writeModel(document, model, path, { externalData: 'always' });
    expect(numbersOf(await openModel(path))).toEqual({ ...numbersOf(someModel()), more: ramp(300) });
  });

  it('leaves the old model and its data when the weights cannot be read any more', async () => {
    const source = someModel();
    await writeModel(source.document, source.model, inFolder('in.onnx'), { externalData: 'always' });
    const old = { 'out.onnx': 'old model', 'out.onnx.data': 'old data' };
    for (const [name, text] of Object.entries(old)) writeFileSync(inFolder(name), text);
    const { model, document } = await openModel(inFolder('in.onnx'));
    writeFileSync(inFolder('in.onnx.data'), 'cut off');
    const failing = writeModel(document, model, inFolder('out.onnx'), { externalData: 'always' });
    await expect(failing).rejects.toMatchObject({ code: 'external-data' });
    expect(Object.fromEntries(Object.keys(old).map((name) => [name, readFileSync(inFolder(name), 'utf8')]))).toEqual(
      old,
    );
    expect(readdirSync(place.folder).sort()).toEqual(['in.onnx', 'in.onnx.data', 'out.onnx', 'out.onnx.data']);
  });
});

describe('weights in other files', () => {
  it('are read in pieces, one after the other, and only when the file is written', async () => {
    const reads: number[] = [];
    const lazy: LazyBytes = {
      byteLength: 4096,
      read: () => new Uint8Array(4096),
      *pieces() {
        for (let i = 0; i < 4; i++) {
          reads.push(i);
          yield new Uint8Array(1024).fill(i);
        }
      },
    };
    const { model, document } = someModel();
    model.graph.addInitializer(new Tensor('uint8', [4096], lazy), 'lazy');
    expect(reads).toEqual([]);
    await writeModel(document, model, inFolder('m.onnx'), { externalData: 'always' });
    expect(reads).toEqual([0, 1, 2, 3]);
    const { model: again } = await openModel(inFolder('m.onnx'));
    const written = [...again.graph.initializers].find(({ name }) => name === 'lazy')?.constant;
    expect([...(written?.bytes() ?? [])].filter((_, i) => i % 1024 === 0)).toEqual([0, 1, 2, 3]);
  });
});

/** Chunks, and then an error, or something else that happens in the middle. */
function* interruptedBy(act: () => void): Generator<readonly Uint8Array[]> {
  yield [Buffer.from('new ')];
  act();
  yield [Buffer.from('text')];
}

const whole = (name: string, text = 'new text'): NewFile => ({ path: inFolder(name), batches: [[Buffer.from(text)]] });

describe('writeFiles', () => {
  it('replaces a file and keeps its permissions', async () => {
    writeFileSync(inFolder('a'), 'old');
    chmodSync(inFolder('a'), 0o640);
    await writeFiles([whole('a')]);
    expect(readFileSync(inFolder('a'), 'utf8')).toBe('new text');
    expect(statSync(inFolder('a')).mode & 0o777).toBe(0o640);
    expect(readdirSync(place.folder)).toEqual(['a']);
  });

  it.each([
    ['an error of the one that gives the bytes', new InputError('external-data', 'gone'), 'external-data'],
    ['an error that nobody foresaw', new RangeError('what'), undefined],
  ])('leaves every old file, and no other, after %s', async (_, error, code) => {
    writeFileSync(inFolder('a'), 'old a');
    writeFileSync(inFolder('b'), 'old b');
    const failing: NewFile = {
      path: inFolder('b'),
      batches: interruptedBy(() => {
        throw error;
      }),
    };
    const outcome = await writeFiles([whole('a'), failing]).catch((reason: unknown) => reason);
    expect(outcome).toBe(error);
    expect(outcome).toHaveProperty('message');
    expect((outcome as { readonly code?: string }).code).toBe(code);
    expect(readdirSync(place.folder).map((name) => readFileSync(inFolder(name), 'utf8'))).toEqual(['old a', 'old b']);
  });

  it('stops in the middle when the user says so, with nothing replaced', async () => {
    writeFileSync(inFolder('a'), 'old');
    const abort = new AbortController();
    const batches = interruptedBy(() => abort.abort());
    await expect(writeFiles([{ path: inFolder('a'), batches }], abort.signal)).rejects.toBeInstanceOf(InterruptError);
    expect(readdirSync(place.folder)).toEqual(['a']);
    expect(readFileSync(inFolder('a'), 'utf8')).toBe('old');
  });

  it.each([
    ['is in a folder that does not exist', 'missing/a', /its folder does not exist/],
    ['is a folder', 'folder', /it is a folder/],
    ['lies in a file', 'file/a', /its folder is a file/],
  ])('says so when the place %s, and writes none of the others', async (_, name, says) => {
    mkdirSync(inFolder('folder'));
    writeFileSync(inFolder('file'), 'old');
    const error: unknown = await writeFiles([whole('a'), whole(name)]).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InputError);
    expect(error).toMatchObject({
      code: 'not-writable',
      at: { file: inFolder(name) },
      message: expect.stringMatching(says),
    });
    expect(existsSync(inFolder('a'))).toBe(false);
    expect(readdirSync(place.folder).sort()).toEqual(['file', 'folder']);
  });
});

describe('metadata', () => {
  const written = async (file: string, { document, model }: DecodedModel, entries: readonly [string, string][]) => {
    await writeModel(document, model, inFolder(file), { metadata: new Map(entries) });
    return openModel(inFolder(file));
  };
  const held = ({ document }: DecodedModel): unknown => Object.fromEntries(document.header.metadata);

  it('is added to a file, takes the place of what had its key, and stays when the model is written again', async () => {
    const first = await written('a.onnx', someModel(), [['classes', '[1]']]);
    expect(held(first)).toEqual({ classes: '[1]' });
    const second = await written('b.onnx', first, [
      ['other', 'ä'],
      ['classes', '[2]'],
    ]);
    expect(held(second)).toEqual({ classes: '[2]', other: 'ä' });
    await writeModel(second.document, second.model, inFolder('c.onnx'));
    expect(readFileSync(inFolder('c.onnx')).equals(readFileSync(inFolder('b.onnx')))).toBe(true);
    // The same entries again change nothing, either.
    await written('d.onnx', second, [['other', 'ä']]);
    expect(readFileSync(inFolder('d.onnx')).equals(readFileSync(inFolder('b.onnx')))).toBe(true);
  });

  it('of a model that came from no file', async () => {
    await writeModel(undefined, someModel().model, inFolder('n.onnx'), { metadata: new Map([['k', 'v']]) });
    expect(held(await openModel(inFolder('n.onnx')))).toEqual({ k: 'v' });
  });
});
