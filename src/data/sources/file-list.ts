// Samples that lie in a file each: pictures and .npy arrays. Folders and lists of files are read through this.
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { readNpy } from '../../tensor/npy.js';
import { decodeImage, isImageName, loadSharp, type Sharp } from '../decode-image.js';
import { badData, type IndexedSource, type StoredSample } from '../source.js';

export interface ListedFile {
  /** For messages: the path as the user sees it. */
  readonly name: string;
  readonly path: string;
}

export interface FileList extends Pick<IndexedSource, 'kind' | 'classes' | 'labels' | 'labelsFrom' | 'notes'> {
  readonly files: readonly ListedFile[];
}

/** True for the name of a file that holds a sample. */
export function isSampleName(name: string): boolean {
  return isImageName(name) || name.toLowerCase().endsWith('.npy');
}

/** A source of one sample per file. */
export function fileListSource({ files, ...facts }: FileList): IndexedSource {
  let sharp: Promise<Sharp> | undefined;
  const fileAt = (index: number): ListedFile => {
    const file = files[index];
    if (!file) throw new RangeError(`sample ${index} of ${files.length}`);
    return file;
  };
  const read = async (index: number): Promise<StoredSample> => {
    const { name, path } = fileAt(index);
    const bytes = await readFile(path).catch((cause: unknown) => {
      throw badData(name, 'the file cannot be opened', { cause });
    });
    if (bytes.byteLength === 0) throw badData(name, 'the file is empty');
    if (!isImageName(name)) return { kind: 'arrays', arrays: new Map([['', readNpy(bytes, name)]]) };
    sharp ??= loadSharp();
    return { kind: 'picture', picture: await decodeImage(await sharp, bytes, name) };
  };
  return {
    ...facts,
    access: 'indexed',
    size: files.length,
    name: (index) => fileAt(index).name,
    read,
    content: () => contentOf(files, facts.labels),
  };
}

/** Per sample its label, its size and its bytes; names are left out, so that a renamed or moved set stays the same. */
async function* contentOf(
  files: readonly ListedFile[],
  labels: readonly number[] | undefined,
): AsyncGenerator<Uint8Array | string> {
  for (const [index, { path }] of files.entries()) {
    const found = await stat(path).catch(() => undefined);
    yield `${labels?.[index] ?? ''};${found?.size ?? 'missing'};`;
    if (found?.isFile()) for await (const piece of createReadStream(path)) yield piece as Uint8Array;
  }
}
