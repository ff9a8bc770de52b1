// Runs of `quantize` that quantize nothing.
import { runInt8 } from '../../src/cli/int8-run.js';
import type { QuantizeOutcome, QuantizeRequest } from '../../src/pipeline/quantization/outcome.js';
import { fakeResult, fakeRun, type FakeRun } from './fake-run.js';

/** What a run gives unless told otherwise: one fused layer, one float one, 0.2 points lost. */
export function fakeQuantizeOutcome(folder: string, changes: Partial<QuantizeOutcome>): QuantizeOutcome {
  const planned = { node: 'conv', opType: 'Conv', output: 'c', kind: 'product' };
  return {
    ...fakeResult(folder, 300),
    nodes: [
      {
        node: 'conv',
        opType: 'Conv',
        form: 'int8',
        reason: undefined,
        fused: true,
        signalToNoise: 31.5,
        saturating: 0.5,
      },
      {
        node: 'lrn',
        opType: 'LRN',
        form: 'float',
        reason: 'no-int8-kernel',
        fused: undefined,
        signalToNoise: undefined,
      },
    ],
    values: [
      {
        value: 'x',
        range: { min: 0, max: 1 },
        observed: { min: 0, max: 2 },
        scale: 1 / 255,
        zeroPoint: 0,
        calibrator: 'mse',
      },
    ],
    proof: {
      nodes: [{ planned, fused: true, ranAs: 'QLinearConv', cause: undefined, detail: undefined }],
      conversions: [],
      quantizedAtLoad: [],
    },
    equalizedLayers: 1,
    correctedBiases: 1,
    steps: [],
    kept: 'int8',
    calibration: { samples: 100, seconds: 1.5, dataFree: false },
    scored: 500,
    ...changes,
  };
}

/** Runs a command line of `quantize` with a run that gives `fakeQuantizeOutcome`, changed. */
export const fakeQuantize = (
  args: readonly string[],
  changes: Partial<QuantizeOutcome> = {},
): Promise<FakeRun<QuantizeRequest>> =>
  fakeRun('quantize', args, (input, recipe, ask) =>
    runInt8(input, recipe, 'int8', { quantize: async (request) => fakeQuantizeOutcome(await ask(request), changes) }),
  );
