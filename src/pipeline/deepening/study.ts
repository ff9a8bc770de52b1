// What each proposal would do, alone: it is put in place, timed within the whole model, fitted to what the block gave, and the outputs of
// the model are compared with those of the original. What does not pay is not fitted.
import { mkdtemp } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { AppError, InterruptError } from '../../base/errors.js';
import { openModel } from '../../onnx/open.js';
import { writeModel } from '../../onnx/write.js';
import type { BlockRule } from '../../passes/learned/block-rule.js';
import { compareLatency } from '../../runtime/latency.js';
import { assumedSizes, figuresOf } from '../model-facts.js';
import { openBench } from '../pruning/prune-run.js';
import { repairLayers } from '../pruning/repair.js';
import { Judge } from '../pruning/sensitivity.js';
import { benchFacts, type QuantizationBench } from '../quantization/bench.js';
import { tidied } from '../slimmed-start.js';
import type { Costs } from '../trading/costs.js';
import type { TradeRun } from '../trading/trade-run.js';
import { applyProposals, findProposals, type AppliedBlocks, type NamedProposal } from './blocks.js';
import type { PricedProposal } from './components.js';
import type { BeforeAfter, BlockReason, DeclinedBlock, DeepenedBlock, DeepenRequest } from './outcome.js';
import { xavierWeights } from './xavier.js';

export type DeepenRun = TradeRun<DeepenRequest>;

/** One proposal, looked at. Plain data. */
export interface StudiedProposal extends Pick<
  DeepenedBlock,
  'rule' | 'form' | 'block' | 'operators' | 'ms' | 'macs' | 'error' | 'loss'
> {
  readonly name: string;
  /** Why it is not to be chosen. */
  readonly reason: BlockReason | undefined;
  readonly priced: PricedProposal | undefined;
}

export interface StudiedBlocks {
  readonly proposals: readonly StudiedProposal[];
  readonly declined: readonly DeclinedBlock[];
}

/** Samples that a fit of one block alone sees. */
const FITTED = 400;
/** Milliseconds of one timing, and how narrow it has to be. */
const BUDGET = 1600;
const PRECISION = 0.01;
/** Ratios from here on are no gain. */
const CLEAR = 0.995;

/** All proposals of the rules for the model of the run. */
export function studyBlocks(run: DeepenRun, rules: readonly BlockRule[]): Promise<StudiedBlocks> {
  return run.journal.recall('the blocks', async () => {
    const bench = await openBench(run, run.base);
    const { proposals, declined } = findProposals(bench, rules);
    const judge = proposals.length > 0 ? await Judge.gather(bench, {}) : undefined;
    const studied: StudiedProposal[] = [];
    for (const one of proposals) {
      run.request.onStage?.(`looking at blocks, ${studied.length + 1} of ${proposals.length}`);
      if (judge) studied.push(await studyProposal({ run, bench, judge, rules }, one));
    }
    return {
      proposals: studied,
      declined: declined.map(({ rule, form, block, code }) => ({
        rule: rule.name,
        form,
        block: block.label,
        code,
        message: rule.declines[code] ?? code,
      })),
    };
  });
}

interface Study {
  readonly run: DeepenRun;
  readonly bench: QuantizationBench;
  readonly judge: Judge;
  readonly rules: readonly BlockRule[];
}

async function studyProposal(study: Study, { name, rule, proposal }: NamedProposal): Promise<StudiedProposal> {
  const { run, bench, judge, rules } = study;
  const nodes = proposal.nodes.map(({ label }) => label);
  const about = {
    ...{ name, rule: rule.name, form: proposal.form, block: proposal.block.label },
    operators: proposal.nodes.map(({ opType }) => opType),
  };
  const { cost } = run.slimmed.after.figures;
  let gains: Gains | undefined;
  let error: number | undefined;
  let failure: BlockReason | undefined;
  const loss = await judge.errorAfter(async () => {
    try {
      const applied = applyProposals(bench, rules, [name]);
      gains = await gainsOf(run, bench);
      if (isGain(run, gains)) error = await fit(study, applied);
    } catch (problem) {
      if (!(problem instanceof AppError) || problem instanceof InterruptError) throw problem;
      failure = 'fails';
    }
  });
  const macs = { before: cost.macs, after: cost.macs - (gains?.saved.macs ?? 0) };
  const found = { ...about, ms: gains?.ms, macs, error };
  const why =
    failure ?? (gains && isGain(run, gains) ? undefined : run.aim === 'latency' ? 'slower-block' : 'no-saving');
  if (why ?? !gains) return { ...found, loss: undefined, reason: why, priced: undefined };
  if (!Number.isFinite(loss)) return { ...found, loss: undefined, reason: 'not-finite', priced: undefined };
  return { ...found, loss, reason: undefined, priced: { name, nodes, loss, saved: gains.saved } };
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
async function gainsOf(run: DeepenRun, { decoded }: QuantizationBench): Promise<Gains> {
  const { host, workspace, slimmed, samples, request, shapes, timed } = run;
  const { threads, seed, signal, keepOverridable } = request;
  const plain = join(await mkdtemp(workspace.path('proposal-')), basename(run.base));
  await writeModel(decoded.document, decoded.model, plain);
  const path = await tidied({ ...run, request: { ...request, onStage: () => undefined }, verify: 'off' }, plain, plain);
  const { model } = await openModel(path, { keepOverridable });
  const [before, after] = [slimmed.after.figures.cost, figuresOf(model, assumedSizes(model, shapes, undefined)).cost];
  const params = before.parameters - after.parameters;
  const options = { threads, seed, signal, budget: BUDGET, precision: PRECISION };
  const timing = timed ? await compareLatency(host, slimmed.path, path, samples.first, options) : undefined;
  await host.release();
  const ms = timing && {
    before: timing.before.wall.p50,
    after: timing.before.wall.p50 * timing[timing.decidedBy].value,
  };
  for (const file of new Set([plain, path])) await workspace.remove(file);
  const latency = ms && 1000 * (ms.before - ms.after);
  return { saved: { macs: before.macs - after.macs, params, size: params * FLOAT_BYTES, latency }, ms };
}

/** Time of the model at `path` against the original, for pictures. @throws what timing throws */
export async function roughRatio({ host, original, samples, request }: DeepenRun, path: string): Promise<number> {
  const { threads, seed, signal } = request;
  const options = { threads, seed, signal, budget: BUDGET, precision: PRECISION };
  const timing = await compareLatency(host, original.path, path, samples.first, options);
  await host.release();
  return timing[timing.decidedBy].value;
}

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
