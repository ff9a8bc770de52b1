// What the steps of one factorization run share.
import type { TradeRun } from '../trading/trade-run.js';
import type { MomentCache } from './observe-layers.js';
import type { FactorizeRequest } from './outcome.js';

export interface FactorizeRun extends TradeRun<FactorizeRequest> {
  /** What the layers of the slimmed model read. */
  readonly cache: MomentCache;
}
