// Quantization of a model in two parts. `prepareQuantization` looks at the model on the samples and makes what does not
// depend on which nodes stay in float; `applyQuantization` carries out one choice of these, and can be taken back and
// repeated with another.
import type { CalibratorName } from '../../fit/calibrators/registry.js';
import type { RangeState } from '../../fit/range.js';
import type { Mark } from '../../ir/journal.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { equalizeActivations } from '../../passes/quantize/equalize-activations.js';
import { insertQuantization, type InsertedBias, type RoundedProduct } from '../../passes/quantize/insert.js';
import { planQuantization, type QuantizationPlan } from '../../passes/quantize/plan.js';
import type { QuantizationTarget } from '../../passes/quantize/target.js';
import { absorbBiases } from './absorb-biases.js';
import { benchFacts, observeChannels, type QuantizationBench } from './bench.js';
import { chooseRanges, type ChosenRange } from './choose-ranges.js';
import { productMeans, type ChannelMeans } from './correct-biases.js';
import { gatherRanges, type RangeSources } from './known-ranges.js';
import { roundProducts } from './round-weights.js';

export interface QuantizationSettings {
  readonly target: QuantizationTarget;
  /** Calibrators to choose from, value by value. */
  readonly calibrators: readonly CalibratorName[];
  readonly equalize: 'on' | 'off';
  readonly rounding: 'second-order' | 'nearest';
}

/** What is known before a choice of float nodes. */
export interface Preparation {
  readonly settings: QuantizationSettings;
  /** With nothing left in float but what has no integer kernel. */
  readonly plan: QuantizationPlan;
  readonly states: ReadonlyMap<Value, RangeState>;
  /** Names of the values whose states a calibration cache gave. */
  readonly cached: ReadonlySet<string>;
  readonly ranges: ReadonlyMap<Value, ChosenRange>;
  readonly rounded: ReadonlyMap<Node, RoundedProduct>;
  readonly means: ChannelMeans;
  /** Layers whose weights were scaled so that channels are alike. */
  readonly equalized: number;
  /** The model as prepared. */
  readonly mark: Mark;
}

/** One choice, carried out. */
export interface AppliedQuantization {
  readonly plan: QuantizationPlan;
  readonly biases: readonly InsertedBias[];
}

/** Equalizes the model (in place), calibrates, and rounds weights. The rest of the model stays as it is. */
export async function prepareQuantization(
  bench: QuantizationBench,
  settings: QuantizationSettings,
  sources: RangeSources = {},
): Promise<Preparation> {
  const { model } = bench.decoded;
  const { target, calibrators } = settings;
  const everything = { float: new Set<string>() };
  let plan = planQuantization(model, benchFacts(bench), everything);
  let equalized = 0;
  if (settings.equalize === 'on' && plan.nodes.length > 0) {
    bench.onStage?.('looking at channels');
    equalized = await equalize(bench, plan);
    plan = planQuantization(model, benchFacts(bench), everything);
  }
  const values = plan.groups.flatMap((group) => group.values);
  const { states, cached } = await gatherRanges(bench, values, sources);
  bench.onStage?.('choosing ranges');
  const chosen = await chooseRanges(bench, { plan, states, target, calibrators });
  const ranges = new Map([...chosen].flatMap(([group, range]) => group.values.map((value) => [value, range] as const)));
  const parameters = new Map([...ranges].map(([value, range]) => [value, range.parameters]));
  const products = plan.nodes.filter(({ operator }) => operator.role === 'product').map(({ node }) => node);
  bench.onStage?.('rounding weights');
  const rounded =
    settings.rounding === 'second-order'
      ? await roundProducts(bench, { plan, parameters, target })
      : new Map<Node, RoundedProduct>();
  const means = await productMeans(bench, products);
  return { settings, plan, states, cached, ranges, rounded, means, equalized, mark: model.journal.mark() };
}

/** Returns how many layers were changed. */
async function equalize(bench: QuantizationBench, plan: QuantizationPlan): Promise<number> {
  const values = plan.groups.flatMap((group) => group.values);
  const seen = await observeChannels(bench, values);
  const statistics = absorbBiases(bench, seen) > 0 ? await observeChannels(bench, values) : seen;
  const sizes = new Map(
    [...statistics].map(([value, { min, max, mean, variance }]) => {
      const power = variance.map((v, c) => v + (mean[c] ?? 0) ** 2);
      return [value, { min, max, power }] as const;
    }),
  );
  return equalizeActivations(bench.decoded.model, benchFacts(bench), sizes);
}

/**
 * Takes the model back to how it was prepared and quantizes it, all but the nodes of these labels (which may keep others
 * from running on integers). Nodes whose values were not seen in calibration stay in float, too.
 */
export function applyQuantization(
  bench: QuantizationBench,
  preparation: Preparation,
  float: ReadonlySet<string>,
): AppliedQuantization {
  const { model } = bench.decoded;
  model.journal.seek(preparation.mark);
  model.names.forgetIssued();
  const plan = planQuantization(model, benchFacts(bench), { float, known: preparation.ranges });
  const parameters = new Map([...preparation.ranges].map(([value, range]) => [value, range.parameters]));
  const { target } = preparation.settings;
  const { nodes, biases } = insertQuantization(model, plan, { target, parameters, rounded: preparation.rounded });
  return { plan: { ...plan, nodes }, biases };
}
