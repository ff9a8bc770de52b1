// Reading zip archives as numpy writes them (.npz): stored or deflated entries, no encryption, no archive over 4 GiB.
// Source: PKWARE APPNOTE 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.16 (its end).
import { inflateRawSync } from 'node:zlib';
import { InputError } from '../base/errors.js';

export interface ZipEntry {
  readonly name: string;
  /** Bytes when unpacked, as the directory says. */
  readonly size: number;
  /** @throws InputError bad-feed when the data are damaged or larger than `size` */
  read(): Uint8Array;
}

const END = { signature: 0x06054b50, length: 22 };
const CENTRAL = { signature: 0x02014b50, length: 46 };
const LOCAL = { signature: 0x04034b50, length: 30 };
const MAX_COMMENT = 65535;
const IN_ZIP64 = 0xffffffff;

/**
 * The entries of an archive, in the order of its directory. `file` names it in messages.
 * @throws InputError bad-feed
 */
export function readZip(bytes: Uint8Array, file: string): ZipEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = findEnd(view);
  if (end === undefined) throw broken(file, 'it is not a zip archive, or its end is missing');
  const count = view.getUint16(end + 10, true);
  const entries: ZipEntry[] = [];
  let at = view.getUint32(end + 16, true);
  for (let i = 0; i < count; i++) {
    if (at + CENTRAL.length > end || view.getUint32(at, true) !== CENTRAL.signature)
      throw broken(file, 'its directory is damaged');
    const lengths = [view.getUint16(at + 28, true), view.getUint16(at + 30, true), view.getUint16(at + 32, true)];
    const nameLength = lengths[0] ?? 0;
    const name = new TextDecoder().decode(bytes.subarray(at + CENTRAL.length, at + CENTRAL.length + nameLength));
    entries.push(entryAt(view, at, { name, file }));
    at += CENTRAL.length + lengths.reduce((sum, length) => sum + length, 0);
  }
  return entries;
}

function findEnd(view: DataView): number | undefined {
  const first = Math.max(0, view.byteLength - END.length - MAX_COMMENT);
  for (let at = view.byteLength - END.length; at >= first; at--) {
    if (view.getUint32(at, true) === END.signature) return at;
  }
  return undefined;
}

function entryAt(view: DataView, at: number, { name, file }: { name: string; file: string }): ZipEntry {
  const flags = view.getUint16(at + 8, true);
  const method = view.getUint16(at + 10, true);
  const packed = view.getUint32(at + 20, true);
  const size = view.getUint32(at + 24, true);
  const local = view.getUint32(at + 42, true);
  const read = (): Uint8Array => {
    if (flags & 1) throw broken(file, `entry "${name}" is encrypted`);
    if ([packed, size, local].includes(IN_ZIP64)) throw broken(file, `entry "${name}" is over 4 GiB`);
    if (local + LOCAL.length > view.byteLength || view.getUint32(local, true) !== LOCAL.signature)
      throw broken(file, `entry "${name}" is damaged`);
    const start = local + LOCAL.length + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    if (start + packed > view.byteLength) throw broken(file, `entry "${name}" is cut off`);
    return unpack(new Uint8Array(view.buffer, view.byteOffset + start, packed), { method, size, name, file });
  };
  return { name, size, read };
}

interface Packing {
  readonly method: number;
  readonly size: number;
  readonly name: string;
  readonly file: string;
}

function unpack(data: Uint8Array, { method, size, name, file }: Packing): Uint8Array {
  if (method !== 0 && method !== 8)
    throw broken(file, `entry "${name}" is packed in a way that is not supported (method ${method})`);
  let bytes = data;
  if (method === 8) {
    try {
      bytes = inflateRawSync(data, { maxOutputLength: Math.max(1, size) });
    } catch (cause) {
      throw broken(file, `entry "${name}" cannot be unpacked`, cause);
    }
  }
  if (bytes.byteLength !== size)
    throw broken(file, `entry "${name}" has ${bytes.byteLength} bytes, its directory says ${size}`);
  return bytes;
}

function broken(file: string, why: string, cause?: unknown): InputError {
  return new InputError('bad-feed', `the file cannot be read: ${why}`, {
    at: { file },
    fix: 'write it with numpy.savez',
    cause,
  });
}
