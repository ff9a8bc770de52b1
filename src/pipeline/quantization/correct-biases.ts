// Empirical bias correction (Nagel et al. 2019, sec. 4.2): layer by layer from the input on, the mean of each channel on the
// samples is brought back to what it is in the float model. What a layer reads has been corrected before, so that only
// its own error and what correction upstream left are taken up.
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { biasOf, setBias, type InsertedBias } from '../../passes/quantize/insert.js';
import { observeChannels, type QuantizationBench } from './bench.js';

/** Mean per channel of the output of each product, in the float model. */
export type ChannelMeans = ReadonlyMap<Node, Float64Array>;

/** Before anything is quantized. */
export async function productMeans(bench: QuantizationBench, products: readonly Node[]): Promise<ChannelMeans> {
  const outputs = products.flatMap((node) => (node.output ? [[node.output, node] as const] : []));
  const statistics = await observeChannels(
    bench,
    outputs.map(([value]) => value),
    Math.min(bench.samples, CORRECTION_SAMPLES),
  );
  return new Map(
    outputs.flatMap(([value, node]) =>
      statistics.get(value) ? [[node, statistics.get(value)?.mean ?? new Float64Array()] as const] : [],
    ),
  );
}

/** Both models see the same samples, so that few suffice: what differs is the error, not the samples. */
export const CORRECTION_SAMPLES = 32;

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
    const statistics = await observeChannels(bench, [...outputs.keys()], Math.min(bench.samples, CORRECTION_SAMPLES));
    for (const [value, node] of outputs) {
      const bias = byNode.get(node);
      const wanted = means.get(node);
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
