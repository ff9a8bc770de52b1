// Made-up but plausible reports of `deepen`: one where all went well, and one that missed every gate and replaced nothing.
import type { BlockReason } from '../../src/pipeline/deepening/outcome.js';
import type { BlockReport, DeepenReport } from '../../src/report/deepen-report.js';
import { blockReason } from '../../src/report/deepen-words.js';
import { lossOf } from './loss-sample.js';
import { samplePrune } from './prune-sample.js';

const left = (block: string, form: string, code: BlockReason): BlockReport => ({
  ...{ rule: 'slim-streamline', form, block, operators: ['Conv', 'Relu', 'MaxPool'] },
  ...{ code, message: blockReason(code), msBefore: 2, msAfter: 1.7, macsBefore: 3e7, macsAfter: 2e7 },
  ...{ error: 0.4, loss: 0.9 },
});

function taken(count: number): BlockReport[] {
  return Array.from({ length: count }, (_, at): BlockReport => ({
    rule: 'slim-streamline',
    form: 'normless',
    block: `/features/features.${at}/conv/Conv`,
    operators: ['Conv', 'Relu', 'LRN'],
    msBefore: 2,
    msAfter: 1.6 + at / 100,
    macsBefore: 3e7,
    macsAfter: 3e7,
    error: 0.05,
    loss: 0.01,
    refitError: 0.04,
    usBefore: 700,
    usAfter: 30.5,
  }));
}

export function sampleDeepen(): DeepenReport {
  const { figures, speed, accuracy, gates, samples, output, ...run } = samplePrune();
  const { input, operators, machine, versions, seed, threads, warnings } = run;
  const { fitted, selected, reported, dataName, preparation } = samples;
  return {
    version: 1,
    ...{ input, figures, speed, accuracy, gates, operators, machine, versions, seed, threads, warnings },
    kind: 'deepen',
    kept: 'deepened',
    output: output && { ...output, name: 'mobilenetv2.deepened.onnx' },
    method: {
      aim: 'latency',
      rules: ['slim-streamline', 'merge-depth'],
      start: 'fitted',
      repair: 'on',
      refitted: 40,
      last: ['expand-lrn'],
    },
    kinds: {
      before: { tensorUs: 360, nonTensorUs: 1040, runtimeUs: 20 },
      after: { tensorUs: 370, nonTensorUs: 40, runtimeUs: 10 },
    },
    blocks: [...taken(3), left('stem <b>', 'strided', 'worth'), left('stem <b>', 'enlarged', 'slower-block')],
    declined: [
      { rule: 'slim-branch', form: undefined, block: 'mix', code: 'grouped', message: 'a convolution has groups' },
    ],
    steps: [
      {
        name: 'candidate 2 of 3',
        blocks: 3,
        macs: 2e7,
        parameters: 1e6,
        loss: { measure: 'top-1 lost', unit: 'points', value: 0.4 },
        latencyRatio: 0.42,
      },
    ],
    samples: { fitted, selected, reported, dataName, preparation },
    recipe: {
      commandLine: 'mcompress deepen mobilenetv2.onnx --max-drop 1 --data images',
      document: { version: 1, preset: 'exact', deepen: { maxDrop: 1 } },
    },
  };
}

export function missedDeepen(): DeepenReport {
  const sample = sampleDeepen();
  const accuracy = lossOf(60, 4);
  const { loss } = accuracy;
  const { latency } = sample.figures;
  return {
    ...sample,
    accuracy,
    kept: 'original',
    kinds: undefined,
    figures: {
      ...sample.figures,
      ...(latency ? { latency: { ...latency, verdict: 'slower', ratio: { value: 1.04, low: 1.02, high: 1.06 } } } : {}),
    },
    gates: {
      budget: { asked: '--latency 0.5x', verdict: 'missed' },
      maxDrop: { limit: 1, verdict: loss ? 'missed' : 'met' },
    },
    blocks: [left('stem', 'strided', 'slower'), left('stem', 'enlarged', 'slower-block')],
    steps: [],
    warnings: ['candidate 1 of 3 was given up: it loses 4.0 points on the samples that are reported'],
  };
}
