// The command line of the choice among all passes around a run that is none: when `slim` chooses, what is asked of it, which flags mean
// nothing there, gates and exit statuses, files.
import { existsSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { UsageError, type UsageCode } from '../../src/base/errors.js';
import { FLAGS } from '../../src/cli/flags.js';
import type { CombineOutcome } from '../../src/pipeline/combining/outcome.js';
import { CHANGE_KINDS, DEFAULT_COMBINING } from '../../src/pipeline/combining/settings.js';
import { parseReport } from '../../src/report/json.js';
import { fakeCombine } from './fake-combine.js';
import { fakeDeepen, fakeDeepenOutcome } from './fake-deepen.js';
import { fakeFactorize, fakeFactorizeOutcome } from './fake-factorize.js';
import { fakeQuantize, fakeQuantizeOutcome } from './fake-int8.js';
import { fakePrune, fakePruneOutcome } from './fake-prune.js';
import { FAKE_MODEL } from './fake-run.js';
import { useScratch } from './scratch.js';

const scratch = useScratch();
const net = (): string => scratch.path('net.onnx');
const DATA = ['--data', 'images', '--no-recipe'];

function recipe(document: object): string {
  const file = scratch.path('r.json');
  writeFileSync(file, JSON.stringify({ version: 1, ...document }));
  return file;
}

/** The run was not asked for: the command line was refused. */
async function refused(code: UsageCode, args: readonly string[]): Promise<string> {
  const error: unknown = await fakeCombine(args).catch((cause: unknown) => cause);
  if (!(error instanceof UsageError)) throw error instanceof Error ? error : new Error('it was not refused');
  expect([error.code, error.exitCode]).toEqual([code, 2]);
  return `${error.message} ${error.fix ?? ''}`;
}

describe('what is asked of the run', () => {
  it('is as much as one point allows where --data says all', async () => {
    const { request } = await fakeCombine([net(), ...DATA]);
    expect(request.settings).toEqual({ ...DEFAULT_COMBINING, maxDrop: 1 });
    const output = scratch.path('net.slim.onnx');
    expect(request).toMatchObject({ output, measure: 'on', seed: 0, threads: 1, journal: `${output}.journal` });
    expect(request.openData).toBeDefined();
  });

  it('is what every flag says', async () => {
    const { request } = await fakeCombine([
      net(),
      ...DATA,
      ...['--macs', '0.6x', '--params', '0.3x', '--size', '0.5x', '--latency', '8ms', '--max-drop', '0.5'],
      ...['--effort', '90s', '--try', 'int8, deepen', '--classes', 'cat, 3', '--samples', '40', '--limit', '90'],
      ...['--journal', 'j', '--latency-table', 't', '--seed', '3', '--threads', '2', '-p', 'fold-affine'],
    ]);
    expect(request).toMatchObject({
      settings: {
        ...{ macs: '0.6x', params: '0.3x', size: '0.5x', latency: '8ms', maxDrop: 0.5 },
        ...{ effort: '90s', kinds: ['deepen', 'int8'], classes: ['cat', '3'], samples: 40 },
      },
      ...{ limit: 90, journal: 'j', latencyTable: 't', seed: 3, threads: 2 },
    });
    expect(request.recipe.passes.map(({ pass }) => pass.name)).toEqual(['fold-affine']);
    expect(request.recipe.combine).toEqual(request.settings);
  });

  it('allows a loss of its own only where nothing says how small or fast', async () => {
    const drop = async (...flags: string[]) => (await fakeCombine([net(), ...DATA, ...flags])).request.settings.maxDrop;
    expect(await drop('--latency', '0.5x')).toBe(undefined);
    expect(await drop('--size', '0.5x')).toBe(undefined);
    expect(await drop('--classes', '1,2')).toBe(1);
  });

  it('is what a recipe says, unless a flag says how much', async () => {
    const file = recipe({ combine: { macs: '0.5x', kinds: ['prune'], effort: '2h' } });
    const from = async (...flags: string[]) =>
      (await fakeCombine([net(), '--data', 'images', '--recipe', file, ...flags])).request.settings;
    expect(await from()).toMatchObject({ macs: '0.5x', kinds: ['prune'], effort: '2h', maxDrop: undefined });
    expect(await from('--latency', '0.7x')).toMatchObject({ macs: undefined, latency: '0.7x', kinds: ['prune'] });
  });

  it('offers what there is', () => {
    expect(FLAGS.tryKinds.default).toBe(CHANGE_KINDS.join(','));
    expect(FLAGS.effort.default).toBe(DEFAULT_COMBINING.effort);
  });
});

describe('what has no meaning', () => {
  it.each<[UsageCode, readonly string[], RegExp]>([
    ['no-input', ['--no-recipe', '--max-drop', '1'], /--max-drop needs samples.*--data PATH/],
    ['no-input', ['--no-recipe', '--latency', '0.5x'], /--latency needs samples/],
    ['no-input', ['--no-recipe', '--effort', '5m'], /--effort needs samples/],
    ['conflict', ['--no-recipe', '--labels', 'l.csv'], /--labels needs --data/],
    ['conflict', ['--no-recipe', '--journal', 'j'], /--journal needs --data/],
    ['conflict', ['--no-recipe', '--calibrator', 'mse'], /--calibrator belongs to --int8/],
    ['conflict', [...DATA, '--calibrator', 'mse'], /--calibrator belongs to --int8/],
    ['conflict', [...DATA, '--target', 'x64-avx2'], /--target belongs to --int8/],
    ['conflict', [...DATA, '--data-free'], /--data-free belongs to --int8/],
    ['conflict', [...DATA, '--verify', 'each'], /--verify has no meaning with --data/],
    ['conflict', [...DATA, '--feed', 'x=1'], /--feed has no meaning with --data/],
    ['conflict', [...DATA, '--no-profile'], /they are timed on this machine/],
    ['conflict', [...DATA, '--int8', '--effort', '5m'], /--effort has no meaning with --int8/],
    ['conflict', [...DATA, '--int8', '--macs', '0.5x'], /--macs has no meaning with --int8/],
    ['conflict', [...DATA, '-p', 'slim-branch', '--try', 'int8'], /--try has no meaning with -p slim-streamline/],
    ['conflict', [...DATA, '-p', 'prune-filters', '--size', '0.5x'], /--size has no meaning with -p prune-filters/],
    ['conflict', [...DATA, '-p', 'factorize-conv', '--classes', '1'], /--classes has no meaning/],
    ['bad-value', [...DATA, '--effort', '90'], /--effort cannot be "90".*90s, 10m or 2h/],
    ['bad-value', [...DATA, '--try', 'int4'], /--try cannot be "int4".*deepen, prune, factorize, int8/],
    ['bad-value', [...DATA, '--latency', '1.5x'], /--latency cannot be/],
    ['bad-value', [...DATA, '--max-drop', '-1'], /--max-drop cannot be/],
  ])('is refused: %s %j', async (code, args, message) => {
    expect(await refused(code, [net(), ...args])).toMatch(message);
  });

  it('is a recipe that chooses, without samples or beside another run', async () => {
    const file = recipe({ combine: {} });
    expect(await refused('no-input', [net(), '--recipe', file])).toMatch(/nothing to choose passes by.*--data PATH/);
    const both = [net(), '--recipe', file, '--data', 'images'];
    expect(await refused('conflict', [...both, '--int8'])).toMatch(/"combine" of the recipe/);
    await expect(fakeDeepen(both)).rejects.toThrow(/runs of their own/);
  });

  it('is more than one model', async () => {
    for (const name of ['a.onnx', 'b.onnx']) writeFileSync(scratch.path(name), '');
    expect(await refused('conflict', [scratch.path('*.onnx'), ...DATA])).toContain('one model at a time');
  });
});

describe('what comes of it', () => {
  it('is written with its report, which names the command again', async () => {
    writeFileSync(net(), 'x');
    const { status, stdout } = await fakeCombine([net(), ...DATA, '--max-drop', '2', '--try', 'deepen,int8']);
    expect(status).toBe(0);
    expect(scratch.read('net.slim.onnx').toString()).toBe(FAKE_MODEL);
    expect(stdout).toMatch(/deepen, then int8: 1 of 2 blocks replaced; all 4 layers on integers/);
    expect(stdout).toMatch(
      /8-bit integers alone: 2.00x as fast, 0.3 points lost; the result runs in 0.80 of their time/,
    );
    const report = parseReport(scratch.read('net.slim.report.json').toString(), 'combine', 'r');
    expect(report.recipe.commandLine).toMatch(/^mcompress slim \S+ --max-drop 2 --try deepen,int8 --data images$/);
    expect(report.recipe.document).toMatchObject({ combine: { maxDrop: 2, kinds: ['deepen', 'int8'] } });
    expect(report.steps.map(({ fate }) => fate)).toEqual(['taken', 'taken', 'taken', 'beaten']);
    expect(report.idle).toMatchObject([{ kind: 'prune', code: 'no-gain', detail: 'nothing could leave' }]);
  });

  it('has the reports of the runs that it came of, each as its own verb makes it', async () => {
    const folder = scratch.path('');
    const args = [net(), ...DATA, '-n'];
    const deepen = { request: (await fakeDeepen(args)).request, outcome: fakeDeepenOutcome(folder, {}) };
    const prune = { request: (await fakePrune(args)).request, outcome: fakePruneOutcome(folder, {}) };
    const factorize = { request: (await fakeFactorize(args)).request, outcome: fakeFactorizeOutcome(folder, {}) };
    const int8 = { request: (await fakeQuantize(args)).request, outcome: fakeQuantizeOutcome(folder, {}) };
    const stages: CombineOutcome['stages'] = [
      { name: 'deepen', run: { kind: 'deepen', ...deepen }, elapsedMs: 1000 },
      { name: 'deepen + prune', run: { kind: 'prune', ...prune }, elapsedMs: 2000 },
      { name: 'deepen + prune + factorize', run: { kind: 'factorize', ...factorize }, elapsedMs: 3000 },
      { name: 'deepen + prune + factorize + int8', run: { kind: 'int8', ...int8 }, elapsedMs: 4000 },
    ];
    await fakeCombine([net(), ...DATA], { stages });
    const report = parseReport(scratch.read('net.slim.report.json').toString(), 'combine', 'r');
    expect(report.stages).toMatchObject([
      { kind: 'deepen', deepen: { kind: 'deepen', elapsedMs: 1000, kept: 'deepened' } },
      { kind: 'prune', prune: { kind: 'prune', elapsedMs: 2000, kept: 'pruned' } },
      { kind: 'factorize', factorize: { kind: 'factorize', elapsedMs: 3000, kept: 'factorized' } },
      { kind: 'int8', quantize: { kind: 'quantize', elapsedMs: 4000, kept: 'int8' } },
    ]);
    expect(report.stages.map((stage) => Object.keys(stage).length)).toEqual([3, 3, 3, 3]);
    expect(scratch.read('net.slim.report.md').toString()).toContain('## Step deepen + prune + factorize + int8');
  });

  it('gives the same settings when its command is run again', async () => {
    const flags = [
      '--latency',
      '0.5x',
      '--classes',
      'a,b',
      '--effort',
      '2m',
      '--samples',
      '7',
      '--data',
      'd',
      '--seed',
      '4',
    ];
    const { request } = await fakeCombine([net(), '--no-recipe', ...flags]);
    const { commandLine } = parseReport(scratch.read('net.slim.report.json').toString(), 'combine', 'r').recipe;
    const again = await fakeCombine([...commandLine.split(' ').slice(2), '--no-recipe']);
    expect(again.request.settings).toEqual(request.settings);
    expect(again.request.seed).toBe(4);
  });

  it.each([
    ['a budget', { budget: 'missed' as const }, ['--macs', '0.5x'], /--macs 0.5x/],
    ['the loss', { gate: 'missed' as const }, [], /--max-drop: top-1 disagreement: 0.2 points of 1.0 points allowed/],
    [
      '--strict',
      { kept: 'original' as const, result: 'slim' },
      ['--strict'],
      /nothing beyond the exact passes was kept/,
    ],
  ])('goes beside the output where a gate was missed: %s', async (_, changes, flags, says) => {
    const { status, stderr } = await fakeCombine([net(), ...DATA, ...flags], changes);
    expect(status).toBe(1);
    expect(stderr).toMatch(says);
    expect(existsSync(scratch.path('net.slim.onnx'))).toBe(false);
    expect(scratch.read('net.slim.onnx.best.onnx').toString()).toBe(FAKE_MODEL);
  });
});

it('leaves quantization as it is: --max-drop of `quantize` has no default', async () => {
  expect((await fakeQuantize([net(), ...DATA, '-n'])).request.maxDrop).toBe(undefined);
  expect((await fakeQuantize([net(), ...DATA, '-n', '--max-drop', '2'])).request.maxDrop).toBe(2);
});
