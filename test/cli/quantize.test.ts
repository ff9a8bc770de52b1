// `mcompress quantize` and `slim --int8` as a user starts them: on the digits of the fixtures, and on ResNet8 of the shared
// assets.
import { copyFileSync, existsSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseModel } from '../../src/ir/text/parse.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { openModel } from '../../src/onnx/open.js';
import { parseReport } from '../../src/report/json.js';
import type { QuantizeReport } from '../../src/report/quantize-report.js';
import { fixture, mcompress, mcompressJson, widest } from './run-program.js';
import { useScratch } from './scratch.js';

const scratch = useScratch();
const MNIST = fixture('mnist-bn-as-exported.onnx');
const DATA = ['--data', fixture('mnist-300'), '--preprocess', 'raw', '--calibration-samples', '50'];
const QUICK = ['--no-profile', '--rounding', 'nearest'];
const assets = process.env['MCOMPRESS_ASSETS'] ?? fileURLToPath(new URL('../../../shared/assets', import.meta.url));
const RESNET = `${assets}/models/resnet8-cifar10.onnx`;

describe('quantize', () => {
  it('makes digits run on integers, as good as before, and says so in every form', async () => {
    scratch.copy('mnist-bn-as-exported.onnx', 'digits.onnx');
    const { status, stdout } = await mcompress(
      ['quantize', 'digits.onnx', ...DATA, ...QUICK, '--max-drop', '1', '--require-fused'],
      { cwd: scratch.folder },
    );
    expect(status).toBe(0);
    expect(scratch.files()).toEqual([
      'digits.int8.onnx',
      ...['html', 'json', 'md'].map((form) => `digits.int8.report.${form}`),
      'digits.onnx',
    ]);
    expect(widest(stdout)).toBeLessThanOrEqual(80);
    const report = parseReport(scratch.read('digits.int8.report.json').toString(), 'quantize', 'r');
    expect(report).toMatchObject({
      target: 'x64-vnni',
      accuracy: { scored: 250, loss: { measure: 'top-1 lost', unit: 'points' } },
      gates: { maxDrop: { limit: 1, verdict: 'met' }, requireFused: { verdict: 'met' } },
      calibration: { samples: 50, dataFree: 'no', dataName: 'mnist-300' },
      speed: 'not-measured',
    });
    expect(report.fusion.fused).toBe(report.fusion.planned);
    expect(report.fusion.planned).toBeGreaterThan(2);
    expect(report.figures.fileBytes.after).toBeLessThan(report.figures.fileBytes.before / 2);
    const { model } = await openModel(scratch.path('digits.int8.onnx'), {});
    expect(model.graph.nodes().some((node) => node.is('QuantizeLinear'))).toBe(true);
    const again = await mcompress(['quantize', 'digits.int8.onnx', ...DATA], { cwd: scratch.folder });
    expect(again).toMatchObject({ status: 3, stdout: '' });
    expect(again.stderr).toMatch(
      /error\[unsupported\]: the model is already quantized.*\n.*\n {2}fix: quantize the float model/,
    );
  });

  it('gives the same bytes again, from the recipe that the report prints too', async () => {
    const flags = ['--float', 'nothing-of-this-name', '--calibrator', 'mse', '--no-equalize'];
    const first = await mcompress([
      'quantize',
      MNIST,
      ...DATA,
      ...QUICK,
      ...flags,
      '-o',
      scratch.path('a.onnx'),
      '--report',
      scratch.path('r.json'),
    ]);
    expect(first.status).toBe(0);
    const { recipe } = parseReport(scratch.read('r.json').toString(), 'quantize', 'r');
    expect(recipe.document).toMatchObject({
      preset: 'exact',
      preprocess: { preset: 'raw' },
      quantize: { calibrators: ['mse'], calibrationSamples: 50, equalize: 'off', rounding: 'nearest' },
    });
    writeFileSync(scratch.path('recipe.json'), JSON.stringify(recipe.document));
    const slim = [
      'slim',
      MNIST,
      '--recipe',
      scratch.path('recipe.json'),
      '--data',
      fixture('mnist-300'),
      '--no-profile',
    ];
    expect((await mcompress([...slim, '-o', scratch.path('b.onnx'), '--no-report'])).status).toBe(0);
    expect(scratch.read('b.onnx')).toEqual(scratch.read('a.onnx'));
  });

  it('without data says what to give, and with --data-free warns loudly', async () => {
    const refused = await mcompress(['quantize', MNIST]);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toMatch(/error\[no-input\].*\n {2}fix: .*--data PATH.*--data-free/);
    const { status, stdout } = await mcompress(['quantize', MNIST, '--data-free', ...QUICK, '-n']);
    expect(status).toBe(0);
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain('NO DATA was used');
  });
});

describe('slim --int8', () => {
  it('is the same run, to NAME.slim.onnx', async () => {
    scratch.copy('mnist-bn-as-exported.onnx', 'digits.onnx');
    const { status } = await mcompress(['slim', 'digits.onnx', '--int8', ...DATA, ...QUICK, '--report', 'r.json'], {
      cwd: scratch.folder,
    });
    expect(status).toBe(0);
    expect(scratch.files()).toEqual(['digits.onnx', 'digits.slim.onnx', 'r.json']);
    expect(parseReport(scratch.read('r.json').toString(), 'quantize', 'r').kept).toBe('int8');
  });

  it.each([
    [['--data', 'x', '--float', 'conv1'], /--float belongs to --int8/],
    [['--calibrator', 'mse'], /--calibrator belongs to --int8/],
    [['--max-drop', '1'], /--max-drop needs samples/],
    [['--target', 'arm64'], /--target belongs to --int8/],
    [['--int8'], /nothing to calibrate with/],
    [['--int8', '--data', 'x', '--verify', 'each'], /--verify has no meaning with --int8/],
    [['--int8', '--data', 'x', '--feed', 'x=1'], /--feed has no meaning with --int8/],
    [['-p', 'quantize'], /nothing to calibrate with/],
    [['-p', 'quantize', '-p', 'remove-identity'], /nothing can come after -p quantize/],
    [['-p', 'quantize:target=arm64'], /options of quantization are flags/],
  ])('refuses %j', async (args, message) => {
    const { status, stdout, stderr } = await mcompress(['slim', MNIST, ...args]);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
  });
});

describe('--fp16 and --dynamic', () => {
  it('--fp16 halves the file without data', async () => {
    scratch.copy('mnist-bn-as-exported.onnx', 'digits.onnx');
    const { status } = await mcompress(['quantize', 'digits.onnx', '--fp16', '--no-profile', '--report', 'r.json'], {
      cwd: scratch.folder,
    });
    expect(status).toBe(0);
    expect(scratch.files()).toEqual(['digits.fp16.onnx', 'digits.onnx', 'r.json']);
    const { figures, verification } = parseReport(scratch.read('r.json').toString(), 'slim', 'r');
    expect(figures.fileBytes.after).toBeLessThan(figures.fileBytes.before * 0.6);
    expect(verification.verdict).toBe('agrees');
  });

  it('--dynamic quantizes matrix products, within the tolerance of the pass; --target x64-avx2 with 7 bits', async () => {
    const model = parseModel(`<ir_version: 8, opset_import: ["" : 17]>
      g (float[8,512] x) => (float[8,512] y) <float[512,512] w = random(1)> { y = MatMul (x, w) }`);
    writeFileSync(scratch.path('net.onnx'), Buffer.concat(encodeModel(undefined, model)));
    const args = ['quantize', scratch.path('net.onnx'), '--dynamic', '--target', 'x64-avx2', '--no-profile', '--json'];
    const report = parseReport((await mcompress(args)).stdout, 'slim', 'r');
    expect(report.passes.find(({ pass }) => pass === 'quantize-dynamic')).toMatchObject({
      outcome: 'changed',
      sites: 1,
    });
    expect(report.verification).toMatchObject({ verdict: 'agrees', tolerance: 0.1, undone: [] });
    expect(report.verification.worstRelative).toBeGreaterThan(1e-4);
    expect(report.figures.fileBytes.after).toBeLessThan(report.figures.fileBytes.before / 3);
    expect(JSON.stringify(report.recipe.document)).toContain('{"pass":"quantize-dynamic","options":{"weight-bits":7}}');
    expect(scratch.files()).toContain('net.dynamic.onnx');
  });

  it.each([
    [['--fp16', '--dynamic'], /cannot be given together/],
    [['--fp16', '--data', 'x'], /--data has no meaning with --fp16, which looks at no samples/],
    [['--dynamic', '--max-drop', '1'], /--max-drop has no meaning with --dynamic/],
    [['--dynamic', '--float', 'x'], /--float has no meaning with --dynamic/],
    [['--fp16', '--target', 'arm64'], /--target has no meaning with --fp16/],
    [['--fp16', '--require-fused'], /--require-fused has no meaning with --fp16/],
    [['--dynamic', '--target', 'arm64'], /--dynamic is made for x86/],
  ])('refuses %j', async (args, message) => {
    const { status, stderr } = await mcompress(['quantize', MNIST, ...args]);
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
  });
});

describe.skipIf(!existsSync(RESNET))('ResNet8 of the shared assets', () => {
  it('runs on integers but for its Softmax, and loses little', async () => {
    copyFileSync(RESNET, scratch.path('resnet8.onnx'));
    const report = await mcompressJson<QuantizeReport>([
      ...[
        'quantize',
        scratch.path('resnet8.onnx'),
        '--data',
        `${assets}/cifar10/test_1000.bin.gz`,
        '--preprocess',
        'raw',
      ],
      ...['--no-profile', '--require-fused', '--max-drop', '2'],
    ]);
    expect(report.gates).toEqual({ maxDrop: { limit: 2, verdict: 'met' }, requireFused: { verdict: 'met' } });
    expect(report.layers.filter(({ form }) => form === 'float').map(({ opType }) => opType)).toEqual(['Softmax']);
    const noisiest = Math.min(...report.layers.flatMap(({ signalToNoiseDb }) => signalToNoiseDb ?? []));
    expect(noisiest).toBeGreaterThan(20);
    expect(report.calibration.samples).toBe(100);
    expect(report.accuracy.scored).toBe(900);
  });
});
