// Made-up but plausible reports of `prune`: one where all went well, one of a class subset in cycles that missed every gate, one
// without data that kept the original.
import { wilson } from '../../src/pipeline/evaluation/statistics.js';
import type { KeepReason } from '../../src/pipeline/pruning/outcome.js';
import type { PruneGroupReport, PruneReport } from '../../src/report/prune-report.js';
import { keepReason } from '../../src/report/prune-words.js';
import { lossOf, SCORED } from './loss-sample.js';
import { sampleReport } from './sample.js';

const kept = (name: string, width: number, code: KeepReason, at?: string): PruneGroupReport => ({
  name,
  makers: [name],
  readers: [`${name}.next`],
  widthBefore: width,
  widthAfter: width,
  code,
  message: keepReason(code),
  ...(at === undefined ? {} : { at }),
});

function groups(count: number): PruneGroupReport[] {
  return Array.from({ length: count }, (_, at): PruneGroupReport => ({
    name: `/features/features.${at}/conv/Conv`,
    makers: [`/features/features.${at}/conv/Conv`],
    readers: [`/features/features.${at + 1}/conv/Conv`],
    widthBefore: 64 + 16 * at,
    widthAfter: 48 + 16 * Math.floor(at / 2),
    scores: { min: 1e-5, median: 0.02, max: 1.7 },
    error: 0.01 * (at + 1),
    usBefore: 120,
    usAfter: 91,
  }));
}

export function samplePrune(): PruneReport {
  const { input, output, figures, operators, machine, versions, seed, threads } = sampleReport();
  const { latency } = figures;
  const timed = latency && {
    ...latency,
    after: { p50Ms: 6.61, p90Ms: 6.9, p99Ms: 7.8 },
    ratio: { value: 0.743, low: 0.731, high: 0.757 },
    verdict: 'faster' as const,
    warnings: [],
  };
  return {
    version: 1,
    kind: 'prune',
    input,
    output: output && { ...output, name: 'mobilenetv2.pruned.onnx', bytes: 9650120, gzipBytes: 8905310 },
    kept: 'pruned',
    figures: {
      ...figures,
      fileBytes: { before: 14246826, after: 9650120 },
      parameters: { before: 3540000, after: 2401000 },
      macs: { before: 300800000, after: 209600000 },
      ...(timed ? { latency: timed } : {}),
    },
    speed: 'measured',
    units: { before: 6400, after: 4720 },
    accuracy: lossOf(8, 5),
    gates: { budget: { asked: '--macs 0.7x', verdict: 'met' }, maxDrop: { limit: 1, verdict: 'met' } },
    method: {
      score: 'obs',
      scope: 'auto',
      widths: 'auto',
      schedule: 'one-shot',
      repair: 'on',
      refitted: 52,
      removalError: 2.1e-7,
    },
    groups: [
      ...groups(20),
      kept('/features/features.30/conv/Conv', 320, 'worth'),
      kept('logits <b>', 1000, 'graph-output', 'logits'),
    ],
    steps: [],
    samples: {
      fitted: 1000,
      selected: 300,
      reported: SCORED,
      dataFree: 'no',
      dataName: 'images',
      preparation: ['images, labels from the names of folders', 'pictures: --preprocess imagenet'],
    },
    operators,
    recipe: {
      commandLine: 'mcompress prune mobilenetv2.onnx --macs 0.7x --max-drop 1 --data images',
      document: { version: 1, preset: 'exact', prune: { macs: '0.7x', maxDrop: 1 } },
    },
    machine,
    versions,
    seed,
    threads,
    elapsedMs: 191500,
    warnings: [],
  };
}

export function missedPrune(): PruneReport {
  const sample = samplePrune();
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
    gates: { budget: { asked: '--macs 0.5x', verdict: 'missed' }, maxDrop: { limit: 1, verdict: 'missed' } },
    method: { ...sample.method, schedule: 'dropnet', score: 'dropnet-minimum' },
    steps: loss
      ? [1, 2, 3].map((cycle) => ({
          name: `cycle ${cycle}`,
          units: 6400 - 500 * cycle,
          macs: 3e8 - 2e7 * cycle,
          parameters: 3500000 - 2e5 * cycle,
          loss: { ...loss, value: 0.3 * cycle },
          ...(cycle === 3 ? { latencyRatio: 0.8 } : {}),
        }))
      : [],
    subset: {
      of: 1000,
      kept: [3, 281, 285],
      names: ['tiger <shark>', 'tabby', 'Egyptian cat'],
      by: 'labels',
      accuracyOriginal: { top1: wilson(850, SCORED) },
      accuracyResult: { top1: wilson(794, SCORED) },
      restrictedMacs: 299500000,
      restrictedParameters: 2260000,
      restrictedRatio: 0.78,
    },
    groups: [...sample.groups, kept('defective', 32, 'defect')],
    warnings: ['only 9 samples are left to judge with: the loss is a rough guess'],
  };
}

export function guessedPrune(): PruneReport {
  const sample = samplePrune();
  const { agreement } = sample.accuracy;
  return {
    ...sample,
    kept: 'original',
    units: { before: 6400, after: 6400 },
    accuracy: {
      scored: 32,
      loss: { measure: 'top-1 disagreement', unit: 'points', value: 0 },
      ...(agreement ? { agreement } : {}),
    },
    gates: { budget: { asked: '--ratio 0.3', verdict: 'missed' } },
    method: { ...sample.method, score: 'folding', refitted: 0, repair: 'on' },
    groups: groups(4).map(({ name, widthBefore }) => kept(name, widthBefore, 'slower')),
    samples: { fitted: 32, selected: 32, reported: 32, dataFree: 'yes', preparation: [] },
  };
}
