// Made-up but plausible reports of `slim --data`: one where three changes came together, and one of a class subset that missed every gate and
// kept nothing.
import type { CombineReport, CombineStepReport } from '../../src/report/combine-report.js';
import { idleReason } from '../../src/report/combine-words.js';
import { sampleDeepen } from './deepen-sample.js';
import { sampleFactorize } from './factorize-sample.js';
import { lossOf } from './loss-sample.js';
import { samplePrune } from './prune-sample.js';
import { sampleQuantize } from './quantize-sample.js';

type Loss = CombineStepReport['loss'];

const lost = (value: number): Loss => ({ measure: 'top-1 lost', unit: 'points', value });

function step(
  name: string,
  rest: Pick<CombineStepReport, 'kind' | 'what' | 'fate'> & { readonly on?: string },
  [latencyRatio, loss]: readonly [ratio: number, loss: number],
): CombineStepReport {
  return {
    ...{ name, ...rest, latencyRatio, loss: lost(loss) },
    macs: 3e8 * latencyRatio,
    parameters: 3500000,
    bytes: 14000000,
    seconds: 75,
  };
}

const idle = (
  kind: CombineReport['idle'][number]['kind'],
  on: string,
  code: Parameters<typeof idleReason>[0],
  detail?: string,
): CombineReport['idle'][number] => ({
  ...{ kind, on, code, message: idleReason(code) },
  ...(detail === undefined ? {} : { detail }),
});

export function sampleCombine(): CombineReport {
  const { figures, speed, accuracy, samples, output, ...run } = samplePrune();
  const { input, operators, machine, versions, seed, threads, warnings } = run;
  const { kinds } = sampleDeepen();
  const { fitted, selected, reported, dataName, preparation } = samples;
  return {
    version: 1,
    ...{ input, figures, speed, accuracy, gates: { maxDrop: { limit: 1, verdict: 'met' } } },
    ...{ operators, machine, versions, seed, threads, warnings },
    kind: 'combine',
    kept: 'changed',
    result: 'deepen + prune + int8',
    output: output && { ...output, name: 'mobilenetv2.slim.onnx' },
    int8Alone: {
      name: 'int8',
      loss: lost(0.4),
      latencyRatio: 0.52,
      resultRatio: { value: 0.71, low: 0.69, high: 0.73 },
    },
    method: { aim: 'latency', tried: ['deepen', 'prune', 'factorize', 'int8'] },
    steps: [
      step('slim', { kind: 'slim', what: 'exact passes alone', fate: 'taken' }, [0.97, 0]),
      step('deepen', { kind: 'deepen', on: 'slim', what: '5 of 9 blocks replaced', fate: 'taken' }, [0.7, 0.2]),
      step('factorize', { kind: 'factorize', on: 'slim', what: '3 of 53 layers <b>', fate: 'beaten' }, [0.9, 0.3]),
      step(
        'deepen + prune',
        { kind: 'prune', on: 'deepen', what: '12 % of channels removed', fate: 'taken' },
        [0.6, 0.5],
      ),
      step(
        'deepen + prune + int8',
        { kind: 'int8', on: 'deepen + prune', what: 'all 50 layers on integers', fate: 'taken' },
        [0.37, 0.8],
      ),
      step('int8', { kind: 'int8', on: 'slim', what: 'all 54 layers on integers', fate: 'beaten' }, [0.53, 0.4]),
    ],
    idle: [
      idle('factorize', 'deepen + prune', 'no-gain', 'no chain was measured faster'),
      idle('prune', 'deepen + prune', 'no-time'),
      idle('deepen', 'deepen + prune', 'no-time'),
    ],
    explored: [
      { label: 'deepen: candidate 1 of 3', latencyRatio: 0.6, loss: lost(0.9) },
      { label: 'deepen: candidate 3 of 3', latencyRatio: 0.5, loss: lost(80) },
    ],
    ...(kinds ? { kinds } : {}),
    stages: [
      { name: 'deepen', kind: 'deepen', deepen: sampleDeepen() },
      { name: 'deepen + prune', kind: 'prune', prune: samplePrune() },
      { name: 'deepen + prune + int8', kind: 'int8', quantize: sampleQuantize() },
    ],
    samples: { fitted, selected, reported, dataName, preparation },
    effort: { allowedSeconds: 1200, takenSeconds: 745 },
    recipe: {
      commandLine: 'mcompress slim mobilenetv2.onnx --max-drop 1 --data images',
      document: { version: 1, preset: 'exact', combine: { maxDrop: 1 } },
    },
    elapsedMs: 745000,
  };
}

/** The result is a chain of factors alone, as large integers as the rival. */
export function factorizedCombine(): CombineReport {
  const sample = sampleCombine();
  const [slim, , factorize] = sample.steps;
  return {
    ...sample,
    result: 'factorize',
    int8Alone: undefined,
    idle: [idle('int8', 'slim', 'not-here'), idle('deepen', 'slim', 'unsupported')],
    steps: [slim, factorize && { ...factorize, fate: 'taken' as const }].filter((one) => one !== undefined),
    stages: [{ name: 'factorize', kind: 'factorize', factorize: sampleFactorize() }],
  };
}

export function missedCombine(): CombineReport {
  const sample = sampleCombine();
  const [slim, deepen] = sample.steps;
  const { latency } = sample.figures;
  return {
    ...sample,
    accuracy: lossOf(60, 4),
    kept: 'original',
    result: 'slim',
    int8Alone: { name: 'int8', loss: lost(0.4), latencyRatio: 1.2 },
    kinds: undefined,
    figures: {
      ...sample.figures,
      ...(latency ? { latency: { ...latency, verdict: 'slower', ratio: { value: 1.04, low: 1.02, high: 1.06 } } } : {}),
    },
    gates: { budget: { asked: '--latency 0.5x', verdict: 'missed' }, maxDrop: { limit: 1, verdict: 'missed' } },
    steps: [slim, deepen && { ...deepen, fate: 'over' as const }].filter((one) => one !== undefined),
    explored: [],
    stages: [],
    subset: { of: 1000, kept: [3, 281, 285], names: ['tiger <shark>', 'tabby', 'Egyptian cat'], by: 'labels' },
    warnings: ['only 9 samples are left to judge with: the loss is a rough guess'],
  };
}
