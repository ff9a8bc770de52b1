// What the reports of runs that trade accuracy for cost hold in common: the models, what was lost, budgets.
import { LOSS, PAIRED, PROPORTION } from './eval-report.js';
import { FIGURES, FILE } from './facts.js';
import { GATE, MAX_DROP, SPEED } from './run-facts.js';
import { maybe, object, real, whole, words } from './shape.js';

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
