// The proposals of all rules for a model, by names that hold in every copy of it; and how some of them are carried out.
import type { Node } from '../../ir/node.js';
import type { BlockDecline, BlockProposal, BlockRule } from '../../passes/learned/block-rule.js';
import { BLOCK_RULES } from '../../passes/learned/rules.js';
import { benchFacts, type QuantizationBench } from '../quantization/bench.js';
import type { KeptChannels } from '../pruning/kept-channels.js';

/** A proposal that is named. */
export interface NamedProposal {
  readonly name: string;
  readonly rule: BlockRule;
  readonly proposal: BlockProposal;
}

export interface NamedDecline extends BlockDecline {
  readonly rule: BlockRule;
}

export interface FoundProposals {
  readonly proposals: readonly NamedProposal[];
  readonly declined: readonly NamedDecline[];
}

/** The rules of these names; all where there are none. */
export const rulesNamed = (names: readonly string[]): readonly BlockRule[] =>
  names.length === 0 ? BLOCK_RULES : BLOCK_RULES.filter(({ name }) => names.includes(name));

/** All that the rules could do in the model as it stands. */
export function findProposals(bench: QuantizationBench, rules: readonly BlockRule[]): FoundProposals {
  const facts = benchFacts(bench);
  const { graph } = bench.decoded.model;
  const found = rules.map((rule) => ({ rule, ...rule.find(graph, facts) }));
  const named = found.flatMap(({ rule, proposals }) =>
    proposals.map((proposal) => ({ name: nameOf(rule, proposal), rule, proposal })),
  );
  return {
    proposals: [...new Map(named.map((one) => [one.name, one])).values()],
    declined: found.flatMap(({ rule, declined }) => declined.map((one) => ({ ...one, rule }))),
  };
}

const nameOf = (rule: BlockRule, { form, block }: BlockProposal): string => `${rule.name} ${form} ${block.label}`;

export interface AppliedBlocks {
  /** Layers that are new or changed. */
  readonly layers: readonly Node[];
  readonly kept: KeptChannels;
  /** Proposals that are no longer there after those before them: nodes without names are called by values, which may go. */
  readonly missed: readonly string[];
}

/** Carries proposals out, one after the other, each found again in what those before it have left. */
export function applyProposals(
  bench: QuantizationBench,
  rules: readonly BlockRule[],
  names: readonly string[],
): AppliedBlocks {
  const layers: Node[] = [];
  const missed: string[] = [];
  const kept = new Map<string, ReadonlyMap<number, readonly number[]>>();
  for (const name of names) {
    const wanted = rules.filter((rule) => name.startsWith(`${rule.name} `));
    const found = findProposals(bench, wanted).proposals.find((one) => one.name === name);
    if (!found) {
      missed.push(name);
      continue;
    }
    const change = found.proposal.apply();
    layers.push(...change.layers);
    for (const [value, left] of change.kept) {
      const before = kept.get(value)?.get(1);
      kept.set(value, new Map([[1, before ? left.map((at) => before[at] ?? at) : left]]));
    }
  }
  return { layers: layers.filter(({ graph }) => graph !== undefined), kept, missed };
}
