// A temporary folder per test, with copies of fixtures in it.
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { parseReport } from '../../src/report/json.js';
import type { SlimReport } from '../../src/report/report.js';
import { fixture, mcompress, type Ended, type RunSettings } from './run-program.js';

export interface Scratch {
  /** The folder; another one in every test. */
  readonly folder: string;
  path(name: string): string;
  /** Copies a fixture into the folder, under its own name or another. */
  copy(name: string, as?: string): void;
  /** Everything in the folder, folders with a slash at their end, sorted. */
  files(): string[];
  read(name: string): Buffer;
  report(name: string): SlimReport;
  /** `mcompress slim` in the folder, without timing. */
  slim(args: readonly string[], settings?: RunSettings): Promise<Ended>;
}

/** To be called at the top of a test file. */
export function useScratch(): Scratch {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mcompress-cli-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const path = (name: string): string => join(folder, name);
  return {
    get folder() {
      return folder;
    },
    path,
    copy(name, as = name.slice(name.lastIndexOf('/') + 1)) {
      mkdirSync(join(path(as), '..'), { recursive: true });
      copyFileSync(fixture(name), path(as));
    },
    files: () =>
      readdirSync(folder, { recursive: true, withFileTypes: true })
        .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1) + (entry.isDirectory() ? '/' : ''))
        .sort(),
    read: (name) => readFileSync(path(name)),
    report: (name) => parseReport(readFileSync(path(name), 'utf8'), 'slim', name),
    slim: (args, settings = {}) => mcompress(['slim', '--no-profile', ...args], { cwd: folder, ...settings }),
  };
}
