// In which steps units leave: all at once, or a share of what remains in each cycle.
import { findChannelGroups } from '../../analysis/channels.js';
import { openModel } from '../../onnx/open.js';
import { SCORES } from '../../passes/prune/scores/registry.js';
import { benchFacts } from '../quantization/bench.js';
import { groupStarts, type GroupStart } from './group-rows.js';
import { ALL_CHANNELS } from './kept-channels.js';
import { makePruned, type PrunedModel } from './make-pruned.js';
import type { PruneStep } from './outcome.js';
import { benchOf, type PruneRun } from './prune-run.js';
import { scopeOf, scoreGroups, selectShare } from './score-groups.js';

/** A pruned model that may be the result. */
export interface Candidate {
  /** In words, as the journal and the report call it. */
  readonly name: string;
  /** Makes it: its steps, the last of which is the model. The same bytes every time. */
  make(): Promise<readonly PrunedModel[]>;
}

/** What a schedule found. */
export interface Chosen {
  /** The groups of the slimmed model. */
  readonly groups: readonly GroupStart[];
  /** The best first. */
  readonly candidates: readonly Candidate[];
  readonly steps: readonly PruneStep[];
  /** Whether a candidate that loses more than is allowed makes way for the next. */
  readonly onLoss: 'stay' | 'next';
}

/** All units that leave leave at once. */
export async function pruneAtOnce(run: PruneRun): Promise<Chosen> {
  const { request, slimmed, score } = run;
  const { settings, seed, keepOverridable } = request;
  const decoded = await openModel(slimmed.path, { keepOverridable });
  const bench = benchOf(run, decoded);
  const groups = findChannelGroups(decoded.model, benchFacts(bench));
  const open = groups.filter(({ frozen, width }) => frozen === undefined && width > 1);
  const scored = await scoreGroups(bench, open, { name: score, seed });
  const scope = scopeOf(settings, SCORES[score]);
  const removals = selectShare(scored, scope, settings.ratio ?? 0);
  const start = decoded.model.journal.mark();
  const make = async (): Promise<readonly PrunedModel[]> => {
    decoded.model.journal.seek(start);
    return [await makePruned(run, bench, removals, ALL_CHANNELS)];
  };
  return {
    groups: groupStarts(groups, scored),
    candidates: removals.size === 0 ? [] : [{ name: `ratio ${settings.ratio}`, make }],
    steps: [],
    onLoss: 'stay',
  };
}
