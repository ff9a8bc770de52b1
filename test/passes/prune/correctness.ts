// Removal against the masked original on ONNX Runtime: every group of a model alone, and all of them together. Shared by
// the tests and by bench/prune-correctness.mjs.
import type { ChannelGroup } from '../../../src/analysis/channel-group.js';
import { findChannelGroups } from '../../../src/analysis/channels.js';
import type { Facts } from '../../../src/analysis/facts.js';
import { createFacts } from '../../../src/analysis/inference.js';
import { residualBranch } from '../../../src/analysis/residual-branch.js';
import { createRng } from '../../../src/base/rng.js';
import { checkModel } from '../../../src/ir/check.js';
import type { Model } from '../../../src/ir/model.js';
import { removeUnits } from '../../../src/passes/prune/remove-units.js';
import { compareOutputs, outputScales } from '../../../src/runtime/compare.js';
import type { RuntimeHost } from '../../../src/runtime/host.js';
import { runModel, type Feeds } from '../run-model.js';
import { maskUnits } from '../../../src/passes/prune/mask-units.js';

export interface CorrectnessOptions {
  /** How many of the units of each group go. */
  readonly share: number;
  readonly seed: number | string;
  /** Largest difference, over the scale of the output. */
  readonly limit: number;
}

export interface Trial {
  /** Name of the group, or `all`. */
  readonly what: string;
  /** Over the scale of the output; undefined where nothing could be compared. */
  readonly error: number | undefined;
  /** What is wrong, if anything. */
  readonly miss: string | undefined;
}

export interface Correctness {
  readonly groups: number;
  /** Not frozen, and wide enough to lose a unit. */
  readonly prunable: number;
  /** How many groups by the code that freezes them. */
  readonly frozen: ReadonlyMap<string, number>;
  /** How many prunable groups by the code that refuses the removal. */
  readonly refused: ReadonlyMap<string, number>;
  readonly trials: readonly Trial[];
}

type Removals = ReadonlyMap<ChannelGroup, readonly number[]>;

/** Units to go, at random: the given share of the width, but one at least and never all. */
export function randomUnits(group: ChannelGroup, { share, seed }: CorrectnessOptions): number[] {
  const rng = createRng(`units/${seed}/${group.name}`);
  const count = Math.min(group.width - 1, Math.max(1, Math.round(share * group.width)));
  return Array.from({ length: group.width }, (_, unit) => ({ unit, key: rng.uniform() }))
    .sort((a, b) => a.key - b.key)
    .slice(0, count)
    .map(({ unit }) => unit)
    .sort((a, b) => a - b);
}

/** Removes units of every group alone and of all together, and branches whole; the model is left as it was. */
export async function checkRemoval(
  model: Model,
  feeds: readonly Feeds[],
  host: RuntimeHost,
  options: CorrectnessOptions,
): Promise<Correctness> {
  const facts = createFacts(model);
  const groups = findChannelGroups(model, facts);
  const prunable = groups.filter(({ frozen, width }) => frozen === undefined && width > 1);
  const units = new Map(prunable.map((group) => [group, randomUnits(group, options)] as const));
  const refused = new Map<string, number>();
  const trials: Trial[] = [];
  const together = prunable.length > 1 ? [{ what: 'all', removals: units as Removals }] : [];
  const alone = prunable.map((group) => ({ what: group.name, removals: new Map([[group, units.get(group) ?? []]]) }));
  const whole = prunable
    .filter((group) => residualBranch(group, facts))
    .map((group) => ({
      what: `${group.name}, whole`,
      removals: new Map([[group, Array.from({ length: group.width }, (_, unit) => unit)]]),
    }));
  for (const { what, removals } of [...alone, ...together, ...whole]) {
    const trial = await tryRemoval(model, facts, removals, { feeds, host, limit: options.limit });
    if (typeof trial === 'string') refused.set(trial, (refused.get(trial) ?? 0) + 1);
    else trials.push({ what, ...trial });
  }
  const frozen = new Map<string, number>();
  for (const { frozen: freeze } of groups) if (freeze) frozen.set(freeze.code, (frozen.get(freeze.code) ?? 0) + 1);
  return { groups: groups.length, prunable: prunable.length, frozen, refused, trials };
}

interface Running {
  readonly feeds: readonly Feeds[];
  readonly host: RuntimeHost;
  readonly limit: number;
}

/** One comparison; the code of the first refusal where nothing was removed. */
async function tryRemoval(
  model: Model,
  facts: Facts,
  removals: Removals,
  running: Running,
): Promise<Omit<Trial, 'what'> | string> {
  const start = model.journal.mark();
  const { removed, refused } = removeUnits(model, facts, removals);
  if (removed.length === 0) return [...refused.values()][0]?.code ?? 'nothing';
  const problem = checkModel(model)[0];
  if (problem) {
    model.journal.seek(start);
    return { error: undefined, miss: `${problem.rule}: ${problem.message}` };
  }
  try {
    const pruned = await outputsOf(model, running);
    model.journal.seek(start);
    maskUnits(facts, new Map([...removals].filter(([group]) => removed.includes(group))));
    return compare(await outputsOf(model, running), pruned, running.limit);
  } catch (error) {
    return { error: undefined, miss: error instanceof Error ? error.message : String(error) };
  } finally {
    model.journal.seek(start);
  }
}

async function outputsOf(model: Model, { feeds, host }: Running): Promise<Feeds[]> {
  const outputs: Feeds[] = [];
  for (const sample of feeds) outputs.push(await runModel(host, model, sample));
  return outputs;
}

function compare(masked: readonly Feeds[], pruned: readonly Feeds[], limit: number): Omit<Trial, 'what'> {
  const scales = outputScales(masked);
  let worst = 0;
  for (const [i, expected] of masked.entries()) {
    const agreement = compareOutputs(expected, pruned[i] ?? new Map(), { tolerance: { mode: 'scale', limit }, scales });
    worst = Math.max(worst, agreement.worst?.relativeError ?? 0);
    if (!agreement.agrees) return { error: worst, miss: `output ${agreement.worst?.name}: ${agreement.worst?.reason}` };
  }
  return { error: worst, miss: undefined };
}
