// One .npy file with samples along its first axis, read by slices; labels from a file beside it or the one given.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { readNpy, readNpyHeader } from '../../tensor/npy.js';
import { labelledContent, openByteFile } from '../byte-file.js';
import { listedLabels } from '../label-file.js';
import { badData, type IndexedSource, type SourceKind } from '../source.js';
import { fileSlices, tensorSlices } from './array-slices.js';

/** Longest header that is read, with what stands in front of it. */
const HEADER_BYTES = 2 ** 20 + 12;

export const NPY: SourceKind = {
  kind: '.npy array',
  looksLike: 'a .npy array with the samples along its first axis',
  parts: 'none',
  recognises: ({ form, name }) => form === 'file' && name.endsWith('.npy'),
  open: async ({ place: { path }, inputs, labels }) => {
    const [port] = inputs;
    if (!port || inputs.length > 1)
      throw badData(path, `the model takes ${inputs.length} inputs, a .npy file is one`, {
        fix: 'save them by name with numpy.savez',
      });
    const file = await openByteFile(path);
    const header = readNpyHeader(await file.read(0, Math.min(file.size, HEADER_BYTES)), path);
    const slices = header.plain
      ? fileSlices(file, header, port)
      : tensorSlices(readNpy(await readFile(path), path), port, path);
    const found = await listedLabels(labels ?? labelsBeside(path), slices.count);
    return {
      kind: NPY.kind,
      access: 'indexed',
      size: slices.count,
      ...found,
      notes: [],
      name: (index) => `${basename(path)}#${index}`,
      read: async (index) => ({ kind: 'arrays', arrays: new Map([['', await slices.read(index)]]) }),
      content: () => labelledContent(found.labels, file),
    } satisfies IndexedSource;
  },
};

/** `x_test.npy` has its labels in `y_test.npy`, `data.npy` in `data.labels.npy`. */
function labelsBeside(path: string): string | undefined {
  const name = basename(path);
  const names = [name.replace(/\.npy$/i, '.labels.npy'), ...(/^x(?=[_.-])/i.test(name) ? [`y${name.slice(1)}`] : [])];
  return names.map((candidate) => join(dirname(path), candidate)).find((candidate) => existsSync(candidate));
}
