// A second look at the ranges that disturb most: the error of a layer is not that of the net, which may not care about the
// largest numbers of a value at all (late layers of classifiers, whose outliers saturate further on), or care about them
// only. Each of these ranges is narrowed and widened step by step as long as the outputs of the quantized model get nearer
// to those of the float model.
import { activationParameters } from '../../passes/quantize/parameters.js';
import type { Value } from '../../ir/value.js';
import type { ValueGroup } from '../../passes/quantize/plan.js';
import type { ChosenRange } from './choose-ranges.js';
import { benchFacts, type QuantizationBench } from './bench.js';
import { OutputReference } from './output-error.js';
import { applyQuantization, type Preparation } from './quantize.js';

/** Groups that are looked at. */
const MOST_GROUPS = 16;
const MOST_SAMPLES = 48;
const FEWEST_SAMPLES = 8;
/** Multiply-accumulates that all trials together may take: some twenty seconds of one core. */
const BUDGET = 2e12;
/** Trials per group, roughly. */
const TRIALS = 4;
const FACTORS: readonly number[] = [0.7, 1.35];
/** Steps in one direction. */
const MOST_STEPS = 3;
/** A smaller gain may be chance. */
const LEAST_GAIN = 0.01;

/** The same preparation with ranges that bring the outputs nearer to those of the float model. */
export async function refineRanges(bench: QuantizationBench, preparation: Preparation): Promise<Preparation> {
  const { model } = bench.decoded;
  model.journal.seek(preparation.mark);
  const { groups, samples } = affordable(bench);
  if (groups === 0) return preparation;
  const reference = await OutputReference.of(bench);
  const errorWith = async (ranges: Preparation['ranges']): Promise<number> => {
    applyQuantization(bench, { ...preparation, ranges }, new Set());
    return reference.noise({ samples });
  };
  let best = { ranges: preparation.ranges, error: await errorWith(preparation.ranges) };
  const noisy = noisiest(preparation).slice(0, groups);
  for (const [at, group] of noisy.entries()) {
    bench.onStage?.(`refining ranges, ${at + 1} of ${noisy.length}`);
    for (const factor of FACTORS) {
      const before = best.error;
      for (let step = 0; step < MOST_STEPS; step++) {
        const ranges = scaled(best.ranges, group, factor, preparation);
        if (ranges === undefined) break;
        const error = await errorWith(ranges);
        if (!(error < best.error * (1 - LEAST_GAIN))) break;
        best = { ranges, error };
      }
      if (best.error < before) break;
    }
  }
  model.journal.seek(preparation.mark);
  model.names.forgetIssued();
  return { ...preparation, ranges: best.ranges };
}

/** How many groups and samples the budget pays for, at the sizes of the samples. */
function affordable(bench: QuantizationBench): { readonly groups: number; readonly samples: number } {
  const facts = benchFacts(bench);
  const macs = bench.decoded.model.graph.nodes().reduce((sum, node) => sum + facts.macs(node), 1);
  const runs = BUDGET / macs;
  const samples = Math.max(FEWEST_SAMPLES, Math.min(MOST_SAMPLES, Math.floor(runs / (TRIALS * MOST_GROUPS))));
  return { groups: Math.min(MOST_GROUPS, Math.floor(runs / (TRIALS * samples))), samples };
}

/** Groups by the noise that their readers had with the range chosen so far. */
function noisiest({ plan, ranges }: Preparation): ValueGroup[] {
  const noiseOf = ({ values: [value] }: ValueGroup): number => {
    const chosen = value && ranges.get(value);
    if (!chosen || chosen.calibrator === 'fixed') return 0;
    return chosen.noise.get(chosen.calibrator) ?? 0;
  };
  return plan.groups.filter((group) => noiseOf(group) > 0).sort((a, b) => noiseOf(b) - noiseOf(a));
}

/** The ranges with that of `group` times `factor`; undefined where that changes nothing. */
function scaled(
  ranges: ReadonlyMap<Value, ChosenRange>,
  { values, bounds }: ValueGroup,
  factor: number,
  { settings }: Preparation,
): ReadonlyMap<Value, ChosenRange> | undefined {
  const [first] = values;
  const now = first && ranges.get(first);
  if (!now) return undefined;
  const range = { min: now.range.min * factor, max: now.range.max * factor };
  const parameters = activationParameters({ low: range.min, high: range.max }, settings.target.activations, bounds);
  if (parameters.scale === now.parameters.scale) return undefined;
  const changed = new Map(ranges);
  for (const value of values) changed.set(value, { ...now, range, parameters });
  return changed;
}
