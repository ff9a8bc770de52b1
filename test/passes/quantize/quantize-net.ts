// Quantizes a small float model with ranges seen on feeds, as the pipeline does, without its choices: what the tests of the plan
// and of what carries it out share.
import { createFacts } from '../../../src/analysis/inference.js';
import type { Model } from '../../../src/ir/model.js';
import type { Value } from '../../../src/ir/value.js';
import { encodeModel } from '../../../src/onnx/encode.js';
import { insertQuantization, type InsertedBias } from '../../../src/passes/quantize/insert.js';
import { activationParameters, type ActivationParameters } from '../../../src/passes/quantize/parameters.js';
import { planQuantization, type QuantizationPlan } from '../../../src/passes/quantize/plan.js';
import { TARGETS, type QuantizationTarget } from '../../../src/passes/quantize/target.js';
import { proveFusion, type FusionProof } from '../../../src/pipeline/fusion-proof.js';
import type { RuntimeHost } from '../../../src/runtime/host.js';
import type { Feeds } from '../run-model.js';

export interface QuantizedNet {
  readonly plan: QuantizationPlan;
  readonly parameters: ReadonlyMap<Value, ActivationParameters>;
  readonly biases: readonly InsertedBias[];
  /** The quantized model. */
  readonly bytes: Buffer;
  prove(): Promise<FusionProof>;
}

export interface QuantizeNetOptions {
  readonly target?: QuantizationTarget;
  readonly float?: readonly string[];
}

export const bytesOf = (model: Model): Buffer => Buffer.concat(encodeModel(undefined, model));

/** Every value of the plan on all `feeds`. */
async function observed(
  host: RuntimeHost,
  model: Model,
  values: readonly Value[],
  feeds: readonly Feeds[],
): Promise<Map<Value, { low: number; high: number }>> {
  const mark = model.journal.mark();
  const { outputs } = model.graph;
  model.graph.setOutputs([...outputs, ...values.filter((value) => value.producer && !outputs.includes(value))]);
  const bytes = bytesOf(model);
  model.journal.seek(mark);
  const ranges = new Map(values.map((value) => [value, { low: Infinity, high: -Infinity }]));
  for (const feed of feeds) {
    const results = await host.run(bytes, feed, { optimization: 'disabled' });
    for (const [value, range] of ranges) {
      for (const x of (results.get(value.name) ?? feed.get(value.name))?.toFloat64() ?? []) {
        range.low = Math.min(range.low, x);
        range.high = Math.max(range.high, x);
      }
    }
  }
  return ranges;
}

/** Quantizes `model` in place. */
export async function quantizeNet(
  host: RuntimeHost,
  model: Model,
  feeds: readonly Feeds[],
  { target = TARGETS['x64-vnni'], float = [] }: QuantizeNetOptions = {},
): Promise<QuantizedNet> {
  const plan = planQuantization(model, createFacts(model), { float: new Set(float) });
  const values = plan.groups.flatMap((group) => group.values);
  const ranges = await observed(host, model, values, feeds);
  const parameters = new Map<Value, ActivationParameters>();
  for (const group of plan.groups) {
    const seen = group.values.flatMap((value) => ranges.get(value) ?? []);
    const range = group.fixed ?? {
      low: Math.min(...seen.map(({ low }) => low)),
      high: Math.max(...seen.map(({ high }) => high)),
    };
    for (const value of group.values)
      parameters.set(value, activationParameters(range, target.activations, group.bounds));
  }
  const inserted = insertQuantization(model, plan, { target, parameters });
  const bytes = bytesOf(model);
  const planned = inserted.nodes.map(({ node, operator }) => ({
    node: node.name,
    opType: node.opType,
    output: node.output?.name ?? '',
    kind: operator.role,
  }));
  const kept = target.activations === 'int8' ? { int8Activations: 'kept' as const } : {};
  return { plan, parameters, biases: inserted.biases, bytes, prove: () => proveFusion(host, bytes, planned, kept) };
}
