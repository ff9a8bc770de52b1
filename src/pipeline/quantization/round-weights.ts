// Integers for the weights of every planned product, chosen by the second moments of what the layer reads on the samples,
// so that its output changes least (src/fit/round-weights.ts), and the biases that take up the mean of the rest.
import { roundLayer, type RoundedLayer } from '../../fit/layer-weights.js';
import type { LinearLayer } from '../../fit/patch-geometry.js';
import { momentBytes, patchMomentsSpec, type PatchMoments, type PatchMomentsSpec } from '../../fit/patch-moments.js';
import type { Node } from '../../ir/node.js';
import { linearLayer } from '../../passes/linear-layer.js';
import { weightScales, scalesForBias } from '../../passes/quantize/parameters.js';
import type { QuantizationPlan } from '../../passes/quantize/plan.js';
import type { ParameterMap, RoundedProduct } from '../../passes/quantize/insert.js';
import type { QuantizationTarget } from '../../passes/quantize/target.js';
import { rowsOf } from '../../passes/quantize/weight-rows.js';
import { benchFacts, observeValues, type QuantizationBench } from './bench.js';

export interface RoundRequest {
  readonly plan: QuantizationPlan;
  readonly parameters: ParameterMap;
  readonly target: QuantizationTarget;
}

/** Moments held at once, in bytes. */
const MOMENT_BYTES = 192 * 2 ** 20;

/** Layers whose geometry depends on sizes that are not known are left out: they are rounded to the nearest. */
export async function roundProducts(
  bench: QuantizationBench,
  { plan, parameters, target }: RoundRequest,
): Promise<ReadonlyMap<Node, RoundedProduct>> {
  const facts = benchFacts(bench);
  const rounded = new Map<Node, RoundedProduct>();
  const open = plan.nodes.flatMap(({ node, operator }) => {
    const layer = operator.role === 'product' ? linearLayer(node, facts) : undefined;
    const [data] = node.inputs;
    const spec = layer && data && patchMomentsSpec(layer, [data.name], { samples: bench.samples });
    return layer && spec && data ? [{ node, layer, spec, data }] : [];
  });
  for (const part of bySize(open)) {
    const states = await observeValues(
      bench,
      part.map(({ data }) => data),
      part.map(({ spec }) => spec),
    );
    for (const [at, { node, layer, data }] of part.entries()) {
      const scale = parameters.get(data)?.scale ?? 1;
      const found = roundNode(node, layer, { moments: states[at] as PatchMoments, scale, target });
      if (found) rounded.set(node, found);
    }
  }
  return rounded;
}

interface OpenLayer {
  readonly spec: PatchMomentsSpec;
}

/** Runs of layers whose moments fit into memory together. */
function bySize<T extends OpenLayer>(open: readonly T[]): T[][] {
  const parts: T[][] = [];
  let bytes = Infinity;
  for (const one of open) {
    const size = momentBytes(one.spec);
    if (bytes + size > MOMENT_BYTES) {
      parts.push([]);
      bytes = 0;
    }
    parts.at(-1)?.push(one);
    bytes += size;
  }
  return parts;
}

function roundNode(
  node: Node,
  layer: LinearLayer,
  { moments, scale, target }: { moments: PatchMoments; scale: number; target: QuantizationTarget },
): RoundedProduct | undefined {
  const rows = rowsOf(node);
  const weights = node.inputs[1]?.constant?.toFloat64();
  if (!rows || !weights) return undefined;
  const limit = target.weightLimit;
  const plain = weightScales(rows.weights, rows.count, limit);
  const scales = rows.bias ? scalesForBias(plain, rows.bias, scale) : plain;
  const found: RoundedLayer = roundLayer(layer, weights, scales, moments, {
    range: { min: -limit, max: limit },
    bias: 'shifted',
  });
  return { integers: rows.fromStored(found.integers), scales, biasShift: found.biasShift };
}
