// idx files, as MNIST comes: pictures in one file, labels in another beside it, either gzipped.
// Source: Y. LeCun, "The MNIST database of handwritten digits", section "File formats for the MNIST database".
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { labelledContent, openByteFile, type ByteFile } from '../byte-file.js';
import { listedLabels, type LabelFacts } from '../label-file.js';
import { badData, type IndexedSource, type Place, type SourceKind } from '../source.js';
import { filesOfPart, withoutPackedCopies } from './part-files.js';

/** Element type `unsigned byte` in the third byte of the magic number; the fourth is the rank. */
const UNSIGNED_BYTE = 8;
const PARTS = { train: /train/i, test: /t10k|test/i };
const IMAGES_NAME = /images?[-.]?idx\d/i;

export const IDX: SourceKind = {
  kind: 'idx',
  looksLike: 'idx files as MNIST has them (t10k-images-idx3-ubyte), gzipped or not',
  parts: 'folder',
  recognises: ({ form, head, files }) =>
    form === 'file' ? hasMagic(head) && (head[3] ?? 0) > 1 : files.some((name) => IMAGES_NAME.test(name)),
  open: async ({ place, part, labels }) => {
    const path = imagesFile(place, part);
    const file = await openByteFile(path);
    const { dims, start } = await readHeader(file, 'more than one');
    const [size = 0, height = 0, width = 0, channels = 1] = dims;
    const bytes = height * width * channels;
    if (dims.length < 3 || dims.length > 4)
      throw badData(path, `the file holds an array of ${dims.join('x')}, not pictures`);
    const found = await labelsOf(labels ?? labelsBeside(path), size);
    return {
      kind: IDX.kind,
      access: 'indexed',
      size,
      ...found,
      notes: [],
      name: (index) => `${basename(path)}#${index}`,
      read: async (index) => {
        const data = await file.read(start + index * bytes, bytes);
        return { kind: 'picture', picture: { data, height, width, channels, layout: 'hwc' } };
      },
      content: () => labelledContent(found.labels, file),
    } satisfies IndexedSource;
  },
};

const hasMagic = (head: Uint8Array): boolean =>
  head[0] === 0 && head[1] === 0 && head[2] === UNSIGNED_BYTE && (head[3] ?? 0) > 0 && (head[3] ?? 0) <= 4;

function imagesFile({ form, path, files }: Place, part: string | undefined): string {
  if (form === 'file') return path;
  const chosen = filesOfPart(withoutPackedCopies(files.filter((name) => IMAGES_NAME.test(name))), PARTS, {
    path,
    part,
  });
  if (chosen.length > 1)
    throw badData(path, `the folder holds ${chosen.length} idx files of pictures`, {
      fix: `name one: ${chosen.join(', ')}`,
    });
  return join(path, chosen[0] ?? '');
}

interface IdxHeader {
  readonly dims: readonly number[];
  readonly start: number;
}

async function readHeader(file: ByteFile, axes: 'one' | 'more than one'): Promise<IdxHeader> {
  const head = await file.read(0, Math.min(file.size, 20));
  const rank = head[3] ?? 0;
  if (!hasMagic(head) || head.length < 4 + 4 * rank || (rank === 1) !== (axes === 'one'))
    throw badData(file.path, `it is no idx file of bytes with ${axes === 'one' ? 'labels' : 'pictures'}`);
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const dims = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const start = 4 + 4 * rank;
  const needed = dims.reduce((product, dim) => product * dim, start === 0 ? 0 : 1) + start;
  if (file.size < needed) throw badData(file.path, `the file is cut off: ${needed} bytes expected, ${file.size} there`);
  return { dims, start };
}

/** `t10k-images-idx3-ubyte` has its labels in `t10k-labels-idx1-ubyte`, either gzipped. */
function labelsBeside(path: string): string | undefined {
  const plain = basename(path).replace(/\.gz$/i, '');
  const name = plain.replace(/image(s?)/i, 'label$1').replace(/idx\d/i, 'idx1');
  if (name === plain) return undefined;
  return [name, `${name}.gz`]
    .map((candidate) => join(dirname(path), candidate))
    .find((candidate) => existsSync(candidate));
}

async function labelsOf(path: string | undefined, count: number): Promise<LabelFacts> {
  if (path === undefined || /\.(npy|txt|csv|tsv|u8)$/i.test(path)) return listedLabels(path, count);
  const file = await openByteFile(path);
  const { dims, start } = await readHeader(file, 'one');
  if (dims[0] !== count) throw badData(path, `there are ${dims[0] ?? 0} labels for ${count} samples`);
  return { labels: [...(await file.read(start, count))], classes: undefined, labelsFrom: basename(path) };
}
