// A private folder for what is being made: beside the output, so that publishing is a rename within one file system.
// Nothing appears under its own name before it is whole, and nothing is left behind when a run ends early.
import { randomBytes } from 'node:crypto';
import { rmdirSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { atExit } from '../base/at-exit.js';
import { InputError } from '../base/errors.js';

export class Workspace {
  readonly folder: string;
  /** The outermost folder that had to be made. */
  readonly #outermost: string;
  readonly #stay: () => void;

  private constructor(folder: string, outermost: string) {
    this.folder = folder;
    this.#outermost = outermost;
    this.#stay = atExit(() => {
      rmSync(folder, { recursive: true, force: true });
      this.#removeEmpty();
    });
  }

  /**
   * A fresh folder beside `output` (whose own folder is made when missing), or among the system's temporary files when
   * nothing will be published. @throws InputError not-writable
   */
  static async create(output: string | undefined): Promise<Workspace> {
    if (output === undefined) {
      const temporary = await mkdtemp(join(tmpdir(), 'mcslim-'));
      return new Workspace(temporary, temporary);
    }
    const folder = join(dirname(output), `.${basename(output)}.${randomBytes(6).toString('hex')}`);
    try {
      return new Workspace(folder, (await mkdir(folder, { recursive: true })) ?? folder);
    } catch (cause) {
      throw new InputError('not-writable', 'the folder of the output cannot be written to', {
        at: { file: output },
        cause,
        fix: 'choose another place with -o',
      });
    }
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Removes a file of the folder that is not needed any more. */
  async remove(path: string): Promise<void> {
    await rm(path, { force: true });
  }

  /** Moves files out of the folder to their own names, in order. @throws InputError not-writable */
  async publish(moves: readonly { readonly from: string; readonly to: string }[]): Promise<void> {
    for (const { from, to } of moves) {
      try {
        await mkdir(dirname(to), { recursive: true });
        await rename(from, to);
      } catch (cause) {
        throw new InputError('not-writable', 'the output cannot be written', {
          at: { file: to },
          cause,
          fix: 'choose another place with -o',
        });
      }
    }
  }

  async dispose(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
    this.#removeEmpty();
    this.#stay();
  }

  /** Folders that were made for an output which then was not written go again. */
  #removeEmpty(): void {
    const inside = relative(resolve(this.#outermost), resolve(this.folder));
    let folder = this.folder;
    for (const _ of inside === '' ? [] : inside.split(sep)) {
      folder = dirname(folder);
      try {
        rmdirSync(folder);
      } catch {
        // Something lies in it.
        return;
      }
    }
  }
}
