// What was lost by changing a model, in words, and whether that is allowed: the same for all runs that score on samples.
import type { LossFacts } from './eval-report.js';
import { gateSentence, lossValue } from './eval-words.js';
import type { Tone } from './figures.js';
import { given, plural } from './format.js';
import type { PruneReport } from './prune-report.js';

/** What such a report says of the loss. */
export interface Judged {
  readonly accuracy: PruneReport['accuracy'];
  readonly gates: Pick<PruneReport['gates'], 'maxDrop'>;
}

/** What `--max-drop` found. */
export function maxDropText({ accuracy: { loss }, gates: { maxDrop } }: Judged): string {
  if (!maxDrop) return '';
  if (!loss) return 'nothing could be scored';
  return gateSentence(loss, { maxDrop: maxDrop.limit, verdict: maxDrop.verdict }).replace(/\.$/, '');
}

const points = (value: number): string => value.toFixed(1).replace(/^-(0\.0)$/, '$1');

/** The loss in a few words, for the first line: `top-1 lost: 0.3 points on 900 samples`. */
export function lossText(
  { accuracy: { loss, scored }, gates }: Judged,
  dataFree: 'yes' | 'no',
): { readonly text: string; readonly tone: Tone } {
  if (!loss) return { text: 'the loss was not measured', tone: 'warn' };
  const { value, interval, unit, verdict } = loss;
  const reach = given(interval, ({ low, high }) => ` (95 %: ${points(low)} … ${points(high)})`);
  const on = dataFree === 'yes' ? `${scored} random inputs` : plural(scored, 'sample');
  const text = `${loss.measure}: ${lossValue({ value, unit })}${reach}, ${on}`;
  if (dataFree === 'yes') return { text, tone: 'warn' };
  if (gates.maxDrop) return { text, tone: gates.maxDrop.verdict === 'met' ? 'good' : 'bad' };
  return { text, tone: verdict === 'significant' && (value ?? 1) > 0 ? 'bad' : 'plain' };
}

/** `0.3 points lost`, `0.1 points gained`. */
export const lostText = ({ accuracy: { loss } }: Judged): string => (loss ? lostOf(loss) : 'not measured');

/** The same of one loss. */
export function lostOf({ value, unit }: Pick<LossFacts, 'value' | 'unit'>): string {
  return value !== undefined && value < 0
    ? `${lossValue({ value: -value, unit })} gained`
    : `${lossValue({ value, unit })} lost`;
}
