// The command line of pruning around a run that is none: what is asked of it, gates and exit statuses, files.
import { existsSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { UsageError, type UsageCode } from '../../src/base/errors.js';
import { FLAGS } from '../../src/cli/flags.js';
import {
  DEFAULT_PRUNING,
  PRUNE_TARGETS,
  SCHEDULES,
  SCOPES,
  SCORE_CHOICES,
  WIDTHS,
} from '../../src/pipeline/pruning/settings.js';
import { parseReport } from '../../src/report/json.js';
import { fakePrune } from './fake-prune.js';
import { FAKE_MODEL } from './fake-run.js';
import { useScratch } from './scratch.js';

const scratch = useScratch();
const net = (): string => scratch.path('net.onnx');
const DATA = ['--data', 'images', '--no-recipe'];

/** The run was not asked for: the command line was refused. */
async function refused(code: UsageCode, args: readonly string[]): Promise<string> {
  const error: unknown = await fakePrune(args).catch((cause: unknown) => cause);
  if (!(error instanceof UsageError)) throw error instanceof Error ? error : new Error('it was not refused');
  expect([error.code, error.exitCode]).toEqual([code, 2]);
  return `${error.message} ${error.fix ?? ''}`;
}

describe('what is asked of the run', () => {
  it('is as much as one point allows where nothing is said', async () => {
    const { request } = await fakePrune([net(), ...DATA]);
    expect(request.settings).toEqual({ ...DEFAULT_PRUNING, maxDrop: 1 });
    expect(request).toMatchObject({
      output: scratch.path('net.pruned.onnx'),
      measure: 'on',
      seed: 0,
      threads: 1,
      // A search can be cut off.
      journal: scratch.path('net.pruned.onnx.journal'),
    });
    expect(request.limit).toBe(undefined);
  });

  it('is what every flag says', async () => {
    const { request } = await fakePrune([
      net(),
      ...DATA,
      ...['--ratio', '0.3', '--max-drop', '0.5', '--score', 'l1', '--scope', 'global', '--widths', '8'],
      ...['--target', 'arm64', '--samples', '40', '--no-repair', '--classes', 'cat, 3', '--limit', '90'],
      ...['--schedule', 'dropnet', '--share', '0.1', '--kappa', '0.9', '--journal', 'j', '--latency-table', 't.json'],
      ...['--seed', '3', '--threads', '2', '--no-profile'],
    ]);
    expect(request).toMatchObject({
      settings: {
        ratio: 0.3,
        maxDrop: 0.5,
        score: 'l1',
        scope: 'global',
        widths: '8',
        target: 'arm64',
        samples: 40,
        repair: 'off',
        classes: ['cat', '3'],
        schedule: 'dropnet',
        share: 0.1,
        kappa: 0.9,
      },
      limit: 90,
      journal: 'j',
      latencyTable: 't.json',
      measure: 'off',
      seed: 3,
      threads: 2,
    });
  });

  it.each([
    ['macs', '0.7x'],
    ['params', '.5x'],
    ['latency', '0.8x'],
    ['latency', '8.5ms'],
  ])('is the budget --%s %s, without a journal, as it is one step', async (name, text) => {
    const { request } = await fakePrune([net(), ...DATA, `--${name}`, text]);
    expect(request.settings).toEqual({ ...DEFAULT_PRUNING, [name]: text });
    expect(request.journal).toBe(undefined);
  });

  it('is what the recipe says, unless a flag says otherwise', async () => {
    const recipe = scratch.path('r.json');
    writeFileSync(recipe, JSON.stringify({ version: 1, prune: { macs: '0.6x', score: 'l2', classes: ['a'] } }));
    const data = ['--data', 'images', '--recipe', recipe];
    expect((await fakePrune([net(), ...data])).request.settings).toMatchObject({
      macs: '0.6x',
      score: 'l2',
      classes: ['a'],
    });
    const other = await fakePrune([net(), ...data, '--ratio', '0.2', '--score', 'l1']);
    expect(other.request.settings).toMatchObject({ macs: undefined, ratio: 0.2, score: 'l1', classes: ['a'] });
  });

  it('is what -p prune-filters says, with passes of its own in front', async () => {
    const { request } = await fakePrune([
      net(),
      ...[
        '--data',
        'images',
        '-p',
        'fold-constants',
        '-p',
        'prune-filters:ratio=0.3,max-drop=2,classes=a+b,repair=off',
      ],
    ]);
    expect(request.recipe.passes.map(({ pass }) => pass.name)).toEqual(['fold-constants']);
    expect(request.settings).toMatchObject({ ratio: 0.3, maxDrop: 2, classes: ['a', 'b'], repair: 'off' });
  });

  it('has the choices that the settings have', () => {
    expect(FLAGS.pruneScore.choices).toEqual(SCORE_CHOICES);
    expect(FLAGS.scope.choices).toEqual(SCOPES);
    expect(FLAGS.widths.choices).toEqual(WIDTHS);
    expect(FLAGS.schedule.choices).toEqual(SCHEDULES);
    expect(FLAGS.pruneTarget.choices).toEqual(PRUNE_TARGETS);
    expect([FLAGS.share.default, FLAGS.kappa.default]).toEqual(
      [DEFAULT_PRUNING.share, DEFAULT_PRUNING.kappa].map(String),
    );
  });
});

describe('what is refused', () => {
  it('two budgets, values that do not fit, flags that have no meaning together', async () => {
    expect(await refused('conflict', [net(), ...DATA, '--ratio', '0.3', '--macs', '0.7x'])).toMatch(/both say/);
    for (const [flag, value] of [
      ['--ratio', '1'],
      ['--ratio', '30%'],
      ['--macs', '0.7'],
      ['--macs', '1.2x'],
      ['--memory', '0.7'],
      ['--latency', '8'],
      ['--max-drop', '-1'],
      ['--samples', '0'],
    ] as const)
      expect(await refused('bad-value', [net(), ...DATA, flag, value])).toContain(flag);
    await refused('conflict', [net(), ...DATA, '--kappa', '0.9']);
    await refused('conflict', [net(), ...DATA, '--memory', '0.7x', '--schedule', 'dropnet']);
    await refused('conflict', [net(), ...DATA, '--data-free', '--ratio', '0.3']);
    await refused('bad-value', [net(), ...DATA.slice(0, 2), '-p', 'prune-filters:ration=0.3']);
    await refused('conflict', [net(), ...DATA.slice(0, 2), '-p', 'prune-filters', '-p', 'fold-constants']);
  });

  it('nothing to look at the model with, and what needs samples', async () => {
    expect(await refused('no-input', [net(), '--no-recipe'])).toMatch(/--data PATH.*--data-free/);
    expect(await refused('no-input', [net(), '--no-recipe', '--data-free'])).toMatch(/--ratio/);
    await refused('conflict', [net(), '--no-recipe', '--data-free', '--max-drop', '1']);
    await refused('conflict', [net(), '--no-recipe', '--data-free', '--schedule', 'dropnet']);
    await refused('conflict', [net(), '--no-recipe', '--labels', 'x.csv', '--data-free', '--ratio', '0.1']);
  });

  it('several models, and a recipe that quantizes too', async () => {
    expect(await refused('conflict', [net(), scratch.path('other.onnx'), ...DATA])).toMatch(/too many arguments/);
    await refused('not-available', [net(), '--data', 'images', '-p', 'prune-filters:ratio=0.3', '-p', 'quantize']);
  });
});

describe('gates', () => {
  it.each([
    [
      'a budget',
      ['--ratio', '0.3'],
      { budget: 'missed' },
      /--ratio 0.3: 50 % removed; .*net.pruned.onnx was left alone/,
    ],
    [
      'a loss',
      ['--max-drop', '0.1'],
      { gate: 'missed' },
      /--max-drop: top-1 disagreement: 0.2 points of 0.1 points allowed/,
    ],
  ] as const)('%s that is missed: exit 1, OUT is left alone', async (_, flags, changes, said) => {
    const { status, stderr } = await fakePrune([net(), ...DATA, ...flags], changes);
    expect(status).toBe(1);
    expect(stderr.replace(/\s+/g, ' ')).toMatch(said);
    expect(existsSync(scratch.path('net.pruned.onnx'))).toBe(false);
    expect(scratch.read('net.pruned.onnx.best.onnx').toString()).toBe(FAKE_MODEL);
  });

  it('--strict misses where nothing was pruned', async () => {
    const kept = { kept: 'original' } as const;
    expect((await fakePrune([net(), ...DATA], kept)).status).toBe(0);
    expect((await fakePrune([net(), ...DATA, '--strict'], kept)).status).toBe(1);
  });

  it('a journal of its own goes with the result, one that was named stays', async () => {
    writeFileSync(scratch.path('net.pruned.onnx.journal'), '');
    writeFileSync(scratch.path('mine'), '');
    expect((await fakePrune([net(), ...DATA])).status).toBe(0);
    expect(existsSync(scratch.path('net.pruned.onnx.journal'))).toBe(false);
    await fakePrune([net(), ...DATA, '--journal', scratch.path('mine')]);
    expect(existsSync(scratch.path('mine'))).toBe(true);
  });
});

describe('the report', () => {
  it('holds the command and the recipe that do the same again', async () => {
    await fakePrune([net(), ...DATA, '--ratio', '0.3', '--score', 'l1', '--classes', 'cat,dog', '--seed', '2']);
    const report = parseReport(scratch.read('net.pruned.report.json').toString(), 'prune', 'r');
    expect(report.recipe.commandLine).toBe(
      `mcompress prune ${net()} --ratio 0.3 --score l1 --classes cat,dog --data images --seed 2`,
    );
    expect(report.recipe.document).toMatchObject({
      preset: 'exact',
      prune: { ratio: 0.3, score: 'l1', classes: ['cat', 'dog'] },
    });
    expect(report.groups.map(({ code, message }) => [code, message])).toEqual([
      [undefined, undefined],
      ['graph-output', 'the caller gets it'],
    ]);
  });

  it('warns of a run without data wherever the loss is shown', async () => {
    const { stderr } = await fakePrune([net(), '--no-recipe', '--data-free', '--ratio', '0.3', '-q'], {
      dataFree: true,
    });
    expect(stderr).toMatch(/NO DATA/);
  });
});
