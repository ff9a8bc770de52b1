// A pruning run that is none: the command line around it can be tested without time and data.
import { mkdtempSync, rmSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseCommandLine } from '../../src/cli/program.js';
import type { FlagValues } from '../../src/cli/parsed-flags.js';
import { runPruning } from '../../src/cli/prune-run.js';
import { recipeFromFlags } from '../../src/cli/recipe-flags.js';
import { Terminal } from '../../src/cli/terminal.js';
import type { PruneOutcome, PruneRequest } from '../../src/pipeline/pruning/outcome.js';
import { Collecting, FAKE_MODEL, fakeSide } from './fake-int8.js';

/** What a run gives unless told otherwise: one group lost half its channels, one is frozen, 0.2 points lost. */
export function fakeOutcome(folder: string, changes: Partial<PruneOutcome> = {}): PruneOutcome {
  const path = join(folder, 'result.onnx');
  return {
    before: fakeSide('net.onnx', 1000),
    after: fakeSide('result.onnx', 600),
    groups: [
      {
        name: 'conv',
        makers: ['conv'],
        readers: ['last'],
        width: { before: 16, after: 8 },
        reason: undefined,
        at: undefined,
        scores: { min: 0, median: 0.01, max: 2 },
        error: 0.03,
        us: { before: 40, after: 22 },
      },
      {
        name: 'last',
        makers: ['last'],
        readers: [],
        width: { before: 10, after: 10 },
        reason: 'graph-output',
        at: 'y',
        scores: undefined,
        error: undefined,
        us: undefined,
      },
    ],
    score: 'obs',
    units: { before: 16, after: 8 },
    steps: [],
    subset: undefined,
    removalError: 1e-7,
    refitted: 1,
    comparison: undefined,
    loss: { measure: 'top-1 disagreement', unit: 'points', value: 0.2, interval: undefined, verdict: undefined },
    gate: undefined,
    budget: undefined,
    measurement: undefined,
    kept: 'pruned',
    speedMeasured: true,
    samples: { fitted: 100, selected: 50, reported: 150 },
    dataFree: false,
    warnings: [],
    path,
    publish: (to) => rename(path, to),
    dispose: async () => rmSync(folder, { recursive: true, force: true }),
    ...changes,
  };
}

export interface FakePruning {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly request: PruneRequest;
}

/** Parses a command line of `prune`, runs it with a run that gives `outcome`, and says what was asked and shown. */
export async function fakePrune(args: readonly string[], changes: Partial<PruneOutcome> = {}): Promise<FakePruning> {
  const sink = { version: '0', width: 80, render: () => '', write: () => undefined };
  const parsed = parseCommandLine(['prune', ...args], sink);
  if (!parsed) throw new Error('nothing was parsed');
  const [stdout, stderr] = [new Collecting(), new Collecting()];
  const terminal = new Terminal({
    color: 'never',
    verbosity: parsed.flags.quiet ? 'quiet' : 'normal',
    env: {},
    stdout: stdout as unknown as NodeJS.WriteStream,
    stderr: stderr as unknown as NodeJS.WriteStream,
  });
  const { pruned, ...rest } = parsed.flags;
  const flags: FlagValues = pruned === undefined ? rest : { ...rest, output: pruned };
  let asked: PruneRequest | undefined;
  const status = await runPruning(
    { args: parsed.args, flags, terminal, signal: new AbortController().signal },
    await recipeFromFlags(flags, () => undefined),
    'pruned',
    {
      prune: async (request) => {
        asked = request;
        const folder = mkdtempSync(join(tmpdir(), 'mcompress-fake-'));
        await writeFile(join(folder, 'result.onnx'), FAKE_MODEL);
        return fakeOutcome(folder, changes);
      },
    },
  );
  if (!asked) throw new Error('the run was not called');
  return { status, stdout: stdout.text, stderr: stderr.text, request: asked };
}
