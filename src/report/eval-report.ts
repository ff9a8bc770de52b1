// The report of `eval`: how good a model is on data, and what it lost against a reference.
import { FILE, MACHINE, REPORT_VERSION, VERSIONS } from './facts.js';
import { choice, exactly, list, maybe, object, real, whole, words, type Shape, type ValueOf } from './shape.js';

const share = (description: string): Shape<number> => real(description, { min: 0, max: 1 });

export const PROPORTION = object(
  {
    count: whole('How many'),
    total: whole('Of how many samples'),
    value: share('count / total'),
    low: share('Lower end of the 95 % Wilson interval'),
    high: share('Upper end'),
  },
  'A share of the samples',
);
export type ProportionFacts = ValueOf<typeof PROPORTION>;

export const ACCURACY = object(
  {
    top1: PROPORTION,
    top5: maybe(PROPORTION),
    crossEntropy: maybe(
      real('Mean cross entropy of the labelled samples, nats; absent for quantized scores', { min: 0 }),
    ),
  },
  'How often the label is the class with the highest score, and among the five highest',
);
export type AccuracyFacts = ValueOf<typeof ACCURACY>;

const INTERVAL = object(
  { value: real('Estimate'), low: real('Lower end of the 95 % interval'), high: real('Upper end') },
  'An estimate with its interval',
);

const SIGNIFICANCE = choice(
  ['significant', 'not-significant'],
  'significant: McNemar gives less than 5 % for a difference by chance',
);

export const LOSS = object(
  {
    measure: choice(
      ['top-1 lost', 'top-1 disagreement', 'relative error'],
      'What counts as loss: with labels, without, of outputs that are no classes',
    ),
    unit: choice(['points', 'percent'], 'Points: hundredths of the samples; percent: of the energy of the output'),
    value: maybe(real('The loss; below 0 where the model is better; absent where nothing could be compared')),
    interval: maybe(INTERVAL),
    verdict: maybe(SIGNIFICANCE),
  },
  'What the model lost against the reference: what --max-drop limits',
);
export type LossFacts = ValueOf<typeof LOSS>;

export const PAIRED = object(
  {
    lost: whole('Samples that the reference has right and the model wrong'),
    gained: whole('The reverse'),
    samples: whole('Labelled samples'),
    drop: INTERVAL,
    p: share('Exact McNemar probability of a difference as large between equally good models'),
    verdict: SIGNIFICANCE,
  },
  'Both models on the same labelled samples; drop is the share of right answers lost',
);
export type PairedFacts = ValueOf<typeof PAIRED>;

const OUTPUT_DIFFERENCE = object(
  {
    name: words('Output of the model'),
    relativePercent: maybe(
      real('Energy of the error / energy of the reference, percent; absent where that is 0', { min: 0 }),
    ),
    sqnrDb: maybe(real('10 log10 of its inverse, dB; absent for equal')),
    psnrDb: maybe(real('Of images: peak signal to noise ratio over all samples, dB; absent for equal')),
    leastPsnrDb: maybe(real('Of the worst image, dB')),
    psnrPeak: maybe(real('The span that the ratio refers to', { min: 0 })),
    broken: whole('Samples of another shape, or with NaN or infinity in one model only: counted as lost'),
    worstSample: maybe(words('The sample with the largest relative error')),
    worstPercent: maybe(real('Its error, percent', { min: 0 })),
  },
  'One output against that of the reference',
);

const CLASS = object(
  {
    label: whole('Class of the model'),
    name: maybe(words('Its name')),
    samples: whole('Samples of this class'),
    right: PROPORTION,
    referenceRight: maybe(whole('How many of them the reference has right')),
    takenFor: maybe(whole('The wrong class given most often')),
    takenForCount: maybe(whole('How often')),
  },
  'One class',
);

const MISTAKE = object(
  {
    sample: words('Sample'),
    label: whole('Its class'),
    predicted: whole('The class that the model gave; -1: its scores are not numbers', { min: -1 }),
    referencePredicted: maybe(whole('The class that the reference gave', { min: -1 })),
    margin: real('Probability of that class minus that of the second; steps for quantized scores'),
  },
  'A wrong answer',
);

export const EVAL_REPORT = object(
  {
    version: exactly(REPORT_VERSION, 'Version of this format'),
    kind: exactly('eval', 'Kind of document'),
    model: FILE,
    reference: maybe(FILE),
    data: object(
      {
        name: words('Folder or file, without the folder it lies in'),
        digest: maybe(words('SHA-256 over all samples and how they were prepared; absent with a limit')),
        samples: whole('Samples that ran'),
        labelled: whole('Those with a label'),
        classes: maybe(whole('Classes that the data names')),
        preparation: list(words('What was done to the samples'), 'How inputs were made'),
        limit: maybe(whole('As many were asked for, drawn by the seed')),
        skippedCount: whole('Samples that could not be read'),
        skipped: list(object({ sample: words('Sample'), reason: words('Why') }, 'One sample'), 'The first of them'),
      },
      'What was fed',
    ),
    task: object(
      {
        kind: choice(['classify', 'regress'], 'classify: scores of classes; regress: values compared as they are'),
        outputs: list(words('Output'), 'Outputs that count'),
        why: words('How that was decided'),
        classes: maybe(whole('Scores per sample')),
        scores: maybe(
          choice(['logits', 'probabilities', 'integers'], 'What the scores are; softmax is taken of logits'),
        ),
        labelOffset: maybe(whole('Added to the labels of the data', {})),
      },
      'What the outputs were taken for',
    ),
    accuracy: maybe(ACCURACY),
    referenceAccuracy: maybe(ACCURACY),
    paired: maybe(PAIRED),
    agreement: maybe(PROPORTION),
    loss: maybe(LOSS),
    gate: maybe(
      object(
        {
          maxDrop: real('Allowed loss, in its unit', { min: 0 }),
          verdict: choice(['met', 'missed'], 'By the loss as measured'),
        },
        '--max-drop',
      ),
    ),
    differences: list(OUTPUT_DIFFERENCE, 'Outputs against those of the reference; empty without one'),
    outputs: list(
      object(
        {
          name: words('Output'),
          shape: list(whole('Size'), 'Shape for the first sample'),
          low: real('Least value'),
          high: real('Largest value'),
          mean: real('Mean'),
          nonFinite: whole('Samples with NaN or infinity'),
        },
        'One output',
      ),
      'Values of the outputs over all samples',
    ),
    classes: list(CLASS, 'Classes that occur, in order'),
    confusion: list(
      object(
        {
          label: whole('Class'),
          predicted: whole('Class given; -1: scores that are not numbers', { min: -1 }),
          count: whole('Samples', { min: 1 }),
        },
        'One cell',
      ),
      'Cells of the confusion matrix that are not 0',
    ),
    mistakes: list(MISTAKE, 'With a reference what it has right and the model wrong; else the worst by cross entropy'),
    batch: whole('Most samples of one run', { min: 1 }),
    batchReason: maybe(words('Why samples ran one by one in spite of an open batch axis')),
    runMs: real('Time in the model, milliseconds', { min: 0 }),
    referenceRunMs: maybe(real('Time in the reference, milliseconds', { min: 0 })),
    elapsedMs: real('Time in all, milliseconds', { min: 0 }),
    machine: MACHINE,
    versions: VERSIONS,
    seed: whole('Seed of the draw'),
    threads: whole('Intra-op threads', { min: 1 }),
    warnings: list(words('Warning'), 'Warnings'),
  },
  'Report of mcompress eval',
);

export interface EvalReport extends ValueOf<typeof EVAL_REPORT> {}
