// Layers whose chains do not pay are put back: within the model, beside the neighbours that it has and fused with what the runtime
// fuses, a chain may take longer than the layer did.
import type { Model } from '../../ir/model.js';
import { openModel } from '../../onnx/open.js';
import { profileModel } from '../../runtime/profile.js';
import { layerTimes, type LayerTimes } from '../layer-times.js';
import { candidateOf, type Candidate } from '../trading/candidate.js';
import type { FactorizeTrade } from './choose-factorized.js';
import type { FactorizeRun } from './factorize-run.js';
import type { FactorizedModel } from './make-factorized.js';
import type { BeforeAfter } from './outcome.js';
import type { PricedOption } from './priced-chain.js';

/** Milliseconds of one profile. */
const BUDGET = 1000;
/** Times nearer than this part are as rough as the clock. */
const CLEAR = 0.02;

/** The candidate without the chains that took longer than their layers; itself where all pay. */
export async function withoutLosers(
  run: FactorizeRun,
  trade: FactorizeTrade,
  candidate: Candidate<PricedOption, FactorizedModel>,
): Promise<Candidate<PricedOption, FactorizedModel>> {
  const losers = await run.journal.recall(`chains that do not pay in ${candidate.key}`, async () => {
    const times = await timesWithin(run, (await candidate.file()).path);
    return candidate.plan.flatMap(([name]) => {
      const found = times(name);
      return found && found.after > found.before * (1 - CLEAR) ? [name] : [];
    });
  });
  if (losers.length === 0) return candidate;
  const plan = candidate.plan.filter(([name]) => !losers.includes(name));
  return candidateOf(trade, `${candidate.name}, without what does not pay`, plan);
}

/** Microseconds per layer of the slimmed model, and of its chain in the model at `path`. */
async function timesWithin(run: FactorizeRun, path: string): Promise<(name: string) => BeforeAfter | undefined> {
  run.request.onStage?.('profiling chains');
  const [before, after] = [await timesIn(run, run.base), await timesIn(run, path)];
  return (name) => pairOf(before(name), after(name));
}

/** Microseconds that a layer, or the chain in its place, takes within the model at `path`. @throws what profiling throws */
export async function timesIn(
  { host, samples, request }: FactorizeRun,
  path: string,
): Promise<(name: string) => number | undefined> {
  const { threads, signal, keepOverridable } = request;
  const profile = await profileModel(host, path, samples.first, { threads, signal, budget: BUDGET });
  const { model } = await openModel(path, { keepOverridable });
  const times = layerTimes(model, profile);
  return (name) => timeOfLayer(model, times, name);
}

/** Both, where both are known. */
export const pairOf = (before: number | undefined, after: number | undefined): BeforeAfter | undefined =>
  before === undefined || after === undefined ? undefined : { before, after };

/** Microseconds of the layer of this name, or of the chain in its place. */
export function timeOfLayer(model: Model, { of }: LayerTimes, name: string): number | undefined {
  const nodes = model.graph.nodes().filter(({ label }) => label === name || label.startsWith(`${name}_factor_`));
  if (nodes.length === 0) return undefined;
  return nodes.reduce((sum, node) => sum + (of.get(node)?.us ?? 0), 0);
}
