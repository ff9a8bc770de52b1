// `mcompress profile` on real and made models. Times themselves are not asserted, only what must hold of any of them.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { ProfileReport } from '../../src/report/profile-report.js';
import { fixture, mcompress, mcompressJson, widest } from './run-program.js';

const folder = mkdtempSync(join(tmpdir(), 'mcompress-profile-'));
afterAll(() => rmSync(folder, { recursive: true }));
const mnist = fixture('mnist-bn-as-exported.onnx');

const profile = (...args: string[]): Promise<ProfileReport> => mcompressJson<ProfileReport>(['profile', ...args]);
const sum = (numbers: readonly (number | undefined)[]): number => numbers.reduce<number>((a, b) => a + (b ?? 0), 0);

describe('the report', () => {
  it('attributes the time to the nodes of the model, through the fusions of the runtime', async () => {
    const report = await profile(mnist, '--seed', '3', '--threads', '2');
    expect(report).toMatchObject({ fusion: 'on', optimization: 'all', seed: 3, threads: 2 });
    expect(report.latency.p50Ms).toBeGreaterThan(0);
    expect(report.latency.p99Ms).toBeGreaterThanOrEqual(report.latency.p50Ms);
    expect(report.load).toBeGreaterThan(0);
    expect(report.memory?.peakBytes).toBeGreaterThan(0);
    expect(report.layers).toHaveLength(35);
    const timed = report.layers.filter(({ facts }) => (facts.timeUs ?? 0) > 0).map(({ facts }) => facts.opType);
    expect(timed).toContain('Conv');
    expect(timed).not.toContain('Constant');
    const fused = report.ranAs.find(({ operators }) => operators.startsWith('Conv + '));
    expect(fused).toMatchObject({ operators: expect.stringContaining('BatchNormalization') });
    expect(report.notRun).toContainEqual({ opType: 'Constant', count: 7 });
    const on = report.timeShare.find(({ fusion }) => fusion === 'on')?.share;
    expect((on?.tensorUs ?? 0) + (on?.nonTensorUs ?? 0)).toBeCloseTo(
      sum(report.layers.map(({ facts }) => facts.timeUs)),
    );
    expect(report.timeShare.map(({ fusion }) => fusion)).toEqual(['on', 'off']);
  });

  it('without optimization has every node run as it is', async () => {
    const report = await profile(mnist, '--optimization', 'disabled', '--input', 'image:2x1x28x28');
    expect(report).toMatchObject({ fusion: 'off', optimization: 'disabled' });
    expect(report.ranAs.filter(({ operators, ranAs }) => operators !== ranAs)).toEqual([]);
    expect(report.ranAs.find(({ ranAs }) => ranAs === 'BatchNormalization')?.count).toBe(5);
    expect(report.timeShare.map(({ fusion }) => fusion)).toEqual(['off']);
    const conv = report.layers.find(({ facts }) => facts.opType === 'Conv');
    expect(conv?.facts.macs).toBe(2 * 16 * 28 * 28 * 9);
  });

  it('takes a model from standard input, and feeds from a file', async () => {
    const report = await mcompressJson<ProfileReport>(['profile', '-', '--feed', 'image=0'], {
      input: readFileSync(mnist),
    });
    expect(report.file.name).toBe('-');
    expect(report.layers).toHaveLength(35);
  });
});

describe('--latency-table', () => {
  const table = join(folder, 'layers.json');

  it('is written, and then read: nothing is measured again', async () => {
    const first = await profile(mnist, '--latency-table', table);
    expect(first.alone).toMatchObject({ table: 'own', notTimed: 0 });
    expect(first.alone?.measured).toBe(first.alone?.distinct);
    const stored = readFileSync(table, 'utf8');
    const second = await profile(mnist, '--latency-table', table);
    expect(second.alone).toMatchObject({ measured: 0, distinct: first.alone?.distinct, sumUs: first.alone?.sumUs });
    expect(readFileSync(table, 'utf8')).toBe(stored);
    expect(readdirSync(folder)).toEqual(['layers.json']);
    const entries = JSON.parse(stored) as { microseconds: Record<string, number> };
    expect(Object.keys(entries.microseconds)).toHaveLength(first.alone?.distinct ?? 0);
    expect(sum(second.layers.map(({ facts }) => facts.aloneUs))).toBeCloseTo(second.alone?.sumUs ?? 0);
  });

  it('gets what it lacks added', async () => {
    const stored = JSON.parse(readFileSync(table, 'utf8')) as { microseconds: Record<string, number> };
    const [gone = '', ...others] = Object.keys(stored.microseconds);
    const microseconds = Object.fromEntries(others.map((key) => [key, 77]));
    writeFileSync(table, JSON.stringify({ ...stored, microseconds }));
    const report = await profile(mnist, '--latency-table', table);
    expect(report.alone?.measured).toBe(1);
    const after = JSON.parse(readFileSync(table, 'utf8')) as { microseconds: Record<string, number> };
    expect(Object.keys(after.microseconds)).toContain(gone);
    expect(others.every((key) => after.microseconds[key] === 77)).toBe(true);
  });

  it('of another machine is used and left alone', async () => {
    const stored = JSON.parse(readFileSync(table, 'utf8')) as object;
    const foreign = JSON.stringify({ ...stored, fingerprint: 'other', microseconds: {} });
    writeFileSync(table, foreign);
    const report = await profile(mnist, '--latency-table', table);
    expect(report.alone).toMatchObject({ table: 'foreign', measured: 0, sumUs: 0 });
    expect(report.warnings.join()).toContain('another machine');
    expect(readFileSync(table, 'utf8')).toBe(foreign);
  });

  it('that is none is refused', async () => {
    writeFileSync(table, '{}');
    const { status, stderr } = await mcompress(['profile', mnist, '--latency-table', table]);
    expect(status).toBe(3);
    expect(stderr).toContain('error[bad-report]');
  });

  it('is that of the machine with --alone', async () => {
    const env = { XDG_CACHE_HOME: join(folder, 'cache') };
    await mcompressJson<ProfileReport>(['profile', fixture('small/conv-chain.onnx'), '--alone'], { env });
    expect(readdirSync(join(folder, 'cache/mcompress'))).toEqual([expect.stringMatching(/^latency-.*-1\.json$/)]);
    expect(existsSync(join(folder, 'cache/mcompress'))).toBe(true);
  });
});

it('prints tables and bars in 80 columns, and stages as lines with -v', async () => {
  const { status, stdout, stderr } = await mcompress(['profile', mnist, '--top', '4', '-v']);
  expect(status).toBe(0);
  expect(widest(stdout)).toBeLessThanOrEqual(80);
  expect(stdout).toContain('The 4 dearest of');
  expect(stdout).toMatch(/Conv +\d[\d.]* µs +\d+ %  █/);
  expect(stdout).toContain('Nodes that the runtime fused or replaced');
  expect(stderr).toContain('mnist-bn-as-exported.onnx: measuring latency\n');
});

it.each([
  [['--threads', '0'], 'bad-value', 2],
  [['--optimization', 'most'], 'bad-value', 2],
  [['--feed', 'other=1'], 'bad-feed', 3],
])('refuses %j', async (flags, code, expected) => {
  const { status, stderr } = await mcompress(['profile', mnist, ...flags]);
  expect(status).toBe(expected);
  expect(stderr).toMatch(new RegExp(`^error\\[${code}\\]: `));
});
