// Empirical bias correction (Nagel et al. 2019, sec. 4.2): layer by layer from the input on, the mean of each channel on the
// samples is brought back to what it is in the float model. What a layer reads has been corrected before, so that only
// its own error and what correction upstream left are taken up.
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { biasOf, setBias, type InsertedBias } from '../../passes/quantize/insert.js';
import { benchFacts, observeChannels, type QuantizationBench } from './bench.js';

/** Mean per channel of the output of each product, in the float model on the first samples. */
export interface ChannelMeans {
  readonly byNode: ReadonlyMap<Node, Float64Array>;
  /** Correction sees the same ones. */
  readonly samples: number;
}

/** Before anything is quantized. */
export async function productMeans(bench: QuantizationBench, products: readonly Node[]): Promise<ChannelMeans> {
  const outputs = products.flatMap((node) => (node.output ? [[node.output, node] as const] : []));
  const samples = correctionSamples(bench, products.length);
  const statistics = await observeChannels(
    bench,
    outputs.map(([value]) => value),
    samples,
  );
  const means = outputs.flatMap(([value, node]) => {
    const { mean } = statistics.get(value) ?? {};
    return mean ? [[node, mean] as const] : [];
  });
  return { byNode: new Map(means), samples };
}

/** Both models see the same samples, so that few suffice: what differs is the error, not the samples. */
const CORRECTION_SAMPLES = { most: 32, fewest: 3 } as const;
/** Multiply-accumulates that correction may take: some minutes of one core at worst. */
const CORRECTION_BUDGET = 2e12;

/** The samples that correct the biases of so many products: every product means a run over the layers before it. */
function correctionSamples(bench: QuantizationBench, products: number): number {
  const facts = benchFacts(bench);
  const macs = bench.decoded.model.graph.nodes().reduce((sum, node) => sum + facts.macs(node), 1);
  const { most, fewest } = CORRECTION_SAMPLES;
  const affordable = Math.floor(CORRECTION_BUDGET / ((macs * products) / 2 + 1));
  return Math.min(bench.samples, Math.max(fewest, Math.min(most, affordable)));
}

/** Corrects `biases` in place, level by level of the graph. */
export async function correctBiases(
  bench: QuantizationBench,
  biases: readonly InsertedBias[],
  means: ChannelMeans,
): Promise<void> {
  const { model } = bench.decoded;
  const byNode = new Map(biases.map((bias) => [bias.node, bias]));
  const levels = levelsOf(bench, byNode);
  for (const [at, level] of levels.entries()) {
    bench.onStage?.(`correcting biases, ${at + 1} of ${levels.length}`);
    const outputs = new Map(level.flatMap(({ node }) => (node.output ? [[node.output, node] as const] : [])));
    const statistics = await observeChannels(bench, [...outputs.keys()], means.samples);
    for (const [value, node] of outputs) {
      const bias = byNode.get(node);
      const wanted = means.byNode.get(node);
      const { mean } = statistics.get(value) ?? {};
      if (!bias || !wanted || !mean) continue;
      setBias(
        model.graph,
        bias,
        biasOf(bias).map((b, o) => b + (wanted[o] ?? 0) - (mean[o] ?? 0)),
      );
    }
  }
}

/** Products by how many corrected products lie on the longest way from an input to them. */
function levelsOf({ decoded }: QuantizationBench, biases: ReadonlyMap<Node, InsertedBias>): InsertedBias[][] {
  const depths = new Map<Value, number>();
  const levels: InsertedBias[][] = [];
  for (const node of decoded.model.graph.nodes()) {
    const depth = node.inputs.reduce((most, value) => Math.max(most, (value && depths.get(value)) ?? 0), 0);
    const bias = biases.get(node);
    if (bias) (levels[depth] ??= []).push(bias);
    for (const value of node.outputs) if (value) depths.set(value, depth + (bias ? 1 : 0));
  }
  return levels;
}
