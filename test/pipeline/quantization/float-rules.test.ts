// Rules of speed: they keep layers in float, say what was measured of them, and yield where the measurement says otherwise. The
// times stand in a journal, so that they say what the test wants.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseModel } from '../../../src/ir/text/parse.js';
import { encodeModel } from '../../../src/onnx/encode.js';
import type { QuantizedNode, QuantizeOutcome, QuantizeRequest } from '../../../src/pipeline/quantization/outcome.js';
import { floatsKey } from '../../../src/pipeline/quantization/quantization-run.js';
import { quantizeFile } from '../../../src/pipeline/quantization/quantize-file.js';
import { canTime, type SpeedFinding } from '../../../src/pipeline/quantization/speed.js';
import { requestFor } from './net.js';

const NET = `<ir_version: 8, opset_import: ["" : 17]>
  g (float[1, 3, 24, 24] x) => (float[1, 16, 24, 24] y) <float[16, 3, 1, 1] w = random(1), float[16, 2, 1, 1] v = random(2),
    float[16, 16, 1, 1] u = random(3)> {
  [first] a = Conv (x, w)
  r = Relu (a)
  [mid] b = Conv <group = 8> (r, v)
  s = Relu (b)
  [last] y = Conv (s, u)
}`;

const folder = mkdtempSync(join(tmpdir(), 'mcompress-rules-'));
const path = join(folder, 'net.onnx');
const journal = join(folder, 'journal.jsonl');
const target = (['x64-vnni', 'x64-avx2', 'arm64'] as const).find((name) => canTime({ name }));
const RULES = 'time of nodes that rules keep in float';

beforeAll(() => writeFileSync(path, Buffer.concat(encodeModel(undefined, parseModel(NET)))));
afterAll(() => rmSync(folder, { recursive: true }));

async function outcomeOf(changes: Partial<QuantizeRequest>): Promise<QuantizeOutcome> {
  const outcome = await quantizeFile(requestFor(path, changes));
  await outcome.dispose();
  return outcome;
}

const mid = ({ nodes }: QuantizeOutcome): QuantizedNode | undefined => nodes.find(({ node }) => node === 'mid');

describe('a rule of speed where nothing is timed', () => {
  it('holds, and nothing is said to be measured', async () => {
    const outcome = await outcomeOf({ measure: 'off' });
    expect(mid(outcome)).toMatchObject({ form: 'float', reason: 'grouped', measured: undefined });
    expect(outcome.kept).toBe('int8');
    expect(outcome.nodes.find(({ node }) => node === 'last')).toMatchObject({ form: 'int8', fused: true });
  });

  it('gives way to the wish of the user as the reason', async () => {
    expect(mid(await outcomeOf({ measure: 'off', float: ['mid'] }))).toMatchObject({ reason: 'asked' });
  });
});

describe.skipIf(target === undefined)('a rule of speed where times are taken', () => {
  let steps = new Map<string, unknown>();
  let header = '';
  const run = (): Promise<QuantizeOutcome> =>
    outcomeOf({ journal, measure: 'on', timingMs: 400, target: target ?? 'x64-vnni' });

  beforeAll(async () => {
    await run();
    const [first = '', ...lines] = readFileSync(journal, 'utf8').trim().split('\n');
    header = first;
    steps = new Map(
      lines.map((line) => JSON.parse(line) as { step: string; value: unknown }).map(({ step, value }) => [step, value]),
    );
  }, 120_000);

  /** Runs with these times of the layer, and all models faster than the original. */
  async function runWith(us: { readonly int8: number; readonly float: number }): Promise<QuantizeOutcome> {
    const found = [...steps].find(([step]) => step.startsWith('time of ') && step !== RULES)?.[1] as SpeedFinding;
    const latency = { ...found.original.latency, verdict: 'faster' as const };
    const faster = { original: { ...found.original, latency }, slimmed: latency };
    const names = ['all int8', floatsKey(new Set(['mid']))];
    const changed = new Map(steps).set(RULES, [['mid', us]]).set('time per node', []);
    for (const name of names) changed.set(`time of ${name}`, faster).set(`second time of ${name}`, faster);
    const lines = [...changed].map(([step, value]) => JSON.stringify({ step, value }));
    writeFileSync(journal, `${[header, ...lines].join('\n')}\n`);
    return run();
  }

  it('really times both forms', () => {
    const [[label, us]] = steps.get(RULES) as [[string, { int8: number; float: number }]];
    expect(label).toBe('mid');
    expect(us.int8).toBeGreaterThan(0);
    expect(us.float).toBeGreaterThan(0);
  });

  it('holds where float is faster, with both times', { timeout: 60_000 }, async () => {
    const us = { int8: 40, float: 30 };
    expect(mid(await runWith(us))).toMatchObject({ form: 'float', reason: 'grouped', measured: { us } });
  });

  it('yields where integers are faster', { timeout: 60_000 }, async () => {
    expect(mid(await runWith({ int8: 20, float: 30 }))).toMatchObject({ form: 'int8', fused: true });
  });

  it('takes its times from a table', { timeout: 120_000 }, async () => {
    const latencyTable = join(folder, 'table.json');
    const options = { measure: 'on', timingMs: 400, latencyTable, target: target ?? 'x64-vnni' } as const;
    await outcomeOf(options);
    const text = readFileSync(latencyTable, 'utf8');
    const forms = ['int8', 'float'].map((form) => RegExp(`("in place ${form} Conv.*": )[\\d.]+`));
    for (const form of forms) expect(text).toMatch(form);
    const [int8 = /-/, float = /-/] = forms;
    writeFileSync(latencyTable, text.replace(int8, '$150').replace(float, '$120'));
    expect(mid(await outcomeOf(options))?.measured).toEqual({ us: { int8: 50, float: 20 } });
  });
});
