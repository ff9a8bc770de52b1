// The document of `slim --json` over several models: one entry per model, with its report or what went wrong.
import { REPORT_VERSION } from './facts.js';
import { SLIM_REPORT, type SlimReport } from './report.js';
import { choice, exactly, list, maybe, object, whole, words, type Shape, type ValueOf } from './shape.js';

const FAILURE = object(
  {
    code: words('Code of the error'),
    message: words('What happened'),
    file: maybe(words('File it speaks of')),
    node: maybe(words('Node it speaks of')),
    tensor: maybe(words('Tensor or value it speaks of')),
    fix: maybe(words('What to do about it')),
  },
  'An error',
);

const SLIM: Shape<SlimReport> = SLIM_REPORT;

export const SLIM_BATCH = object(
  {
    version: exactly(REPORT_VERSION, 'Version of this format'),
    kind: exactly('slim-batch', 'Kind of document'),
    exitStatus: whole('Exit status of the run: the worst of its models'),
    models: list(
      object(
        {
          input: words('The model as it was named'),
          output: maybe(words('File that was written; absent where none was')),
          outcome: choice(['done', 'gate-not-met', 'failed'], 'What became of it'),
          exitStatus: whole('Exit status that this model alone would give'),
          report: maybe(SLIM),
          error: maybe(FAILURE),
        },
        'One model: done and gate-not-met have a report, failed has an error',
      ),
      'Models in the order in which they were named',
    ),
  },
  'Result of mcompress slim over several models',
);
export interface SlimBatchReport extends ValueOf<typeof SLIM_BATCH> {}
export type BatchEntry = SlimBatchReport['models'][number];
