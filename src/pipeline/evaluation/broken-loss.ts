// When a model whose user set no limit on the loss is taken for broken.
import type { Loss } from './compare-answers.js';

/** What must surely be lost: points, or percent of the energy. */
export const BROKEN_LOSS = { points: 10, percent: 5 } as const;

/** Whether even the lower end of the interval of a loss is beyond that. */
export function isSurelyBroken({ unit, value, interval }: Loss): boolean {
  return (interval?.low ?? value) > BROKEN_LOSS[unit];
}
