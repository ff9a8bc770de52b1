// The repository as a whole: nothing in it belongs to one machine, no file is out of proportion, and the lockfile installs
// everywhere from whatever registry the user has.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listFiles, packageFolder } from './tracked-files.js';

const BINARY = /\.(?:onnx|bin|data|npy|npz|png|jpg|gz|idx\d-ubyte|idx\d-ubyte\.gz)$/;
const MAX_BYTES = 2_000_000;

// Put together from pieces, so that this file does not contain what it looks for.
const HOSTS = [
  ['registry', 'npmjs', 'org'],
  ['registry', 'yarnpkg', 'com'],
  ['api', 'nuget', 'org'],
  ['files', 'pythonhosted', 'org'],
  ['pypi', 'org'],
  ['deb', 'debian', 'org'],
].map((labels) => labels.join('\\.'));
const FORBIDDEN: ReadonlyArray<readonly [string, RegExp]> = [
  ['a package registry by its host', new RegExp(HOSTS.join('|'))],
  ['a path of one machine', /(?<![\w.~/-])\/(?:work|root|home\/[a-z]\w*|Users\/[a-z]\w*)\/|\/tmp\/(?:mc|peers)\b/],
];

const files = listFiles();

/** What a text says that it must not. */
function findForbidden(text: string): string[] {
  return FORBIDDEN.filter(([, pattern]) => pattern.test(text)).map(([what]) => what);
}

interface LockedPackage {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** What would keep `npm ci` from working on another system or registry. */
function lockViolations(packages: Readonly<Record<string, LockedPackage>>): string[] {
  const names = new Set(Object.keys(packages).map((path) => path.split('node_modules/').at(-1)));
  return Object.entries(packages)
    .filter(([path]) => path !== '')
    .flatMap(([path, entry]) => [
      ...(entry.version === undefined ? [`${path} has no version`] : []),
      ...(entry.integrity === undefined ? [`${path} has no integrity`] : []),
      ...(entry.resolved === undefined ? [] : [`${path} names where it came from`]),
      ...Object.keys(entry.optionalDependencies ?? {})
        .filter((name) => !names.has(name))
        .map((name) => `${path} needs ${name}, which is not locked`),
    ]);
}

describe('the checkers', () => {
  it('find hosts and machine paths, and leave relative ones alone', () => {
    expect(findForbidden(`see https://registry.${'npmjs'}.org/x`)).toEqual(['a package registry by its host']);
    expect(findForbidden(`read ${'/wo'}rk/main/a.ts`)).toEqual(['a path of one machine']);
    expect(findForbidden(`"${'/ho'}me/someone/x"`)).toEqual(['a path of one machine']);
    expect(findForbidden('../shared/assets/models, src/work/x, https://example.org/home/x')).toEqual([]);
  });

  it('find an incomplete lockfile', () => {
    expect(
      lockViolations({
        '': { version: '1.0.0' },
        'node_modules/a': { version: '1.0.0', integrity: 'sha512-x', optionalDependencies: { b: '1.0.0' } },
        'node_modules/c': { resolved: 'x' },
      }),
    ).toEqual([
      'node_modules/a needs b, which is not locked',
      'node_modules/c has no version',
      'node_modules/c has no integrity',
      'node_modules/c names where it came from',
    ]);
  });
});

describe('the repository', () => {
  it('names no registry host and no path of one machine', () => {
    const found = files
      .filter((path) => !BINARY.test(path))
      .flatMap((path) =>
        findForbidden(readFileSync(join(packageFolder, path), 'utf8')).map((what) => `${path}: ${what}`),
      );
    expect(files.length).toBeGreaterThan(0);
    expect(found).toEqual([]);
  });

  it('has no file out of proportion', () => {
    expect(files.filter((path) => statSync(join(packageFolder, path)).size > MAX_BYTES)).toEqual([]);
  });

  it('has a lockfile that installs from any registry on any system', () => {
    const lock = JSON.parse(readFileSync(join(packageFolder, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, LockedPackage>;
    };
    expect(Object.keys(lock.packages).length).toBeGreaterThan(50);
    expect(lockViolations(lock.packages)).toEqual([]);
  });

  it('keeps install scripts off', () => {
    const lock = JSON.parse(readFileSync(join(packageFolder, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { hasInstallScript?: boolean; optional?: boolean }>;
    };
    const { allowScripts } = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8')) as {
      allowScripts: Record<string, boolean>;
    };
    const withScripts = Object.entries(lock.packages)
      .filter(([, entry]) => entry.hasInstallScript && !entry.optional)
      .map(([path]) => path.split('node_modules/').at(-1));
    expect(withScripts.toSorted()).toEqual(Object.keys(allowScripts).toSorted());
    expect(Object.values(allowScripts)).toEqual(withScripts.map(() => false));
  });
});
