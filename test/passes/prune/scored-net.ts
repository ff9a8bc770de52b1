// Small nets whose groups are scored: the group that a layer makes, and evidence that a test gives or gathers itself.
import { findChannelGroups } from '../../../src/analysis/channels.js';
import type { ChannelGroup } from '../../../src/analysis/channel-group.js';
import type { Facts } from '../../../src/analysis/facts.js';
import { createFacts } from '../../../src/analysis/inference.js';
import { createRng } from '../../../src/base/rng.js';
import type { ChannelMagnitudes } from '../../../src/fit/channel-magnitudes.js';
import type { Value } from '../../../src/ir/value.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { isRefusal } from '../../../src/passes/plan.js';
import { SCORES, type ScoreName } from '../../../src/passes/prune/scores/registry.js';
import type { GroupEvidence, ScoreOptions, UnitScores } from '../../../src/passes/prune/scores/score.js';

export interface ScoredNet {
  readonly group: ChannelGroup;
  readonly groups: readonly ChannelGroup[];
  readonly facts: Facts;
  value(name: string): Value;
}

/** The net of this text, and its group that the node with output `maker` makes. */
export function scoredNet(text: string, maker: string): ScoredNet {
  const model = parseModel(text);
  const facts = createFacts(model);
  const groups = findChannelGroups(model, facts);
  const group = groups.find(({ makers }) => makers.some(({ output }) => output?.name === maker));
  if (!group) throw new Error(`no group is made by ${maker}`);
  const value = (name: string): Value => {
    const found = model.graph.nodes().find(({ output }) => output?.name === name)?.output;
    if (!found) throw new Error(`no value ${name}`);
    return found;
  };
  return { group, groups, facts, value };
}

/** Magnitudes of one element per channel. */
export function magnitudes(numbers: readonly number[], zeros: readonly number[] = []): ChannelMagnitudes {
  return { count: 1, absolute: Float64Array.from(numbers), zeros: Float64Array.from(numbers, (_, i) => zeros[i] ?? 0) };
}

export function evidenceOf(
  { group }: Pick<ScoredNet, 'group'>,
  found: Partial<Omit<GroupEvidence, 'group'>> = {},
): GroupEvidence {
  return { group, activations: new Map(), moments: new Map(), covariance: new Map(), ...found };
}

/** The score of the net's group: its values, or the code of the refusal. */
export function scoreOf(
  name: ScoreName,
  net: Pick<ScoredNet, 'group' | 'facts'>,
  found: Partial<Omit<GroupEvidence, 'group'>> = {},
  options: Partial<ScoreOptions> = {},
): UnitScores | string {
  const given = { facts: net.facts, rng: createRng('scores'), ...options };
  const result = SCORES[name].score(evidenceOf(net, found), given);
  return isRefusal(result) ? result.refused : result;
}

/** The numbers of a score that is not refused. */
export function valuesOf(...given: Parameters<typeof scoreOf>): number[] {
  const result = scoreOf(...given);
  if (typeof result === 'string') throw new Error(`refused: ${result}`);
  return [...result.values];
}
