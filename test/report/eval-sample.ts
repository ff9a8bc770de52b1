// Made-up but plausible reports of `eval`: a classifier against its reference, one of many classes, and an image network.
import type { EvalReport } from '../../src/report/eval-report.js';
import { wilson, pairedDifference } from '../../src/pipeline/evaluation/statistics.js';
import { sampleReport } from './sample.js';

const NAMES = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];

/** 100 samples per class of which 90 - 2 label are right; the rest goes to the two classes behind. */
function confusion(count: number): EvalReport['confusion'] {
  return Array.from({ length: count }, (_, label) => {
    const right = 90 - 2 * (label % 10);
    const [next, other] = [(label + 1) % count, (label + 2) % count];
    return [
      { label, predicted: label, count: right },
      { label, predicted: next, count: 100 - right - 3 },
      { label, predicted: other, count: 3 },
    ];
  }).flat();
}

function classes(count: number): EvalReport['classes'] {
  return Array.from({ length: count }, (_, label) => {
    const right = 90 - 2 * (label % 10);
    return {
      label,
      name: count === NAMES.length ? NAMES[label] : `class ${label} with a rather long name`,
      samples: 100,
      right: wilson(right, 100),
      referenceRight: right + 1,
      takenFor: (label + 1) % count,
      takenForCount: 97 - right,
    };
  });
}

export function sampleEval(count = NAMES.length): EvalReport {
  const { input, output, machine, versions } = sampleReport();
  const total = 100 * count;
  const right = confusion(count).reduce((sum, cell) => (cell.label === cell.predicted ? sum + cell.count : sum), 0);
  const paired = pairedDifference(38, 27, total);
  const drop = paired.drop;
  return {
    version: 1,
    kind: 'eval',
    model: output ?? input,
    reference: input,
    data: {
      name: 'photographs <b>of things</b>',
      digest: 'ab'.repeat(32),
      samples: total,
      labelled: total,
      classes: count,
      preparation: ['imagenet: short side to 256, centre crop 224'],
      skippedCount: 2,
      skipped: [
        { sample: 'broken/1.jpg', reason: 'the file ends too early' },
        { sample: 'broken/2.jpg', reason: 'no image' },
      ],
    },
    task: {
      kind: 'classify',
      outputs: ['logits'],
      why: '"logits" has 10 scores per sample, and the data has labels',
      classes: count,
      scores: 'logits',
      labelOffset: 0,
    },
    accuracy: { top1: wilson(right, total), top5: wilson(total - 4, total), crossEntropy: 0.38420490489915 },
    referenceAccuracy: {
      top1: wilson(right + 11, total),
      top5: wilson(total - 2, total),
      crossEntropy: 0.35959372900703,
    },
    paired,
    agreement: wilson(total - 75, total),
    loss: {
      measure: 'top-1 lost',
      unit: 'points',
      value: 100 * drop.value,
      interval: { value: 100 * drop.value, low: 100 * drop.low, high: 100 * drop.high },
      verdict: paired.verdict,
    },
    gate: { maxDrop: 1, verdict: drop.value > 0.01 ? 'missed' : 'met' },
    differences: [
      { name: 'logits', relativePercent: 25.07, sqnrDb: 6.01, broken: 0, worstSample: '5/17.jpg', worstPercent: 180 },
    ],
    outputs: [{ name: 'logits', shape: [1, count], low: -12.4, high: 23.1, mean: -1.2e-7, nonFinite: 0 }],
    classes: classes(count),
    confusion: confusion(count),
    mistakes: [
      { sample: '3/cat-on-a-keyboard.jpg', label: 3, predicted: 5, referencePredicted: 3, margin: 0.81 },
      { sample: '9/truck.jpg', label: 9, predicted: -1, referencePredicted: 9, margin: 0 },
    ],
    batch: 64,
    runMs: 4711,
    referenceRunMs: 6300,
    elapsedMs: 12001,
    machine,
    versions,
    seed: 0,
    threads: 1,
    warnings: ['2 samples without a label: accuracy leaves them out'],
  };
}

/** A network whose output is an image, against its reference. */
export function sampleImageEval(): EvalReport {
  return {
    ...sampleEval(),
    accuracy: undefined,
    referenceAccuracy: undefined,
    paired: undefined,
    agreement: undefined,
    task: { kind: 'regress', outputs: ['outputImage'], why: 'no output is a row of class scores' },
    loss: { measure: 'relative error', unit: 'percent', value: 0.0342 },
    gate: { maxDrop: 1, verdict: 'met' },
    differences: [
      {
        name: 'outputImage',
        relativePercent: 0.0342,
        sqnrDb: 34.66,
        psnrDb: 38.12,
        leastPsnrDb: 33.9,
        psnrPeak: 255,
        broken: 0,
        worstSample: 'night.jpg',
        worstPercent: 0.11,
      },
      { name: 'same', relativePercent: 0, broken: 0 },
    ],
    outputs: [{ name: 'outputImage', shape: [1, 3, 720, 720], low: -31.2, high: 290.4, mean: 118.7, nonFinite: 0 }],
    classes: [],
    confusion: [],
    mistakes: [],
    batch: 1,
    batchReason: 'the model answers otherwise in a batch',
  };
}
