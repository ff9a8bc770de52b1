// Made-up but plausible reports of `quantize`: one where all went well, one that missed every gate, one without data.
import type { QuantizeLayer, QuantizeReport } from '../../src/report/quantize-report.js';
import { floatReason } from '../../src/report/quantize-words.js';
import { lossOf } from './loss-sample.js';
import { sampleReport } from './sample.js';

function layers(count: number): QuantizeLayer[] {
  return Array.from({ length: count }, (_, at): QuantizeLayer => ({
    name: `/features/features.${at}/conv/Conv`,
    opType: 'Conv',
    form: 'int8',
    fused: 'fused',
    signalToNoiseDb: 42 - 0.4 * at + 3 * Math.sin(at),
    saturating: at % 3 === 0 ? 0 : 0.25,
  }));
}

const softmax: QuantizeLayer = {
  name: 'probabilities <b>',
  opType: 'Softmax',
  form: 'float',
  code: 'no-int8-kernel',
  message: floatReason('no-int8-kernel'),
};

export function sampleQuantize(): QuantizeReport {
  const { input, output, figures, operators, machine, versions, seed, threads } = sampleReport();
  const { latency } = figures;
  return {
    version: 1,
    kind: 'quantize',
    input,
    output: output && { ...output, name: 'mobilenetv2.int8.onnx', bytes: 3650120, gzipBytes: 3105310 },
    target: 'x64-vnni',
    kept: 'int8',
    figures: {
      ...figures,
      fileBytes: { before: 14246826, after: 3650120 },
      gzipBytes: { before: 13212057, after: 3105310 },
      ...(latency
        ? {
            latency: {
              ...latency,
              after: { p50Ms: 4.61, p90Ms: 4.9, p99Ms: 5.8 },
              ratio: { value: 0.518, low: 0.511, high: 0.527 },
              verdict: 'faster',
              clock: 'wall',
              warnings: [],
            },
          }
        : {}),
    },
    speed: 'measured',
    accuracy: lossOf(8, 5),
    gates: { maxDrop: { limit: 0.5, verdict: 'met' } },
    fusion: { planned: 54, fused: 54, misses: [], conversionsInside: 0, weightsDequantized: 0, quantizedAtLoad: [] },
    layers: [...layers(53), softmax],
    values: [
      {
        name: 'input',
        observed: { min: -2.117903, max: 2.64 },
        range: { min: -2.117903, max: 2.64 },
        calibrator: 'min-max',
        scale: 0.018658,
        zeroPoint: 114,
      },
      {
        name: '/features/features.3/conv/Conv_output_0',
        observed: { min: -31.5, max: 44.1 },
        range: { min: -14.2, max: 17.9 },
        calibrator: 'mse',
        scale: 0.12588,
        zeroPoint: 113,
      },
    ],
    calibration: {
      samples: 100,
      seconds: 41.3,
      dataFree: 'no',
      dataName: 'images',
      preparation: ['images, labels from the names of folders', 'pictures: --preprocess imagenet'],
    },
    equalizedLayers: 17,
    correctedBiases: 52,
    search: [],
    operators,
    recipe: {
      commandLine: 'mcompress quantize mobilenetv2.onnx --max-drop 0.5 --data images',
      document: { version: 1, preset: 'exact', quantize: { maxDrop: 0.5 } },
    },
    machine,
    versions,
    seed,
    threads,
    elapsedMs: 91500,
    warnings: [],
  };
}

/** A layer is not fused, the loss is too large although layers went back to float, an earlier report was better. */
export function missedQuantize(): QuantizeReport {
  const sample = sampleQuantize();
  const accuracy = lossOf(40, 4);
  const { loss } = accuracy;
  const back: QuantizeLayer[] = ['slower', 'loss'].map((code) => ({
    name: `/classifier/${code}/Gemm`,
    opType: 'Gemm',
    form: 'float',
    code,
    message: floatReason(code === 'slower' ? 'slower' : 'loss'),
    ...(code === 'slower' ? { int8Us: 44.2, floatUs: 31 } : { outputsDb: 12.1 }),
  }));
  const [first, ...rest] = sample.layers;
  return {
    ...sample,
    kept: 'mixed',
    accuracy,
    gates: { maxDrop: { limit: 0.5, verdict: 'missed' }, requireFused: { verdict: 'missed' } },
    fusion: {
      ...sample.fusion,
      fused: 53,
      misses: [
        {
          node: first?.name ?? '',
          opType: 'Conv',
          cause: 'second-consumer',
          detail: 'its result is also read by Add_3',
          ranAs: 'FusedConv with Relu',
        },
      ],
      conversionsInside: 2,
      weightsDequantized: 1,
      quantizedAtLoad: ['/head/Gemm'],
    },
    layers: [...(first ? [{ ...first, fused: 'not-fused' as const }] : []), ...rest, ...back],
    search: loss
      ? [
          { float: [], loss },
          { float: ['/classifier/loss/Gemm'], loss, latencyRatio: 0.53 },
          { float: ['/features/features.0/conv/Conv', '/features/features.1/conv/Conv'], loss },
        ]
      : [],
    baseline: {
      name: 'nightly.report.json',
      verdict: 'regressed',
      figures: [{ figure: 'fileBytes', label: 'file', earlier: 3500000, now: 3650120, verdict: 'worse' }],
    },
    warnings: ['only 20 samples are left to score with: the loss is a rough guess'],
  };
}

/** Random inputs, and a processor that is not there; nothing of int8 was kept. */
export function guessedQuantize(): QuantizeReport {
  const sample = sampleQuantize();
  const figures = { ...sample.figures, latency: undefined, load: undefined };
  return {
    ...sample,
    target: 'arm64',
    kept: 'original',
    figures,
    speed: 'unmeasured-here',
    accuracy: { scored: 0 },
    gates: {},
    fusion: { ...sample.fusion, planned: 0, fused: 0 },
    layers: [],
    values: [],
    calibration: { samples: 16, seconds: 2.2, dataFree: 'yes', preparation: [] },
    output: undefined,
  };
}
