// Blocks that do not pay beside the others are put back: each was timed alone, against a model with all other blocks as they were.
import { candidateOf, type Candidate } from '../trading/candidate.js';
import type { BlockRule } from '../../passes/learned/block-rule.js';
import type { Trade } from '../trading/trade-run.js';
import { openBench } from '../pruning/prune-run.js';
import { applyProposals } from './blocks.js';
import { proposalsOf, type BlockOption, type BlockPlan } from './components.js';
import type { DeepenedModel } from './make-deepened.js';
import type { DeepenRun } from './deepen-run.js';
import { publishable, timesOf } from './rough-times.js';

/** What a block has to save of the time of the model. */
const LEAST = 0.003;

/** The candidate without the blocks that the model is no slower without; itself where all pay. Times need no fit. */
export async function withoutIdleBlocks(
  run: DeepenRun,
  rules: readonly BlockRule[],
  { trade, candidate }: { readonly trade: Trade<BlockOption, DeepenedModel>; readonly candidate: BlockCandidate },
): Promise<BlockCandidate> {
  const { plan, name, key } = candidate;
  const idle = await run.journal.recall(`blocks that do not pay in ${key}`, () => idleBlocks(run, rules, plan));
  if (idle.length === 0) return candidate;
  return candidateOf(trade, `${name}, without what does not pay`, without(plan, idle));
}

type BlockCandidate = Candidate<BlockOption, DeepenedModel>;

async function idleBlocks(run: DeepenRun, rules: readonly BlockRule[], plan: BlockPlan): Promise<string[]> {
  let left = proposalsOf(plan);
  if (left.length < 2) return [];
  const fileOf = (names: readonly string[]): Promise<string> => unfitted(run, rules, names);
  let whole = await fileOf(left);
  // The most expensive first: what is lost by it is what can be saved.
  const losses = new Map(plan.flatMap(([, { proposals, loss }]) => proposals.map((one) => [one, loss] as const)));
  for (const one of left.toSorted((a, b) => (losses.get(b) ?? 0) - (losses.get(a) ?? 0))) {
    const others = left.filter((name) => name !== one);
    run.request.onStage?.(`timing blocks, ${one} left out`);
    const path = await fileOf(others);
    const { ratio } = await timesOf(run, { before: whole, after: path });
    const [idle, kept] = ratio <= 1 + LEAST ? [whole, path] : [path, whole];
    if (idle === whole) left = others;
    await run.workspace.remove(idle);
    whole = kept;
    if (left.length < 2) break;
  }
  await run.workspace.remove(whole);
  return proposalsOf(plan).filter((name) => !left.includes(name));
}

/** A model file with these blocks replaced and nothing fitted, as it would be published. */
async function unfitted(run: DeepenRun, rules: readonly BlockRule[], names: readonly string[]): Promise<string> {
  const bench = await openBench(run, run.base);
  applyProposals(bench, rules, names);
  return publishable(run, bench);
}

/** The plan without these; sets that lose all of theirs go. */
const without = (plan: BlockPlan, idle: readonly string[]): BlockPlan =>
  plan.flatMap(([site, option]) => {
    const proposals = option.proposals.filter((name) => !idle.includes(name));
    return proposals.length > 0 ? [[site, { ...option, proposals }] as const] : [];
  });
