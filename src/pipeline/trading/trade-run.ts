// What the steps of a run share that trades accuracy for cost: layers or blocks of a model have options, each with a loss and a cost,
// and a plan takes one of each.
import type { DecodedModel } from '../../onnx/decode.js';
import type { RuntimeHost } from '../../runtime/host.js';
import type { ConfiguredPass } from '../configured-pass.js';
import type { Original } from '../original.js';
import type { Recovery } from '../pruning/recovery.js';
import type { PruneSamples } from '../pruning/split-samples.js';
import type { Journal } from '../quantization/journal.js';
import type { Scorer } from '../quantization/score-candidate.js';
import type { SampledRunRequest } from '../run-request.js';
import type { SlimOutcome } from '../slim.js';
import type { Workspace } from '../workspace.js';
import type { Budgets } from './budgets.js';
import type { Plan, Priced, PricedSite } from './choose.js';
import type { CostKind } from './costs.js';

export interface TradeRequest extends SampledRunRequest {
  readonly settings: Budgets & {
    /** Samples for statistics and refits; the others judge. */
    readonly samples: number | undefined;
  };
  /** Most samples to use, drawn by the seed; all by default. */
  readonly limit?: number;
}

export interface TradeRun<Q extends TradeRequest = TradeRequest> {
  readonly request: Q;
  readonly host: RuntimeHost;
  readonly workspace: Workspace;
  readonly samples: PruneSamples;
  readonly original: Original;
  /** The original, slimmed, as it would be published with nothing changed. */
  readonly slimmed: SlimOutcome;
  /** The file that is changed: the slimmed model without what the last passes make of it. */
  readonly base: string;
  /** Passes that go over whatever comes out. */
  readonly last: readonly ConfiguredPass[];
  /** The model in `base`, which stays as it is. */
  readonly teacher: DecodedModel;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly journal: Journal;
  readonly recovery: Recovery;
  /** Of candidates on the way, and of what comes out. */
  readonly scorers: { readonly select: Scorer; readonly report: Scorer };
  readonly timed: boolean;
  /** What has to get smaller; where time cannot be measured, multiplications stand for it. */
  readonly aim: CostKind;
  readonly warnings: string[];
}

/** A model that a plan was carried out on; its file lies in the workspace. */
export interface MadeModel {
  readonly path: string;
  /** Where `path` is what passes made of it: the file that changes go on from. */
  readonly raw?: string;
  readonly refitted: number;
}

/** A run with what can be chosen in it, and how a choice is carried out. */
export interface Trade<O extends Priced, M extends MadeModel> {
  readonly run: TradeRun;
  readonly priced: readonly PricedSite<O>[];
  /** What is chosen, in words for messages: `chains`. */
  readonly what: string;
  /** Chains, or blocks, that are changed by a plan. */
  count(plan: Plan<O>): number;
  /** A rough time of a model against the original, for candidates of a search; undefined: they are not timed. */
  readonly timeOf?: ((path: string) => Promise<number>) | undefined;
  /** The model with this plan, before the exact passes go over it. */
  make(plan: Plan<O>): Promise<M>;
}
