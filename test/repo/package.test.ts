// What `npm pack` would publish, and that package.json tells the truth about it. `npm test` builds dist first.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { packageFolder } from './tracked-files.js';

interface PackageJson {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly type: string;
  readonly engines: { readonly node: string };
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: { readonly '.': { readonly types: string; readonly default: string } };
  readonly dependencies: Readonly<Record<string, string>>;
  readonly scripts: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8')) as PackageJson;

/** Paths that would be in the tarball. */
function packedFiles(): string[] {
  const npm = process.env['npm_execpath'];
  const [command, args] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []];
  // The prepack script would build again, under the tests that use dist.
  const run = spawnSync(command, [...args, 'pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: packageFolder,
    encoding: 'utf8',
  });
  const [pack] = JSON.parse(run.stdout) as ReadonlyArray<{ files: ReadonlyArray<{ path: string }> }>;
  return pack?.files.map(({ path }) => path) ?? [];
}

describe('the packed package', () => {
  let files: string[] = [];
  beforeAll(() => {
    files = packedFiles();
  });

  it('holds the program, the library and its types, and the papers', () => {
    expect(files).toEqual(
      expect.arrayContaining([
        'package.json',
        'README.md',
        'LICENSE',
        'CHANGELOG.md',
        'bin/mcompress.js',
        'dist/index.js',
        'dist/index.d.ts',
        'dist/bin/main.js',
        'dist/bin/worker.js',
        'dist/bin/accumulator-thread.js',
        'dist/bin/LICENSES.txt',
      ]),
    );
  });

  it('holds nothing else: no sources, tests, fixtures, and no second copy of the program', () => {
    const allowed =
      /^(?:package\.json|README\.md|LICENSE|CHANGELOG\.md|bin\/mcompress\.js|dist\/bin\/(?:[\w.-]+\.js|LICENSES\.txt)|dist\/[\w/.-]+\.(?:js|d\.ts))$/;
    expect(files.filter((path) => !allowed.test(path) || path.startsWith('dist/cli/'))).toEqual([]);
  });

  it('holds every file that package.json points to', () => {
    const targets = [...Object.values(manifest.bin), manifest.exports['.'].types, manifest.exports['.'].default].map(
      (path) => path.replace(/^\.\//, ''),
    );
    expect(targets.filter((path) => !files.includes(path))).toEqual([]);
  });

  it('holds the declarations that the library entry reaches', () => {
    const seen = new Set<string>();
    const visit = (path: string): void => {
      if (seen.has(path)) return;
      seen.add(path);
      const text = readFileSync(join(packageFolder, path), 'utf8');
      for (const [, specifier] of text.matchAll(/(?:from|import\()\s*'(\.[^']+)\.js'/g))
        visit(join(path, '..', `${specifier}.d.ts`).replaceAll('\\', '/'));
    };
    visit('dist/index.d.ts');
    expect([...seen].filter((path) => !files.includes(path))).toEqual([]);
  });
});

describe('package.json', () => {
  it('states what the package is', () => {
    expect(manifest).toMatchObject({ name: 'mcompress', license: 'MIT', type: 'module', engines: { node: '>=20.19' } });
    expect(readFileSync(join(packageFolder, 'CHANGELOG.md'), 'utf8')).toContain('## [Unreleased]');
  });

  it('points only to scripts that exist', () => {
    expect(Object.keys(manifest.scripts)).toEqual(
      expect.arrayContaining(['build', 'test', 'lint', 'typecheck', 'demo', 'bench']),
    );
    const own = Object.values(manifest.scripts).flatMap((script) => script.match(/scripts\/[\w-]+\.mjs/) ?? []);
    expect(own.filter((path) => !existsSync(join(packageFolder, path)))).toEqual([]);
  });

  it('has an executable bin with a Node shebang', () => {
    const bin = join(packageFolder, 'bin/mcompress.js');
    expect(readFileSync(bin, 'utf8').startsWith('#!/usr/bin/env node\n')).toBe(true);
    expect(process.platform === 'win32' || (statSync(bin).mode & 0o111) === 0o111).toBe(true);
  });
});

describe('the bundled program', () => {
  const bin = join(packageFolder, 'dist/bin');
  /** Chunks that are loaded with `entry` before any of its code runs. */
  function staticChunks(entry: string, seen = new Set<string>()): Set<string> {
    if (seen.has(entry)) return seen;
    seen.add(entry);
    const text = readFileSync(join(bin, entry), 'utf8');
    for (const [, chunk] of text.matchAll(/^(?:import|export)\s(?:[^'"]*?from\s*)?"\.\/([^"]+)";$/gm))
      if (chunk) staticChunks(chunk, seen);
    return seen;
  }
  /** The sources inside the chunks; esbuild names each above its code. */
  const sourcesOf = (chunks: Iterable<string>): string[] =>
    [...chunks].flatMap((chunk) =>
      [...readFileSync(join(bin, chunk), 'utf8').matchAll(/^\/\/ (\S+\.[cm]?[jt]s)$/gm)].map((match) => match[1] ?? ''),
    );

  it('starts without the code of passes, models and runtime', () => {
    const sources = sourcesOf(staticChunks('main.js'));
    expect(sources).toContain('src/cli/main.ts');
    expect(
      sources.filter((path) =>
        /^src\/(?:passes\/(?:\w+\/)|onnx|runtime|ir)|node_modules\/(?:onnx|protobufjs|ndarray|ora)/.test(path),
      ),
    ).toEqual([]);
  });

  it('is licensed: every bundled package is in LICENSES.txt', () => {
    const text = readFileSync(join(bin, 'LICENSES.txt'), 'utf8');
    for (const name of ['chalk', 'commander', 'onnx-proto', 'ora', 'protobufjs'])
      expect(text).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\(`, 'm'));
  });
});
