// The files of this repository, for tests that look at the repository itself.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SourceFile } from './layers.js';

export const packageFolder = fileURLToPath(new URL('../../', import.meta.url));

const IGNORED = new Set(['node_modules', 'dist', '.git', '.cache', 'coverage']);

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (IGNORED.has(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? walk(path) : [relative(packageFolder, path).split(sep).join('/')];
  });
}

/** Paths from the package folder: what git tracks, or every file where there is no git. */
export function listFiles(): string[] {
  try {
    const list = execFileSync('git', ['ls-files', '-z'], { cwd: packageFolder, encoding: 'utf8', stdio: 'pipe' });
    const onDisk = new Set(walk(packageFolder));
    return list.split('\0').filter((path) => onDisk.has(path));
  } catch {
    return walk(packageFolder);
  }
}

/** The TypeScript files below a folder. */
export function readSources(folder: string): SourceFile[] {
  return walk(join(packageFolder, folder))
    .filter((path) => path.endsWith('.ts'))
    .map((path) => ({ path, text: readFileSync(join(packageFolder, path), 'utf8') }));
}
