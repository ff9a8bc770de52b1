// A list of files: `path label` per line, paths relative to the list. A file that is missing counts as a damaged sample.
import { basename, dirname, resolve } from 'node:path';
import { readLabelRows, toClassLabels } from '../label-file.js';
import { badData, type SourceKind } from '../source.js';
import { fileListSource, isSampleName } from './file-list.js';

export const LIST_FILE: SourceKind = {
  kind: 'list of files',
  looksLike: 'a list (.txt, .lst, .csv, .tsv, .json) of picture or .npy files, each with its label',
  parts: 'none',
  recognises: ({ form, name }) => form === 'file' && /\.(?:txt|lst|csv|tsv|json)$/.test(name),
  open: async ({ place: { path }, labels }) => {
    if (labels !== undefined)
      throw badData(path, 'a list holds its labels itself', { fix: 'leave out --labels, or give the folder instead' });
    const rows = await readLabelRows(path);
    if (!rows.some(([name]) => isSampleName(name)))
      throw badData(path, `no line begins with a picture or .npy file (the first is "${rows[0]?.[0] ?? ''}")`, {
        fix: 'write a path and a label per line, as: dogs/1.jpg 5',
      });
    const labelled = rows.some(([, label]) => label !== undefined);
    const { labels: found, classes } = toClassLabels(rows.map(([, label]) => label));
    return fileListSource({
      kind: LIST_FILE.kind,
      files: rows.map(([name]) => ({ name, path: resolve(dirname(path), name) })),
      labels: labelled ? found : undefined,
      classes,
      labelsFrom: labelled ? basename(path) : undefined,
      notes: [],
    });
  },
};
