// Files of labels: `file label` per line, JSON, one label per line, or a .npy array.
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { isInteger } from '../tensor/dtype.js';
import { readNpy } from '../tensor/npy.js';
import type { Tensor } from '../tensor/tensor.js';
import { badData, type IndexedSource } from './source.js';

/** Labels by file name, as they are written. */
export type LabelRows = readonly (readonly [file: string, label: string | undefined])[];

const SEPARATORS: Readonly<Record<string, RegExp>> = { '.csv': /\s*[,;]\s*/, '.tsv': /\t/ };

/** Lines with content; `#` begins a comment. */
function linesOf(text: string): string[] {
  return text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

const endingOf = (file: string): string => /\.[^./\\]*$/.exec(file.toLowerCase())?.[0] ?? '';

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw badData(file, 'the file of labels cannot be read', { cause });
  }
}

/**
 * File names with labels: .csv (comma or semicolon), .tsv, .json (`{"file": label}` or a list of pairs), else the label is
 * the last word of a line. A first row of headings is left out.
 * @throws InputError bad-data
 */
export async function readLabelRows(file: string): Promise<LabelRows> {
  const text = await readText(file);
  const ending = endingOf(file);
  const rows = ending === '.json' ? jsonRows(text, file) : linesOf(text).map((line) => splitLine(line, ending));
  const [first, ...others] = rows;
  if (!first) throw badData(file, 'the file names no samples', { fix: 'write a file and its label per line' });
  // A heading has no dot in its file column where all others have, and no number in its label column where all others have.
  const heads =
    others.length > 0 &&
    ending !== '.json' &&
    !/\.\w+$/.test(first[0]) &&
    others.every(([name]) => /\.\w+$/.test(name));
  return heads ? others : rows;
}

function splitLine(line: string, ending: string): readonly [string, string | undefined] {
  const separator = SEPARATORS[ending];
  if (separator) {
    const [name = '', label] = line.split(separator).map((cell) => cell.replace(/^"(.*)"$/, '$1').trim());
    return [name, label === '' ? undefined : label];
  }
  const match = /^(.*\S)\s+(\S+)$/.exec(line);
  // `my picture.jpg` is a name with a space, not a name and a label.
  return match && !/\.\w*[a-z]\w*$/i.test(match[2] ?? '') ? [match[1] ?? '', match[2]] : [line, undefined];
}

function jsonRows(text: string, file: string): LabelRows {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw badData(file, 'the file of labels is not JSON', { cause });
  }
  const pairs: unknown[] = Array.isArray(json) ? json : Object.entries(typeof json === 'object' && json ? json : {});
  return pairs.map((pair) => {
    const [name, label] = Array.isArray(pair) ? (pair as unknown[]) : [];
    if (typeof name !== 'string' || !(typeof label === 'string' || typeof label === 'number'))
      throw badData(file, `an entry is ${JSON.stringify(pair)}`, { fix: 'write {"file name": label, ...}' });
    return [name, String(label)] as const;
  });
}

export interface ClassLabels {
  readonly labels: readonly number[];
  /** Names by index where the labels are words. */
  readonly classes: readonly string[] | undefined;
}

/** Whole numbers are indices; words are classes, numbered in the order of their names. -1 stands for a missing label. */
export function toClassLabels(texts: readonly (string | undefined)[]): ClassLabels {
  const given = texts.filter((text) => text !== undefined);
  if (given.every((text) => /^\d+$/.test(text)))
    return { labels: texts.map((text) => (text === undefined ? -1 : Number(text))), classes: undefined };
  const classes = [...new Set(given)].sort();
  const indices = new Map(classes.map((name, index) => [name, index]));
  return { labels: texts.map((text) => (text === undefined ? -1 : (indices.get(text) ?? -1))), classes };
}

/**
 * One label per sample, in the order of the samples: a .npy array (whole numbers, or one score per class), a .u8 file of
 * bytes, or text with one label per line.
 * @throws InputError bad-data, bad-feed
 */
export async function readLabelList(file: string, count: number): Promise<ClassLabels> {
  const ending = endingOf(file);
  const read = async (): Promise<Uint8Array> =>
    readFile(file).catch((cause: unknown) => {
      throw badData(file, 'the file of labels cannot be read', { cause });
    });
  let found: ClassLabels;
  if (ending === '.npy') found = { labels: tensorLabels(readNpy(await read(), file), file), classes: undefined };
  else if (ending === '.u8') found = { labels: [...(await read())], classes: undefined };
  else found = toClassLabels(linesOf(await readText(file)).map((line) => line.split(/[\s,;]+/).at(-1)));
  if (found.labels.length !== count)
    throw badData(file, `there are ${found.labels.length} labels for ${count} samples`, {
      fix: 'give one label per sample, in their order',
    });
  return found;
}

/** What a source says about its labels. */
export type LabelFacts = Pick<IndexedSource, 'labels' | 'classes' | 'labelsFrom'>;

export const UNLABELLED: LabelFacts = { labels: undefined, classes: undefined, labelsFrom: undefined };

/** Labels by `readLabelList`, or none without a file. @throws InputError bad-data, bad-feed */
export async function listedLabels(file: string | undefined, count: number): Promise<LabelFacts> {
  return file === undefined ? UNLABELLED : { ...(await readLabelList(file, count)), labelsFrom: basename(file) };
}

/** Labels in an array: [count], [count, 1], or [count, classes] of scores. @throws InputError bad-data */
export function tensorLabels(tensor: Tensor, file: string): number[] {
  const { dims, dtype } = tensor;
  const [count = 1, width = 1] = dims;
  if (dims.length === 0 || dims.length > 2 || dtype === 'string')
    throw badData(file, `the labels are an array of ${dims.join('x')} ${dtype}`, {
      fix: 'store one whole number per sample',
    });
  const values = tensor.toFloat64();
  if (dims.length === 2 && width > 1)
    return Array.from({ length: count }, (_, i) => {
      const row = values.subarray(i * width, (i + 1) * width);
      return row.indexOf(Math.max(...row));
    });
  if (!isInteger(dtype) && !values.every(Number.isInteger))
    throw badData(file, 'the labels are no whole numbers', { fix: 'store the index of the class' });
  return Array.from(values);
}
