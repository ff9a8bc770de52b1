// CIFAR-10 and CIFAR-100 in their binary version: one file or a folder of batches, gzipped or not.
// Source: A. Krizhevsky, "The CIFAR-10 dataset", section "Binary version": label bytes, then 32 x 32 red, green, blue.
import { basename, join } from 'node:path';
import { openByteFile, pieces, type ByteFile } from '../byte-file.js';
import { listedLabels, type LabelFacts } from '../label-file.js';
import { badData, type IndexedSource, type Place, type SourceKind } from '../source.js';
import { filesOfPart, withoutPackedCopies } from './part-files.js';

const SIDE = 32;
const PIXELS = 3 * SIDE * SIDE;
/** Label bytes in front of a picture; the last one is the class (CIFAR-100 has its group in front). */
const LABEL_BYTES = [1, 2];
const RECORDS_AT_ONCE = 1000;
const PARTS = { train: /^(?:data_batch|train)/i, test: /^test/i };
const BATCH_NAME = /^(?:data_batch|train|test)\w*\.bin(?:\.gz)?$/i;
const CIFAR10 = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];

interface Batch {
  readonly file: ByteFile;
  readonly name: string;
  readonly count: number;
}

export const CIFAR: SourceKind = {
  kind: 'CIFAR',
  looksLike: 'CIFAR-10 or CIFAR-100 binary batches (.bin, .bin.gz), or a folder of them',
  parts: 'folder',
  recognises: ({ form, name, files }) =>
    form === 'file' ? name.endsWith('.bin') : files.some((file) => BATCH_NAME.test(file)),
  open: async ({ place, part, labels: labelFile }) => {
    const paths = batchPaths(place, part);
    const opened = await Promise.all(paths.map(openByteFile));
    const labelBytes = LABEL_BYTES.find((bytes) =>
      opened.every(({ size }) => size > 0 && size % (bytes + PIXELS) === 0),
    );
    if (labelBytes === undefined)
      throw badData(place.path, `the size is no multiple of a CIFAR record (${PIXELS + 1} or ${PIXELS + 2} bytes)`, {
        fix: 'take the binary version of the data set',
      });
    const record = labelBytes + PIXELS;
    const batches = opened.map((file): Batch => ({ file, name: basename(file.path), count: file.size / record }));
    const size = batches.reduce((sum, { count }) => sum + count, 0);
    const own = async (): Promise<LabelFacts> => ({
      labels: await readLabels(batches, labelBytes),
      classes: labelBytes === 1 ? CIFAR10 : undefined,
      labelsFrom: 'the records',
    });
    const found = labelFile === undefined ? await own() : await listedLabels(labelFile, size);
    return {
      kind: labelBytes === 1 ? 'CIFAR-10' : 'CIFAR-100',
      access: 'indexed',
      size,
      ...found,
      notes: [],
      name: (index) => {
        const { batch, at } = locate(batches, index);
        return `${batch.name}#${at}`;
      },
      read: async (index) => {
        const { batch, at } = locate(batches, index);
        const data = await batch.file.read(at * record + labelBytes, PIXELS);
        return { kind: 'picture', picture: { data, height: SIDE, width: SIDE, channels: 3, layout: 'chw' } };
      },
      async *content() {
        if (labelFile !== undefined) yield `${found.labels?.join(',') ?? ''};`;
        for (const { file } of batches) yield* pieces(file);
      },
    } satisfies IndexedSource;
  },
};

function batchPaths({ form, path, files }: Place, part: string | undefined): string[] {
  if (form === 'file') return [path];
  const names = files.filter((file) => BATCH_NAME.test(file));
  return filesOfPart(withoutPackedCopies(names), PARTS, { path, part }).map((name) => join(path, name));
}

function locate(batches: readonly Batch[], index: number): { batch: Batch; at: number } {
  let at = index;
  for (const batch of batches) {
    if (at < batch.count) return { batch, at };
    at -= batch.count;
  }
  throw new RangeError(`sample ${index} is beyond the batches`);
}

async function readLabels(batches: readonly Batch[], labelBytes: number): Promise<number[]> {
  const labels: number[] = [];
  const record = labelBytes + PIXELS;
  for (const { file, count } of batches) {
    for (let from = 0; from < count; from += RECORDS_AT_ONCE) {
      const some = Math.min(RECORDS_AT_ONCE, count - from);
      const bytes = await file.read(from * record, some * record);
      for (let i = 0; i < some; i++) labels.push(bytes[i * record + labelBytes - 1] ?? 0);
    }
  }
  return labels;
}
