// Puts a branch that takes over others in the place of them.
import { invariant } from '../../base/errors.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import type { StoredLayer } from '../../fit/held-out-refit.js';
import { Tensor } from '../../tensor/tensor.js';
import { graphOf, removeDead, removeNode, replaceNode } from '../edit.js';
import type { BlockChange } from './block-rule.js';
import type { BranchBlock, BranchLayer } from './branch-block.js';
import { hostWeights, type HostPlan, type HostUnits } from './branch-host.js';

/** What is behind the block keeps its name. */
export function placeHost({ concat, input, stacks }: BranchBlock, plan: HostPlan): BlockChange {
  const { from, members, host } = plan;
  const stored = hostWeights(plan);
  for (const [split, parts] of stacks)
    if (members.some(({ layers }) => layers.some((layer) => layer.split === split))) unstack(split, parts);
  const kept = new Map<string, readonly number[]>();
  const units = plan.units.flatMap((one) => placeUnits(one, input, kept) ?? []);
  const isAlone = members.length === concat.inputs.length;
  const output = (isAlone ? concat.output : undefined) ?? `${host.last.output.name}_united`;
  const read = plan.units.length === 0 ? input : joined(plan, concat);
  const last = addLayer(host.last, { input: read, stored, before: concat, output });
  const gone = concat.inputs.slice(from, from + members.length);
  const inputs = [...concat.inputs.slice(0, from), last.result, ...concat.inputs.slice(from + members.length)];
  if (isAlone) removeNode(concat);
  else replaceNode(concat, { opType: 'Concat', inputs, attributes: concat.attributes });
  removeDead(gone);
  return { layers: [...units, last.node], kept };
}

/** What the host reads. */
function joined({ units, host }: HostPlan, concat: Node): Value {
  const values = units.map(({ layer }) => layer.output);
  const [first] = values;
  if (first && values.length === 1) return first;
  const spec = { opType: 'Concat', inputs: values, attributes: concat.attributes };
  return outputOf(graphOf(concat).addNode({ ...spec, outputs: [`${host.last.output.name}_units`] }, concat));
}

function outputOf(node: Node): Value {
  invariant(node.output, `${node.label} has no output`);
  return node.output;
}

/** Each part of a stacked convolution by itself. */
function unstack(split: Node, parts: readonly BranchLayer[]): void {
  for (const part of parts)
    addLayer(part, { input: part.input, stored: part.stored, before: split, output: part.output });
  const [whole] = split.inputs;
  removeNode(split);
  removeDead([whole]);
}

/** Some units of a layer, of what the block reads; they keep the name. */
function placeUnits(
  { layer: model, kept }: HostUnits,
  input: Value,
  left: Map<string, readonly number[]>,
): Node | undefined {
  const isWhole = kept.length === model.layer.outputs;
  if (isWhole && model.input === input) return undefined;
  const { output, stored } = model;
  const before = producerOf(output);
  const row = stored.weights.length / model.layer.outputs;
  const weights = kept.flatMap((unit) => Array.from(stored.weights).slice(unit * row, (unit + 1) * row));
  const bias = kept.map((unit) => stored.bias[unit] ?? 0);
  const { node } = addLayer(model, { input, stored: { weights, bias }, before, output });
  if (!isWhole) {
    graphOf(node).setType(output, undefined);
    left.set(output.name, kept);
  }
  const gone = before.inputs;
  removeNode(before);
  removeDead(gone);
  return node;
}

function producerOf(value: Value): Node {
  invariant(value.producer, `nobody computes ${value.name}`);
  return value.producer;
}

interface NewLayer {
  readonly input: Value;
  readonly stored: StoredLayer;
  readonly before: Node;
  /** What the result is called, or the value that it takes over. */
  readonly output: Value | string;
}

/** A convolution like that of `model`, with these weights, and its activation. */
function addLayer(model: BranchLayer, { input, stored, before, output }: NewLayer): { node: Node; result: Value } {
  const graph = graphOf(before);
  const { conv, activation, layer } = model;
  const outputs = stored.bias.length;
  const taps = layer.kernel.reduce((all, k) => all * k, 1);
  const store = (numbers: ArrayLike<number>, dims: readonly number[], name: string): Value =>
    graph.addInitializer(Tensor.fromNumbers('float32', dims, Float64Array.from(numbers)), name);
  const name = conv.inputs[1]?.name ?? 'weights';
  const dims = [outputs, stored.weights.length / outputs / taps, ...layer.kernel];
  const weights = store(stored.weights, dims, name);
  const bias = store(stored.bias, [outputs], conv.inputs[2]?.name ?? `${name}_bias`);
  const spec = { opType: 'Conv', name: conv.name, attributes: conv.attributes, inputs: [input, weights, bias] };
  if (!activation) {
    const node = graph.addNode({ ...spec, outputs: [output] }, before);
    return { node, result: outputOf(node) };
  }
  const node = graph.addNode({ ...spec, outputs: [`${model.output.name}_conv`] }, before);
  const { opType, attributes, name: clip, inputs: read } = activation;
  const inputs = read.map((value) => (value === undefined || value.constant ? value : node.output));
  return {
    node,
    result: outputOf(graph.addNode({ opType, attributes, name: clip, inputs, outputs: [output] }, before)),
  };
}
