// What the benches read and write of numpy's files: headers, labels, and feeds as an .npz.
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';

/** Shape and offset of the values of an open .npy file (version 1 or 2, C order). */
export function readHeader(file) {
  const fixed = Buffer.alloc(12);
  readSync(file, fixed, 0, 12, 0);
  const [length, at] = fixed[6] === 1 ? [fixed.readUInt16LE(8), 10] : [fixed.readUInt32LE(8), 12];
  const text = Buffer.alloc(length);
  readSync(file, text, 0, length, at);
  const shape = /'shape': \(([^)]*)\)/.exec(text.toString('latin1'))?.[1] ?? '';
  return {
    shape: shape
      .split(',')
      .filter((part) => part.trim())
      .map(Number),
    start: at + length,
  };
}

/** Labels of an .npy file of int64. */
export function readLabels(path) {
  const file = openSync(path, 'r');
  const { start } = readHeader(file);
  closeSync(file);
  const bytes = readFileSync(path);
  return Array.from({ length: (bytes.length - start) / 8 }, (_, row) => Number(bytes.readBigInt64LE(start + 8 * row)));
}

const typeCodes = { float32: '<f4', int64: '<i8', int8: '|i1' };

/** The tensors as one array: along the batch axis of 1 in front, else along a new axis. */
function stack(tensors) {
  const [{ dtype, dims }] = tensors;
  const sizes = [tensors.length, ...(dims[0] === 1 ? dims.slice(1) : dims)];
  const shape = sizes.length === 1 ? `${sizes[0]},` : sizes.join(', ');
  const text = `{'descr': '${typeCodes[dtype]}', 'fortran_order': False, 'shape': (${shape}), }`;
  const header = Buffer.from(`\x93NUMPY\x01\0\0\0${text}`.padEnd(127).concat('\n'), 'latin1');
  header.writeUInt16LE(header.length - 10, 8);
  return Buffer.concat([header, ...tensors.map((tensor) => tensor.bytes())]);
}

/** Feeds (maps of input name to tensor) as an .npz of one array per input: members stored, not packed. */
export function writeFeeds(path, feeds) {
  const file = openSync(path, 'w');
  const directory = [];
  let position = 0;
  const write = (bytes) => {
    writeSync(file, bytes);
    position += bytes.length;
  };
  for (const input of feeds[0].keys()) {
    const member = stack(feeds.map((feed) => feed.get(input)));
    const name = Buffer.from(`${input}.npy`);
    // Version 2.0, no flags, stored, the first day of 1980; checksum, both sizes, length of the name.
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(0x21, 8);
    fields.writeUInt32LE(crc32(member), 10);
    fields.writeUInt32LE(member.length, 14);
    fields.writeUInt32LE(member.length, 18);
    fields.writeUInt16LE(name.length, 22);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(position, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\0', 'latin1'), fields, rest, name);
    write(Buffer.concat([Buffer.from('PK\x03\x04'), fields, name]));
    write(member);
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(feeds[0].size, 8);
  end.writeUInt16LE(feeds[0].size, 10);
  end.writeUInt32LE(entries.length, 12);
  end.writeUInt32LE(position, 16);
  write(entries);
  write(end);
  closeSync(file);
}
