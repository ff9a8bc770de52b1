// What each group costs in accuracy by its width: the error at the outputs of the whole model when the units that rank lowest
// leave this group alone and its readers are refitted. A few widths are measured on a few samples; between them the error
// follows the local curve of the score, e(k) = s(k) l(k): l is what the readers lose (scores that know it; else the square
// of the share that leaves), and log s runs straight from one measured width to the next, level outside of them. What it costs
// to lose a whole branch is measured with a linear map in its place; no width costs more than that.
import type { ChannelGroup } from '../../analysis/channel-group.js';
import { createRng } from '../../base/rng.js';
import { isRefusal } from '../../passes/plan.js';
import { SCORES, type ScoreName } from '../../passes/prune/scores/registry.js';
import type { GroupEvidence, Score, UnitScores } from '../../passes/prune/scores/score.js';
import { unitFilters } from '../../passes/prune/scores/units.js';
import { benchFacts, firstFeeds, type QuantizationBench } from '../quantization/bench.js';
import { OutputReference } from '../quantization/output-error.js';
import { absorbUnits } from './absorb-units.js';
import { CAUTION, fitStandIns, type BranchEdit } from './branch-stand-in.js';
import { groupLevels, type LevelOptions } from './levels.js';
import { observeGroups } from './observe-groups.js';
import { repairedShare } from './repaired-share.js';
import type { GroupCurve, GroupStudy, LeftGroup, StudiedGroup } from './width-choice.js';

export interface StudyOptions {
  readonly score: ScoreName;
  readonly seed: number;
  readonly levels: LevelOptions;
  /** `none`: nothing but weights is looked at. */
  readonly data: 'given' | 'none';
  /** Samples that errors are measured on; default: as many as make 4e9 multiplications, 8 to 64. */
  readonly judged?: number;
  /** Parts of the width near which errors are measured. */
  readonly anchors?: readonly number[];
  /** Whether all layers behind a group will be refitted, and not its readers alone; default `off`. */
  readonly repair?: 'on' | 'off';
}

/** Not so narrow that errors of groups do not add up any more. */
const ANCHORS: readonly number[] = [0.75, 0.4];
const JUDGED_MACS = 4e9;
const FEWEST_JUDGED = 8;
const MOST_JUDGED = 64;
/** On this share of the samples errors are measured, at most; the others are for statistics. Fewer than 4 samples do both. */
const JUDGED_SHARE = 1 / 4;
/** Errors below are noise of float32. */
const LEAST_ERROR = 1e-12;
const MOST_ERROR = 1e6;

/**
 * Ranks the units of all groups that have a choice of widths, and measures their curves. The model is as it was
 * afterwards. Without data, and for a score that looks at nothing but weights and names no errors, the curve is the share
 * of the squared filters that leaves. @throws what `observeGroups` and running the model throw
 */
export async function studyGroups(
  bench: QuantizationBench,
  groups: readonly ChannelGroup[],
  options: StudyOptions,
): Promise<GroupStudy> {
  const facts = benchFacts(bench);
  const levels = new Map(groups.map((group) => [group, groupLevels(group, facts, options.levels)]));
  const open = groups.filter((group) => (levels.get(group)?.length ?? 0) > 1);
  const left: LeftGroup[] = groups
    .filter((group) => !open.includes(group))
    .map((group) => ({ group, why: group.frozen ? 'frozen' : 'no-level' }));
  const score: Score = SCORES[options.score];
  const rng = createRng(options.seed);
  const judge = options.data === 'given' && open.length > 0 ? await Judge.gather(bench, options) : undefined;
  const leaving = open.filter((group) => levels.get(group)?.[0] === 0);
  const standIns = judge ? await fitStandIns(judge.rest, leaving, options.seed) : new Map<ChannelGroup, BranchEdit>();
  const needs = new Set([...score.needs, ...(judge ? (['moments'] as const) : [])]);
  const studied: StudiedGroup[] = [];
  const onPass = (pass: number, passes: number): void =>
    bench.onStage?.(`looking at the channels, run ${pass} of ${passes}`);
  for await (const evidence of observeGroups(judge?.rest ?? bench, open, { needs, seed: options.seed, onPass })) {
    const { group } = evidence;
    const scores = score.score(evidence, { facts, rng: rng.fork(group.name) });
    if (isRefusal(scores)) {
      left.push({ group, why: 'no-score', refusal: scores.refused });
      continue;
    }
    const standIn = standIns.get(group);
    const kept = (levels.get(group) ?? [group.width]).filter((units) => units > 0 || standIn);
    const ranked = { group, scores, order: orderOf(scores), kept, standIn };
    bench.onStage?.(`measuring sensitivity, ${studied.length + 1} of ${open.length}`);
    const share = options.repair === 'on' ? repairedShare(group, facts) : 1;
    const curve = judge ? await measuredCurve({ judge, share }, evidence, ranked, options) : weightCurve(ranked, bench);
    studied.push({ group, scores, order: ranked.order, curve });
  }
  const place = new Map(groups.map((group, at) => [group, at]));
  left.sort((a, b) => (place.get(a.group) ?? 0) - (place.get(b.group) ?? 0));
  return { order: groups, studied, left };
}

interface RankedGroup {
  readonly group: ChannelGroup;
  readonly scores: UnitScores;
  readonly order: readonly number[];
  readonly kept: readonly number[];
  /** What is there instead of the whole branch, where it may go. */
  readonly standIn: BranchEdit | undefined;
}

/** Lowest first, the first of equals first. */
function orderOf({ values, removal }: UnitScores): readonly number[] {
  return removal?.order ?? Array.from(values.keys()).sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0) || a - b);
}

/** The original's answers on a few samples; the rest of the samples are for statistics. */
export class Judge {
  readonly bench: QuantizationBench;
  readonly rest: QuantizationBench;
  readonly #reference: OutputReference;
  readonly #samples: number;

  private constructor(
    benches: { readonly bench: QuantizationBench; readonly rest: QuantizationBench },
    reference: OutputReference,
    samples: number,
  ) {
    this.bench = benches.bench;
    this.rest = benches.rest;
    this.#reference = reference;
    this.#samples = samples;
  }

  static async gather(bench: QuantizationBench, { judged }: Pick<StudyOptions, 'judged'>): Promise<Judge> {
    const facts = benchFacts(bench);
    const macs = bench.decoded.model.graph.nodes().reduce((sum, node) => sum + facts.macs(node), 0);
    const wanted =
      judged ?? Math.max(FEWEST_JUDGED, Math.min(MOST_JUDGED, Math.floor(JUDGED_MACS / Math.max(1, macs))));
    // What is fitted to a sample looks better there than it is.
    const apart = Math.floor(bench.samples * JUDGED_SHARE);
    const count = Math.min(wanted, apart > 0 ? apart : bench.samples);
    const behind = bench.samples - count;
    const rest =
      behind > 0 ? { ...bench, samples: behind, feeds: () => firstFeeds(bench.feeds(), behind, count) } : bench;
    return new Judge({ bench, rest }, await OutputReference.of(bench), count);
  }

  /** Noise over signal of the model as it stands. @throws what running it throws */
  async error(): Promise<number> {
    const error = await this.#reference.noise({ samples: this.#samples });
    return Number.isFinite(error) ? Math.min(error, MOST_ERROR) : MOST_ERROR;
  }

  /** Noise over signal without these units. */
  errorWithout(evidence: GroupEvidence, units: readonly number[]): Promise<number> {
    return this.errorAfter(() => absorbUnits(evidence, units, benchFacts(this.bench)));
  }

  /** Noise over signal after a change of the model, which is as before afterwards. */
  async errorAfter(change: () => void): Promise<number> {
    const { journal } = this.bench.decoded.model;
    const mark = journal.mark();
    try {
      change();
      return await this.error();
    } finally {
      journal.seek(mark);
    }
  }
}

/** `share`: what is left of errors in the end. Of a branch that goes nothing more is made up for than by its stand-in. */
async function measuredCurve(
  { judge, share }: { readonly judge: Judge; readonly share: number },
  evidence: GroupEvidence,
  ranked: RankedGroup,
  { anchors = ANCHORS }: StudyOptions,
): Promise<GroupCurve> {
  const { group, order, kept, standIn } = ranked;
  const found: AnchorError[] = standIn ? [{ units: 0, error: CAUTION * (await judge.errorAfter(standIn)) }] : [];
  const someKept = kept.filter((units) => units > 0);
  for (const units of anchorLevels(someKept, anchors))
    found.push({ units, error: share * (await judge.errorWithout(evidence, order.slice(0, group.width - units))) });
  const measured = found.map(({ units }) => units);
  return { kept, errors: interpolated(kept, found, localCurve(ranked)), basis: 'measured', measured };
}

/** The levels nearest to these parts of the full width, which is none of them; ascending. */
function anchorLevels(kept: readonly number[], anchors: readonly number[]): number[] {
  const below = kept.slice(0, -1);
  if (below.length === 0) return [];
  const width = kept.at(-1) ?? 0;
  const nearest = anchors.map((part) =>
    below.reduce((best, units) => (Math.abs(units - part * width) < Math.abs(best - part * width) ? units : best)),
  );
  return [...new Set(nearest)].sort((a, b) => a - b);
}

/** The local loss by units kept. */
function localCurve({ group, scores }: RankedGroup): (units: number) => number {
  const errors = scores.removal?.errors;
  const isUseful = errors !== undefined && errors.every((error) => Number.isFinite(error) && error >= 0);
  return (units) => (isUseful ? (errors[group.width - units] ?? 0) : ((group.width - units) / group.width) ** 2);
}

export interface AnchorError {
  readonly units: number;
  readonly error: number;
}

/**
 * Errors at all levels from those measured (ascending in width) and the local curve: see above. Never rising with width;
 * the last level, the full width, has none.
 */
export function interpolated(
  kept: readonly number[],
  measured: readonly AnchorError[],
  local: (units: number) => number,
): number[] {
  const scales = measured.flatMap(({ units, error }) => {
    const loss = local(units);
    return units > 0 && loss > 0 ? [{ units, log: Math.log(Math.max(LEAST_ERROR, error) / loss) }] : [];
  });
  const exact = new Map(measured.map(({ units, error }) => [units, error]));
  const ceiling = exact.get(0) ?? MOST_ERROR;
  const raw = kept
    .slice(0, -1)
    .map((units) => Math.min(ceiling, exact.get(units) ?? Math.exp(scaleAt(scales, units)) * local(units)));
  let most = 0;
  const rising = raw.toReversed().map((error) => (most = Math.max(most, Math.min(error, MOST_ERROR))));
  return [...rising.toReversed(), 0];
}

function scaleAt(scales: readonly { readonly units: number; readonly log: number }[], units: number): number {
  const above = scales.find((scale) => scale.units >= units);
  const below = scales.findLast((scale) => scale.units <= units);
  if (!above || !below || above === below) return (above ?? below)?.log ?? 0;
  return below.log + ((above.log - below.log) * (units - below.units)) / (above.units - below.units);
}

/** Without data: what the score knows, else the share of the squared filters (with biases) that leaves. */
function weightCurve(ranked: RankedGroup, bench: QuantizationBench): GroupCurve {
  const { group, scores, order, kept } = ranked;
  const shares = scores.removal?.errors ?? normShares(group, order, bench);
  return {
    kept,
    errors: interpolated(kept, [], (units) => shares[group.width - units] ?? 0),
    basis: 'weights',
    measured: [],
  };
}

/** At k: without the first k units. Where the filters cannot be read, the share of units. */
function normShares(group: ChannelGroup, order: readonly number[], bench: QuantizationBench): Float64Array {
  const filters = unitFilters(group, benchFacts(bench), 'with');
  const norms = order.map((unit) =>
    isRefusal(filters)
      ? 1
      : filters.data
          .subarray(unit * filters.columns, (unit + 1) * filters.columns)
          .reduce((sum, weight) => sum + weight * weight, 0),
  );
  const total = norms.reduce((sum, norm) => sum + norm, 0);
  let gone = 0;
  return Float64Array.from([0, ...norms.map((norm) => (gone += norm))], (sum) => (total > 0 ? sum / total : 0));
}
