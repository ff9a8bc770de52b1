// Runs of `prune` that prune nothing.
import { runPruning } from '../../src/cli/prune-run.js';
import type { PruneOutcome, PruneRequest } from '../../src/pipeline/pruning/outcome.js';
import { fakeResult, fakeRun, type FakeRun } from './fake-run.js';

/** What a run gives unless told otherwise: one group lost half its channels, one is frozen, 0.2 points lost. */
export function fakePruneOutcome(folder: string, changes: Partial<PruneOutcome>): PruneOutcome {
  return {
    ...fakeResult(folder, 600),
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
    budget: undefined,
    kept: 'pruned',
    samples: { fitted: 100, selected: 50, reported: 150 },
    dataFree: false,
    ...changes,
  };
}

/** Runs a command line of `prune` with a run that gives `fakePruneOutcome`, changed. */
export const fakePrune = (
  args: readonly string[],
  changes: Partial<PruneOutcome> = {},
): Promise<FakeRun<PruneRequest>> =>
  fakeRun('prune', args, (input, recipe, ask) =>
    runPruning(input, recipe, 'pruned', { prune: async (request) => fakePruneOutcome(await ask(request), changes) }),
  );
