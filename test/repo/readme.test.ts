// What README.md and docs/library.md show is run: the makefile rule and the CI step (twice, after touching the source, and
// after a missed gate), and every example of the library. And what the documents name exists.
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openModel } from '../../src/onnx/open.js';
import { LAYERS } from './layers.js';
import { listFiles, packageFolder } from './tracked-files.js';

const readme = readFileSync(join(packageFolder, 'README.md'), 'utf8');
const library = readFileSync(join(packageFolder, 'docs/library.md'), 'utf8');
const fixture = (name: string): string => join(packageFolder, 'fixtures', name);

/** Fenced blocks of a document in one language. */
function blocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'gm'))].map((match) => match[1] ?? '');
}

let folder = '';
const path = (name: string): string => join(folder, name);

/** A project that has mcompress installed. */
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mcompress-readme-'));
  mkdirSync(path('node_modules/.bin'), { recursive: true });
  symlinkSync(packageFolder, path('node_modules/mcompress'));
  symlinkSync('../mcompress/bin/mcompress.js', path('node_modules/.bin/mcompress'));
  writeFileSync(path('package.json'), '{"private": true}');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function run(command: string, args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const found = [path('node_modules/.bin'), dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter);
  const env = { ...process.env, PATH: found, npm_config_offline: 'true' };
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, env, encoding: 'utf8' });
  return { status, stdout, stderr };
}

/** Makes a file look as if it were changed now, and its products before. */
function touch(name: string, seconds: number): void {
  const time = Date.now() / 1000 + seconds;
  utimesSync(path(name), time, time);
}
const hasMake = spawnSync('make', ['--version']).status === 0;

describe.skipIf(!hasMake)('the makefile rule', () => {
  const make = (): ReturnType<typeof run> =>
    run('make', ['net.slim.onnx', 'MCOMPRESS_FLAGS=--strict --no-profile --no-report']);

  it('makes the target once, again after the source was touched, and again and again after a missed gate', async () => {
    const [rule = ''] = blocks(readme, 'make');
    expect(rule).toContain('$(MCOMPRESS_FLAGS)');
    writeFileSync(path('Makefile'), rule);
    copyFileSync(fixture('small/residual-net.onnx'), path('net.onnx'));
    touch('net.onnx', -60);
    expect(make()).toMatchObject({ status: 0, stdout: expect.stringContaining('agrees with the original') });
    const first = statSync(path('net.slim.onnx')).ino;
    expect(make()).toMatchObject({ status: 0, stdout: expect.stringContaining('up to date') });
    touch('net.slim.onnx', -30);
    touch('net.onnx', -10);
    expect(make()).toMatchObject({ status: 0, stdout: expect.stringContaining('mcompress slim net.onnx') });
    expect(statSync(path('net.slim.onnx')).ino).not.toBe(first);

    copyFileSync(fixture('small/custom-domain.onnx'), path('net.onnx'));
    touch('net.slim.onnx', -30);
    const before = [statSync(path('net.slim.onnx')).mtimeMs, readFileSync(path('net.slim.onnx'))];
    for (let time = 0; time < 2; time++) {
      const missed = make();
      expect(missed.status).toBe(2);
      expect(missed.stderr).toContain('the result is net.slim.onnx.best.onnx');
      expect([statSync(path('net.slim.onnx')).mtimeMs, readFileSync(path('net.slim.onnx'))]).toEqual(before);
    }
    expect((await openModel(path('net.slim.onnx.best.onnx'))).model.nodeTotal).toBe(4);
    rmSync(path('net.slim.onnx'));
    expect(make().status).toBe(2);
    expect(existsSync(path('net.slim.onnx'))).toBe(false);
  });
});

describe.skipIf(process.platform === 'win32')('the CI step', () => {
  it('passes twice and after the source was touched, and fails every time that a gate is missed', () => {
    const [step = ''] = blocks(readme, 'yaml');
    const script = /run: \|\n([^]*)/.exec(step)?.[1]?.replace(/^ {4}/gm, '') ?? '';
    expect(script).toMatch(/^npx mcompress slim model\.onnx /);
    const ci = (): ReturnType<typeof run> => run('sh', ['-e', '-c', script]);
    copyFileSync(fixture('small/residual-net.onnx'), path('model.onnx'));
    const baseline = /`mcompress slim model\.onnx --report\s+model\.baseline\.json`/.exec(readme)?.[0];
    const words = baseline?.replaceAll('`', '').split(/\s+/) ?? [];
    expect(run('npx', [...words, '--no-profile'])).toMatchObject({ status: 0 });
    expect(ci()).toMatchObject({ status: 0 });
    const made = readFileSync(path('model.slim.onnx'));
    expect(ci()).toMatchObject({ status: 0 });
    touch('model.onnx', 5);
    expect(ci()).toMatchObject({ status: 0 });
    expect(readFileSync(path('model.slim.onnx'))).toEqual(made);
    copyFileSync(fixture('mnist-bn-as-exported.onnx'), path('model.onnx'));
    for (let time = 0; time < 2; time++) {
      const missed = ci();
      expect(missed.status).toBe(1);
      expect(missed.stderr).toContain('worse than model.baseline.json');
      expect(readFileSync(path('model.slim.onnx'))).toEqual(made);
      expect(readFileSync(path('model.report.md'), 'utf8')).toContain('WORSE');
    }
  });
});

describe('examples of the library', () => {
  const examples = [
    ...blocks(readme, 'js').map((code) => ['README.md', code] as const),
    ...blocks(library, 'js').map((code) => ['docs/library.md', code] as const),
  ];
  const titled = examples.map(([file, code], i) => [`${file} ${i + 1}`, code] as const);

  it.each(titled)('%s runs', (_, code) => {
    copyFileSync(fixture('mnist-bn-as-exported.onnx'), path('model.onnx'));
    symlinkSync(fixture('mnist-300'), path('digits'));
    writeFileSync(path('example.mjs'), code);
    const { status, stdout, stderr } = run(process.execPath, ['example.mjs']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).not.toBe('');
  });

  it('say what they do', async () => {
    const [code = ''] = blocks(readme, 'js');
    copyFileSync(fixture('mnist-bn-as-exported.onnx'), path('model.onnx'));
    writeFileSync(path('example.mjs'), code);
    expect(run(process.execPath, ['example.mjs']).stdout).toMatch(/^model\.slim\.onnx: 35 nodes to 1\d, agrees\n$/);
    expect(readdirSync(folder)).toContain('model.slim.onnx');
  });

  it('score, calibrate and quantize on samples', { timeout: 60_000 }, () => {
    const code = blocks(library, 'js').find((one) => one.includes('quantizeFile')) ?? '';
    copyFileSync(fixture('mnist-bn-as-exported.onnx'), path('model.onnx'));
    symlinkSync(fixture('mnist-300'), path('digits'));
    writeFileSync(path('example.mjs'), code);
    const [ranges, quantized, scored] = run(process.execPath, ['example.mjs']).stdout.split('\n');
    expect(ranges).toMatch(/^\d+ ranges of 50 samples$/);
    expect(quantized).toMatch(/^model\.int8\.onnx (?:int8|mixed) [1-9]\d* -?\d/);
    const [, accuracy, agreement, gate] = /^([\d.]+) ([\d.]+) (\w+)$/.exec(scored ?? '') ?? [];
    expect(Number(accuracy)).toBeGreaterThan(0.9);
    expect(Number(agreement)).toBeGreaterThan(0.97);
    expect(gate).toBe('met');
    expect(readdirSync(folder)).toEqual(expect.arrayContaining(['model.calibration.json', 'model.int8.onnx']));
  });
});

describe('the documents', () => {
  it('describe every export of the library', () => {
    const index = readFileSync(join(packageFolder, 'src/index.ts'), 'utf8');
    const names = [...index.matchAll(/export (?:type )?\{([^}]*)\}/g)].flatMap(([, list = '']) =>
      list.split(',').map((name) => name.replace(/^\s*type\s+/, '').trim()),
    );
    expect(names.length).toBeGreaterThan(30);
    expect(names.filter((name) => name !== '' && !new RegExp(`\\b${name}\\b`).test(library))).toEqual([]);
  });

  it('the table of folders is that of the layers', () => {
    const architecture = readFileSync(join(packageFolder, 'docs/architecture.md'), 'utf8');
    const rows = [...architecture.matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1]);
    const folders = Object.keys(LAYERS).filter((name) => existsSync(join(packageFolder, 'src', name)));
    expect(rows).toEqual(folders);
  });

  it('link only to files that are there', () => {
    const pages = listFiles().filter((file) => /^(?:README|CHANGELOG|docs\/.*|fixtures\/README)\.md$/.test(file));
    const broken = pages.flatMap((page) =>
      [...readFileSync(join(packageFolder, page), 'utf8').matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)]
        .map((match) => match[1] ?? '')
        .filter((target) => !existsSync(join(packageFolder, dirname(page), target)))
        .map((target) => `${page}: ${target}`),
    );
    expect(broken).toEqual([]);
  });

  it('the picture of a report is a PNG of modest size', () => {
    const picture = readFileSync(join(packageFolder, 'docs/images/report.png'));
    expect(picture.subarray(1, 4).toString()).toBe('PNG');
    expect(picture.length).toBeLessThan(150_000);
  });
});
