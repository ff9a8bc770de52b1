// What the steps of one run of learned slimming share.
import type { TradeRun } from '../trading/trade-run.js';
import type { DeepenRequest } from './outcome.js';

export type DeepenRun = TradeRun<DeepenRequest>;
