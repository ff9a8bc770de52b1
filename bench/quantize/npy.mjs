// What the benches read of .npy files: the shape, and where the values begin.
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

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
