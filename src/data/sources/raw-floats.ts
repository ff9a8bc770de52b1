// Little-endian float32 samples one after the other (.f32): the shape is that of the model, labels are bytes in a file beside.
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { elementCount, Tensor } from '../../tensor/tensor.js';
import { describeArray } from '../array-input.js';
import { labelledContent, openByteFile } from '../byte-file.js';
import { listedLabels } from '../label-file.js';
import { badData, type IndexedSource, type SourceKind } from '../source.js';

const ENDING = '.f32';
const LABELS_ENDING = '.labels.u8';
const FLOAT_BYTES = 4;

export const RAW_FLOATS: SourceKind = {
  kind: 'raw floats',
  looksLike: 'little-endian float32 samples (.f32) with .labels.u8 beside',
  parts: 'none',
  recognises: ({ form, name, files }) =>
    form === 'file' ? name.endsWith(ENDING) : files.filter((file) => file.toLowerCase().endsWith(ENDING)).length === 1,
  open: async ({ place, inputs, labels }) => {
    const inFolder = place.files.find((file) => file.toLowerCase().endsWith(ENDING)) ?? '';
    const path = place.form === 'file' ? place.path : join(place.path, inFolder);
    const [port] = inputs;
    const rest = port?.dims.slice(1) ?? [];
    const dims = rest.filter((dim): dim is number => typeof dim === 'number' && dim > 0);
    if (!port || inputs.length > 1 || dims.length < rest.length)
      throw badData(
        path,
        `the shape of a sample does not follow from the model (${inputs.map((input) => describeArray(input.dims, input.dtype)).join(', ')})`,
        { fix: 'store the samples as .npy or .npz, which know their shape' },
      );
    const file = await openByteFile(path);
    const width = elementCount(dims) * FLOAT_BYTES;
    const size = file.size / width;
    if (!Number.isInteger(size) || size === 0)
      throw badData(
        path,
        `${file.size} bytes are no whole number of samples of ${dims.join('x')} floats (${width} bytes)`,
      );
    const found = await listedLabels(labels ?? (await labelsBeside(path)), size);
    return {
      kind: RAW_FLOATS.kind,
      access: 'indexed',
      size,
      ...found,
      notes: [],
      name: (index) => `${basename(path)}#${index}`,
      read: async (index) => {
        const tensor = new Tensor('float32', dims, await file.read(index * width, width));
        return { kind: 'arrays', arrays: new Map([['', tensor]]) };
      },
      content: () => labelledContent(found.labels, file),
    } satisfies IndexedSource;
  },
};

/** `name-45x30x1x40.f32` and `name.f32` have their labels in `name-45.labels.u8` and `name.labels.u8`: the longest beginning. */
async function labelsBeside(path: string): Promise<string | undefined> {
  const stem = basename(path).slice(0, -ENDING.length);
  const names = (await readdir(dirname(path)))
    .filter((name) => name.endsWith(LABELS_ENDING) && stem.startsWith(name.slice(0, -LABELS_ENDING.length)))
    .sort((a, b) => b.length - a.length);
  return names[0] === undefined ? undefined : join(dirname(path), names[0]);
}
