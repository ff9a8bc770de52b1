// What became of every proposal.
import type { Model } from '../../ir/model.js';
import type { LayerTimes } from '../layer-times.js';
import type { TradeReason } from '../trading/conclude.js';
import { proposalsOf, type BlockPlan } from './components.js';
import type { DeepenedModel } from './make-deepened.js';
import type { BeforeAfter, DeepenedBlock } from './outcome.js';
import type { StudiedProposal } from './study.js';

export interface BlockFates {
  readonly made: DeepenedModel | undefined;
  readonly plan: BlockPlan;
  /** Proposals that did not pay beside the others. */
  readonly putBack: readonly string[];
  /** Why proposals that could be chosen were not. */
  readonly otherwise: TradeReason;
  readonly models: { readonly before: Model; readonly after: Model };
  readonly times: { readonly before: LayerTimes; readonly after: LayerTimes } | undefined;
}

/** One row per proposal, in the order of the rules. */
export function blockRows(
  proposals: readonly StudiedProposal[],
  { made, plan, putBack, otherwise, models, times }: BlockFates,
): DeepenedBlock[] {
  const taken = new Set(proposalsOf(plan));
  return proposals.map(({ name, priced, reason, layers, ...about }) => {
    const isTaken = taken.has(name);
    const nodes = priced?.nodes ?? [];
    const us: BeforeAfter | undefined =
      times && isTaken
        ? {
            before: timeOf(models.before, times.before, nodes),
            after: timeOf(models.after, times.after, [...nodes, ...layers]),
          }
        : undefined;
    return {
      ...about,
      refitError: isTaken ? worstOf(layers.flatMap((label) => made?.errors.get(label) ?? [])) : undefined,
      us,
      reason: isTaken ? undefined : (reason ?? (putBack.includes(name) ? 'no-gain' : otherwise)),
    };
  });
}

const worstOf = (errors: readonly number[]): number | undefined =>
  errors.length > 0 ? Math.max(...errors) : undefined;

/** Microseconds of the nodes of these names that are there. */
function timeOf(model: Model, { of }: LayerTimes, names: readonly string[]): number {
  const nodes = model.graph.nodes().filter(({ label }) => names.includes(label));
  return nodes.reduce((sum, node) => sum + (of.get(node)?.us ?? 0), 0);
}
