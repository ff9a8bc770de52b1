// Outputs of the reference, kept in one file while candidates are scored against them. What does not fit under the limit
// is not kept: those samples are run through the reference again.
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atExit } from '../../base/at-exit.js';
import type { TensorMap } from '../../runtime/wire-tensor.js';
import type { DType } from '../../tensor/dtype.js';
import { Tensor } from '../../tensor/tensor.js';

export interface OutputStore {
  /** Keeps the outputs of sample `index`, unless they do not fit. */
  put(index: number, outputs: TensorMap): void;
  /** Undefined where they were not kept. */
  get(index: number): TensorMap | undefined;
  /** Removes the file. */
  dispose(): void;
}

export interface StoreOptions {
  /** Folder of the file; by default one of its own among the system's temporary files. */
  readonly folder?: string;
  /** Bytes that the file may have; default 2 GiB. */
  readonly limit?: number;
}

interface Piece {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly at: number;
  readonly bytes: number;
}

const LIMIT = 2 * 2 ** 30;

/** A store without any sample. */
export function createStore({ folder, limit = LIMIT }: StoreOptions = {}): OutputStore {
  const own = mkdtempSync(join(folder ?? tmpdir(), 'mcompress-outputs-'));
  const file = openSync(join(own, 'outputs.bin'), 'w+');
  const kept = new Map<number, readonly Piece[]>();
  let end = 0;
  let isOpen = true;
  const dispose = (): void => {
    if (!isOpen) return;
    isOpen = false;
    closeSync(file);
    rmSync(own, { recursive: true, force: true });
    stay();
  };
  const stay = atExit(dispose);
  return {
    put: (index, outputs) => {
      const size = [...outputs.values()].reduce((sum, tensor) => sum + tensor.byteLength, 0);
      if (end + size > limit || [...outputs.values()].some(({ dtype }) => dtype === 'string')) return;
      kept.set(
        index,
        [...outputs].map(([name, tensor]): Piece => {
          const at = end;
          const bytes = tensor.bytes();
          end += writeAll(file, bytes, at);
          return { name, dtype: tensor.dtype, dims: tensor.dims, at, bytes: bytes.length };
        }),
      );
    },
    get: (index) => {
      const pieces = kept.get(index);
      return pieces && new Map(pieces.map((piece) => [piece.name, readPiece(file, piece)]));
    },
    dispose,
  };
}

/** The system may write less than it is given. */
function writeAll(file: number, bytes: Uint8Array, at: number): number {
  for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done, bytes.length - done, at + done);
  return bytes.length;
}

function readPiece(file: number, { dtype, dims, at, bytes }: Piece): Tensor {
  const read = new Uint8Array(bytes);
  for (let done = 0; done < bytes;) done += readSync(file, read, done, bytes - done, at + done);
  return new Tensor(dtype, dims, read);
}
