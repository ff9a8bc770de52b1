// The command line of learned slimming around a run that is none: what is asked of it, gates and exit statuses, files; and the steps that
// stand for it in a recipe.
import { existsSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { UsageError, type UsageCode } from '../../src/base/errors.js';
import { FLAGS } from '../../src/cli/flags.js';
import { DEFAULT_DEEPENING } from '../../src/pipeline/deepening/settings.js';
import { parseReport } from '../../src/report/json.js';
import { fakeDeepen } from './fake-deepen.js';
import { fakePrune } from './fake-prune.js';
import { FAKE_MODEL } from './fake-run.js';
import { useScratch } from './scratch.js';

const scratch = useScratch();
const net = (): string => scratch.path('net.onnx');
const DATA = ['--data', 'images', '--no-recipe'];

/** The run was not asked for: the command line was refused. */
async function refused(code: UsageCode, args: readonly string[]): Promise<string> {
  const error: unknown = await fakeDeepen(args).catch((cause: unknown) => cause);
  if (!(error instanceof UsageError)) throw error instanceof Error ? error : new Error('it was not refused');
  expect([error.code, error.exitCode]).toEqual([code, 2]);
  return `${error.message} ${error.fix ?? ''}`;
}

describe('what is asked of the run', () => {
  it('is as much as one point allows where nothing is said', async () => {
    const { request } = await fakeDeepen([net(), ...DATA]);
    expect(request.settings).toEqual({ ...DEFAULT_DEEPENING, maxDrop: 1 });
    const output = scratch.path('net.deepened.onnx');
    expect(request).toMatchObject({ output, measure: 'on', seed: 0, threads: 1, journal: `${output}.journal` });
  });

  it('is what every flag says', async () => {
    const { request } = await fakeDeepen([
      net(),
      ...DATA,
      ...['--macs', '0.6x', '--params', '0.3x', '--size', '0.5x', '--max-drop', '0.5', '--for', 'size'],
      ...['--rules', 'merge-depth, slim-branch', '--start', 'xavier', '--lrn', 'keep'],
      ...['--samples', '40', '--no-repair', '--limit', '90', '--journal', 'j', '--seed', '3', '--threads', '2'],
    ]);
    expect(request).toMatchObject({
      settings: {
        ...{ macs: '0.6x', params: '0.3x', size: '0.5x', maxDrop: 0.5, for: 'size' },
        ...{ rules: ['merge-depth', 'slim-branch'], start: 'xavier', lrn: 'keep', samples: 40, repair: 'off' },
      },
      ...{ limit: 90, journal: 'j', seed: 3, threads: 2 },
    });
  });

  it('is what a recipe says, unless a flag says how much goes', async () => {
    const file = scratch.path('r.json');
    writeFileSync(file, JSON.stringify({ version: 1, deepen: { macs: '0.5x', lrn: 'keep' } }));
    const from = async (...flags: string[]) =>
      (await fakeDeepen([net(), '--data', 'images', '--recipe', file, ...flags])).request.settings;
    expect(await from()).toMatchObject({ macs: '0.5x', lrn: 'keep', maxDrop: undefined });
    expect(await from('--latency', '0.7x')).toMatchObject({ macs: undefined, latency: '0.7x', lrn: 'keep' });
  });

  it('offers what there is', () => {
    expect(FLAGS.start.choices).toEqual(['fitted', 'xavier']);
    expect(FLAGS.lrn.choices).toEqual(['expand', 'keep']);
  });

  it.each<[string, UsageCode, readonly string[]]>([
    ['no data', 'no-input', ['--no-recipe', '--macs', '0.5x']],
    ['a part that is none', 'bad-value', [...DATA, '--macs', '1.5x']],
    ['a rule that is none', 'bad-value', [...DATA, '--rules', 'slim-branch,slim-all']],
    ['two measures', 'conflict', [...DATA, '--latency', '0.5x', '--macs', '0.5x']],
    ['pruning in one run', 'not-available', [...DATA, '-p', 'slim-branch', '-p', 'prune-filters']],
    ['options of a second rule', 'conflict', [...DATA, '-p', 'slim-branch', '-p', 'merge-depth:macs=0.5x']],
  ])('is refused: %s', async (_, code, args) => {
    expect(await refused(code, [net(), ...args])).toMatch(/\w+ \w+/);
  });

  it('stands in a recipe as a step for each rule, with one set of options', async () => {
    const { request } = await fakeDeepen([
      net(),
      ...DATA,
      ...['-p', 'fold-affine', '-p', 'slim-streamline:max-drop=2,lrn=keep', '-p', 'merge-depth'],
    ]);
    expect(request.settings).toEqual({
      ...DEFAULT_DEEPENING,
      maxDrop: 2,
      lrn: 'keep',
      rules: ['slim-streamline', 'merge-depth'],
    });
    expect(request.recipe.passes.map(({ pass }) => pass.name)).toEqual(['fold-affine']);
    await expect(fakePrune([net(), ...DATA, '-p', 'slim-branch'])).rejects.toThrow(/runs of their own/);
  });
});

describe('what comes of it', () => {
  it('is written with its report, which names the command again', async () => {
    writeFileSync(net(), 'x');
    const { status, stdout } = await fakeDeepen([net(), ...DATA, '--params', '0.5x', '--rules', 'slim-streamline'], {
      budget: 'met',
    });
    expect(status).toBe(0);
    expect(scratch.read('net.deepened.onnx').toString()).toBe(FAKE_MODEL);
    expect(stdout).toMatch(/1 of 2 blocks replaced/);
    const report = parseReport(scratch.read('net.deepened.report.json').toString(), 'deepen', 'r');
    expect(report.recipe.commandLine).toMatch(
      /^mcompress deepen \S+ --params 0.5x --rules slim-streamline --data images/,
    );
    expect(report.recipe.document).toMatchObject({ deepen: { params: '0.5x', rules: ['slim-streamline'] } });
    expect(report.blocks.map(({ code }) => code)).toEqual([undefined, 'worth']);
  });

  it('goes beside the output where a budget was missed, with exit status 1', async () => {
    const { status, stderr } = await fakeDeepen([net(), ...DATA, '--macs', '0.5x'], { budget: 'missed' });
    expect(status).toBe(1);
    expect(stderr).toMatch(/--macs 0.5x/);
    expect(existsSync(scratch.path('net.deepened.onnx'))).toBe(false);
    expect(scratch.read('net.deepened.onnx.best.onnx').toString()).toBe(FAKE_MODEL);
  });
});
