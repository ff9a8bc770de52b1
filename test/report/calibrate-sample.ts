// Made-up but plausible reports of `calibrate`: of samples, of random inputs, and of merged caches.
import type { CalibrateReport } from '../../src/report/calibrate-report.js';
import { sampleReport } from './sample.js';

const CALIBRATORS: readonly (readonly [name: string, kept: number])[] = [
  ['min-max', 1],
  ['moving-average', 0.93],
  ['percentile-99.9', 0.41],
  ['percentile-99.99', 0.62],
  ['percentile-99.999', 0.87],
  ['entropy', 0.7],
  ['mse', 0.55],
];

function value(name: string, min: number, max: number, rare: number): CalibrateReport['values'][number] {
  const ranges = CALIBRATORS.map(([calibrator, kept]) => {
    const part = 1 - (1 - kept) * rare;
    return { calibrator, min: min * part, max: max * part };
  });
  return {
    name,
    elements: 40_000_000,
    counted: 32_000_000,
    nonFinite: 0,
    zeros: min === 0 ? 17_300_000 : 12,
    min,
    max,
    ranges,
  };
}

export function sampleCalibrate(): CalibrateReport {
  const { input, machine, versions } = sampleReport();
  return {
    version: 1,
    kind: 'calibrate',
    model: input,
    modelSha256: input.sha256,
    output: 'mobilenetv2.calibration.json',
    data: {
      kind: 'samples',
      name: 'images',
      digest: 'd'.repeat(64),
      preparation: ['image folder', 'pictures: --preprocess imagenet:resize=256'],
      order: 'shuffled',
      seed: 7,
      total: 500,
      parts: [{ from: 0, to: 500 }],
      samples: 498,
      skippedCount: 2,
      skipped: [
        { sample: 'truncated.jpg', reason: 'the picture cannot be decoded: premature end of JPEG data' },
        { sample: 'empty.png', reason: 'the file is empty' },
      ],
    },
    values: Array.from({ length: 16 }, (_, at) =>
      value(`/features/features.${at}/conv/Clip_output_0`, at % 3 === 0 ? -1.25 * at - 0.031 : 0, 6 - at / 9, at / 16),
    ),
    normalization: {
      shift: 0.04,
      spread: 1.02,
      nodes: Array.from({ length: 4 }, (_, at) => ({
        node: `/features/features.${at}/conv/BatchNormalization`,
        shift: 0.11 - at / 50,
        spread: 1 + at / 100,
      })),
    },
    threads: 1,
    elapsedMs: 21_900,
    machine,
    versions,
    warnings: ['2 samples could not be read'],
  };
}

export function sampleGuess(): CalibrateReport {
  return {
    ...sampleCalibrate(),
    normalization: undefined,
    data: {
      kind: 'none',
      digest: '',
      preparation: [],
      order: 'stored',
      seed: 0,
      total: 16,
      parts: [{ from: 0, to: 16 }],
      samples: 16,
      skippedCount: 0,
      skipped: [],
    },
    values: [
      value('x', -3.9, 4.1, 0),
      {
        name: 'nothing',
        elements: 0,
        counted: 0,
        nonFinite: 64,
        zeros: 0,
        ranges: CALIBRATORS.map(([calibrator]) => ({ calibrator, min: 0, max: 0 })),
      },
    ],
    warnings: ['NO DATA: these ranges rest on random inputs, and nothing in the model says what real ones would give.'],
  };
}

export function sampleMerged(): CalibrateReport {
  return {
    ...sampleCalibrate(),
    model: undefined,
    normalization: undefined,
    threads: undefined,
    elapsedMs: undefined,
    merged: 4,
    warnings: [],
  };
}
