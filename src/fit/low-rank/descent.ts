// Alternating least squares with momentum (Mitchell, Ye & De Sterck 2020): each sweep begins where the last steps point to. Where that
// made the error worse the sweep is done again from the last terms themselves, and the momentum starts anew.
import { extrapolate, type Terms } from './rank-one-terms.js';

export interface CpFactors {
  readonly terms: Terms;
  /** tr((W - K) G (W - K)^T). */
  readonly error: number;
}

export interface DescentOptions {
  /** Sweeps at most. */
  readonly sweeps: number;
  /** Sweeps in a row that take off less than this part of the error each are the last. */
  readonly leastGain: number;
}

const PATIENCE = 3;

/** Terms after sweeps from `start` on; the error never rises. */
export async function descend(
  start: CpFactors,
  sweep: (terms: Terms) => Promise<CpFactors | undefined>,
  { sweeps, leastGain }: DescentOptions,
): Promise<CpFactors> {
  let [now, before, momentum, idle] = [start, start, 0, 0];
  for (let i = 0; i < sweeps && idle < PATIENCE; i++) {
    const from = momentum > 0 ? extrapolate(now.terms, before.terms, momentum / (momentum + 3)) : now.terms;
    const next = await sweep(from);
    if (next && next.error < now.error) {
      idle = now.error - next.error < leastGain * now.error ? idle + 1 : 0;
      [before, now] = [now, next];
      momentum++;
    } else if (momentum === 0) break;
    else momentum = 0;
  }
  return now;
}
