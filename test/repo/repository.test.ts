// The repository as a whole: nothing in it belongs to one machine, no file is out of proportion, and the lockfile installs
// everywhere from whatever registry the user has.
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listFiles, packageFolder } from './tracked-files.js';

const BINARY = /\.(?:onnx|bin|data|npy|npz|png|jpg|gz|idx\d-ubyte|idx\d-ubyte\.gz)$/;
const MAX_BYTES = 2_000_000;

// As digests (SHA-256, first 16 digits), so that this file does not name what it looks for.
const HOSTS: ReadonlySet<string> = new Set([
  '0dc11026ac75c015',
  '70bb4000cd2fab03',
  '7117c828d2afa4e2',
  'c899567ee9068517',
  'a4aa2ac280bb8d1a',
  'e680c440a2e92079',
]);
const digest = (host: string): string => createHash('sha256').update(host).digest('hex').slice(0, 16);

/** Whether one of `hosts` stands anywhere in the text, by itself or within a longer name. */
function namesHost(text: string, hosts: ReadonlySet<string>): boolean {
  const names = new Set(text.toLowerCase().match(/[a-z0-9-]+(?:\.[a-z0-9-]+)+/g));
  return [...names].some((name) => {
    const labels = name.split('.');
    return labels.some((_, i) => [2, 3].some((count) => hosts.has(digest(labels.slice(i, i + count).join('.')))));
  });
}

const FORBIDDEN: ReadonlyArray<readonly [string, (text: string) => boolean]> = [
  ['a package registry by its host', (text) => namesHost(text, HOSTS)],
  [
    'a path of one machine',
    (text) => /(?<![\w.~/-])\/(?:work|root|home\/[a-z]\w*|Users\/[a-z]\w*)\/|\/tmp\/(?:mc|peers)\b/.test(text),
  ],
];

const files = listFiles();

/** What a text says that it must not. */
function findForbidden(text: string): string[] {
  return FORBIDDEN.filter(([, isFound]) => isFound(text)).map(([what]) => what);
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
