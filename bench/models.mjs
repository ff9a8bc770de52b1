// The models the bench scripts work on: every .onnx file of the folders in MCOMPRESS_MODELS (separated as PATH is), by
// default those of fixtures/. A name on the command line keeps the models whose file name contains it.
import { readdirSync } from 'node:fs';
import { basename, delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** Absolute paths, sorted by file name; on equal names the first folder wins. */
export function listModels(filters = []) {
  const folders = (process.env.MCOMPRESS_MODELS ?? join(root, 'fixtures')).split(delimiter).filter(Boolean);
  const byName = new Map();
  for (const folder of folders) {
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.onnx'))) {
      if (!byName.has(file)) byName.set(file, resolve(folder, file));
    }
  }
  const wanted = (name) => filters.length === 0 || filters.some((filter) => name.includes(filter));
  return [...byName.values()]
    .filter((path) => wanted(basename(path)))
    .sort((a, b) => (basename(a) < basename(b) ? -1 : 1));
}

/** The Python that holds onnx, onnxruntime and the peers, or undefined. */
export const python = process.env.MCOMPRESS_PYTHON;
