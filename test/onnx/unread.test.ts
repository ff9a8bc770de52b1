// Model files whose large tensors stay on disk: the same model, the same errors and the same bytes as when all is read.
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { InputError } from '../../src/base/errors.js';
import { decodeModel, decodeRead, type DecodedModel } from '../../src/onnx/decode.js';
import { encodeModel } from '../../src/onnx/encode.js';
import type { ExternalFile } from '../../src/onnx/external.js';
import { readSparsely } from '../../src/onnx/unread.js';
import { writeModel } from '../../src/onnx/write.js';

const scratch = mkdtempSync(join(tmpdir(), 'mcompress-unread-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const googlenet = join(import.meta.dirname, '../../fixtures/googlenet-lrn-cifar10.onnx');
const LEAVE_FROM = 1024;

function sparsely(path: string) {
  const descriptor = openSync(path, 'r');
  try {
    const { size, ino: inode, mtimeMs: changed } = fstatSync(descriptor);
    const file: ExternalFile = { location: basename(path), path, size, inode, changed };
    return readSparsely(descriptor, file, LEAVE_FROM);
  } finally {
    closeSync(descriptor);
  }
}

const opened = (path: string): DecodedModel => decodeRead(sparsely(path), { path });
const whole = (path: string): DecodedModel => decodeModel(readFileSync(path), { path });
const bytesOf = ({ document, model }: DecodedModel): Buffer => Buffer.concat(encodeModel(document, model));

/** A weight gets another name, the first Conv loses its bias, and a weight stands in one more initializer. */
function edit({ model }: DecodedModel): void {
  const { graph } = model;
  const [first, second] = graph.nodes().filter((node) => node.opType === 'Conv');
  const weight = second?.inputs[1];
  if (!first || !weight?.constant) throw new Error('the fixture has changed');
  graph.rename(weight, 'renamed');
  graph.setInput(first, 2, undefined);
  graph.addInitializer(weight.constant, 'copy');
}

function fail(path: string, decode: (path: string) => DecodedModel): string {
  try {
    decode(path);
  } catch (error) {
    if (error instanceof InputError) return `${error.code} ${error.message}`;
  }
  return 'no error';
}

/** A copy of the fixture with other bytes, under a name of its own. */
function changedCopy(name: string, change: (bytes: Buffer) => Uint8Array): string {
  const path = join(scratch, name);
  writeFileSync(path, change(readFileSync(googlenet)));
  return path;
}

describe('a model whose large tensors stay on disk', () => {
  it('has tensors that are read when asked, equal to those of the model in memory', () => {
    const [lazy, eager] = [opened(googlenet), whole(googlenet)];
    const tensors = [...lazy.model.graph.initializers].map((value) => value.constant);
    expect(tensors.map((tensor) => tensor?.fingerprint())).toEqual(
      [...eager.model.graph.initializers].map((value) => value.constant?.fingerprint()),
    );
    const large = tensors.filter((tensor) => (tensor?.byteLength ?? 0) >= LEAVE_FROM);
    expect(large.length).toBeGreaterThan(50);
    expect(tensors.filter((tensor) => tensor?.isLazy)).toEqual(large);
  });

  it('does not read their data', () => {
    const { bytes, unread } = sparsely(googlenet);
    const regions = unread?.within(0, bytes.length) ?? [];
    const left = regions.reduce((sum, { start, end }) => sum + end - start, 0);
    expect(left).toBeGreaterThan(0.9 * bytes.length);
    const file = readFileSync(googlenet);
    const given = regions.map((region) => unread?.bytes(region).read());
    expect(given.every((data, i) => file.subarray(regions[i]?.start, regions[i]?.end).equals(data ?? file))).toBe(true);
  });

  it('is written byte for byte when nothing changed', () => {
    expect(bytesOf(opened(googlenet)).equals(readFileSync(googlenet))).toBe(true);
  });

  it('is written as the model in memory is after a change, inside and with external data', async () => {
    const [lazy, eager] = [opened(googlenet), whole(googlenet)];
    for (const decoded of [lazy, eager]) edit(decoded);
    expect(bytesOf(lazy).equals(bytesOf(eager))).toBe(true);
    for (const [i, decoded] of [lazy, eager].entries()) {
      await writeModel(decoded.document, decoded.model, join(scratch, `${i}.onnx`), { externalData: 'always' });
    }
    expect(readFileSync(join(scratch, '0.onnx.data')).equals(readFileSync(join(scratch, '1.onnx.data')))).toBe(true);
  });

  it.each([
    ['cut off', (bytes: Buffer) => bytes.subarray(0, 700_000)],
    ['cut off in a header', (bytes: Buffer) => bytes.subarray(0, 21)],
    ['not a model', () => Buffer.alloc(5000, 'text ')],
    [
      'with dims that do not fit',
      (bytes: Buffer) => {
        // The first field of an initializer is its first dimension.
        const [record] = decodeModel(bytes).document.records.tensors.values();
        const at = record?.field.bodyStart ?? 0;
        bytes[at + 1] = (bytes[at + 1] ?? 0) + 1;
        return bytes;
      },
    ],
  ])('is refused as the model in memory is: %s', (name, change) => {
    const path = changedCopy(`${name.replaceAll(' ', '-')}.onnx`, change);
    expect(fail(path, whole)).not.toBe('no error');
    expect(fail(path, opened)).toBe(fail(path, whole));
  });

  it('reads a file whose graph comes in two parts', () => {
    // A second, empty GraphProto: the parts are one message to protobuf.
    const path = changedCopy('two.onnx', (bytes) => Buffer.concat([bytes, Buffer.from([0x3a, 0x00])]));
    const [lazy, eager] = [opened(path), whole(path)];
    expect(bytesOf(lazy).equals(readFileSync(path))).toBe(true);
    for (const decoded of [lazy, eager]) edit(decoded);
    expect(bytesOf(lazy).equals(bytesOf(eager))).toBe(true);
  });

  it('says so when the file changed in the meantime', () => {
    const path = changedCopy('changed.onnx', (bytes) => bytes);
    const { model } = opened(path);
    writeFileSync(path, readFileSync(googlenet).subarray(1));
    const [tensor] = [...model.graph.initializers].map((value) => value.constant).filter((found) => found?.isLazy);
    expect(() => tensor?.bytes()).toThrow(/changed/);
  });
});
