// What the reports of every run that writes a model end with: what it was, and what it was made with.
import { HISTOGRAM, MACHINE, VERSIONS } from './facts.js';
import { anyJson, choice, list, maybe, object, real, whole, words, type ValueOf } from './shape.js';

export const BASELINE = object(
  {
    name: words('File name of the earlier report'),
    verdict: choice(['met', 'regressed'], 'regressed: at least one figure is worse'),
    figures: list(
      object(
        {
          figure: words('Key of the figure'),
          label: words('Its name'),
          earlier: maybe(real('Value after slimming in the earlier report')),
          now: maybe(real('Value after slimming now')),
          verdict: choice(['better', 'same', 'worse', 'not-compared'], 'worse fails the run'),
          reason: maybe(words('Why it was not compared, or how close it was')),
        },
        'One figure',
      ),
      'Figures',
    ),
  },
  'Comparison with an earlier report',
);
export type BaselineComparison = ValueOf<typeof BASELINE>;

/** Fields of such a report. */
export const RUN = {
  operators: HISTOGRAM,
  recipe: object(
    {
      commandLine: words('The command that does the same again, ready to paste'),
      document: anyJson('The recipe as JSON, as --recipe reads it'),
    },
    'The recipe as run',
  ),
  baseline: maybe(BASELINE),
  machine: MACHINE,
  versions: VERSIONS,
  seed: whole('Seed of everything random'),
  threads: whole('Intra-op threads', { min: 1 }),
  elapsedMs: maybe(real('Duration of the run', { min: 0 })),
  warnings: list(words('Warning'), 'Warnings of the run'),
};

export const SPEED = choice(
  ['measured', 'unmeasured-here', 'not-measured'],
  'unmeasured-here: made for a processor that this machine is not; not-measured: not asked for, or not possible',
);

/** Verdict on what was asked of a run. */
export const GATE = choice(['met', 'missed'], 'missed: exit status 1, OUT was left alone');

export const MAX_DROP = maybe(
  object(
    { limit: real('Allowed loss, in its unit', { min: 0 }), verdict: GATE },
    '--max-drop: by the loss as measured',
  ),
);
