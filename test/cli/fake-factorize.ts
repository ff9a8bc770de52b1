// Runs of `factorize` that factorize nothing.
import { runFactorizing } from '../../src/cli/factorize-run.js';
import type { FactorizeOutcome, FactorizeRequest } from '../../src/pipeline/factorizing/outcome.js';
import { fakeResult, fakeRun, type FakeRun } from './fake-run.js';

/** What a run gives unless told otherwise: one of two layers is a chain, 0.2 points lost. */
export function fakeFactorizeOutcome(folder: string, changes: Partial<FactorizeOutcome>): FactorizeOutcome {
  const us = { predicted: undefined, measured: undefined };
  return {
    ...fakeResult(folder, 600),
    base: '',
    layers: [
      {
        name: 'conv',
        opType: 'Conv',
        sizes: { inputs: 16, outputs: 32, kernel: [3, 3] },
        chain: { scheme: 'tucker-2', ranks: [8, 16], error: 0.01, loss: 0.002, refitError: 0.02 },
        macs: { before: 1000, after: 400 },
        params: { before: 4608, after: 1792 },
        us,
        reason: undefined,
        curves: [
          { scheme: 'tucker-2', points: [{ ranks: [8, 16], macs: 400, params: 1792, error: 0.01, us: undefined }] },
        ],
      },
      {
        name: 'depthwise',
        opType: 'Conv',
        sizes: undefined,
        chain: undefined,
        macs: undefined,
        params: undefined,
        us,
        reason: 'depthwise',
        curves: [],
      },
    ],
    aim: 'latency',
    steps: [],
    refitted: 2,
    budget: undefined,
    kept: 'factorized',
    samples: { fitted: 100, selected: 50, reported: 150 },
    dataFree: false,
    ...changes,
  };
}

/** Runs a command line of `factorize` with a run that gives `fakeFactorizeOutcome`, changed. */
export const fakeFactorize = (
  args: readonly string[],
  changes: Partial<FactorizeOutcome> = {},
): Promise<FakeRun<FactorizeRequest>> =>
  fakeRun('factorize', args, (input, recipe, ask) =>
    runFactorizing(input, recipe, 'factorized', {
      factorize: async (request) => fakeFactorizeOutcome(await ask(request), changes),
    }),
  );
