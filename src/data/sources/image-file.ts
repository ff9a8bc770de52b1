// One picture: a data set of one sample, good for a first try.
import { basename } from 'node:path';
import { isImageName } from '../decode-image.js';
import { UNLABELLED } from '../label-file.js';
import type { SourceKind } from '../source.js';
import { fileListSource } from './file-list.js';

export const IMAGE_FILE: SourceKind = {
  kind: 'picture',
  looksLike: 'one picture',
  parts: 'none',
  recognises: ({ form, name }) => form === 'file' && isImageName(name),
  open: ({ place: { path } }) =>
    Promise.resolve(
      fileListSource({ kind: IMAGE_FILE.kind, files: [{ name: basename(path), path }], ...UNLABELLED, notes: [] }),
    ),
};
