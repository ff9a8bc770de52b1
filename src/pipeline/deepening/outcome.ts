// What a run of learned slimming asks for and what it gives: the contract between the run (deepen-file.ts) and those who ask and report
// (src/cli, src/report).
import type { TradeStep } from '../trading/candidate.js';
import type { TradeOutcome, TradeReason } from '../trading/conclude.js';
import type { CostKind } from '../trading/costs.js';
import type { TradeRequest } from '../trading/trade-run.js';
import type { DeepenSettings } from './settings.js';

export interface DeepenRequest extends TradeRequest {
  readonly settings: DeepenSettings;
}

/**
 * Why a proposal was not taken. `slower-block`: the model was measured no faster with it alone. `no-saving`: it makes nothing smaller that
 * was to get smaller. `not-finite`: no fit could be found. `fails`: the runtime does not run it. `no-time`: the time for looking
 * was over.
 */
export type BlockReason = TradeReason | 'slower-block' | 'no-saving' | 'not-finite' | 'fails' | 'no-time';

export interface BeforeAfter {
  readonly before: number;
  readonly after: number;
}

/** One thing that could stand for a block, and what became of it. */
export interface DeepenedBlock {
  readonly rule: string;
  readonly form: string;
  /** The node that the block is called by: its first layer, or the Concat of branches. */
  readonly block: string;
  /** Operators of the nodes that go or change, in their order. */
  readonly operators: readonly string[];
  /** Milliseconds of the whole model with all blocks as they are, and with this alone replaced; undefined where not timed. */
  readonly ms: BeforeAfter | undefined;
  readonly macs: BeforeAfter;
  /** Of the outputs of the block, alone and fitted: mean squared error over variance; undefined where it was not fitted. */
  readonly error: number | undefined;
  /** Noise over signal of the outputs of the model with it alone; undefined where it was not measured. */
  readonly loss: number | undefined;
  /** In the result. */
  readonly refitError: number | undefined;
  /** Microseconds of the nodes of the block in the original, and of what is there in the result; undefined where it was not taken. */
  readonly us: BeforeAfter | undefined;
  /** Undefined where it was taken. */
  readonly reason: BlockReason | undefined;
}

/** A block that a rule does not take on. */
export interface DeclinedBlock {
  readonly rule: string;
  readonly form: string | undefined;
  readonly block: string;
  readonly code: string;
  readonly message: string;
}

/** Microseconds of a model by kinds of layers (DeepRebirth 2018, section 1): those with learned weights of higher order, and all others. */
export interface KindTimes {
  readonly tensor: number;
  readonly nonTensor: number;
  /** What the runtime adds: reorders of layouts, and what belongs to no node. */
  readonly runtime: number;
}

export interface DeepenOutcome extends TradeOutcome {
  readonly blocks: readonly DeepenedBlock[];
  readonly declined: readonly DeclinedBlock[];
  /** What had to get smaller. */
  readonly aim: CostKind;
  readonly steps: readonly TradeStep[];
  /** Layers that were refitted. */
  readonly refitted: number;
  /** `original`: no block was replaced, because what came out was slower, or lost too much, or nothing was worth it. */
  readonly kept: 'deepened' | 'original';
  readonly kinds: { readonly before: KindTimes; readonly after: KindTimes } | undefined;
  /** Passes that went over what came out. */
  readonly last: readonly string[];
  readonly samples: { readonly fitted: number; readonly selected: number; readonly reported: number };
  readonly dataFree: boolean;
}
