// A .npz file: an array per input of the model, or one named x, and the labels as y.
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { readNpz } from '../../tensor/npy.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { InputPort } from '../data-set.js';
import { readLabelList, tensorLabels } from '../label-file.js';
import { badData, type IndexedSource, type SourceKind } from '../source.js';
import { tensorSlices, type ArraySlices } from './array-slices.js';

const SAMPLE_KEYS = ['x', 'X', 'data', 'images', 'inputs', 'arr_0'];
const LABEL_KEYS = ['y', 'Y', 'labels', 'label', 'targets'];

export const NPZ: SourceKind = {
  kind: '.npz arrays',
  looksLike: 'a .npz file with x and y, or with an array per input of the model',
  parts: 'file',
  recognises: ({ form, name }) => form === 'file' && name.endsWith('.npz'),
  open: async ({ place: { path }, part, inputs, labels }) => {
    const bytes = await readFile(path).catch((cause: unknown) => {
      throw badData(path, 'the file cannot be opened', { cause });
    });
    const arrays = readNpz(bytes, path);
    const slices = new Map<string, ArraySlices>();
    for (const [port, array] of inputArrays(arrays, inputs, { part, path }))
      slices.set(port.name, tensorSlices(array, port, path));
    const counts = [...slices].map(([, { count }]) => count);
    const [size = 0] = counts;
    if (counts.some((count) => count !== size))
      throw badData(path, `the arrays hold different numbers of samples: ${counts.join(', ')}`);
    const key = keysOf(LABEL_KEYS, part).find((name) => arrays.has(name));
    const array = key === undefined ? undefined : arrays.get(key);
    const own = array && { labels: tensorLabels(array, path), classes: undefined };
    const found = labels === undefined ? own : await readLabelList(labels, size);
    if (found && found.labels.length !== size)
      throw badData(path, `there are ${found.labels.length} labels in "${key ?? ''}" for ${size} samples`);
    return {
      kind: NPZ.kind,
      access: 'indexed',
      size,
      labels: found?.labels,
      classes: found?.classes,
      labelsFrom: found && (labels === undefined ? key : basename(labels)),
      notes: [],
      name: (index) => `${basename(path)}#${index}`,
      read: async (index) => {
        const sample = new Map<string, Tensor>();
        for (const [name, slice] of slices) sample.set(name, await slice.read(index));
        return { kind: 'arrays', arrays: sample };
      },
      // The arrays and not the file: what else it holds, and how it is packed, does not matter.
      async *content() {
        yield `${found?.labels.join(',') ?? ''};`;
        for (const [name, slice] of slices) {
          yield `${name};${slice.dtype}[${slice.dims.join(',')}];`;
          for (let i = 0; i < slice.count; i++) yield (await slice.read(i)).bytes();
        }
      },
    } satisfies IndexedSource;
  },
};

const keysOf = (keys: readonly string[], part: string | undefined): string[] =>
  part === undefined ? [...keys] : keys.flatMap((key) => [`${key}_${part}`, `${part}_${key}`]);

function inputArrays(
  arrays: ReadonlyMap<string, Tensor>,
  inputs: readonly InputPort[],
  { part, path }: { readonly part: string | undefined; readonly path: string },
): [InputPort, Tensor][] {
  const found = inputs.flatMap((port): [InputPort, Tensor][] => {
    const array = arrays.get(port.name);
    return array ? [[port, array]] : [];
  });
  if (found.length === inputs.length && part === undefined) return found;
  const [only] = inputs;
  const key = keysOf(SAMPLE_KEYS, part).find((name) => arrays.has(name));
  const single = key === undefined ? undefined : arrays.get(key);
  if (only && inputs.length === 1 && single) return [[only, single]];
  const parts = [...arrays.keys()].flatMap((name) => /^x_(\w+)$/i.exec(name)?.[1] ?? []);
  throw badData(
    path,
    `the file holds ${[...arrays.keys()].join(', ') || 'no arrays'}: none is for ${inputs.map(({ name }) => name).join(', ')}`,
    {
      fix:
        parts.length > 0
          ? `name a part: ${parts.map((name) => `${basename(path)}#${name}`).join(' or ')}`
          : inputs.length === 1
            ? 'name the samples x and the labels y, as in numpy.savez("data.npz", x=images, y=labels)'
            : 'name the arrays like the inputs of the model',
    },
  );
}
