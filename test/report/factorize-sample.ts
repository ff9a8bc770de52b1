// Made-up but plausible reports of `factorize`: one where all went well, one that missed every gate, one without data that kept the
// original.
import type { StayReason } from '../../src/pipeline/factorizing/outcome.js';
import type { FactorizeLayerReport, FactorizeReport } from '../../src/report/factorize-report.js';
import { stayReason } from '../../src/report/factorize-words.js';
import { lossOf, SCORED } from './loss-sample.js';
import { samplePrune } from './prune-sample.js';

const whole = (name: string, code: StayReason): FactorizeLayerReport => ({
  name,
  opType: 'Conv',
  code,
  message: stayReason(code),
  curves: [],
});

function layers(count: number): FactorizeLayerReport[] {
  return Array.from({ length: count }, (_, at): FactorizeLayerReport => {
    const macs = 9e5 * (at + 1);
    const point = (rank: number) => ({
      ranks: [rank],
      macs: (macs * rank) / 64,
      params: 600 * rank,
      error: 0.5 / rank ** 2,
    });
    return {
      name: `/features/features.${at}/conv/Conv`,
      opType: 'Conv',
      inputs: 64,
      outputs: 128,
      kernel: [3, 3],
      chain: { scheme: 'spatial-svd', ranks: [32], error: 0.02, loss: 0.003, refitError: 0.03 },
      macsBefore: macs,
      macsAfter: macs / 2,
      paramsBefore: 73728,
      paramsAfter: 24576,
      aloneUsBefore: 210,
      aloneUsAfter: 140.5,
      usBefore: 200,
      usAfter: 151,
      curves: [
        { scheme: 'spatial-svd', points: [8, 16, 32, 48].map(point) },
        { scheme: 'tucker-2', points: [16, 32].map((rank) => ({ ...point(rank), us: 99 })) },
      ],
    };
  });
}

export function sampleFactorize(): FactorizeReport {
  const { figures, speed, accuracy, gates, samples, output, ...run } = samplePrune();
  const { input, operators, machine, versions, seed, threads, warnings } = run;
  return {
    version: 1,
    ...{ input, figures, speed, accuracy, gates, samples, operators, machine, versions, seed, threads, warnings },
    kind: 'factorize',
    kept: 'factorized',
    output: output && { ...output, name: 'mobilenetv2.factorized.onnx' },
    method: { aim: 'macs', metric: 'outputs', ranks: 'auto', groupSize: 0, repair: 'on', refitted: 52 },
    layers: [...layers(12), whole('stem <b>', 'worth'), whole('depthwise', 'depthwise'), whole('head', 'worth')],
    steps: [],
    recipe: {
      commandLine: 'mcompress factorize mobilenetv2.onnx --macs 0.7x --max-drop 1 --data images',
      document: { version: 1, preset: 'exact', factorize: { macs: '0.7x', maxDrop: 1 } },
    },
  };
}

export function missedFactorize(): FactorizeReport {
  const sample = sampleFactorize();
  const accuracy = lossOf(60, 4);
  const { loss } = accuracy;
  const { latency } = sample.figures;
  return {
    ...sample,
    accuracy,
    figures: {
      ...sample.figures,
      ...(latency ? { latency: { ...latency, verdict: 'slower', ratio: { value: 1.04, low: 1.02, high: 1.06 } } } : {}),
    },
    gates: {
      budget: { asked: '--macs 0.5x --params 0.5x', verdict: 'missed' },
      maxDrop: { limit: 1, verdict: 'missed' },
    },
    method: { ...sample.method, groupSize: 4, ranks: 'sensitivity' },
    steps: loss
      ? [1, 2].map((step) => ({
          name: `candidate ${step} of 2`,
          chains: 4 * step,
          macs: 3e8 - 2e7 * step,
          parameters: 3500000,
          loss: { ...loss, value: 0.3 * step },
          ...(step === 2 ? { latencyRatio: 0.8 } : {}),
        }))
      : [],
    layers: [...sample.layers, whole('back', 'no-gain')],
    warnings: ['only 9 samples are left to judge with: the loss is a rough guess'],
  };
}

export function guessedFactorize(): FactorizeReport {
  const sample = sampleFactorize();
  const { agreement } = sample.accuracy;
  return {
    ...sample,
    kept: 'original',
    accuracy: {
      scored: 32,
      loss: { measure: 'top-1 disagreement', unit: 'points', value: 0 },
      ...(agreement ? { agreement } : {}),
    },
    gates: { budget: { asked: '--macs 0.3x', verdict: 'missed' } },
    method: { ...sample.method, metric: 'plain', refitted: 0 },
    layers: layers(3).map(({ name }) => whole(name, 'slower')),
    samples: { fitted: 32, selected: 32, reported: SCORED, dataFree: 'yes', preparation: [] },
  };
}
