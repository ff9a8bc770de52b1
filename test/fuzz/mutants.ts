// Mutants by number: number N is the same file whatever was made before it.
import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { createRng } from '../../src/base/rng.js';
import { mutant, seedOf, type Seed } from './mutate.js';
import { parseTree } from '../onnx/wire-tree.js';

/** A real file, and the folder its external data stands in. */
export interface RealFile {
  readonly seed: Seed;
  readonly folder: string;
}

/** Reads the models at `paths`. */
export function realFiles(paths: readonly string[]): RealFile[] {
  return paths.map((path) => ({ seed: seedOf(basename(path), parseTree(readFileSync(path))), folder: dirname(path) }));
}

export interface Mutant {
  readonly name: string;
  readonly bytes: Buffer;
  readonly folder: string;
}

/** Mutant `number` of `files`. */
export function makeMutant(files: readonly RealFile[], number: number): Mutant {
  const rng = createRng(`fuzz/${number}`);
  const file = rng.pick(files);
  const donor = rng.pick(files);
  return { name: `${number} of ${file.seed.name}`, bytes: mutant(file.seed, donor.seed, rng), folder: file.folder };
}
