// The scores of all groups of a model, from what is observed of them on the samples.
import type { ChannelGroup } from '../../analysis/channel-group.js';
import { createRng } from '../../base/rng.js';
import { SCORES, type ScoreName } from '../../passes/prune/scores/registry.js';
import type { Scope } from '../../passes/prune/scores/scope.js';
import type { Score, ScoreRefusal, UnitScores } from '../../passes/prune/scores/score.js';
import { isRefusal } from '../../passes/plan.js';
import { benchFacts, type QuantizationBench } from '../quantization/bench.js';
import { observeGroups } from './observe-groups.js';
import type { PruneSettings } from './settings.js';

export interface GroupScores {
  readonly group: ChannelGroup;
  /** Undefined where the score has no answer. */
  readonly scores: UnitScores | undefined;
  readonly refusal: ScoreRefusal | undefined;
}

/** The score that `auto` stands for. */
export function scoreName({ score }: Pick<PruneSettings, 'score'>, data: 'given' | 'none'): ScoreName {
  if (score !== 'auto') return score;
  return data === 'given' ? 'obs' : 'folding';
}

/** What units are compared over. Raw numbers of scores that are meant for one layer are divided by their mean there. */
export function scopeOf({ scope }: Pick<PruneSettings, 'scope'>, score: Score): Scope {
  const normalize = score.scope.over === 'group' ? 'mean' : score.scope.normalize;
  if (scope === 'auto') return score.scope;
  return scope === 'layer' ? { over: 'group' } : { over: scope === 'global' ? 'all' : 'isomorphic', normalize };
}

/** Scores of `groups`, in their order. @throws what `observeGroups` throws */
export async function scoreGroups(
  bench: QuantizationBench,
  groups: readonly ChannelGroup[],
  { name, seed }: { readonly name: ScoreName; readonly seed: number },
): Promise<GroupScores[]> {
  const score: Score = SCORES[name];
  const rng = createRng(seed);
  const facts = benchFacts(bench);
  const results: GroupScores[] = [];
  const evidence = observeGroups(bench, groups, {
    needs: new Set(score.needs),
    seed,
    onPass: (pass, passes) => bench.onStage?.(`looking at the channels, run ${pass} of ${passes}`),
  });
  for await (const one of evidence) {
    const found = score.score(one, { facts, rng });
    results.push(
      isRefusal(found)
        ? { group: one.group, scores: undefined, refusal: found.refused }
        : { group: one.group, scores: found, refusal: undefined },
    );
  }
  return results;
}
