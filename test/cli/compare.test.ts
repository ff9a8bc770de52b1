// `mcompress compare` on models that differ in known places.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseModel } from '../../src/ir/text/parse.js';
import { encodeModel } from '../../src/onnx/encode.js';
import type { CompareReport } from '../../src/report/compare-report.js';
import { fixture, mcompress, mcompressJson, widest } from './run-program.js';

const folder = mkdtempSync(join(tmpdir(), 'mcompress-compare-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** x → stem → left and right → sum → y, with one number per weight that tests change. */
function net({ stem = 1, left = 2, right = -1, factor = 1, names = (name: string) => name } = {}): string {
  const [s, l, r, t, u] = ['stem', 'left', 'right', 'total', 'scaled'].map(names);
  return `<ir_version: 8, opset_import: ["" : 13]>
  net (float[1,2,3,3] x) => (float[1,2,3,3] y)
  <
    float[2,2,1,1] w0 = {${stem}, 0.5, 0.25, 1},
    float[2,2,1,1] w1 = {${left}, 0.5, 0.25, 1},
    float[2,2,1,1] w2 = {${right}, 0.5, 0.25, 1},
    float down = {${1 / factor}},
    float up = {${factor}}
  >
  {
    [${names('Stem')}] ${s} = Conv (x, w0)
    [${names('Left')}] ${l} = Conv (${s}, w1)
    [${names('Right')}] ${r} = Conv (${s}, w2)
    [${names('Down')}] ${u} = Mul (${l}, down)
    [${names('Up')}] ${t} = Mul (${u}, up)
    [${names('Sum')}] y = Add (${t}, ${r})
  }`;
}

function file(name: string, text: string): string {
  const path = join(folder, `${name}.onnx`);
  writeFileSync(path, Buffer.concat(encodeModel(undefined, parseModel(text))));
  return path;
}

const original = file('original', net());
const compare = (b: string, ...flags: string[]): Promise<CompareReport> =>
  mcompressJson<CompareReport>(['compare', original, b, '--no-profile', ...flags]);

describe('outputs', () => {
  it('that are equal bit by bit agree at tolerance 0', async () => {
    const report = await compare(original, '--tolerance', '0');
    expect(report).toMatchObject({ verdict: 'agree', tolerance: 0, values: [] });
    expect(report.outputs).toEqual([{ name: 'y', worstRelative: 0, worstAbsolute: 0 }]);
    expect(report.feeds).toBeGreaterThan(3);
    expect(report.firstDivergence).toBeUndefined();
  });

  it('agree or not by the tolerance, and the exit status says so', async () => {
    const close = file('close', net({ left: 2.002 }));
    expect((await compare(close, '--tolerance', '1e-2')).verdict).toBe('agree');
    expect((await compare(close, '--tolerance', '1e-5')).verdict).toBe('differ');
    expect((await mcompress(['compare', original, close, '--no-profile', '--tolerance', '1e-2', '-q'])).status).toBe(0);
    expect(await mcompress(['compare', original, close, '--no-profile', '-q'])).toEqual({
      status: 1,
      stdout: '',
      stderr: '',
    });
  });

  it('of another shape, or not there, are told apart from other values', async () => {
    const shape = file(
      'shape',
      net()
        .replace('=> (float[1,2,3,3] y)', '=> (y)')
        .replace('y = Add', 'z = Add')
        .replace(/}$/, '  y = ReduceSum (z)\n}'),
    );
    expect(await compare(shape)).toMatchObject({
      verdict: 'differ',
      outputs: [{ name: 'y', note: 'B has another shape' }],
    });
    const renamed = file('renamed', net().replaceAll(/\by\b/g, 'other'));
    expect((await compare(renamed)).outputs).toEqual([
      { name: 'y', note: 'B does not have it' },
      { name: 'other', note: 'only B has it' },
    ]);
  });

  it('of a model with other inputs cannot be compared', async () => {
    const report = await compare(file('inputs', net().replaceAll(/\bx\b/g, 'image')));
    expect(report).toMatchObject({ verdict: 'not-comparable', outputs: [] });
    expect(report.reason).toContain('x');
  });
});

describe('node by node', () => {
  it('finds the first value that differs, by name', async () => {
    const report = await compare(file('left', net({ left: 3 })));
    expect(report.firstDivergence).toMatchObject({ value: 'left', nodeA: 'Left', nodeB: 'Left' });
    expect(report.matching).toMatchObject({ byName: 6, byStructure: 0, onlyA: 0, onlyB: 0 });
    expect(report.values.map(({ value }) => value)).toEqual(['stem', 'left', 'right', 'scaled', 'total', 'y']);
    const errors = report.values.map(({ worstRelative = 0 }) => worstRelative > 1e-3);
    expect(errors).toEqual([false, true, false, true, true, true]);
  });

  it('finds it where names are gone, by structure', async () => {
    const gone = (name: string): string => `b${name.length}_${name.charCodeAt(0)}`;
    const report = await compare(file('gone', net({ right: 1, names: gone })));
    expect(report.matching).toMatchObject({ byName: 1, byStructure: 5, onlyA: 0, onlyB: 0 });
    expect(report.firstDivergence).toMatchObject({ value: 'right', nodeA: 'Right', nodeB: gone('Right') });
  });

  it('passes over values that another model scales, and undoes further on', async () => {
    const scaled = file('scaled', net({ factor: 8 }));
    const report = await compare(scaled, '-v');
    expect([report.verdict, report.firstDivergence]).toEqual(['agree', undefined]);
    expect(report.values.find(({ value }) => value === 'scaled')).toMatchObject({ note: 'agrees again further on' });
    const both = await compare(file('both', net({ factor: 8, right: 1 })));
    expect(both.firstDivergence).toMatchObject({ value: 'right' });
  });

  it('says so when the models have no value in common where they part', async () => {
    const text = net().replace('[Sum] y = Add (total, right)', 'n = Neg (right)\n    y = Sub (total, n)');
    const part = file('part', text.replace('y = Sub (total, n)', 'y = Mul (total, n)'));
    const report = await compare(part);
    expect(report.firstDivergence).toMatchObject({ value: 'y', nodeA: 'Sum' });
    expect(report.matching).toMatchObject({ onlyB: 1 });
  });
});

it('measures sizes, costs, latency and load time side by side', async () => {
  const mnist = fixture('mnist-bn-as-exported.onnx');
  const report = await mcompressJson<CompareReport>(['compare', mnist, mnist, '--seed', '2']);
  expect(report).toMatchObject({ verdict: 'agree', seed: 2, threads: 1 });
  const { nodes, macs, latency, load, peakProcessBytes } = report.figures;
  expect([nodes, macs?.before]).toEqual([{ before: 35, after: 35 }, macs?.after]);
  expect(latency?.rounds).toBeGreaterThan(5);
  expect(['faster', 'slower', 'no-difference']).toContain(latency?.verdict);
  expect(load?.before.p50Ms).toBeGreaterThan(0);
  expect(peakProcessBytes?.before).toBeGreaterThan(0);
});

it('prints in 80 columns what differs and where', async () => {
  const { status, stdout } = await mcompress(['compare', original, file('text', net({ left: 3 })), '--no-profile']);
  expect(status).toBe(1);
  expect(widest(stdout)).toBeLessThanOrEqual(80);
  expect(stdout).toContain('The models: DIFFER');
  expect(stdout.replaceAll(/\s+/g, ' ')).toContain('First beyond the tolerance: left, made by Left in A and Left in B');
  expect(stdout).toContain('Around the first divergence');
});

it.each([
  [[original, 'nowhere.onnx'], 'not-found', 3],
  [[original, original, '--tolerance', '-1'], 'bad-value', 2],
  [['-', '-'], 'conflict', 2],
  [[original], 'no-input', 2],
])('compare %j is %s', async (args, code, expected) => {
  const { status, stderr } = await mcompress(['compare', ...args]);
  expect(status).toBe(expected);
  expect(stderr).toMatch(new RegExp(`^error\\[${code}\\]: `));
});
