// The flags of quantization, for flags.ts.
import type { Flag } from './flags.js';

export const QUANTIZATION = {
  int8: {
    name: 'int8',
    group: 'What to do',
    help: 'also quantize to 8-bit integers, calibrated on --data: as the command quantize does (docs/quantize.md)',
  },
  quantizeTarget: {
    name: 'target',
    group: 'What to do',
    value: 'PROCESSOR',
    choices: ['x64-vnni', 'x64-avx2', 'arm64'],
    default: 'x64-vnni',
    help: 'the processor that the model is made for; x64-avx2: x86 without VNNI, with 7-bit weights',
  },
  maxDropInt8: {
    name: 'max-drop',
    group: 'What to do',
    value: 'X',
    help: 'give layers back to float until at most this is lost: points of classifiers, percent of other outputs; exit 1 where it cannot be held',
  },
  float: {
    name: 'float',
    group: 'What to do',
    value: 'NODE',
    repeatable: true,
    help: 'this node stays in float (repeatable)',
  },
  calibrator: {
    name: 'calibrator',
    group: 'What to do',
    value: 'NAME',
    repeatable: true,
    choices: [
      'min-max',
      'moving-average',
      'percentile-99.9',
      'percentile-99.99',
      'percentile-99.999',
      'entropy',
      'mse',
    ],
    help: 'ranges of values come from this calibrator; of several the one with the least error is taken, value by value',
  },
  rounding: {
    name: 'rounding',
    group: 'What to do',
    value: 'HOW',
    choices: ['second-order', 'nearest'],
    default: 'second-order',
    help: 'how weights are rounded: so that the errors of a layer cancel, or each for itself',
  },
  noEqualize: { name: 'no-equalize', group: 'What to do', help: 'do not scale channels so that they are alike' },
  noRefine: {
    name: 'no-refine',
    group: 'What to do',
    help: 'do not try ranges against the outputs of the quantized model',
  },
  noBiasCorrection: {
    name: 'no-bias-correction',
    group: 'What to do',
    help: 'do not take mean errors out of the biases',
  },
  fp16: {
    name: 'fp16',
    group: 'What to do',
    help: 'store weights as float16 instead: half the size, no data needed, no faster',
  },
  dynamic: {
    name: 'dynamic',
    group: 'What to do',
    help: 'quantize Gemm, MatMul and LSTM with ranges found while the model runs instead: no data needed',
  },
  calibrationSamples: {
    name: 'calibration-samples',
    group: 'Data',
    value: 'N',
    default: '100',
    help: 'samples to calibrate with; the others score',
  },
  requireFused: {
    name: 'require-fused',
    group: 'Checking and timing',
    help: 'exit 1 when ONNX Runtime runs a layer in float that was planned as int8',
  },
  journal: {
    name: 'journal',
    group: 'Files',
    value: 'FILE',
    completes: 'files',
    default: 'OUT.journal while --max-drop searches',
    help: 'where the search keeps its steps: a run that was cut off goes on from there',
  },
  layerLatencies: {
    name: 'latency-table',
    group: 'Checking and timing',
    value: 'FILE',
    completes: 'files',
    help: 'latencies of layers (mcompress profile --latency-table) that the search for --max-drop weighs',
  },
} as const satisfies Record<string, Flag>;
