// Files of samples, written for a test: pictures, numpy arrays, idx and CIFAR records.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import { encode as encodeJpeg } from 'jpeg-js';
import { afterEach, beforeEach } from 'vitest';
import { AppError } from '../../src/base/errors.js';
import type { DataSet, InputPort, Sample, StreamOptions } from '../../src/data/data-set.js';

export interface DataFolder {
  path(name?: string): string;
  write(name: string, content: string | Uint8Array): string;
}

/** A temporary folder per test; to be called at the top of a test file. */
export function useDataFolder(): DataFolder {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mcompress-data-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const path = (name = ''): string => join(folder, name);
  return {
    path,
    write(name, content) {
      mkdirSync(dirname(path(name)), { recursive: true });
      writeFileSync(path(name), content);
      return path(name);
    },
  };
}

export type Color = readonly [red: number, green: number, blue: number];

/** A PNG of one colour, `height` x `width`. Lossless, so that values can be told beforehand. */
export function png(color: Color, height = 4, width = 4): Buffer {
  const row = Buffer.concat([Buffer.of(0), ...Array.from({ length: width }, () => Buffer.from(color))]);
  return pngOf(Buffer.concat(Array.from({ length: height }, () => row)), { height, width, colorType: 2 });
}

/** A PNG from filtered rows (a filter byte 0 in front of each). `colorType`: 0 grey, 2 RGB, 4 grey and alpha, 6 RGBA. */
export function pngOf(
  rows: Uint8Array,
  { height, width, colorType }: { readonly height: number; readonly width: number; readonly colorType: number },
): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, colorType, 0, 0, 0], 8);
  const chunk = (type: string, data: Uint8Array): Buffer => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const frame = Buffer.alloc(body.length + 8);
    frame.writeUInt32BE(data.length, 0);
    frame.set(body, 4);
    frame.writeUInt32BE(crc32(body), body.length + 4);
    return frame;
  };
  const signature = Buffer.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', new Uint8Array()),
  ]);
}

/** A JPEG of one colour. */
export function jpeg([red, green, blue]: Color, height = 16, width = 16): Buffer {
  const data = Buffer.alloc(height * width * 4);
  for (let i = 0; i < height * width; i++) data.set([red, green, blue, 255], 4 * i);
  return encodeJpeg({ data, width, height }, 95).data;
}

const DESCRIPTIONS = { float32: '<f4', uint8: '|u1', int64: '<i8', int32: '<i4' } as const;

/** A .npy file, version 1.0. */
export function npy(dtype: keyof typeof DESCRIPTIONS, dims: readonly number[], values: readonly number[]): Buffer {
  const shape = dims.length === 1 ? `${dims[0]},` : dims.join(', ');
  const text = `{'descr': '${DESCRIPTIONS[dtype]}', 'fortran_order': False, 'shape': (${shape}), }`;
  const padded = `${text.padEnd(117)}\n`;
  const head = Buffer.concat([
    Buffer.from('\x93NUMPY\x01\x00', 'latin1'),
    Buffer.of(118, 0),
    Buffer.from(padded, 'latin1'),
  ]);
  const arrays = {
    float32: () => Float32Array.from(values),
    uint8: () => Uint8Array.from(values),
    int64: () => BigInt64Array.from(values.map(BigInt)),
    int32: () => Int32Array.from(values),
  };
  return Buffer.concat([head, Buffer.from(arrays[dtype]().buffer)]);
}

/** A zip of stored entries, as numpy.savez writes it. */
export function npz(arrays: Readonly<Record<string, Uint8Array>>): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [key, data] of Object.entries(arrays)) {
    const name = Buffer.from(`${key}.npy`);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt32LE(crc32(data), 14);
    local.writeUInt32LE(data.length, 18);
    local.writeUInt32LE(data.length, 22);
    local.writeUInt16LE(name.length, 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    local.copy(central, 16, 14, 28);
    central.writeUInt32LE(at, 42);
    locals.push(local, name, Buffer.from(data));
    directory.push(central, name);
    at += local.length + name.length + data.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(arrays).length, 8);
  end.writeUInt16LE(Object.keys(arrays).length, 10);
  end.writeUInt32LE(Buffer.concat(directory).length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...locals, ...directory, end]);
}

/** An idx file of unsigned bytes. */
export function idx(dims: readonly number[], values: readonly number[]): Buffer {
  const head = Buffer.alloc(4 + 4 * dims.length);
  head.set([0, 0, 8, dims.length]);
  for (const [axis, dim] of dims.entries()) head.writeUInt32BE(dim, 4 + 4 * axis);
  return Buffer.concat([head, Buffer.from(values)]);
}

/** A CIFAR record: label bytes, then 1024 bytes each of red, green and blue. */
export function cifarRecord(labels: readonly number[], [red, green, blue]: Color): Buffer {
  return Buffer.concat([
    Buffer.from(labels),
    Buffer.alloc(1024, red),
    Buffer.alloc(1024, green),
    Buffer.alloc(1024, blue),
  ]);
}

/** An input of a model. */
export function port(dims: readonly (number | string)[], name = 'x'): InputPort {
  return { name, dtype: 'float32', dims };
}

/** All samples of a stream. */
export async function collect(data: DataSet, options?: StreamOptions): Promise<Sample[]> {
  const samples: Sample[] = [];
  for await (const sample of data.samples(options)) samples.push(sample);
  return samples;
}

/** Numbers of an input of a sample. */
export function valuesOf({ feeds }: Sample, name = 'x'): number[] {
  return feeds.get(name)?.toNumbers() ?? [];
}

/** The error that `work` ends with. */
export async function failure(work: Promise<unknown>): Promise<AppError> {
  const error: unknown = await work.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  if (error instanceof AppError) return error;
  throw error;
}
