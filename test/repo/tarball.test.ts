// The tarball of `npm pack`, unpacked into an empty project that has nothing but the declared dependencies, works there.
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageFolder } from './tracked-files.js';

let folder = '';
const path = (name: string): string => join(folder, name);

function run(command: string, args: readonly string[], cwd = folder): SpawnSyncReturns<string> {
  return spawnSync(command, args, { cwd, encoding: 'utf8' });
}

/** npm as it runs these tests, else the one on the path. */
function npm(args: readonly string[], cwd: string): SpawnSyncReturns<string> {
  const script = process.env['npm_execpath'];
  return script?.endsWith('.js') ? run(process.execPath, [script, ...args], cwd) : run('npm', args, cwd);
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mcompress-tarball-'));
  // The prepack script would build again, under the tests that use dist.
  const packed = npm(['pack', '--ignore-scripts', '--pack-destination', folder], packageFolder);
  if (packed.status !== 0) throw new Error(packed.stderr);
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '';
  mkdirSync(path('node_modules'));
  run('tar', ['-xzf', join('..', tarball)], path('node_modules'));
  run('mv', ['package', 'mcompress'], path('node_modules'));
  const { dependencies } = JSON.parse(readFileSync(path('node_modules/mcompress/package.json'), 'utf8')) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  for (const name of Object.keys(dependencies)) {
    mkdirSync(dirname(path(`node_modules/${name}`)), { recursive: true });
    symlinkSync(join(packageFolder, 'node_modules', name), path(`node_modules/${name}`));
  }
  writeFileSync(path('package.json'), '{"private": true, "type": "module"}');
  copyFileSync(join(packageFolder, 'fixtures/small/residual-net.onnx'), path('net.onnx'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(process.platform === 'win32')('the tarball', () => {
  it('has a command that slims, checks and measures', () => {
    const { status, stdout, stderr } = run(process.execPath, [
      'node_modules/mcompress/bin/mcompress.js',
      'slim',
      'net.onnx',
    ]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/agrees with the original/);
    expect(stdout).toMatch(/^latency /m);
    expect(readdirSync(folder)).toEqual(expect.arrayContaining(['net.slim.onnx', 'net.slim.report.html']));
  });

  it('has a library that slims and checks', () => {
    writeFileSync(
      path('use.js'),
      `import { slimFile } from 'mcompress';
const { report } = await slimFile('net.onnx', { output: 'lib.onnx', measure: 'off' });
console.log(report.verification.verdict);`,
    );
    expect(run(process.execPath, ['use.js'])).toMatchObject({ status: 0, stdout: 'agrees\n', stderr: '' });
  });

  it('has types that a strict project can use', () => {
    writeFileSync(
      path('use.ts'),
      `import { openModel, slimFile, type SlimReport } from 'mcompress';
export const report: Promise<SlimReport> = slimFile('net.onnx', { measure: 'off' }).then((result) => result.report);
// @ts-expect-error: no such field
export const wrong = slimFile('net.onnx', { measures: 'off' });
export const names: Promise<string[]> = openModel('net.onnx').then(({ model }) =>
  model.graph.nodes().map((node) => node.opType),
);
`,
    );
    const tsc = join(packageFolder, 'node_modules/typescript/bin/tsc');
    const settings = ['--module', 'nodenext', '--target', 'es2022', '--skipLibCheck', '--types', ''];
    const { status, stdout } = run(process.execPath, [tsc, '--noEmit', '--strict', ...settings, 'use.ts']);
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
  });
});
