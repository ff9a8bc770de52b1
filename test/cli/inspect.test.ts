// `mcompress inspect` on real and made models. Figures of the models were taken with the Python package onnx.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { InspectReport } from '../../src/report/inspect-report.js';
import { parseReport } from '../../src/report/json.js';
import { fixture, mcompress, mcompressJson, root, widest } from './run-program.js';

const inspect = (name: string, ...flags: string[]): Promise<InspectReport> =>
  mcompressJson<InspectReport>(['inspect', fixture(name), ...flags]);

const countOf = ({ operators }: InspectReport, opType: string): number | undefined =>
  operators.find((operator) => operator.opType === opType)?.count;

const codes = ({ obstacles }: InspectReport, target: string): string[] =>
  obstacles.filter((obstacle) => obstacle.target === target).map(({ code }) => code);

describe('the report', () => {
  it('holds what the file says', async () => {
    const report = await inspect('mnist-bn-as-exported.onnx');
    expect(report.file).toMatchObject({
      name: 'mnist-bn-as-exported.onnx',
      sha256: '305385eca989b2f51a0dc6e6f170c5d443170158c9ff1c8e4287afba17ada658',
    });
    expect(report.model).toMatchObject({ irVersion: 7, opsets: [{ domain: 'ai.onnx', version: 13 }] });
    expect(report.model.producer).toBe('pytorch 2.13.0');
    expect(report.inputs).toEqual([{ name: 'image', type: 'float32', shape: ['batch', 1, 28, 28] }]);
    expect(report.dynamicDimensions).toEqual([{ name: 'batch', values: ['image'] }]);
    expect(report.figures).toMatchObject({ nodes: 35, parameters: 35441 });
    expect(report.operators.reduce((sum, { count }) => sum + count, 0)).toBe(35);
    expect([countOf(report, 'Conv'), countOf(report, 'Constant'), countOf(report, 'Div')]).toEqual([5, 7, 2]);
  });

  it('counts MACs at the sizes that --input gives, in proportion', async () => {
    const one = await inspect('mnist-bn-as-exported.onnx');
    const four = await inspect('mnist-bn-as-exported.onnx', '--input', '4x1x28x28');
    expect(four.figures.macs).toBe(4 * (one.figures.macs ?? 0));
    expect(one.warnings.join()).toContain('batch as 1');
    expect(four.warnings).toEqual([]);
  });

  it('divides the model into tensor and non-tensor layers, and all costs among them', async () => {
    const { layerKinds, figures, layers } = await inspect('mnist-bn-as-exported.onnx');
    expect(layerKinds).toMatchObject({
      tensorNodes: 6,
      nonTensorNodes: 29,
      tensorMacs: figures.macs,
      nonTensorMacs: 0,
    });
    expect((layerKinds.tensorBytes ?? 0) + (layerKinds.nonTensorBytes ?? 0)).toBe(figures.bytesMoved);
    expect(layers.reduce((sum, { facts }) => sum + (facts.macs ?? 0), 0)).toBe(figures.macs);
    expect(layers.reduce((sum, { facts }) => sum + (facts.bytesMoved ?? 0), 0)).toBe(figures.bytesMoved);
  });

  it('lists channel groups where asked: widths, layers, members, what freezes them', async () => {
    expect((await inspect('mnist-bn-as-exported.onnx')).channelGroups).toBeUndefined();
    const { channelGroups = [] } = await inspect('mnist-bn-as-exported.onnx', '--groups');
    expect(channelGroups.map(({ name, width, frozen }) => [name, width, frozen?.code])).toEqual([
      ['/stem/stem.0/Conv_output_0', 16, undefined],
      ['/pw/pw.0/Conv_output_0', 32, undefined],
      ['/a/a.0/Conv_output_0', 32, undefined],
      ['logits', 10, 'graph-output'],
    ]);
    // The residual sum: two layers make its channels, and two read them.
    expect(channelGroups[1]).toMatchObject({
      makers: ['/pw/pw.0/Conv', '/b/b.0/Conv'],
      readers: [
        { node: '/a/a.0/Conv', slot: 0, axis: 1 },
        { node: '/fc/Gemm', slot: 0, axis: 1 },
      ],
    });
    expect(channelGroups[1]?.members).toContainEqual({ value: 'fc.weight', axis: 1, indices: 49 * 32 });
    // A depthwise layer in between loses its filters with the channels of the stem.
    expect(channelGroups[0]?.members).toContainEqual({ value: 'dw.0.weight', axis: 0, indices: 16 });
    const { stdout } = await mcompress(['inspect', fixture('mnist-bn-as-exported.onnx'), '--groups', '-v']);
    expect(stdout).toContain('3 groups of 4 can be pruned, 80 units in all.');
    expect(stdout).toMatch(/logits +10 +1 +0 .*graph-output: logits/);
    expect(stdout).toMatch(/fc\.weight +1 +1568/);
  });

  it('counts nodes of subgraphs, functions, external files and weights listed as inputs', async () => {
    expect((await inspect('small/loop.onnx')).model.subgraphs).toBeGreaterThan(0);
    expect((await inspect('small/functions.onnx')).model.functions).toBeGreaterThan(0);
    expect((await inspect('small/external-data.onnx')).model.externalFiles).toHaveLength(1);
    const closed = await inspect('small/ir3-initializers-as-inputs.onnx');
    const open = await inspect('small/ir3-initializers-as-inputs.onnx', '--keep-overridable');
    expect(closed.model.weightInputs).toBeGreaterThan(0);
    expect(closed.inputs.filter(({ overridable }) => overridable)).toEqual([]);
    expect(open.inputs.filter(({ overridable }) => overridable)).toHaveLength(closed.model.weightInputs);
  });

  it('reads a model from standard input', async () => {
    const input = readFileSync(fixture('mnist-bn-as-exported.onnx'));
    const report = await mcompressJson<InspectReport>(['inspect', '-'], { input });
    expect(report.file.name).toBe('-');
    expect(report.figures.nodes).toBe(35);
  });
});

describe('obstacles', () => {
  it('are open sizes, missing operators and 64-bit types, by runtime', async () => {
    const report = await inspect('mnist-bn-as-exported.onnx');
    expect(codes(report, 'ORT mobile')).toEqual(['missing-operator']);
    expect(codes(report, 'NNAPI')).toEqual(['missing-operator', 'dynamic-shape', '64-bit-type']);
    expect(codes(report, 'XNNPACK')).toEqual(['missing-operator']);
    const missing = report.obstacles.find(({ target, code }) => target === 'ORT mobile' && code === 'missing-operator');
    expect(missing).toMatchObject({ count: 5, message: expect.stringContaining('BatchNormalization (5)') });
  });

  it('name an operator that nobody knows, and an operator set that is too old', async () => {
    expect(codes(await inspect('small/custom-domain.onnx'), 'any')).toEqual(['unknown-operator']);
    expect(codes(await inspect('small/ir3-initializers-as-inputs.onnx'), 'ORT mobile')).toContain('old-opset');
  });

  it('are none where there are none', async () => {
    expect((await inspect('small/newest-ir.onnx')).obstacles).toEqual([]);
    expect((await mcompress(['inspect', fixture('small/newest-ir.onnx')])).stdout).toContain('None found.');
  });

  it('are looked for in the bodies of called functions too', async () => {
    const { obstacles } = await inspect('small/functions.onnx');
    expect(obstacles.map(({ target, message }) => [target, message])).toEqual([
      ['XNNPACK', 'lacks Elu (1), Identity (1), LeakyRelu (1), Mul (1): they run on the CPU instead'],
    ]);
  });
});

describe('the text', () => {
  it('fits 80 columns, lists as many layers as asked, and all with -v', async () => {
    const brief = await mcompress(['inspect', fixture('googlenet-lrn-cifar10.onnx'), '--top', '3']);
    const full = await mcompress(['inspect', fixture('googlenet-lrn-cifar10.onnx'), '-v']);
    expect(brief.status).toBe(0);
    expect(widest(brief.stdout)).toBeLessThanOrEqual(80);
    expect(brief.stdout).toContain('The 3 dearest of 141 layers');
    expect(full.stdout.split('\n').length).toBeGreaterThan(brief.stdout.split('\n').length + 141);
    expect(brief.stderr).toBe('');
  });

  it('says nothing with -q', async () => {
    expect(await mcompress(['inspect', fixture('mnist-bn-as-exported.onnx'), '-q'])).toEqual({
      status: 0,
      stdout: '',
      stderr: '',
    });
  });
});

describe('files', () => {
  it('are written in the form that the ending names', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mcompress-inspect-'));
    try {
      const names = ['a.json', 'b.md', 'c.html'].map((name) => join(folder, name));
      const flags = names.flatMap((name) => ['--report', name]);
      expect((await mcompress(['inspect', fixture('mnist-bn-as-exported.onnx'), ...flags])).status).toBe(0);
      const [json = '', markdown, html] = names.map((name) => readFileSync(name, 'utf8'));
      expect(parseReport(json, 'inspect', 'a.json').figures.nodes).toBe(35);
      expect(markdown).toContain('BatchNormalization');
      expect(html).toContain('<!doctype html>');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('of another ending are refused before anything is read', async () => {
    const { status, stderr } = await mcompress(['inspect', 'nowhere.onnx', '--report', 'a.txt']);
    expect(status).toBe(2);
    expect(stderr).toContain('error[bad-value]');
  });
});

describe('what goes wrong', () => {
  it.each([
    [['nowhere.onnx'], 'not-found', 3],
    [[fixture('README.md')], 'not-onnx', 3],
    [[fixture('mnist-bn-as-exported.onnx'), '--input', 'imag:1x1x28x28'], 'bad-feed', 3],
    [[fixture('mnist-bn-as-exported.onnx'), '--input', 'image'], 'bad-value', 2],
    [[fixture('mnist-bn-as-exported.onnx'), '--top', 'many'], 'bad-value', 2],
  ])('inspect %j is %s', async (args, code, expected) => {
    const { status, stdout, stderr } = await mcompress(['inspect', ...args]);
    expect(status).toBe(expected);
    expect(stdout).toBe('');
    expect(stderr).toMatch(new RegExp(`^error\\[${code}\\]: `));
    expect(stderr).not.toContain('    at ');
  });
});

/** Files that importing `start` loads: what is imported for its types alone, or later, is not. */
function loadedWith(start: string): Set<string> {
  const loaded = new Set<string>();
  const pending = [start];
  for (let file = pending.pop(); file !== undefined; file = pending.pop()) {
    if (loaded.has(file)) continue;
    loaded.add(file);
    const imports = readFileSync(join(root, file), 'utf8').matchAll(/^import (?!type\b)[^;]*?'([^']+)';/gm);
    for (const [, specifier = ''] of imports)
      if (specifier.startsWith('.')) pending.push(join(dirname(file), specifier).replace(/\.js$/, '.ts'));
      else loaded.add(specifier);
  }
  return loaded;
}

it('loads neither passes nor ONNX Runtime', () => {
  const loaded = [...loadedWith('src/cli/main.ts'), ...loadedWith('src/cli/commands/inspect.ts')];
  expect(loaded).toContain('src/report/build-inspect-report.ts');
  expect(loaded).toContain('src/analysis/inference.ts');
  expect(loaded.filter((file) => file.startsWith('src/passes/') || file === 'onnxruntime-node')).toEqual([]);
  expect([...loadedWith('src/cli/commands/slim.ts')].some((file) => file.startsWith('src/passes/'))).toBe(true);
});
