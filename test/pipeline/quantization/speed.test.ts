// Never slower than float: what is done about timings that say so. They stand in a journal, so that they say what the test
// wants; nothing here depends on how fast this machine is.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TARGETS } from '../../../src/passes/quantize/target.js';
import type { QuantizeOutcome } from '../../../src/pipeline/quantization/outcome.js';
import { floatsKey } from '../../../src/pipeline/quantization/quantization-run.js';
import { quantizeFile } from '../../../src/pipeline/quantization/quantize-file.js';
import { canTime, type SpeedFinding } from '../../../src/pipeline/quantization/speed.js';
import { instructionSetOf } from '../../../src/runtime/machine.js';
import { requestFor, writeNet } from './net.js';

describe('the kernels of a machine', () => {
  it('are told by the flags of its processor', () => {
    expect(instructionSetOf(new Set(['sse2', 'avx2', 'avx512_vnni']))).toBe('x64-vnni');
    expect(instructionSetOf(new Set(['avx2', 'avx_vnni']))).toBe('x64-vnni');
    expect(instructionSetOf(new Set(['sse2', 'avx2']))).toBe('x64-avx2');
    expect(instructionSetOf(new Set(['sse2']))).toBeUndefined();
  });

  it('time a model for one processor at most', () => {
    expect(Object.values(TARGETS).filter(canTime).length).toBeLessThan(2);
  });
});

const folder = mkdtempSync(join(tmpdir(), 'mcompress-speed-'));
afterAll(() => rmSync(folder, { recursive: true }));
const journal = join(folder, 'journal.jsonl');
const target = (['x64-vnni', 'x64-avx2', 'arm64'] as const).find((name) => canTime({ name }));

type Steps = Readonly<Record<string, unknown>>;
let header = '';
let real: Record<string, unknown> = {};

async function run(): Promise<{ outcome: QuantizeOutcome; bytes: Buffer }> {
  const request = requestFor(join(folder, 'net.onnx'), {
    journal,
    measure: 'on',
    timingMs: 400,
    target: target ?? 'x64-vnni',
  });
  const outcome = await quantizeFile(request);
  const to = join(folder, 'out.onnx');
  await outcome.publish(to);
  await outcome.dispose();
  return { outcome, bytes: readFileSync(to) };
}

/** Runs with what an honest run found, but for `changes`. */
function runWith(changes: Steps): ReturnType<typeof run> {
  const lines = Object.entries({ ...real, ...changes }).map(([step, value]) => JSON.stringify({ step, value }));
  writeFileSync(journal, `${[header, ...lines].join('\n')}\n`);
  return run();
}

const NAMES = ['all int8', floatsKey(new Set(['c2'])), floatsKey(new Set(['c2', 'c3', 'add'])), 'the slimmed model'];

/** Timings of every model in `slow` as slower than the original, of all others as faster. */
function timings(slow: readonly string[]): Steps {
  const found = real['time of all int8'] as SpeedFinding;
  const { latency } = found.original;
  const steps = NAMES.flatMap((name) => {
    const verdict = slow.includes(name) ? ('slower' as const) : ('faster' as const);
    const value = {
      ...found,
      original: { ...found.original, latency: { ...latency, verdict } },
      slimmed: { ...latency, verdict },
    };
    return [`time of ${name}`, `second time of ${name}`].map((step) => [step, value] as const);
  });
  return Object.fromEntries(steps);
}

const times = (slow: readonly string[]): Steps => ({
  'time per node': ['c1', 'c2', 'c3', 'add', 'c4', 'c5'].map((label) => [
    label,
    slow.includes(label) ? { int8: 1000, float: 10 } : { int8: 10, float: 1000 },
  ]),
});

describe.skipIf(target === undefined)('a model on integers that is slower', () => {
  beforeAll(async () => {
    writeNet(folder);
    await run();
    const [first = '', ...lines] = readFileSync(journal, 'utf8').trim().split('\n');
    header = first;
    real = Object.fromEntries(
      lines.map((line) => JSON.parse(line) as { step: string; value: unknown }).map(({ step, value }) => [step, value]),
    );
  }, 120_000);

  it('stays when a second timing does not say so again', { timeout: 60_000 }, async () => {
    const once = timings(['all int8'])['time of all int8'];
    const { outcome } = await runWith({ ...timings([]), ...times([]), 'time of all int8': once });
    expect(outcome).toMatchObject({ kept: 'int8', speedMeasured: true });
    expect(outcome.measurement?.latency.verdict).toBe('faster');
  });

  it('gets back in float the node that makes it slow', { timeout: 60_000 }, async () => {
    const { outcome } = await runWith({ ...timings(['all int8']), ...times(['c2']) });
    expect(outcome.kept).toBe('mixed');
    expect(outcome.nodes.find(({ node }) => node === 'c2')).toMatchObject({
      form: 'float',
      reason: 'slower',
      measured: { us: { int8: 1000, float: 10 } },
    });
    expect(outcome.nodes.find(({ node }) => node === 'c4')).toMatchObject({ form: 'int8', fused: true });
    expect(outcome.steps.map(({ latencyRatio }) => typeof latencyRatio)).toEqual(['number', 'number']);
  });

  it('stays on integers where float promises more for a node than it keeps', { timeout: 60_000 }, async () => {
    const { outcome } = await runWith({ ...timings([]), ...times(['c2']) });
    expect(outcome.kept).toBe('int8');
  });

  it('is given up where that does not help', { timeout: 60_000 }, async () => {
    const slow = NAMES.filter((name) => name !== 'the slimmed model');
    const { outcome, bytes } = await runWith({ ...timings(slow), ...times(['c2']) });
    expect(outcome).toMatchObject({ kept: 'original', values: [] });
    expect(outcome.nodes.find(({ node }) => node === 'c4')).toMatchObject({
      form: 'float',
      reason: 'slower',
      measured: { us: { int8: 10, float: 1000 } },
    });
    expect(outcome.steps[0]?.latencyRatio).toBeGreaterThan(0);
    expect(bytes.includes('QuantizeLinear')).toBe(false);
  });

  it('is given up for the original where the slimmed model is slower, too', { timeout: 60_000 }, async () => {
    const { outcome, bytes } = await runWith({ ...timings(NAMES), ...times(['c1', 'c2', 'c3', 'add', 'c4', 'c5']) });
    expect(outcome).toMatchObject({ kept: 'original', comparison: undefined });
    expect(bytes.equals(readFileSync(join(folder, 'net.onnx')))).toBe(true);
  });

  it('takes times per node from a table, and adds what it lacks', { timeout: 120_000 }, async () => {
    const latencyTable = join(folder, 'table.json');
    const request = requestFor(join(folder, 'net.onnx'), {
      measure: 'on',
      timingMs: 400,
      latencyTable,
      maxDrop: 0.04,
      target: target ?? 'x64-vnni',
    });
    const outcome = await quantizeFile(request);
    await outcome.dispose();
    expect(existsSync(latencyTable)).toBe(true);
    const text = readFileSync(latencyTable, 'utf8');
    expect(text.match(/whole int8 Conv/g)?.length).toBeGreaterThan(1);
    const again = await quantizeFile(request);
    await again.dispose();
    expect(readFileSync(latencyTable, 'utf8')).toBe(text);
    expect(again.steps.map(({ float }) => float)).toEqual(outcome.steps.map(({ float }) => float));
  });
});
