// Which files `mcompress slim` reads, writes, and leaves alone.
import { spawnSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openModel } from '../../src/onnx/open.js';
import { reportSchema } from '../../src/report/schema.js';
import { problems } from '../report/json-schema.js';
import { program } from './run-program.js';
import { useScratch } from './scratch.js';

const scratch = useScratch();
const SMALL = 'small/residual-net.onnx';
const isRoot = process.getuid?.() === 0;

/** `slim` on bytes from stdin, bytes on stdout. */
function pipe(args: readonly string[], input: Uint8Array): { status: number | null; stdout: Buffer; stderr: string } {
  const run = spawnSync(process.execPath, [program, 'slim', '--no-profile', ...args], { cwd: scratch.folder, input });
  return { status: run.status, stdout: run.stdout, stderr: run.stderr.toString() };
}

describe('names of outputs', () => {
  it('are NAME.slim.onnx and three reports beside it, and nothing else', async () => {
    scratch.copy(SMALL, 'in/net.onnx');
    const { status, stdout, stderr } = await scratch.slim(['in/net.onnx']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(scratch.files()).toEqual([
      'in/',
      ...['net.onnx', 'net.slim.onnx', 'net.slim.report.html', 'net.slim.report.json', 'net.slim.report.md'].map(
        (name) => `in/${name}`,
      ),
    ]);
    expect(stdout).toMatch(/^net\.onnx → net\.slim\.onnx\s+agrees with the original/);
    expect(stdout).toContain('report: in/net.slim.report.html, .md, .json\n');
    expect(scratch.report('in/net.slim.report.json')).toMatchObject({
      input: { name: 'net.onnx' },
      output: { name: 'net.slim.onnx', bytes: scratch.read('in/net.slim.onnx').length },
      verification: { verdict: 'agrees' },
    });
    const { model } = await openModel(scratch.path('in/net.slim.onnx'));
    expect(model.nodeTotal).toBe(scratch.report('in/net.slim.report.json').figures.nodes.after);
  });

  it('are those of -o: a file whose folder is made, or a folder', async () => {
    scratch.copy(SMALL, 'net.onnx');
    expect(await scratch.slim(['net.onnx', '-o', 'a/b/small.onnx', '--no-report'])).toMatchObject({ status: 0 });
    mkdirSync(scratch.path('there'));
    expect(await scratch.slim(['net.onnx', '-o', 'there', '--report', 'r/x.MD', '--report', 'y.json'])).toMatchObject({
      status: 0,
    });
    expect(scratch.files()).toEqual([
      ...['a/', 'a/b/', 'a/b/small.onnx', 'net.onnx', 'r/', 'r/x.MD', 'there/', 'there/net.onnx', 'y.json'],
    ]);
    expect(scratch.read('r/x.MD').toString()).toContain('# net.onnx → net.onnx');
  });

  it('replace what an earlier run wrote, and a link rather than what it points to', async () => {
    scratch.copy(SMALL, 'net.onnx');
    writeFileSync(scratch.path('net.slim.onnx'), 'old');
    writeFileSync(scratch.path('precious'), 'kept');
    symlinkSync('precious', scratch.path('link.onnx'));
    expect(await scratch.slim(['net.onnx', '--no-report'])).toMatchObject({ status: 0 });
    expect(await scratch.slim(['net.onnx', '--no-report', '-o', 'link.onnx'])).toMatchObject({ status: 0 });
    expect(scratch.read('precious').toString()).toBe('kept');
    expect(scratch.read('link.onnx')).toEqual(scratch.read('net.slim.onnx'));
  });
});

describe('several models', () => {
  it('go to a folder; a bad one does not stop the rest, and the worst status is that of the run', async () => {
    scratch.copy(SMALL, 'models/a.onnx');
    scratch.copy('small/conv1d-net.onnx', 'models/c.onnx');
    writeFileSync(scratch.path('models/b.onnx'), 'no model');
    const { status, stdout, stderr } = await scratch.slim(['models/*.onnx', '-o', 'out/', '--no-report']);
    expect(status).toBe(3);
    expect(scratch.files().filter((name) => name.startsWith('out/'))).toEqual(['out/', 'out/a.onnx', 'out/c.onnx']);
    expect(stdout).toMatch(/^a\.onnx → a\.onnx [^]*\n\nc\.onnx → c\.onnx /);
    expect(stderr).toBe('error[not-onnx]: the file is text\n  at:  models/b.onnx\n3 models: 2 done, 1 failed\n');
  });

  it('are one where two spellings name the same', async () => {
    scratch.copy(SMALL, 'a.onnx');
    symlinkSync('a.onnx', scratch.path('b.onnx'));
    const { status, stdout } = await scratch.slim(['a.onnx', './a.onnx', 'b.onnx', '-n', '--json']);
    expect([status, JSON.parse(stdout)]).toMatchObject([0, { kind: 'slim', input: { name: 'a.onnx' } }]);
  });

  it('make one JSON document, with what went wrong', async () => {
    scratch.copy(SMALL, 'a.onnx');
    const { status, stdout } = await scratch.slim(['a.onnx', 'gone.onnx', '-o', 'out/', '--json']);
    expect(status).toBe(3);
    expect(problems(reportSchema('slim-batch'), JSON.parse(stdout))).toEqual([]);
    expect(JSON.parse(stdout)).toMatchObject({
      version: 1,
      kind: 'slim-batch',
      exitStatus: 3,
      models: [
        { input: 'a.onnx', output: 'out/a.onnx', outcome: 'done', exitStatus: 0, report: { kind: 'slim' } },
        { input: 'gone.onnx', outcome: 'failed', exitStatus: 3, error: { code: 'not-found', file: 'gone.onnx' } },
      ],
    });
  });

  it.each([
    ['to one file', ['a.onnx', 'b/a.onnx', '-o', 'x.onnx'], '2 models cannot go to one file'],
    ['of one name', ['a.onnx', 'b/a.onnx', '-o', 'out/'], 'would both be written to out/a.onnx'],
    ['with one report', ['a.onnx', 'b/a.onnx', '--report', 'x.md'], 'one --report cannot serve several models'],
    ['that are none', ['none/*.onnx'], 'no file matches none/*.onnx'],
  ])('%s are refused', async (_, args, message) => {
    scratch.copy(SMALL, 'a.onnx');
    scratch.copy(SMALL, 'b/a.onnx');
    const before = scratch.files();
    const { status, stderr } = await scratch.slim(args);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
    expect(scratch.files()).toEqual(before);
  });
});

describe('standard streams', () => {
  it('carry the model and nothing else', async () => {
    scratch.copy(SMALL, 'net.onnx');
    const model = scratch.read('net.onnx');
    await scratch.slim(['net.onnx', '--no-report']);
    const slimmed = scratch.read('net.slim.onnx');
    const both = pipe(['-'], model);
    expect(both).toMatchObject({ status: 0, stderr: '' });
    expect(both.stdout.equals(slimmed)).toBe(true);
    expect(pipe(['net.onnx', '-o', '-', '--report', 'r.json'], Buffer.of()).stdout.equals(slimmed)).toBe(true);
    expect(scratch.report('r.json').output?.name).toBe('-');
    const toFile = pipe(['-', '-o', 'out.onnx', '--no-report'], model);
    expect(toFile.stdout.toString()).toMatch(/^- → out\.onnx /);
    expect(scratch.read('out.onnx').equals(slimmed)).toBe(true);
    expect(scratch.files()).toEqual(['net.onnx', 'net.slim.onnx', 'out.onnx', 'r.json']);
  });

  it.skipIf(process.platform === 'win32')('may be closed early: the files are made all the same', () => {
    scratch.copy(SMALL, 'a.onnx');
    scratch.copy('small/custom-domain.onnx', 'b.onnx');
    const command = `"$0" "$1" slim a.onnx b.onnx --no-profile --no-report --strict -o out/; echo $? > status`;
    spawnSync('sh', ['-c', `(${command}) | true`, process.execPath, program], { cwd: scratch.folder });
    expect(scratch.read('status').toString()).toBe('1\n');
    expect(scratch.files()).toContain('out/a.onnx');
    expect(scratch.files()).toContain('out/b.onnx.best.onnx');
  });

  it('are refused where they cannot serve', async () => {
    scratch.copy(SMALL, 'net.onnx');
    const clash = pipe(['net.onnx', '-o', '-', '--json'], Buffer.of());
    expect(clash).toMatchObject({ status: 2, stderr: expect.stringContaining('both want stdout') });
    expect(pipe(['-'], Buffer.of())).toMatchObject({ status: 3, stderr: expect.stringContaining('is empty') });
  });

  it.skipIf(process.platform === 'win32')('a device is written into, not replaced', async () => {
    scratch.copy(SMALL, 'net.onnx');
    spawnSync('mkfifo', [scratch.path('pipe')]);
    const reader = spawnSync(
      'sh',
      ['-c', `"$0" "$1" slim net.onnx --no-profile -o pipe & cat pipe > got.onnx; wait`, process.execPath, program],
      { cwd: scratch.folder },
    );
    expect(reader.status).toBe(0);
    expect((await openModel(scratch.path('got.onnx'))).model.nodeTotal).toBeGreaterThan(0);
    expect(scratch.files()).toEqual(['got.onnx', 'net.onnx', 'pipe']);
  });
});

describe('an input', () => {
  it.each([
    ['by its name', ['net.onnx', '-o', 'net.onnx']],
    ['by another spelling', ['net.onnx', '-o', './x/../net.onnx']],
    ['through a link', ['net.onnx', '-o', 'link.onnx']],
    ['when it is itself a link', ['link.onnx', '-o', 'net.onnx']],
    ['as one of several', ['x/net.onnx', 'net.onnx', '-o', '.']],
    ['as the folder of the output', ['net.onnx', '-o', './']],
  ])('is not overwritten: %s', async (_, args) => {
    scratch.copy(SMALL, 'net.onnx');
    scratch.copy('small/conv1d-net.onnx', 'x/net.onnx');
    symlinkSync('net.onnx', scratch.path('link.onnx'));
    const before = [scratch.files(), scratch.read('net.onnx')];
    const { status, stderr } = await scratch.slim(args);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^error\[would-overwrite\]: .*\n.*--force/);
    expect([scratch.files(), scratch.read('net.onnx')]).toEqual(before);
  });

  it('is overwritten with --force; another name of the same bytes keeps them', async () => {
    scratch.copy(SMALL, 'net.onnx');
    linkSync(scratch.path('net.onnx'), scratch.path('copy.onnx'));
    const original = scratch.read('net.onnx');
    const { status } = await scratch.slim(['net.onnx', '-o', 'net.onnx', '--force', '--no-report']);
    expect(status).toBe(0);
    expect(scratch.read('net.onnx').length).toBeLessThan(original.length);
    expect(scratch.read('copy.onnx')).toEqual(original);
  });

  it('keeps its files of weights, baseline and recipe', async () => {
    scratch.copy('mnist-bn-as-exported.onnx', 'net.onnx');
    await scratch.slim(['net.onnx', '-o', 'out.onnx', '--external-data', '--report', 'out.json']);
    writeFileSync(scratch.path('recipe.json'), '{"version": 1}');
    const before = scratch.files();
    const refused = [
      ['out.onnx', '-o', './x.onnx', '--recipe', 'recipe.json', '--report', './recipe.json'],
      ['out.onnx', '-o', 'x.onnx', '--baseline', 'out.json', '--report', 'out.json'],
    ];
    for (const args of refused) expect(await scratch.slim(args)).toMatchObject({ status: 2, stdout: '' });
    expect(scratch.files()).toEqual(before);
    // in.onnx has its weights where those of out.onnx would go.
    renameSync(scratch.path('out.onnx'), scratch.path('in.onnx'));
    const data = scratch.read('out.onnx.data');
    const { status, stderr } = await scratch.slim(['in.onnx', '-o', 'out.onnx', '--external-data']);
    expect(status).toBe(2);
    expect(stderr).toContain('out.onnx.data is a file of weights of the input');
    expect(scratch.read('out.onnx.data')).toEqual(data);
  });
});

describe('an output that cannot be written', () => {
  it('is one clear error, and nothing is left', async () => {
    scratch.copy(SMALL, 'net.onnx');
    writeFileSync(scratch.path('file'), '');
    for (const args of [
      ['-o', 'file/x.onnx'],
      ['-o', 'x.onnx', '--report', 'file/r.md'],
    ]) {
      const { status, stdout, stderr } = await scratch.slim(['net.onnx', ...args]);
      expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
      expect(stderr).toMatch(/^error\[not-writable\]: .*\n {2}at: {2}file\/.*\n( {2}fix: .*\n)?$/);
      expect(scratch.files()).toEqual(['file', 'net.onnx']);
    }
  });

  it.skipIf(isRoot || process.platform === 'win32')('a folder without permission', async () => {
    scratch.copy(SMALL, 'net.onnx');
    mkdirSync(scratch.path('locked'));
    chmodSync(scratch.path('locked'), 0o555);
    const { status, stderr } = await scratch.slim(['net.onnx', '-o', 'locked/x.onnx']);
    expect(status).toBe(3);
    expect(stderr).toMatch(/^error\[not-writable\]/);
  });
});
