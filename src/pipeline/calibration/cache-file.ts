// Calibration caches as files: JSON, compressed where the name ends with .gz.
import { readFile } from 'node:fs/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import { InputError } from '../../base/errors.js';
import { writeFiles } from '../../onnx/atomic-files.js';
import { readCalibration, writeCalibration, type CalibrationCache } from './cache.js';

/** Writes a cache; nobody sees half of it. @throws InputError not-writable */
export async function writeCacheFile(path: string, cache: CalibrationCache): Promise<void> {
  const text = Buffer.from(writeCalibration(cache));
  await writeFiles([{ path, batches: [[path.toLowerCase().endsWith('.gz') ? gzipSync(text, { level: 9 }) : text]] }]);
}

/** @throws InputError not-found, bad-data */
export async function readCacheFile(path: string): Promise<CalibrationCache> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new InputError('not-found', 'the calibration cache cannot be read', { at: { file: path }, cause });
  }
  return readCalibration(unpacked(bytes, path), path);
}

function unpacked(bytes: Uint8Array, path: string): string {
  const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b;
  try {
    return Buffer.from(isPacked ? gunzipSync(bytes) : bytes).toString('utf8');
  } catch (cause) {
    throw new InputError('bad-data', 'the calibration cache is damaged', {
      at: { file: path },
      fix: 'write it anew: mcompress calibrate MODEL',
      cause,
    });
  }
}
