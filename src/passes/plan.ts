// The outcome of looking at a site before anything is changed: a plan that can be carried out, a coded reason why it
// will not be, or undefined where the pattern is not there at all.
import type { DeclineDetails } from './pass.js';

/** Why a site that looked right is left alone; `refused` is a decline code of the pass. */
export interface Refusal<C extends string> {
  readonly refused: C;
  readonly details: DeclineDetails;
}

export type Planned<T, C extends string> = T | Refusal<C> | undefined;

/** A refusal with its decline code and the figures of its message. */
export function refuse<const C extends string>(code: C, details: DeclineDetails = {}): Refusal<C> {
  return { refused: code, details };
}

/** Tells a refusal from a plan. */
export function isRefusal<T extends object, C extends string>(planned: T | Refusal<C>): planned is Refusal<C> {
  return 'refused' in planned;
}
