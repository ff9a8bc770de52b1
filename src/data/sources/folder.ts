// Folders of pictures or .npy files. Labels, in this order: a mapping file, sub-folders, a leading number in every name.
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { UsageError } from '../../base/errors.js';
import { isImageName } from '../decode-image.js';
import { listedLabels, readLabelRows, toClassLabels, UNLABELLED, type LabelFacts } from '../label-file.js';
import { lookAt } from '../place.js';
import { badData, type IndexedSource, type Place, type SourceKind, type SourceRequest } from '../source.js';
import { fileListSource, isSampleName, type ListedFile } from './file-list.js';

const PARTS = /^(train|training|test|val|valid|validation)$/i;
const LEADING_NUMBER = /^(\d+)_/;
const ANY_NUMBER = /^\d+$/;

export const FOLDER: SourceKind = {
  kind: 'folder',
  looksLike: 'a folder of pictures or .npy files, with or without sub-folders per class',
  parts: 'folder',
  recognises: ({ form }) => form === 'folder',
  open: openFolder,
};

/** @throws InputError bad-data for a folder without samples; UsageError bad-value for a part that is not there */
async function openFolder({ place, part, labels }: SourceRequest): Promise<IndexedSource> {
  const root = await partOf(place, part);
  const own = root.files.filter(isSampleName);
  const nested = own.length > 0 ? [] : await filesInFolders(root);
  const names = own.length > 0 ? own : nested;
  if (names.length === 0)
    throw badData(place.path, 'the folder holds no samples', {
      fix: 'give a folder with .jpg, .png, .webp, .gif, .tif, .avif or .npy files, or with sub-folders of them',
    });
  const files = names.map((name): ListedFile => ({ name, path: join(root.path, name) }));
  const kind = names.some(isImageName) ? 'image folder' : 'folder of .npy files';
  const ignored =
    own.length > 0 && root.folders.length > 0 ? [`${count(root.folders.length, 'sub-folder')} left out`] : [];
  if (labels !== undefined) return mapped(files, { kind, file: labels, ignored });
  const found = own.length > 0 ? leadingNumbers(names) : folderLabels(names, root.folders);
  return fileListSource({ kind, files, notes: ignored, ...found });
}

/** The folder itself, or the one of its parts that was asked for. */
async function partOf(place: Place, part: string | undefined): Promise<Place> {
  const isSplit = place.folders.length > 0 && place.folders.every((name) => PARTS.test(name));
  if (part === undefined) {
    if (isSplit && place.folders.length > 1 && !place.files.some(isSampleName))
      throw new UsageError('bad-value', `the folder ${place.path} holds several parts`, {
        fix: `name one: ${place.folders.map((name) => `${place.path}#${name}`).join(' or ')}`,
      });
    return place;
  }
  if (!place.folders.includes(part))
    throw new UsageError('bad-value', `there is no folder "${part}" in ${place.path}`, {
      fix: place.folders.length > 0 ? `choose one of: ${place.folders.join(', ')}` : 'leave out what stands behind #',
    });
  return lookAt(join(place.path, part));
}

/** `folder/name` with forward slashes, whatever lies deeper included; sorted by code unit. */
async function filesInFolders({ path, folders }: Pick<Place, 'path' | 'folders'>): Promise<string[]> {
  const lists = await Promise.all(
    folders.map(async (folder) => {
      const found = await readdir(join(path, folder), { recursive: true, withFileTypes: true });
      return found
        .filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.') && isSampleName(entry.name))
        .map((entry) =>
          join(entry.parentPath, entry.name)
            .slice(path.length + 1)
            .replaceAll('\\', '/'),
        )
        .sort();
    }),
  );
  return lists.flat();
}

/** Folders are classes in the order of their names; where all names are whole numbers, these are the labels. */
function folderLabels(names: readonly string[], folders: readonly string[]): LabelFacts {
  const numbered = folders.every((name) => ANY_NUMBER.test(name));
  const indices = new Map(folders.map((name, index) => [name, numbered ? Number(name) : index]));
  const labels = names.map((name) => indices.get(name.slice(0, name.indexOf('/'))) ?? -1);
  return { labels, classes: numbered ? undefined : folders, labelsFrom: 'sub-folders' };
}

/** `0001_n01440764.jpg` is of class 1, when every name is of that form. */
function leadingNumbers(names: readonly string[]): LabelFacts {
  const numbers = names.map((name) => LEADING_NUMBER.exec(name)?.[1]);
  return numbers.every((number) => number !== undefined)
    ? { labels: numbers.map(Number), classes: undefined, labelsFrom: 'the number in front of the file names' }
    : UNLABELLED;
}

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;
const stem = (name: string): string => name.replace(/\.[^./]*$/, '');

interface Labelling {
  readonly kind: string;
  readonly file: string;
  readonly ignored: readonly string[];
}

/** Labels without names, in the order of the files. */
async function labelledInOrder(
  files: readonly ListedFile[],
  { kind, file, ignored }: Labelling,
): Promise<IndexedSource> {
  return fileListSource({ kind, files, notes: ignored, ...(await listedLabels(file, files.length)) });
}

/** Labels from a mapping: by path, by base name, or by either without its ending. Files that it does not name are left out. */
async function mapped(files: readonly ListedFile[], { kind, file, ignored }: Labelling): Promise<IndexedSource> {
  if (file.toLowerCase().endsWith('.npy')) return labelledInOrder(files, { kind, file, ignored });
  const rows = await readLabelRows(file);
  // One word per line, as many as files: labels in their order, as the ground truth of ImageNet comes.
  if (rows.length === files.length && rows.every(([, label]) => label === undefined))
    return labelledInOrder(files, { kind, file, ignored });
  const byName = new Map<string, string | undefined>();
  for (const [name, label] of rows) byName.set(name.replaceAll('\\', '/').replace(/^\.\//, ''), label);
  const used = new Set<string>();
  const found = files.flatMap((listed) => {
    const key = [listed.name, basename(listed.name), stem(listed.name), stem(basename(listed.name))].find((name) =>
      byName.has(name),
    );
    const label = key === undefined ? undefined : byName.get(key);
    if (key === undefined || label === undefined) return [];
    used.add(key);
    return [{ listed, label }];
  });
  const [unknown] = [...byName.keys()].filter((name) => !used.has(name));
  if (found.length === 0)
    throw badData(file, `none of its names is a file of the folder (${unknown ?? 'it is empty'})`, {
      fix: `write names as they are in the folder, for example ${files[0]?.name ?? ''}`,
    });
  const { labels, classes } = toClassLabels(found.map(({ label }) => label));
  const missing = byName.size - used.size;
  return fileListSource({
    kind,
    files: found.map(({ listed }) => listed),
    labels,
    classes,
    labelsFrom: basename(file),
    notes: [
      ...ignored,
      ...(missing > 0 ? [`${basename(file)} names ${count(missing, 'file')} that the folder lacks (${unknown})`] : []),
      ...(found.length < files.length
        ? [`${count(files.length - found.length, 'file')} without a label left out`]
        : []),
    ],
  });
}
