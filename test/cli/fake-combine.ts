// Runs of `slim` that choose among all passes without trying any.
import { runSlim } from '../../src/cli/commands/slim.js';
import type { CombineOutcome, CombineRequest, CombineStep } from '../../src/pipeline/combining/outcome.js';
import type { Loss } from '../../src/pipeline/evaluation/compare-answers.js';
import { fakeResult, fakeRun, type FakeRun } from './fake-run.js';

const lossOf = (value: number): Loss => ({
  ...{ measure: 'top-1 disagreement', unit: 'points', value, interval: undefined, verdict: undefined },
});

const step = (name: string, rest: Pick<CombineStep, 'kind' | 'on' | 'what'>, latencyRatio: number): CombineStep => ({
  ...{ name, ...rest, latencyRatio, loss: lossOf(1 - latencyRatio) },
  ...{ macs: 900, parameters: 4, bytes: 600, seconds: 12, fate: 'taken' },
});

/** What a run gives unless told otherwise: blocks are replaced, then all goes to integers, 0.2 points lost. */
function fakeOutcome(folder: string, changes: Partial<CombineOutcome>): CombineOutcome {
  return {
    ...fakeResult(folder, 400),
    steps: [
      step('slim', { kind: 'slim', on: undefined, what: 'exact passes' }, 0.95),
      step('deepen', { kind: 'deepen', on: 'slim', what: '1 of 2 blocks replaced' }, 0.7),
      step('deepen + int8', { kind: 'int8', on: 'deepen', what: 'all 4 layers on integers' }, 0.4),
      { ...step('int8', { kind: 'int8', on: 'slim', what: 'all 5 layers on integers' }, 0.55), fate: 'beaten' },
    ],
    idle: [{ kind: 'prune', on: 'deepen', reason: 'no-gain', message: 'nothing could leave' }],
    explored: [{ label: 'deepen: candidate 1 of 2', latencyRatio: 0.8, loss: lossOf(0.1) }],
    stages: [],
    result: 'deepen + int8',
    int8Alone: {
      name: 'int8',
      loss: lossOf(0.3),
      latencyRatio: 0.5,
      resultRatio: { value: 0.8, low: 0.78, high: 0.82 },
    },
    budget: undefined,
    kept: 'changed',
    kinds: undefined,
    subset: undefined,
    samples: { fitted: 100, selected: 50, reported: 150 },
    effort: { allowed: 1200, taken: 90 },
    ...changes,
  };
}

/** Runs a command line of `slim`; where it chooses among all passes, that gives `fakeOutcome`, changed. */
export const fakeCombine = (
  args: readonly string[],
  changes: Partial<CombineOutcome> = {},
): Promise<FakeRun<CombineRequest>> =>
  fakeRun('slim', args, (input, _, ask) =>
    runSlim(input, { combine: async (request) => fakeOutcome(await ask(request), changes) }),
  );
