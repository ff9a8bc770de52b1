// Gates of `mcompress slim`: a missed one leaves OUT alone and keeps the best model beside it; defects leave a reproducer.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openModel } from '../../src/onnx/open.js';
import { fixture, program } from './run-program.js';
import { useScratch } from './scratch.js';

const scratch = useScratch();

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended in the meantime.
  }
}
const UNKNOWN = 'small/custom-domain.onnx';
const BEST = ['net.slim.onnx.best.onnx', 'net.slim.onnx.best.report.html', 'net.slim.onnx.best.report.json'];

describe('--strict', () => {
  it('a result that cannot be checked is status 1, and the model is OUT.best.onnx', async () => {
    scratch.copy(UNKNOWN, 'net.onnx');
    writeFileSync(scratch.path('net.slim.onnx'), 'old model');
    writeFileSync(scratch.path('net.slim.report.md'), 'old report');
    const { status, stdout, stderr } = await scratch.slim(['net.onnx', '--strict']);
    expect(status).toBe(1);
    expect(stdout).toMatch(/^net\.onnx → net\.slim\.onnx\.best\.onnx\s+UNVERIFIED: /);
    expect(stderr).toContain('net.slim.onnx was left alone, the result is net.slim.onnx.best.onnx');
    expect(scratch.files()).toEqual([
      'net.onnx',
      'net.slim.onnx',
      ...BEST,
      'net.slim.onnx.best.report.md',
      'net.slim.report.md',
    ]);
    expect(scratch.read('net.slim.onnx').toString()).toBe('old model');
    expect(scratch.read('net.slim.report.md').toString()).toBe('old report');
    expect((await openModel(scratch.path(BEST[0] ?? ''))).model.nodeTotal).toBe(4);
  });

  it('without it the model is written, with the verdict', async () => {
    scratch.copy(UNKNOWN, 'net.onnx');
    expect(await scratch.slim(['net.onnx', '-o', 'out.onnx', '--report', 'r.json'])).toMatchObject({ status: 0 });
    expect(scratch.report('r.json').verification.verdict).toBe('unverified');
    expect(scratch.files()).toEqual(['net.onnx', 'out.onnx', 'r.json']);
  });

  it('a model that was checked passes; nothing is written to stdout when one is not', async () => {
    scratch.copy('small/residual-net.onnx', 'net.onnx');
    expect(await scratch.slim(['net.onnx', '--strict', '--no-report'])).toMatchObject({ status: 0, stderr: '' });
    const piped = await scratch.slim([fixture(UNKNOWN), '--strict', '-o', '-']);
    expect(piped).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining('no model was written') });
  });
});

describe('--baseline', () => {
  /** An earlier report with a figure of the slimmed model changed. */
  function baseline(name: string, key: 'nodes' | 'fileBytes', factor: number): void {
    const report = scratch.report('base.json');
    const pair = report.figures[key];
    const figures = { ...report.figures, [key]: { ...pair, after: Math.floor(pair.after * factor) } };
    writeFileSync(scratch.path(name), JSON.stringify({ ...report, figures }));
  }

  it('is met by the same model, and missed by a larger one: OUT stays, the best model is beside it', async () => {
    scratch.copy('small/residual-net.onnx', 'net.onnx');
    await scratch.slim(['net.onnx', '--report', 'base.json']);
    const met = await scratch.slim(['net.onnx', '--no-report', '--baseline', 'base.json']);
    expect(met).toMatchObject({ status: 0, stderr: '' });
    expect(met.stdout).toContain('baseline: ');
    const good = scratch.read('net.slim.onnx');
    baseline('tight.json', 'nodes', 0.9);
    const missed = await scratch.slim(['net.onnx', '--baseline', 'tight.json', '--report', 'now.json', '--json']);
    expect(missed.status).toBe(1);
    expect(missed.stderr).toContain('worse than tight.json; net.slim.onnx was left alone');
    expect(JSON.parse(missed.stdout)).toEqual(JSON.parse(scratch.read('now.json').toString()));
    expect(scratch.report('now.json')).toMatchObject({
      output: { name: 'net.slim.onnx.best.onnx' },
      baseline: { verdict: 'regressed', name: 'tight.json' },
    });
    expect(scratch.read('net.slim.onnx')).toEqual(good);
    expect(scratch.read('net.slim.onnx.best.onnx')).toEqual(good);
    baseline('loose.json', 'fileBytes', 1.5);
    expect(await scratch.slim(['net.onnx', '-n', '--baseline', 'loose.json'])).toMatchObject({ status: 0 });
  });

  it('of one of several models is the status of the run', async () => {
    scratch.copy('small/residual-net.onnx', 'net.onnx');
    scratch.copy('small/conv1d-net.onnx', 'other.onnx');
    await scratch.slim(['other.onnx', '--report', 'base.json', '-o', 'x.onnx']);
    const { status, stdout } = await scratch.slim([
      'net.onnx',
      'other.onnx',
      '-o',
      'out/',
      '--no-report',
      '--baseline',
      'base.json',
      '--json',
    ]);
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      exitStatus: 1,
      models: [
        { outcome: 'gate-not-met', exitStatus: 1, output: 'out/net.onnx.best.onnx' },
        { outcome: 'done', exitStatus: 0, output: 'out/other.onnx' },
      ],
    });
  });
});

describe.skipIf(process.platform !== 'linux')('a defect', () => {
  it('is status 4, not that of a missed gate, where nobody waited for it; nothing is left', () => {
    scratch.copy('basic-pitch-nmp.onnx', 'net.onnx');
    const stray = 'data:text/javascript,setTimeout(() => Promise.reject(new Error("stray")), 700)';
    const args = ['--import', stray, program, 'slim', 'net.onnx', '-o', 'new/out.onnx'];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: scratch.folder, encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 4, stderr: expect.stringMatching(/^error\[unexpected\]: stray\n/) });
    expect(scratch.files()).toEqual(['net.onnx']);
  });

  it('is status 4, with a folder that shows it: here reading fails late', () => {
    scratch.copy('small/residual-net.onnx', 'net.onnx');
    const plant = `import fs from 'node:fs'; import module from 'node:module';
      fs.createReadStream = () => { throw new TypeError('planted'); }; module.syncBuiltinESMExports();`;
    const args = ['--import', `data:text/javascript,${encodeURIComponent(plant)}`, program, 'slim', 'net.onnx'];
    const settings = { cwd: scratch.folder, encoding: 'utf8' } as const;
    const { status, stderr } = spawnSync(
      process.execPath,
      [...args, '-o', 'out.onnx', '--verify', 'off', '--no-profile'],
      settings,
    );
    expect(stderr).toMatch(/^error\[unexpected\]: planted\n {2}fix: .* out\.onnx\.reproducer\n$/);
    expect(status).toBe(4);
    expect(scratch.files()).toEqual([
      'net.onnx',
      'out.onnx.reproducer/',
      ...['README.md', 'model.onnx', 'recipe.json'].map((name) => `out.onnx.reproducer/${name}`),
    ]);
    expect(scratch.read('out.onnx.reproducer/model.onnx')).toEqual(scratch.read('net.onnx'));
    expect(scratch.read('out.onnx.reproducer/README.md').toString()).toContain('TypeError: planted');
  });
});

describe.skipIf(process.platform !== 'linux')('a runtime that dies while it checks', () => {
  it('leaves the result unverified', async () => {
    scratch.copy('basic-pitch-nmp.onnx', 'net.onnx');
    const args = ['slim', 'net.onnx', '-o', 'out.onnx', '-v', '--no-profile', '--input', '8x43844x1'];
    const child = spawn(process.execPath, [program, ...args, '--report', 'r.json'], { cwd: scratch.folder });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const timer = setInterval(() => {
      if (!stderr.includes(': checking\n')) return;
      const found = spawnSync('pgrep', ['-P', String(child.pid)])
        .stdout.toString()
        .trim();
      for (const pid of found === '' ? [] : found.split('\n')) kill(Number(pid));
    }, 20);
    const [status] = (await once(child, 'close')) as [number];
    clearInterval(timer);
    expect(status).toBe(0);
    expect(scratch.report('r.json').verification.verdict).toBe('unverified');
  });
});
