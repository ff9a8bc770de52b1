// The report of `slim --data`, the choice among all passes: what became smaller and faster, what was lost, which changes the result is
// made of and what each of them gives, what came of the others; and the reports of the runs that made it.
import { CHANGE_KINDS } from '../pipeline/combining/settings.js';
import { BOTH_KINDS, DEEPEN_REPORT } from './deepen-report.js';
import { LOSS } from './eval-report.js';
import { FACTORIZE_REPORT } from './factorize-report.js';
import { REPORT_VERSION } from './facts.js';
import { PRUNE_REPORT } from './prune-report.js';
import { QUANTIZE_REPORT } from './quantize-report.js';
import { RUN } from './run-facts.js';
import { choice, exactly, list, maybe, object, real, whole, words, type ValueOf } from './shape.js';
import { STEP_FIELDS, TRADE, splitSamples } from './trade-facts.js';

const STEP = object(
  {
    name: words('The changes in it, in their order'),
    kind: choice(['slim', ...CHANGE_KINDS], 'What was changed last; slim: the exact passes alone'),
    on: maybe(words('Name of the step that it builds on')),
    what: words('What was changed, in words'),
    ...STEP_FIELDS,
    bytes: whole('Size of the file, external data included'),
    seconds: real('How long it took to find', { min: 0 }),
    fate: choice(
      ['taken', 'beaten', 'over', 'slower'],
      'taken: the result, or what it was made of; beaten: another one is better; over, slower: it loses too much, or is slower than the original',
    ),
  },
  'A model that was made, judged on the samples for selection',
);

const IDLE = object(
  {
    kind: choice(CHANGE_KINDS, 'The change'),
    on: words('Name of the step that it was tried on'),
    code: words('Code of the reason'),
    message: words('The reason'),
    detail: maybe(words('What the run itself says of it')),
  },
  'A change that came to nothing',
);

const EXPLORED = object(
  {
    label: words('What was judged'),
    latencyRatio: real('Time against the original: below 1 is faster', { min: 0 }),
    loss: LOSS,
  },
  'A model that a run on the way judged, on the samples for selection',
);

const STAGE = object(
  {
    name: words('Name of the step that came of it'),
    kind: choice(CHANGE_KINDS, 'Which of the reports it has'),
    deepen: maybe(DEEPEN_REPORT),
    prune: maybe(PRUNE_REPORT),
    factorize: maybe(FACTORIZE_REPORT),
    quantize: maybe(QUANTIZE_REPORT),
  },
  'A run that the result came of, with its own report, whose original is the step that it builds on',
);

const INT8_ALONE = object(
  {
    name: words('Name of the step'),
    loss: LOSS,
    latencyRatio: real('Time against the original: below 1 is faster', { min: 0 }),
    resultRatio: maybe(
      object(
        {
          value: real('Time of the result / time of integers alone: below 1 the result is faster', { min: 0 }),
          low: real('Lower end of the 95 % interval', { min: 0 }),
          high: real('Upper end of the 95 % interval', { min: 0 }),
        },
        'The result against it, timed in turn; absent where it is the result',
      ),
    ),
  },
  'What 8-bit integers alone give within the same loss, on the reported samples: the line to beat',
);

const SUBSET = object(
  {
    of: whole('Classes of the original'),
    kept: list(whole('Index in the original'), 'By index in the result'),
    names: maybe(list(words('Class'), 'By index in the result')),
    by: choice(['labels', 'predictions'], 'Where the classes of samples come from'),
  },
  'A model of some classes: losses are those against the original restricted to them',
);

export const COMBINE_REPORT = object(
  {
    version: exactly(REPORT_VERSION, 'Version of this format'),
    kind: exactly('combine', 'Kind of document'),
    ...TRADE,
    kept: choice(['changed', 'original'], 'original: nothing beyond the exact passes was kept'),
    result: maybe(words('Name of the step that is the result; absent: the original itself is')),
    int8Alone: maybe(INT8_ALONE),
    method: object(
      {
        aim: choice(['latency', 'macs', 'params', 'size'], 'What had to get smaller'),
        tried: list(choice(CHANGE_KINDS, 'Change'), 'What was chosen among'),
      },
      'How it was chosen',
    ),
    steps: list(STEP, 'Models in the order in which they were made'),
    idle: list(IDLE, 'Changes that came to nothing'),
    explored: list(EXPLORED, 'All that runs on the way judged'),
    kinds: BOTH_KINDS,
    stages: list(STAGE, 'The runs that the result came of, in their order'),
    subset: maybe(SUBSET),
    samples: splitSamples('For calibration and fits'),
    effort: object(
      {
        allowedSeconds: real('Time that was allowed for looking', { min: 0 }),
        takenSeconds: real('Time that the run took', { min: 0 }),
      },
      'How long it looked',
    ),
    ...RUN,
  },
  'Report of mcompress slim --data, the choice among all passes',
);

export interface CombineReport extends ValueOf<typeof COMBINE_REPORT> {}
export type CombineStepReport = CombineReport['steps'][number];
export type StageReport = CombineReport['stages'][number];
