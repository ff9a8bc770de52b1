// The rules by which layers are taken to be slower on integers than in float hold where nothing can be timed. Where it can, both
// forms of each such layer are timed where they stand in the quantized model, and the rule holds only for those that are
// not faster on integers.
import type { Node } from '../../ir/node.js';
import { writeModel } from '../../onnx/write.js';
import type { PlannedNode } from '../../passes/quantize/plan.js';
import { profileModel } from '../../runtime/profile.js';
import { layerTimes } from '../layer-times.js';
import type { FloatFinding, QuantizationRun } from './quantization-run.js';
import { applyQuantization } from './quantize.js';
import { tabledCosts, type LayerCosts, type MeasuredRun } from './speed-layers.js';

/** What the rules need of a run. */
export type RuledRun = MeasuredRun & Pick<QuantizationRun, 'asked' | 'files' | 'journal' | 'split' | 'timed'>;

/**
 * The nodes that rules of speed keep in float, by label, each with its times where these were taken. The model stands in another
 * form afterwards. @throws what writing and profiling throw
 */
export async function ruledFloats(run: RuledRun): Promise<ReadonlyMap<string, FloatFinding>> {
  const { preparation, asked, request, timed, journal } = run;
  const nodes = preparation.plan.nodes.filter(({ node, slower }) => slower !== undefined && !asked.has(node.label));
  if (nodes.length === 0) return new Map();
  const measure = (): Promise<LayerCosts> => timesInPlace(run, nodes);
  const { latencyTable: file } = request;
  const costs = timed
    ? await journal.recall('time of nodes that rules keep in float', async () => [
        ...(file === undefined ? await measure() : await tabledCosts(run, file, { nodes, place: 'in place', measure })),
      ])
    : [];
  const found = new Map(costs);
  return new Map(
    nodes.flatMap(({ node: { label }, slower }): [string, FloatFinding][] => {
      const us = found.get(label);
      const isOverruled = us !== undefined && us.int8 < us.float;
      return slower && !isOverruled ? [[label, { reason: slower, measured: us && { us } }]] : [];
    }),
  );
}

/** Times of `nodes` with all of them on integers, and with all of them in float between the others on integers. */
async function timesInPlace(run: RuledRun, nodes: readonly PlannedNode[]): Promise<LayerCosts> {
  run.request.onStage?.('timing layers that rules keep in float');
  const int8 = await timesWith(run, nodes, run.asked);
  const float = await timesWith(run, nodes, new Set([...run.asked, ...nodes.map(({ node }) => node.label)]));
  return new Map(
    nodes.map(({ node: { label } }) => [label, { int8: int8.get(label) ?? 0, float: float.get(label) ?? 0 }]),
  );
}

async function timesWith(
  { bench, preparation, files, split, request: { threads, signal } }: RuledRun,
  nodes: readonly PlannedNode[],
  float: ReadonlySet<string>,
): Promise<ReadonlyMap<string, number>> {
  const { document, model } = bench.decoded;
  applyQuantization(bench, preparation, float);
  await writeModel(document, model, files.trial);
  const profile = await profileModel(bench.host, files.trial, split.first, { threads, signal });
  const { of } = layerTimes(model, profile);
  const timeOf = (node: Node): number => placeOf(node).reduce((sum, member) => sum + (of.get(member)?.us ?? 0), 0);
  return new Map(nodes.map(({ node }) => [node.label, timeOf(node)]));
}

/** What may be computed with a layer: activations, and what guards a float layer. */
const ACTIVATIONS: ReadonlySet<string> = new Set(['Relu', 'Clip', 'LeakyRelu']);

/** A node as it stands in the model, with its activation and the conversions on both sides. */
function placeOf(node: Node): readonly Node[] {
  const place = new Set([node]);
  for (const input of node.inputs) {
    if (!input?.producer?.is('DequantizeLinear')) continue;
    place.add(input.producer);
    const source = input.producer.inputs[0]?.producer;
    if (source?.is('QuantizeLinear')) place.add(source);
  }
  let { output } = node;
  for (let next = output?.soleConsumer; next && ACTIVATIONS.has(next.opType); next = output?.soleConsumer) {
    place.add(next);
    ({ output } = next);
  }
  for (const quantize of output?.consumers() ?? []) {
    if (!quantize.is('QuantizeLinear')) continue;
    place.add(quantize);
    for (const reader of quantize.output?.consumers() ?? []) if (reader.is('DequantizeLinear')) place.add(reader);
  }
  return [...place];
}
