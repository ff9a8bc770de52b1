// What the reports of runs that trade accuracy for cost hold in common: the models, what was lost, budgets.
import { LOSS, PAIRED, PROPORTION } from './eval-report.js';
import { FIGURES, FILE } from './facts.js';
import { GATE, MAX_DROP, SPEED } from './run-facts.js';
import { choice, list, maybe, object, real, whole, words } from './shape.js';

/** What was lost, on samples that decided nothing. */
export const REPORTED_ACCURACY = object(
  {
    scored: whole('Samples that both models answered; none of them decided anything'),
    loss: maybe(LOSS),
    paired: maybe(PAIRED),
    agreement: maybe(PROPORTION),
  },
  'What was lost against the original',
);

/** Fields of such a report. */
export const TRADE = {
  input: FILE,
  output: maybe(FILE),
  figures: FIGURES,
  speed: SPEED,
  accuracy: REPORTED_ACCURACY,
  gates: object(
    { budget: maybe(object({ asked: words('The budgets'), verdict: GATE }, 'How much was to go')), maxDrop: MAX_DROP },
    'Gates that were asked for',
  ),
};

/** Fields of a model on the way, judged on the samples for selection. */
export const STEP_FIELDS = {
  macs: real('Multiplications of one run', { min: 0 }),
  parameters: whole('Parameters'),
  loss: LOSS,
  latencyRatio: maybe(real('Time against the original: below 1 is faster; absent where not timed', { min: 0 })),
};

/** Samples by what they were for. `fits`: what the first part was for. */
const splitFields = (fits: string) => ({
  fitted: whole(fits),
  selected: whole('For choices on the way'),
  reported: whole('For the loss that is reported'),
});

const SOURCE = {
  dataName: maybe(words('Folder or file, without the folder it lies in')),
  preparation: list(words('What was done to the samples'), 'How inputs were made'),
};

const RESTS_ON = 'What the result rests on';

/** The samples of a run that needs some. */
export const splitSamples = (fits: string) => object({ ...splitFields(fits), ...SOURCE }, RESTS_ON);

/** The samples of a run that can do without. */
export const splitSamplesOrNone = (fits: string) =>
  object(
    {
      ...splitFields(fits),
      dataFree: choice(['no', 'yes'], 'yes: nothing but weights was looked at, and random inputs scored'),
      ...SOURCE,
    },
    RESTS_ON,
  );
