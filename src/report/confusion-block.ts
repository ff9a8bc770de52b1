// Which classes a confusion matrix shows: all, or those with the most errors and the rest as one.
import type { MatrixBlock } from './document.js';
import type { EvalReport } from './eval-report.js';
import { plural } from './format.js';

/** With more classes the matrix shows the worst. */
const MOST_CLASSES = 60;
const WORST_CLASSES = 40;

/** The classes to show, in order; undefined for the rest where there is one. */
function shownClasses(confusion: EvalReport['confusion']): readonly number[] {
  const errors = new Map<number, number>();
  for (const { label, predicted, count } of confusion) {
    const cost = label === predicted ? 0 : count;
    for (const one of [label, predicted]) errors.set(one, (errors.get(one) ?? 0) + cost);
  }
  const byNumber = (a: number, b: number): number => a - b;
  const all = [...errors.keys()].filter((label) => label >= 0).sort(byNumber);
  if (all.length <= MOST_CLASSES) return all;
  const cost = (label: number): number => errors.get(label) ?? 0;
  return all
    .toSorted((a, b) => cost(b) - cost(a))
    .slice(0, WORST_CLASSES)
    .sort(byNumber);
}

/** With fewer samples in the largest class the worst of many classes are chance. */
export const LEAST_PER_CLASS = 5;

/** The confusion matrix as a picture; nothing without labels, or for many classes of few samples. `named`: a class in words. */
export function confusionBlock(
  { confusion, classes }: EvalReport,
  named: (label: number) => string,
): MatrixBlock | undefined {
  if (confusion.length === 0) return undefined;
  const shown = shownClasses(confusion);
  const most = classes.reduce((largest, { samples }) => Math.max(largest, samples), 0);
  if (shown.length < classes.length && most < LEAST_PER_CLASS) return undefined;
  const place = new Map(shown.map((label, at) => [label, at]));
  const counts = new Map<string, MatrixBlock['cells'][number]>();
  let others = 0;
  for (const { label, predicted, count } of confusion) {
    const row = place.get(label);
    if (row === undefined) continue;
    const column = place.get(predicted) ?? shown.length;
    if (column === shown.length) others += count;
    const key = `${row},${column}`;
    counts.set(key, { row, column, count: count + (counts.get(key)?.count ?? 0) });
  }
  const rest = others === 0 ? [] : ['others'];
  const whole = shown.length === classes.length;
  const which = whole
    ? plural(shown.length, 'class', 'classes')
    : `the ${shown.length} of ${classes.length} classes with the most errors`;
  const lastColumn = others === 0 ? '' : '; the last: any other';
  return {
    kind: 'matrix',
    caption: `Confusion matrix, ${which}. Rows: what it is. Columns, in the same order: what it was taken for${lastColumn}`,
    description: 'Shaded by the share of the row; the diagonal is right.',
    rows: shown.map(named),
    columns: [...shown.map(named), ...rest],
    heads: [...shown.map(String), ...rest.map(() => '…')],
    cells: [...counts.values()],
  };
}
