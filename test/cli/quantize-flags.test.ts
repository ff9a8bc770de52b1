// The command line of quantization around a run that is none: what is asked of it, gates and exit statuses, files.
import { existsSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { UsageError, type UsageCode } from '../../src/base/errors.js';
import { FLAGS } from '../../src/cli/flags.js';
import { CALIBRATOR_NAMES } from '../../src/fit/calibrators/registry.js';
import { DEFAULT_SETTINGS, ROUNDINGS, TARGET_NAMES } from '../../src/pipeline/quantization/settings.js';
import { parseReport } from '../../src/report/json.js';
import { fakeQuantize } from './fake-int8.js';
import { FAKE_MODEL } from './fake-run.js';
import { useScratch } from './scratch.js';

const scratch = useScratch();
const net = (): string => scratch.path('net.onnx');
const DATA = ['--data', 'images', '--no-recipe'];

/** The run was not asked for: the command line was refused. */
async function refused(code: UsageCode, args: readonly string[]): Promise<string> {
  const error: unknown = await fakeQuantize(args).catch((cause: unknown) => cause);
  if (!(error instanceof UsageError)) throw error instanceof Error ? error : new Error('it was not refused');
  expect([error.code, error.exitCode]).toEqual([code, 2]);
  return `${error.message} ${error.fix ?? ''}`;
}

describe('what is asked of the run', () => {
  it('is the defaults where nothing is said', async () => {
    const { request } = await fakeQuantize([net(), ...DATA, '-n']);
    expect(request).toMatchObject({
      ...DEFAULT_SETTINGS,
      input: { path: net() },
      measure: 'on',
      seed: 0,
      threads: 1,
      journal: undefined,
    });
    expect(request.openData).toBeDefined();
    expect(request.scoringSamples).toBeUndefined();
    expect(request.output).toBeUndefined();
  });

  it('is what every flag says', async () => {
    const flags = [
      ...['--target', 'x64-avx2', '--calibrator', 'mse', '--calibrator', 'entropy', '--float', 'a', '--float', 'b'],
      ...['--calibration-samples', '20', '--limit', '50', '--rounding', 'nearest', '--no-equalize', '--no-refine'],
      ...['--no-bias-correction', '--max-drop', '0.5', '--seed', '3', '--threads', '2', '--no-profile'],
      ...[
        '--calibration',
        'c.json',
        '--latency-table',
        't.json',
        '--input',
        'x:1x3x8x8',
        '--external-data',
        '--keep-overridable',
      ],
    ];
    const { request } = await fakeQuantize([net(), ...DATA, ...flags]);
    expect(request).toMatchObject({
      output: scratch.path('net.int8.onnx'),
      target: 'x64-avx2',
      calibrators: ['entropy', 'mse'],
      float: ['a', 'b'],
      calibrationSamples: 20,
      scoringSamples: 30,
      rounding: 'nearest',
      equalize: 'off',
      refineRanges: 'off',
      correctBiases: 'off',
      maxDrop: 0.5,
      calibration: 'c.json',
      journal: scratch.path('net.int8.onnx.journal'),
      latencyTable: 't.json',
      measure: 'off',
      seed: 3,
      threads: 2,
      externalData: 'always',
      keepOverridable: true,
    });
    expect([...(request.shapes ?? [])]).toEqual([['x', [1, 3, 8, 8]]]);
  });

  it('comes from a recipe, and flags win over it', async () => {
    const recipe = scratch.path('r.json');
    const quantize = { target: 'arm64', float: ['a'], calibrators: ['mse'], maxDrop: 2 };
    writeFileSync(recipe, JSON.stringify({ version: 1, passes: ['lift-constants'], quantize }));
    const { request } = await fakeQuantize([
      net(),
      '--data',
      'd',
      '--recipe',
      recipe,
      '--max-drop',
      '1',
      '--float',
      'b',
      '-n',
    ]);
    expect(request).toMatchObject({ target: 'arm64', float: ['a', 'b'], calibrators: ['mse'], maxDrop: 1 });
    expect(request.recipe.passes.map(({ pass }) => pass.name)).toEqual(['lift-constants']);
  });

  it('is without data only where that is said', async () => {
    expect(await refused('no-input', [net(), '--no-recipe'])).toMatch(
      /nothing to calibrate with.*--data PATH.*--data-free/,
    );
    const { request } = await fakeQuantize([net(), '--data-free', '--no-recipe', '-n']);
    expect(request.openData).toBeUndefined();
  });
});

describe('what has no meaning', () => {
  it.each<[UsageCode, string[], RegExp]>([
    ['conflict', [...DATA, '--data-free'], /--data-free means: without --data/],
    ['conflict', ['--data-free', '--max-drop', '1'], /--max-drop needs --data/],
    ['conflict', ['--data-free', '--calibration', 'c.json'], /--calibration needs --data/],
    ['conflict', ['--data-free', '--limit', '5'], /--limit needs --data/],
    ['conflict', [...DATA, '--limit', '100'], /leaves nothing to score with: 100 calibrate/],
    ['bad-value', [...DATA, '--calibration-samples', '0'], /whole number of at least 1/],
    ['bad-value', [...DATA, '--max-drop', '-1'], /number of at least 0/],
    ['bad-value', [...DATA, '--target', 'x64-vni'], /did you mean "x64-vnni"/],
    ['bad-value', [...DATA, '--calibrator', 'mse', '--calibrator', 'minmax'], /"minmax".*did you mean "min-max"/],
    ['bad-value', [...DATA, '--report', 'r.txt'], /--report cannot be/],
    ['conflict', [...DATA, '--json', '-o', '-'], /both want stdout/],
    ['unknown-option', [...DATA, '--verify', 'off'], /unknown option/],
  ])('is refused: %s %j', async (code, args, message) => {
    expect(await refused(code, [net(), ...args])).toMatch(message);
  });

  it('several models are refused, and an output that is the input', async () => {
    for (const name of ['a.onnx', 'b.onnx']) writeFileSync(scratch.path(name), '');
    expect(await refused('conflict', [scratch.path('*.onnx'), ...DATA])).toContain('one model at a time');
    expect(await refused('would-overwrite', [net(), ...DATA, '-o', net()])).toContain('is an input');
  });

  it('choices of the flags are those of the code', () => {
    expect(FLAGS.quantizeTarget.choices).toEqual(TARGET_NAMES);
    expect(FLAGS.calibrator.choices).toEqual(CALIBRATOR_NAMES);
    expect(FLAGS.rounding.choices).toEqual(ROUNDINGS);
    const usual = [FLAGS.quantizeTarget.default, FLAGS.rounding.default, FLAGS.calibrationSamples.default];
    expect(usual).toEqual([
      DEFAULT_SETTINGS.target,
      DEFAULT_SETTINGS.rounding,
      String(DEFAULT_SETTINGS.calibrationSamples),
    ]);
  });
});

describe('exit statuses and files', () => {
  const MISSED = { gate: 'missed' } as const;
  const planned = { node: 'conv', opType: 'Conv', output: 'c', kind: 'product' };
  const UNFUSED = {
    proof: {
      nodes: [
        { planned, fused: false, ranAs: 'Conv', cause: 'graph-output' as const, detail: 'the model returns "c"' },
      ],
      conversions: [],
      quantizedAtLoad: [],
    },
  };

  it('0: the model and its reports', async () => {
    const { status, stdout, stderr } = await fakeQuantize([net(), ...DATA]);
    expect([status, stderr]).toEqual([0, '']);
    expect(scratch.files()).toEqual([
      'net.int8.onnx',
      ...['html', 'json', 'md'].map((form) => `net.int8.report.${form}`),
    ]);
    expect(scratch.read('net.int8.onnx').toString()).toBe(FAKE_MODEL);
    expect(stdout).toContain('net.onnx → net.int8.onnx');
    const report = parseReport(scratch.read('net.int8.report.json').toString(), 'quantize', 'r');
    expect(report).toMatchObject({
      output: { name: 'net.int8.onnx', bytes: 300 },
      fusion: { planned: 1, fused: 1 },
      layers: [
        { name: 'conv', signalToNoiseDb: 31.5 },
        { code: 'no-int8-kernel', message: expect.stringContaining('kernel') },
      ],
      recipe: { document: { version: 1, preset: 'exact', quantize: {} } },
    });
    expect(report.recipe.commandLine).toBe(`mcompress quantize ${net()} --data images`);
  });

  it.each([
    ['--max-drop', ['--max-drop', '0.1'], MISSED, /--max-drop: top-1 disagreement: 0\.2 points of 0\.1 points allowed/],
    ['--require-fused', ['--require-fused'], UNFUSED, /runs 1 layer in float, conv for one \(the model returns "c"\)/],
    ['--strict without a loss', ['--strict'], { loss: undefined }, /--strict: what is lost could not be measured/],
    ['--strict with nothing kept', ['--strict'], { kept: 'original' as const }, /--strict: nothing of int8 was kept/],
  ])('1: %s; OUT stays, the best lies beside it', async (_, flags, outcome, message) => {
    writeFileSync(scratch.path('net.int8.onnx'), 'old');
    const { status, stderr } = await fakeQuantize(
      [net(), ...DATA, ...flags, '--report', scratch.path('r.json')],
      outcome,
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).toContain('net.int8.onnx was left alone, the result is');
    expect(scratch.files()).toEqual(['net.int8.onnx', 'net.int8.onnx.best.onnx', 'r.json']);
    expect(scratch.read('net.int8.onnx').toString()).toBe('old');
    expect(scratch.read('net.int8.onnx.best.onnx').toString()).toBe(FAKE_MODEL);
  });

  it('a layer that is not fused is no failure where it was not asked', async () => {
    const { status, stdout } = await fakeQuantize([net(), ...DATA, '-n'], UNFUSED);
    expect(status).toBe(0);
    expect(stdout).toContain('not fused: conv: the model returns "c"');
    expect(scratch.files()).toEqual([]);
  });

  it('--baseline compares with an earlier report', async () => {
    const now = scratch.path('now.json');
    await fakeQuantize([net(), ...DATA, '-o', scratch.path('x.onnx'), '--report', now]);
    expect((await fakeQuantize([net(), ...DATA, '-n', '--baseline', now])).status).toBe(0);
    const earlier = JSON.parse(scratch.read('now.json').toString()) as { figures: { fileBytes: { after: number } } };
    earlier.figures.fileBytes.after = 200;
    writeFileSync(now, JSON.stringify(earlier));
    const { status, stderr } = await fakeQuantize([net(), ...DATA, '-n', '--baseline', now]);
    expect([status, stderr]).toEqual([1, expect.stringContaining('worse than now.json; no model was written')]);
  });

  it('--json prints the report alone, and random inputs are still cried out about', async () => {
    const calibration = { samples: 16, seconds: 1, dataFree: true };
    const flags = ['--data-free', '--no-recipe', '--json', '--no-report'];
    const { stdout, stderr } = await fakeQuantize([net(), ...flags], { calibration });
    expect(parseReport(stdout, 'quantize', 'stdout').calibration.dataFree).toBe('yes');
    expect(stderr).toContain('NO DATA was used');
  });

  it('a journal of its own goes with the run that met its gate; one that was named stays', async () => {
    const own = scratch.path('net.int8.onnx.journal');
    writeFileSync(own, 'steps');
    await fakeQuantize([net(), ...DATA, '--max-drop', '0.1', '--no-report'], MISSED);
    expect(existsSync(own)).toBe(true);
    await fakeQuantize([net(), ...DATA, '--max-drop', '1', '--no-report'], { gate: 'met' });
    expect(existsSync(own)).toBe(false);
    const named = scratch.path('j');
    writeFileSync(named, 'steps');
    const { request } = await fakeQuantize([net(), ...DATA, '--max-drop', '1', '--journal', named, '-n'], {
      gate: 'met',
    });
    expect([request.journal, existsSync(named)]).toEqual([named, true]);
  });

  it('claims no latency of a processor that is not here', async () => {
    const { stdout } = await fakeQuantize([net(), ...DATA, '--target', 'arm64', '-n'], { speedMeasured: false });
    expect(stdout).toContain('latency: unmeasured on this machine (made for arm64)');
  });
});
