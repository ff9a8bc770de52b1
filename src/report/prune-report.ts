// The report of `prune`: what became smaller and faster, what was lost, what left each group of channels and why nothing
// left the others.
import { ACCURACY } from './eval-report.js';
import { FIGURES, FILE, REPORT_VERSION } from './facts.js';
import { GATE, MAX_DROP, RUN, SPEED } from './run-facts.js';
import { choice, exactly, list, maybe, object, real, whole, words, type ValueOf } from './shape.js';
import { REPORTED_ACCURACY, STEP_FIELDS, splitSamplesOrNone } from './trade-facts.js';

const GROUP = object(
  {
    name: words('What its first layer makes'),
    makers: list(words('Node'), 'Layers whose filters make the channels'),
    readers: list(words('Node'), 'Layers that sum over them'),
    widthBefore: whole('Channels of the slimmed model', { min: 0 }),
    widthAfter: whole('Channels that are left', { min: 0 }),
    code: maybe(words('Code of the reason why it kept all its channels')),
    message: maybe(words('The reason')),
    at: maybe(words('The node or value to blame')),
    scores: maybe(
      object(
        { min: real('Lowest'), median: real('Middle'), max: real('Highest') },
        'Scores of its channels before the first left',
      ),
    ),
    error: maybe(
      real('Error of what its readers give against the original, after the refit, as part of its variance', { min: 0 }),
    ),
    usBefore: maybe(real('Microseconds per run of its makers and readers in the original', { min: 0 })),
    usAfter: maybe(real('Microseconds per run of its makers and readers in the result', { min: 0 })),
  },
  'Channels that stand or fall together',
);

const STEP = object(
  { name: words('What was tried'), units: whole('Channels that were left, of those that could leave'), ...STEP_FIELDS },
  'A model on the way, judged on the samples for selection',
);

const SUBSET = object(
  {
    of: whole('Classes of the original'),
    kept: list(whole('Index in the original'), 'By index in the result'),
    names: maybe(list(words('Class'), 'By index in the result')),
    by: choice(['labels', 'predictions'], 'Where the classes of samples come from'),
    accuracyOriginal: maybe(ACCURACY),
    accuracyResult: maybe(ACCURACY),
    restrictedMacs: real('Multiplications of the original with nothing but its head cut', { min: 0 }),
    restrictedParameters: whole('Its parameters'),
    restrictedRatio: maybe(real('Time of the result against it: below 1 is faster', { min: 0 })),
  },
  'A model of some classes: losses are those against the original restricted to them',
);

export const PRUNE_REPORT = object(
  {
    version: exactly(REPORT_VERSION, 'Version of this format'),
    kind: exactly('prune', 'Kind of document'),
    input: FILE,
    output: maybe(FILE),
    kept: choice(['pruned', 'original'], 'original: nothing was pruned, as what came out may not stand'),
    figures: FIGURES,
    speed: SPEED,
    units: object({ before: whole('Channels that could leave'), after: whole('Channels left of them') }, 'Channels'),
    accuracy: REPORTED_ACCURACY,
    gates: object(
      {
        budget: maybe(object({ asked: words('The budget'), verdict: GATE }, 'How much was to leave')),
        maxDrop: MAX_DROP,
      },
      'Gates that were asked for',
    ),
    method: object(
      {
        score: words('What channels were ranked by'),
        scope: words('What they were compared over'),
        widths: words('Of what kept widths are multiples'),
        schedule: choice(['one-shot', 'dropnet'], 'In which steps channels left'),
        repair: choice(['on', 'off'], 'Whether what is left was refitted'),
        refitted: whole('Layers that were refitted'),
        removalError: maybe(
          real(
            'The model without the channels against the original with them at zero, before the repair: worst error relative to scale',
            { min: 0 },
          ),
        ),
      },
      'How channels left',
    ),
    groups: list(GROUP, 'Groups of channels in order of execution'),
    steps: list(STEP, 'Cycles, or candidates of a search'),
    subset: maybe(SUBSET),
    samples: splitSamplesOrNone('For statistics and refits'),
    ...RUN,
  },
  'Report of mcompress prune',
);

export interface PruneReport extends ValueOf<typeof PRUNE_REPORT> {}
export type PruneGroupReport = PruneReport['groups'][number];
