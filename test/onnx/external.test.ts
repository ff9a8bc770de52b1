// External data: read where it stands, nothing outside the model's folder, and everything that can be wrong with it.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '../../src/base/errors.js';
import { decodeModel, type DecodedModel } from '../../src/onnx/decode.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { openModel } from '../../src/onnx/open.js';
import { modelOf, onnx, value } from './proto-bytes.js';

const paths = { folder: '', model: '' };
const numbers = Float32Array.of(1, 2, 3, 4);
const data = Buffer.concat([Buffer.alloc(8), Buffer.from(numbers.buffer), Buffer.from('rest')]);

beforeAll(() => {
  const home = mkdtempSync(join(tmpdir(), 'mcompress-external-'));
  paths.folder = join(home, 'model');
  paths.model = join(paths.folder, 'm.onnx');
  mkdirSync(join(paths.folder, 'sub'), { recursive: true });
  writeFileSync(join(paths.folder, 'w.bin'), data);
  writeFileSync(join(paths.folder, 'sub', 'w.bin'), data);
  writeFileSync(join(home, 'secret.bin'), data);
  symlinkSync(join(home, 'secret.bin'), join(paths.folder, 'link-out.bin'));
  symlinkSync('sub/w.bin', join(paths.folder, 'link-in.bin'));
  symlinkSync(home, join(paths.folder, 'link-folder'));
  execFileSync('mkfifo', [join(paths.folder, 'pipe')]);
});

afterAll(() => rmSync(join(paths.folder, '..'), { recursive: true, force: true }));

type Entries = Readonly<Record<string, string | number>>;

/** y = x + w, with w in another file. */
function externalModel(entries: Entries, dims: readonly number[] = [4]): Buffer {
  const externalData = Object.entries(entries).map(([key, text]) => ({ key, value: String(text) }));
  return modelOf({
    input: [value('x', 1, [4])],
    output: [value('y', 1, [4])],
    node: [{ opType: 'Add', input: ['x', 'w'], output: ['y'] }],
    initializer: [{ name: 'w', dims: [...dims], dataType: 1, dataLocation: 1, externalData }],
  });
}

const decode = (entries: Entries, dims?: readonly number[]): DecodedModel =>
  decodeModel(externalModel(entries, dims), { path: paths.model });
const weight = ({ model }: DecodedModel) => {
  const [w] = model.graph.initializers;
  if (!w?.constant) throw new TypeError('no weight');
  return w.constant;
};

function refusal(entries: Entries, dims?: readonly number[]): InputError {
  try {
    decode(entries, dims);
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
  throw new TypeError('the model was accepted');
}

describe('a tensor in another file', () => {
  it.each([
    ['at an offset', { location: 'w.bin', offset: 8, length: 16 }],
    ['without a length', { location: 'w.bin', offset: 8 }],
    ['in a folder below', { location: 'sub/w.bin', offset: '8' }],
    ['behind a link that stays inside', { location: 'link-in.bin', offset: 8 }],
    ['with a path that goes nowhere', { location: './w.bin', offset: 8 }],
    [
      'with the checksum of the file',
      { location: 'w.bin', offset: 8, checksum: createHash('sha1').update(data).digest('hex').toUpperCase() },
    ],
    [
      'with the checksum of its own bytes',
      { location: 'w.bin', offset: 8, checksum: createHash('sha1').update(data.subarray(8, 24)).digest('hex') },
    ],
  ] as const)('%s', (_, entries) => {
    const decoded = decode(entries);
    expect(weight(decoded).isLazy).toBe(true);
    expect(weight(decoded).toNumbers()).toEqual([...numbers]);
    expect(decoded.document.hasExternalData).toBe(true);
  });

  it('comes inside when the model is encoded, or stays where it is', () => {
    const bytes = externalModel({ location: 'w.bin', offset: 8 });
    const { model, document } = decodeModel(bytes, { path: paths.model });
    expect(Buffer.concat(encodeModel(document, model, { externalData: 'keep' }))).toEqual(bytes);
    const inline = Buffer.concat(encodeModel(document, model));
    const [tensor] = onnx.ModelProto.decode(inline).graph?.initializer ?? [];
    expect([tensor?.name, tensor?.externalData, tensor?.dataLocation, Buffer.from(tensor?.rawData ?? [])]).toEqual([
      'w',
      [],
      0,
      Buffer.from(numbers.buffer),
    ]);
    expect(weight(decodeModel(inline)).isLazy).toBe(false);
  });

  it('is found by the path of the model, and in a folder that is given with the bytes', async () => {
    writeFileSync(paths.model, externalModel({ location: 'w.bin', offset: 8 }));
    expect(weight(await openModel(paths.model)).toNumbers()).toEqual([...numbers]);
    expect(
      weight(decodeModel(externalModel({ location: 'w.bin', offset: 8 }), { folder: paths.folder })).toNumbers(),
    ).toEqual([...numbers]);
  });

  it('is not read when its file has changed meanwhile', () => {
    const path = join(paths.folder, 'changing.bin');
    writeFileSync(path, data);
    const tensor = weight(decode({ location: 'changing.bin', offset: 8 }));
    utimesSync(path, new Date(0), new Date(0));
    expect(() => tensor.bytes()).toThrow(/was changed while it was in use/);
    rmSync(path);
    expect(() => tensor.bytes()).toThrow(InputError);
  });
});

describe('external data is refused', () => {
  it.each([
    ['above the folder', { location: '../secret.bin' }, /outside the folder/],
    ['above it by a detour', { location: 'sub/../../secret.bin' }, /outside/],
    ['above it with the other slash', { location: '..\\secret.bin' }, /outside/],
    ['at an absolute path', { location: '/etc/hostname' }, /outside/],
    ['on a drive', { location: 'C:\\w.bin' }, /outside/],
    ['behind a link that leads out', { location: 'link-out.bin' }, /outside/],
    ['in a folder that is a link out', { location: 'link-folder/secret.bin' }, /outside/],
    ['without a name', { location: '' }, /outside/],
    ['when the file is missing', { location: 'missing.bin' }, /"missing\.bin" cannot be read/],
    ['when it is a folder', { location: 'sub' }, /cannot be read/],
    ['when it is a pipe, which is not waited for', { location: 'pipe' }, /cannot be read/],
    ['when the file is too short', { location: 'w.bin', offset: 16 }, /reaches to byte 32 of "w\.bin", which has 28/],
    ['when the offset is absurd', { location: 'w.bin', offset: 2 ** 49 }, /which has 28/],
    ['when the checksum is another', { location: 'w.bin', offset: 8, checksum: '00'.repeat(20) }, /SHA-1/],
  ] as const)('%s', (_, entries, says) => {
    const error = refusal(entries);
    expect([error.code, error.at.tensor, error.at.file]).toEqual(['external-data', 'w', paths.model]);
    expect(error.message).toMatch(says);
    expect(error.fix).toBeDefined();
  });

  it.each([
    ['without a location', { offset: 8 }, /good location/],
    ['with a negative offset', { location: 'w.bin', offset: -8 }, /good location, offset/],
    ['with a length that is no number', { location: 'w.bin', length: 'all' }, /offset or length/],
    [
      'with a length that disagrees with the shape',
      { location: 'w.bin', length: 12 },
      /length 12, but the tensor has 16 bytes/,
    ],
  ] as const)('%s', (_, entries, says) => {
    const error = refusal(entries);
    expect([error.code, error.at.tensor]).toEqual(['bad-tensor', 'w']);
    expect(error.message).toMatch(says);
  });

  it('for a huge shape, without allocating it', () => {
    expect(refusal({ location: 'w.bin' }, [2 ** 40]).code).toBe('external-data');
  });
});
