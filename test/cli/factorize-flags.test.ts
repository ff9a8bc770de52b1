// The command line of factorization around a run that is none: what is asked of it, gates and exit statuses, files; and the steps
// that stand for it in a recipe.
import { existsSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { UsageError, type UsageCode } from '../../src/base/errors.js';
import { FLAGS } from '../../src/cli/flags.js';
import { RULE_NAMES } from '../../src/pipeline/deepening/settings.js';
import { DEFAULT_FACTORIZING, LAYERS, METRICS, RANK_RULES } from '../../src/pipeline/factorizing/settings.js';
import { AIMS } from '../../src/pipeline/trading/budgets.js';
import { parseReport } from '../../src/report/json.js';
import { RECIPE_STEPS } from '../../src/report/recipe-steps.js';
import { fakeFactorize } from './fake-factorize.js';
import { fakePrune } from './fake-prune.js';
import { FAKE_MODEL } from './fake-run.js';
import { useScratch } from './scratch.js';

const scratch = useScratch();
const net = (): string => scratch.path('net.onnx');
const DATA = ['--data', 'images', '--no-recipe'];

/** The run was not asked for: the command line was refused. */
async function refused(code: UsageCode, args: readonly string[]): Promise<string> {
  const error: unknown = await fakeFactorize(args).catch((cause: unknown) => cause);
  if (!(error instanceof UsageError)) throw error instanceof Error ? error : new Error('it was not refused');
  expect([error.code, error.exitCode]).toEqual([code, 2]);
  return `${error.message} ${error.fix ?? ''}`;
}

describe('what is asked of the run', () => {
  it('is as much as one point allows where nothing is said', async () => {
    const { request } = await fakeFactorize([net(), ...DATA]);
    expect(request.settings).toEqual({ ...DEFAULT_FACTORIZING, maxDrop: 1 });
    const output = scratch.path('net.factorized.onnx');
    // A search can be cut off.
    expect(request).toMatchObject({ output, measure: 'on', seed: 0, threads: 1, journal: `${output}.journal` });
  });

  it('is what every flag says', async () => {
    const { request } = await fakeFactorize([
      net(),
      ...DATA,
      ...['--macs', '0.6x', '--params', '0.3x', '--size', '0.5x', '--max-drop', '0.5', '--for', 'size'],
      ...[
        '--metric',
        'diagonal',
        '--schemes',
        'cp, svd',
        '--layers',
        'conv',
        '--group-size',
        '2',
        '--ranks',
        'sensitivity',
      ],
      ...['--samples', '40', '--no-repair', '--limit', '90', '--journal', 'j', '--latency-table', 't.json'],
      ...['--seed', '3', '--threads', '2', '--no-profile'],
    ]);
    expect(request).toMatchObject({
      settings: {
        ...{ macs: '0.6x', params: '0.3x', size: '0.5x', maxDrop: 0.5, for: 'size', metric: 'diagonal' },
        ...{ schemes: ['cp', 'svd'], layers: 'conv', groupSize: 2, ranks: 'sensitivity', samples: 40, repair: 'off' },
      },
      ...{ limit: 90, journal: 'j', latencyTable: 't.json', seed: 3, threads: 2, measure: 'off' },
    });
    const rules = await Promise.all(
      [
        ['--ratio', '0.4'],
        ['--energy', '0.9'],
        ['--latency', '8ms'],
      ].map((flags) => fakeFactorize([net(), ...DATA, ...flags])),
    );
    expect(
      rules.map((run) => [run.request.settings.ratio, run.request.settings.energy, run.request.settings.latency]),
    ).toEqual([
      [0.4, undefined, undefined],
      [undefined, 0.9, undefined],
      [undefined, undefined, '8ms'],
    ]);
  });

  it('offers what there is', () => {
    expect(FLAGS.metric.choices).toEqual(METRICS);
    expect(FLAGS.ranks.choices).toEqual(RANK_RULES);
    expect(FLAGS.factorFor.choices).toEqual(AIMS);
    expect(FLAGS.factorLayers.choices).toEqual(LAYERS);
  });

  it.each<[string, UsageCode, readonly string[]]>([
    ['no data', 'no-input', ['--no-recipe', '--macs', '0.5x']],
    ['data and none', 'conflict', [...DATA, '--data-free', '--macs', '0.5x']],
    ['nothing that says how much, without data', 'no-input', ['--no-recipe', '--data-free']],
    ['a loss without data', 'conflict', ['--no-recipe', '--data-free', '--max-drop', '1']],
    ['a part that is none', 'bad-value', [...DATA, '--macs', '1.5x']],
    ['a scheme that is none', 'bad-value', [...DATA, '--schemes', 'svd,qr']],
    ['two rules', 'conflict', [...DATA, '--ratio', '0.5', '--energy', '0.9']],
    ['a budget of time for something else', 'conflict', [...DATA, '--latency', '0.5x', '--for', 'size']],
    ['pruning in one run', 'not-available', [...DATA, '-p', 'factorize-conv', '-p', 'prune-filters']],
  ])('is refused: %s', async (_, code, args) => {
    expect(await refused(code, [net(), ...args])).toMatch(/\w+ \w+/);
  });
});

describe('steps of a recipe', () => {
  it('stand for it: for convolutions, for products, for both', async () => {
    const of = async (...steps: string[]) =>
      (await fakeFactorize([net(), ...DATA, ...steps.flatMap((step) => ['-p', step])])).request;
    const conv = await of('fold-affine', 'factorize-conv:macs=0.7x,schemes=tucker-2+spatial-svd,group-size=1');
    expect(conv.settings).toMatchObject({
      layers: 'conv',
      macs: '0.7x',
      schemes: ['tucker-2', 'spatial-svd'],
      groupSize: 1,
    });
    expect(conv.recipe.passes.map(({ pass }) => pass.name)).toEqual(['fold-affine']);
    expect((await of('factorize-dense:energy=0.9')).settings).toMatchObject({ layers: 'dense', energy: 0.9 });
    expect((await of('factorize-conv:ratio=0.5', 'factorize-dense')).settings).toMatchObject({
      layers: 'all',
      ratio: 0.5,
    });
  });

  it('come in one order, at the end, with one set of options', async () => {
    const step = (...names: string[]): string[] => [net(), ...DATA, ...names.flatMap((name) => ['-p', name])];
    expect(await refused('conflict', step('factorize-conv', 'fold-affine'))).toMatch(
      /nothing can come after -p factorize-conv/,
    );
    expect(await refused('conflict', step('factorize-dense', 'factorize-conv'))).toMatch(/in this order/);
    expect(await refused('conflict', step('factorize-conv', 'factorize-dense:ratio=0.5'))).toMatch(
      /one set of options/,
    );
    expect(await refused('bad-value', step('factorize-conv:rank=3'))).toMatch(/no setting "rank"/);
  });

  it('are refused where pruning was asked for', async () => {
    await expect(fakePrune([net(), ...DATA, '-p', 'factorize-conv'])).rejects.toThrow(/runs of their own/);
  });

  it('are explained with all their options and reasons', () => {
    expect(RECIPE_STEPS.map(({ name }) => name)).toEqual([
      ...RULE_NAMES,
      ...['factorize-conv', 'factorize-dense', 'prune-filters'],
    ]);
    for (const { options, expected, declines, details } of RECIPE_STEPS) {
      expect(Object.keys(expected)).toEqual(Object.keys(options));
      for (const schema of Object.values(options)) expect(schema['description']).toMatch(/\w+ \w+/);
      expect(Object.keys(declines).length).toBeGreaterThan(10);
      expect(details).toMatch(/docs\/\w+\.md/);
    }
  });
});

describe('what comes of it', () => {
  it('is written with its report, which names the command again', async () => {
    writeFileSync(net(), 'x');
    const { status, stdout } = await fakeFactorize([net(), ...DATA, '--params', '0.5x', '--schemes', 'cp,svd'], {
      budget: 'met',
    });
    expect(status).toBe(0);
    expect(scratch.read('net.factorized.onnx').toString()).toBe(FAKE_MODEL);
    expect(stdout).toMatch(/1 of 2 layers factorized; left whole: 1 depthwise/);
    const report = parseReport(scratch.read('net.factorized.report.json').toString(), 'factorize', 'r');
    expect(report.recipe.commandLine).toMatch(/^mcompress factorize \S+ --params 0.5x --schemes cp,svd --data images/);
    expect(report.recipe.document).toMatchObject({ factorize: { params: '0.5x', schemes: ['cp', 'svd'] } });
    expect(report.layers.map(({ code }) => code)).toEqual([undefined, 'depthwise']);
  });

  it('goes beside the output where a budget was missed, with exit status 1', async () => {
    const { status, stderr } = await fakeFactorize([net(), ...DATA, '--macs', '0.5x'], { budget: 'missed' });
    expect(status).toBe(1);
    expect(stderr).toMatch(/--macs 0.5x/);
    expect(existsSync(scratch.path('net.factorized.onnx'))).toBe(false);
    expect(scratch.read('net.factorized.onnx.best.onnx').toString()).toBe(FAKE_MODEL);
  });
});
