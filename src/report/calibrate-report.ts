// The report of `calibrate`: which ranges the values of a model have over samples, and what each calibrator makes of them.
import { FILE, MACHINE, REPORT_VERSION, VERSIONS } from './facts.js';
import { choice, exactly, list, maybe, object, real, whole, words, type ValueOf } from './shape.js';

const SHIFT = {
  shift: real('Median over the channels of |mean - running mean|, in running deviations', { min: 0 }),
  spread: real('Median over the channels of deviation / running deviation', { min: 0 }),
};

const RANGE = object(
  { calibrator: words('Name'), min: real('Lower end'), max: real('Upper end') },
  'What one calibrator chooses for 256 levels; every range holds 0',
);

const VALUE = object(
  {
    name: words('Value of the model'),
    elements: whole('Elements over all samples'),
    counted: whole('Those that the histogram counts: of large values every k-th'),
    nonFinite: whole('Those that are infinite or not a number; they count nowhere'),
    zeros: whole('Those of them that are exactly 0'),
    min: maybe(real('Least; absent where there was no number')),
    max: maybe(real('Largest')),
    ranges: list(RANGE, 'One per calibrator'),
  },
  'One value',
);

export const CALIBRATE_REPORT = object(
  {
    version: exactly(REPORT_VERSION, 'Version of this format'),
    kind: exactly('calibrate', 'Kind of document'),
    model: maybe(FILE),
    modelSha256: words('SHA-256 of the model file, with its external data where it has any: the key of the cache'),
    output: words('Name of the cache; "-" for standard output'),
    data: object(
      {
        kind: choice(['samples', 'none'], 'none: random inputs'),
        name: maybe(words('Folder or file, without the folder it lies in')),
        digest: words('SHA-256 over the samples and how they were prepared; empty without samples'),
        preparation: list(words('What was done to the samples'), 'How inputs were made'),
        order: choice(['stored', 'shuffled'], 'shuffled: drawn by the seed'),
        seed: whole('Seed of the draw; 0 where nothing was drawn'),
        total: maybe(whole('Samples of the whole; absent where that was not known')),
        parts: list(
          object({ from: whole('First position'), to: whole('Position behind the last') }, 'Some of them'),
          'The samples in this cache',
        ),
        samples: whole('Samples that ran'),
        skippedCount: whole('Samples that could not be read'),
        skipped: list(object({ sample: words('Sample'), reason: words('Why') }, 'One sample'), 'The first of them'),
      },
      'What was fed',
    ),
    merged: maybe(whole('Caches that were merged')),
    values: list(VALUE, 'In the order of the graph'),
    normalization: maybe(
      object(
        {
          ...SHIFT,
          nodes: list(object({ node: words('BatchNormalization'), ...SHIFT }, 'One node'), 'The first nodes'),
        },
        'The samples against the statistics that the model holds of its training data; medians over the nodes',
      ),
    ),
    threads: maybe(whole('Threads inside one operator', { min: 1 })),
    elapsedMs: maybe(real('Duration', { min: 0 })),
    machine: MACHINE,
    versions: VERSIONS,
    warnings: list(words('Warning'), 'Warnings of the run'),
  },
  'Report of mcompress calibrate',
);

export interface CalibrateReport extends ValueOf<typeof CALIBRATE_REPORT> {}
