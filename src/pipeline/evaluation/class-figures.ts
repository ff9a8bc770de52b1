// Per class: how often it is right, and what it is taken for.
import type { Answers, SampleAnswer } from './answers.js';
import { wilson, type Proportion } from './statistics.js';

export interface ClassFigures {
  /** Class of the model. */
  readonly label: number;
  readonly right: Proportion;
  /** Right by the reference, where there is one. */
  readonly before: number | undefined;
  /** The wrong class most often given, and how often. */
  readonly takenFor: { readonly predicted: number; readonly count: number } | undefined;
}

/** How often samples of class `label` were given class `predicted`. */
export interface ConfusionCell {
  readonly label: number;
  readonly predicted: number;
  readonly count: number;
}

/** The cells of the confusion matrix that are not 0, by label and then predicted class. */
export function confusionOf({ samples }: Pick<Answers, 'samples'>): ConfusionCell[] {
  const rows = new Map<number, Map<number, number>>();
  for (const { label, choice } of samples) {
    if (label === undefined || !choice) continue;
    const row = rows.get(label) ?? new Map<number, number>();
    rows.set(label, row.set(choice.predicted, (row.get(choice.predicted) ?? 0) + 1));
  }
  const inOrder = <T>(map: ReadonlyMap<number, T>): (readonly [number, T])[] => [...map].sort(([a], [b]) => a - b);
  return inOrder(rows).flatMap(([label, row]) =>
    inOrder(row).map(([predicted, count]) => ({ label, predicted, count })),
  );
}

/** Figures of the classes that occur, in order. */
export function classFigures(cells: readonly ConfusionCell[], reference: Answers | undefined): ClassFigures[] {
  const before = reference && countRight(reference.samples);
  const rows = new Map<number, ConfusionCell[]>();
  for (const cell of cells) rows.set(cell.label, [...(rows.get(cell.label) ?? []), cell]);
  return [...rows].map(([label, row]) => {
    const total = row.reduce((sum, { count }) => sum + count, 0);
    const right = row.find(({ predicted }) => predicted === label)?.count ?? 0;
    const [first] = row.filter(({ predicted }) => predicted !== label).sort((a, b) => b.count - a.count);
    return {
      label,
      right: wilson(right, total),
      before: before && (before.get(label) ?? 0),
      takenFor: first && { predicted: first.predicted, count: first.count },
    };
  });
}

function countRight(samples: readonly SampleAnswer[]): Map<number, number> {
  const right = new Map<number, number>();
  for (const { label, choice } of samples)
    if (label !== undefined && choice?.predicted === label) right.set(label, (right.get(label) ?? 0) + 1);
  return right;
}
