// What the steps of one factorization run share.
import type { DecodedModel } from '../../onnx/decode.js';
import type { RuntimeHost } from '../../runtime/host.js';
import type { Original } from '../original.js';
import type { Recovery } from '../pruning/recovery.js';
import type { PruneSamples } from '../pruning/split-samples.js';
import type { Journal } from '../quantization/journal.js';
import type { Scorer } from '../quantization/score-candidate.js';
import type { SlimOutcome } from '../slim.js';
import type { Workspace } from '../workspace.js';
import type { MomentCache } from './observe-layers.js';
import type { FactorizeRequest } from './outcome.js';
import type { FactorCost } from './settings.js';

export interface FactorizeRun {
  readonly request: FactorizeRequest;
  readonly host: RuntimeHost;
  readonly workspace: Workspace;
  readonly samples: PruneSamples;
  readonly original: Original;
  /** The original, slimmed: what layers are factorized in. */
  readonly slimmed: SlimOutcome;
  /** The slimmed model, which stays as it is. */
  readonly teacher: DecodedModel;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly journal: Journal;
  readonly recovery: Recovery;
  /** Of candidates on the way, and of what comes out. */
  readonly scorers: { readonly select: Scorer; readonly report: Scorer };
  /** What the layers of the slimmed model read. */
  readonly cache: MomentCache;
  readonly timed: boolean;
  /** What has to get smaller; where time cannot be measured, multiplications stand for it. */
  readonly aim: FactorCost;
  readonly warnings: string[];
}
