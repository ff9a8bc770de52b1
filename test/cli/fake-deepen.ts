// Runs of `deepen` that replace nothing.
import { runDeepening } from '../../src/cli/deepen-run.js';
import type { DeepenOutcome, DeepenRequest } from '../../src/pipeline/deepening/outcome.js';
import { fakeResult, fakeRun, type FakeRun } from './fake-run.js';

/** What a run gives unless told otherwise: one of two blocks is replaced, 0.2 points lost. */
export function fakeDeepenOutcome(folder: string, changes: Partial<DeepenOutcome>): DeepenOutcome {
  const about = { rule: 'slim-streamline', ms: { before: 2, after: 1.6 }, macs: { before: 1000, after: 900 } };
  return {
    ...fakeResult(folder, 600),
    base: '',
    blocks: [
      {
        ...about,
        form: 'normless',
        block: 'conv1',
        operators: ['Conv', 'Relu', 'LRN'],
        error: 0.05,
        loss: 0.01,
        refitError: 0.04,
        us: { before: 900, after: 100 },
        reason: undefined,
      },
      {
        ...about,
        form: 'strided',
        block: 'conv2',
        operators: ['Conv', 'Relu', 'MaxPool'],
        error: 0.4,
        loss: 0.9,
        refitError: undefined,
        us: undefined,
        reason: 'worth',
      },
    ],
    declined: [
      { rule: 'slim-branch', form: undefined, block: 'conv3', code: 'grouped', message: 'a convolution has groups' },
    ],
    aim: 'latency',
    steps: [],
    times: undefined,
    kinds: undefined,
    last: ['expand-lrn'],
    refitted: 2,
    budget: undefined,
    kept: 'deepened',
    samples: { fitted: 100, selected: 50, reported: 150 },
    dataFree: false,
    ...changes,
  };
}

/** Runs a command line of `deepen` with a run that gives `fakeDeepenOutcome`, changed. */
export const fakeDeepen = (
  args: readonly string[],
  changes: Partial<DeepenOutcome> = {},
): Promise<FakeRun<DeepenRequest>> =>
  fakeRun('deepen', args, (input, recipe, ask) =>
    runDeepening(input, recipe, 'deepened', {
      deepen: async (request) => fakeDeepenOutcome(await ask(request), changes),
    }),
  );
