// What each proposal would do, alone: it is put in place, timed within the whole model, fitted to what the block gave, and the outputs of
// the model are compared with those of the original. What does not pay is not fitted.
import { AppError, InterruptError } from '../../base/errors.js';
import { openModel } from '../../onnx/open.js';
import type { BlockRule } from '../../passes/learned/block-rule.js';
import { assumedSizes, figuresOf } from '../model-facts.js';
import { openBench } from '../pruning/prune-run.js';
import { repairLayers } from '../pruning/repair.js';
import { Judge } from '../pruning/sensitivity.js';
import { benchFacts, type QuantizationBench } from '../quantization/bench.js';
import type { Costs } from '../trading/costs.js';
import { applyProposals, findProposals, type AppliedBlocks, type NamedProposal } from './blocks.js';
import type { PricedProposal } from './components.js';
import type { DeepenRun } from './deepen-run.js';
import { mostPromisingFirst } from './most-promising.js';
import type { BeforeAfter, BlockReason, DeclinedBlock, DeepenedBlock } from './outcome.js';
import { publishable, timesOf } from './rough-times.js';
import { xavierWeights } from './xavier.js';

/** One proposal, looked at. Plain data. */
export interface StudiedProposal extends Pick<
  DeepenedBlock,
  'rule' | 'form' | 'block' | 'operators' | 'ms' | 'macs' | 'error' | 'loss'
> {
  readonly name: string;
  /** Labels of the layers that are new or changed with it. */
  readonly layers: readonly string[];
  /** Why it is not to be chosen. */
  readonly reason: BlockReason | undefined;
  readonly priced: PricedProposal | undefined;
}

export interface StudiedBlocks {
  readonly proposals: readonly StudiedProposal[];
  readonly declined: readonly DeclinedBlock[];
}

/** Samples that a fit of one block alone sees. */
const FITTED = 256;
/** Ratios from here on are no gain. */
const CLEAR = 0.995;

/** Of the time that is left, what goes into looking at blocks; the rest is for models of several. */
const LOOKING = 0.6;

function lookingEnds({ until = Infinity }: DeepenRun['request']): number {
  const now = performance.now();
  return now + LOOKING * (until - now);
}

/** All proposals of the rules for the model of the run; each that is looked at is noted in the journal by itself. */
export async function studyBlocks(run: DeepenRun, rules: readonly BlockRule[]): Promise<StudiedBlocks> {
  const bench = await openBench(run, run.base);
  const { proposals, declined } = findProposals(bench, rules);
  let gathered: Promise<Judge> | undefined;
  const judge = (): Promise<Judge> => (gathered ??= Judge.gather(bench, {}));
  const studied = new Map<NamedProposal, StudiedProposal>();
  const until = lookingEnds(run.request);
  for (const one of until < Infinity ? await mostPromisingFirst(run, proposals) : proposals) {
    run.request.onStage?.(`looking at blocks, ${studied.size + 1} of ${proposals.length}`);
    const step = `block ${one.name}`;
    const look = async (): Promise<StudiedProposal> => studyProposal({ run, bench, judge: await judge(), rules }, one);
    // What was passed over is not noted: a run that goes on may have time for it.
    const isOpen = performance.now() < until || run.journal.has(step);
    studied.set(one, isOpen ? await run.journal.recall(step, look) : unseen(run, one));
  }
  return {
    proposals: proposals.flatMap((one) => studied.get(one) ?? []),
    declined: declined.map(({ rule, form, block, code }) => ({
      rule: rule.name,
      form,
      block: block.label,
      code,
      message: rule.declines[code] ?? code,
    })),
  };
}

interface Study {
  readonly run: DeepenRun;
  readonly bench: QuantizationBench;
  readonly judge: Judge;
  readonly rules: readonly BlockRule[];
}

const aboutProposal = ({ name, rule, proposal }: NamedProposal) => ({
  ...{ name, rule: rule.name, form: proposal.form, block: proposal.block.label },
  operators: proposal.nodes.map(({ opType }) => opType),
});

/** What is said of a proposal for which there was no time. */
function unseen({ slimmed }: DeepenRun, proposal: NamedProposal): StudiedProposal {
  const { macs } = slimmed.after.figures.cost;
  const unknown = { layers: [], ms: undefined, error: undefined, loss: undefined, priced: undefined };
  return { ...aboutProposal(proposal), ...unknown, macs: { before: macs, after: macs }, reason: 'no-time' };
}

async function studyProposal(study: Study, one: NamedProposal): Promise<StudiedProposal> {
  const { run } = study;
  const { name, proposal } = one;
  const nodes = proposal.nodes.map(({ label }) => label);
  const about = aboutProposal(one);
  const { cost } = run.slimmed.after.figures;
  const found = await tried(study, name);
  const { gains, loss, error, layers } = found;
  const macs = { before: cost.macs, after: cost.macs - (gains?.saved.macs ?? 0) };
  const seen = { ...about, layers, ms: gains?.ms, macs, error, loss };
  if (found.reason || !gains || loss === undefined) return { ...seen, reason: found.reason, priced: undefined };
  return { ...seen, reason: undefined, priced: { name, nodes, loss, saved: gains.saved } };
}

interface Tried {
  readonly layers: readonly string[];
  readonly gains?: Gains;
  readonly error?: number | undefined;
  readonly loss?: number;
  readonly reason?: BlockReason;
}

/** The proposal in place, as far as it is worth a look; the model is as before afterwards. */
async function tried(study: Study, name: string): Promise<Tried> {
  const { run, bench, judge, rules } = study;
  const { journal } = bench.decoded.model;
  const mark = journal.mark();
  let layers: readonly string[] = [];
  try {
    const applied = applyProposals(bench, rules, [name]);
    layers = applied.layers.map(({ label }) => label);
    const gains = await gainsOf(run, bench);
    if (!isGain(run, gains)) return { layers, gains, reason: run.aim === 'latency' ? 'slower-block' : 'no-saving' };
    return { layers, gains, error: await fit(study, applied), loss: await judge.error() };
  } catch (problem) {
    if (!(problem instanceof AppError) || problem instanceof InterruptError) throw problem;
    return { layers, reason: 'fails' };
  } finally {
    journal.seek(mark);
  }
}

/** What the model has less with a proposal. */
interface Gains {
  readonly saved: Costs;
  readonly ms: BeforeAfter | undefined;
}

const isGain = ({ aim }: DeepenRun, { saved, ms }: Gains): boolean =>
  aim === 'latency' ? ms !== undefined && ms.after < CLEAR * ms.before : saved[aim] > 0;

const FLOAT_BYTES = 4;

/** The model as it stands against the slimmed one, both as they would be published. */
async function gainsOf(run: DeepenRun, bench: QuantizationBench): Promise<Gains> {
  const { workspace, slimmed, request, shapes, timed } = run;
  const path = await publishable(run, bench);
  const { model } = await openModel(path, { keepOverridable: request.keepOverridable });
  const [before, after] = [slimmed.after.figures.cost, figuresOf(model, assumedSizes(model, shapes, undefined)).cost];
  const params = before.parameters - after.parameters;
  const timing = timed ? await timesOf(run, { before: slimmed.path, after: path }) : undefined;
  const ms = timing && { before: timing.ms, after: timing.ms * timing.ratio };
  await workspace.remove(path);
  const latency = ms && 1000 * (ms.before - ms.after);
  return { saved: { macs: before.macs - after.macs, params, size: params * FLOAT_BYTES, latency }, ms };
}

/** Time of the model at `path` against the original, for pictures. @throws what timing throws */
export const roughRatio = async (run: DeepenRun, path: string): Promise<number> =>
  (await timesOf(run, { before: run.original.path, after: path })).ratio;

/** The error of the layers that stand for the block, fitted; or those of random weights, which nothing is known of. */
async function fit({ run, judge }: Study, { layers, kept }: AppliedBlocks): Promise<number | undefined> {
  const { settings, seed } = run.request;
  if (settings.start === 'xavier') {
    xavierWeights(layers, benchFacts(judge.rest), seed);
    return undefined;
  }
  if (run.recovery.name === 'none') return undefined;
  const labels = new Set(layers.map(({ label }) => label));
  const quiet = { samples: FITTED, layers: new Set(layers), seed, onStage: () => undefined };
  const repaired = await repairLayers(judge.rest, run.teacher, kept, quiet);
  const errors = repaired.layers.flatMap(({ name, errorAfter }) => (labels.has(name) ? (errorAfter ?? []) : []));
  return errors.length > 0 ? Math.max(...errors) : undefined;
}
