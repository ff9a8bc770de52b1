// Every kind of data. They are asked in this order; the first that recognises the place reads it.
import type { SourceKind } from './source.js';
import { CIFAR } from './sources/cifar.js';
import { FOLDER } from './sources/folder.js';
import { IDX } from './sources/idx.js';
import { IMAGE_FILE } from './sources/image-file.js';
import { LIST_FILE } from './sources/list-file.js';
import { NPY } from './sources/npy.js';
import { NPZ } from './sources/npz.js';
import { RAW_FLOATS } from './sources/raw-floats.js';
import { USER_MODULE } from './sources/user-module.js';

export const SOURCE_KINDS: readonly SourceKind[] = [
  USER_MODULE,
  NPZ,
  NPY,
  IMAGE_FILE,
  LIST_FILE,
  RAW_FLOATS,
  IDX,
  CIFAR,
  FOLDER,
];
