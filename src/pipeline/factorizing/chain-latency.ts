// How long a layer takes, and chains that could stand for it: each as a small model of its own, by its signature in the latency
// table of the machine. What both have around them (the way into the layout of the kernels and back) is the same.
import type { ModelFacts } from '../../analysis/inference.js';
import { AppError, InterruptError } from '../../base/errors.js';
import { createRng } from '../../base/rng.js';
import type { Factorization } from '../../fit/low-rank/factors.js';
import { chainLayers } from '../../fit/low-rank/scheme-rules.js';
import { layerSizes } from '../../fit/patch-geometry.js';
import { Model } from '../../ir/model.js';
import { encodeModel } from '../../onnx/encode.js';
import { createFacts } from '../../analysis/inference.js';
import { factorSite } from '../../passes/factorize/factor-site.js';
import { replaceByChain } from '../../passes/factorize/replace-by-chain.js';
import { isRefusal } from '../../passes/plan.js';
import { layerTimer } from '../../runtime/layer-timer.js';
import { openLatencyTable, type LatencyTable } from '../../runtime/latency-table.js';
import { describeMachine } from '../../runtime/machine.js';
import { Tensor } from '../../tensor/tensor.js';
import { layerSignature } from '../layer-latency.js';
import { benchFacts, type QuantizationBench } from '../quantization/bench.js';
import type { ChainChoice } from './layer-options.js';
import type { LayerSite } from './layer-sites.js';

export interface ChainTimingOptions {
  readonly threads: number;
  /** The user's table; default the one in the cache. */
  readonly latencyTable?: string | undefined;
  /** Of the cached table, for tests. */
  readonly folder?: string;
}

export interface ChainTimer {
  /** Microseconds of the layer as it is, or of a chain in its place; undefined where the runtime or a foreign table has none. */
  timeOf(site: LayerSite, chain?: ChainChoice): Promise<number | undefined>;
  /** Writes what was measured. */
  save(): void;
}

/** A timer for layers of the model of `bench` as it stands. @throws InputError not-readable, bad-report (the table) */
export function chainTimer(bench: QuantizationBench, options: ChainTimingOptions): ChainTimer {
  const { host, signal, decoded } = bench;
  const { threads } = options;
  const facts = benchFacts(bench);
  const table = openLatencyTable({
    machine: describeMachine(),
    threads,
    measure: layerTimer(host, { threads, signal }),
    ...(options.latencyTable === undefined ? {} : { file: options.latencyTable }),
    ...(options.folder === undefined ? {} : { folder: options.folder }),
  });
  return {
    timeOf: (site, chain) => timed(table, { site, chain, facts, model: decoded.model }),
    save: () => table.save(),
  };
}

interface Timed {
  readonly site: LayerSite;
  readonly chain: ChainChoice | undefined;
  readonly facts: ModelFacts;
  readonly model: Model;
}

async function timed(table: LatencyTable, { site, chain, facts, model }: Timed): Promise<number | undefined> {
  const whole = layerSignature(model, site.node, facts);
  if (whole === undefined) return undefined;
  const signature = chain ? `${whole} as ${chain.scheme} ${chain.ranks.join(',')}` : `${whole} whole`;
  try {
    return await table.measure(signature, () => layerModel(site, { chain, facts, opsets: model.opsets }));
  } catch (error) {
    if (!(error instanceof AppError) || error instanceof InterruptError) throw error;
    return undefined;
  }
}

/** The layer with its input as it is fed in the model, random weights and no bias; or the chain of these sizes. */
function layerModel(
  { node, input, layer }: LayerSite,
  { chain, facts, opsets }: Pick<Timed, 'chain' | 'facts'> & { readonly opsets: Model['opsets'] },
): Uint8Array {
  const model = new Model({ graphName: 'layer', opsets, irVersion: 8 });
  const { graph } = model;
  const dims = facts.assumed(input) ?? [];
  const x = graph.addInput('x', { kind: 'tensor', dtype: 'float32', shape: dims });
  const stored = node.inputs[1]?.constant;
  const weights = graph.addInitializer(randomTensor(stored?.dims ?? []), 'w');
  const { opType, attributes } = node;
  const copy = graph.addNode({ opType, attributes, inputs: [x, weights], outputs: ['y'] });
  const output = copy.output;
  if (output) graph.setOutputs([output]);
  const site = chain && factorSite(copy, createFacts(model));
  if (chain && site && !isRefusal(site)) {
    const factors = chainLayers(layer, chain.scheme, chain.ranks).map((one) => {
      const { groups, outputs, patch } = layerSizes(one);
      return { layer: one, weights: randomNumbers(groups * outputs * patch) };
    });
    const made: Factorization = { ...chain, factors };
    replaceByChain(site, made);
  }
  return Buffer.concat(encodeModel(undefined, model));
}

const randomTensor = (dims: readonly number[]): Tensor =>
  Tensor.fromNumbers('float32', dims, randomNumbers(dims.reduce((all, size) => all * size, 1)));

/** Zeros would be kinder to the processor than what is timed for. */
function randomNumbers(length: number): Float64Array {
  const rng = createRng('layer');
  return Float64Array.from({ length }, () => rng.normal());
}
