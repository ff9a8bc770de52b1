// Layers with the chains that they can become, as plans choose among them.
import type { Plan, Priced, PricedSite } from '../trading/choose.js';
import type { ChainChoice } from './layer-options.js';

/** A chain with all its figures. */
export interface PricedOption extends ChainChoice, Priced {
  readonly error: number;
}

export type PricedLayer = PricedSite<PricedOption>;
export type ChainPlan = Plan<PricedOption>;
