// Non-decreasing elementwise maps commute with the maximum: max f(x) = f(max x). Behind a MaxPool they run on less.
import type { Facts } from '../../analysis/facts.js';
import type { Node } from '../../ir/node.js';
import { elementCount } from '../../tensor/tensor.js';
import { graphOf, removeNode, replaceNode } from '../edit.js';
import { defineLocalPass } from '../pass.js';
import { isFusedByRuntime } from '../runtime-fusion.js';

export const sinkMonotone = defineLocalPass({
  name: 'sink-monotone',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Run non-decreasing activations behind MaxPool, on fewer elements',
  details: `For a non-decreasing map \`max f(x) = f(max x)\`, so Relu, Clip, LeakyRelu with a slope of at least 0, Sigmoid, Tanh and their like
run behind a MaxPool with stride on a part of the elements. (HardSwish, SiLU and Gelu fall and rise, so they do not commute.)

ONNX Runtime runs Relu, Clip, LeakyRelu, Sigmoid, Tanh and HardSigmoid inside the convolution before them for next to nothing.
There the move would cost time, and the site is declined.`,
  options: {},
  declines: {
    'fused-by-runtime': '{op} runs inside the convolution before it; behind the pool it would run by itself.',
    'shared-output': 'The output of {op} is also read by others, or is an output of the graph.',
    'no-gain': 'The pool gives as many elements as it takes.',
  },
  stats: { sunk: 'activations moved behind a MaxPool' },
  roots: ['MaxPool'],
  rewrite(node, ctx) {
    const activation = node.inputs[0]?.producer;
    const data = activation?.inputs[0];
    if (
      !node.is('MaxPool') ||
      !activation ||
      !data ||
      activation.graph !== node.graph ||
      !isMonotone(activation, ctx.facts)
    )
      return false;
    if (node.outputs[1] && !node.outputs[1].isUnused) return false;
    const details = { op: activation.opType };
    if (node.inputs[0]?.soleConsumer !== node) return ctx.decline(node, 'shared-output', details);
    if (isFusedByRuntime(activation)) return ctx.decline(node, 'fused-by-runtime', details);
    const [before, after] = [ctx.facts.assumed(data), node.output && ctx.facts.assumed(node.output)];
    if (!before || !after || elementCount(after) >= elementCount(before)) return ctx.decline(node, 'no-gain');
    const pool = graphOf(node).addNode(
      {
        opType: 'MaxPool',
        name: node.name,
        inputs: [data],
        attributes: node.attributes,
        outputs: [`${data.name}_max`],
      },
      node,
    );
    replaceNode(node, {
      opType: activation.opType,
      name: activation.name,
      inputs: [pool.output, ...activation.inputs.slice(1)],
      attributes: activation.attributes,
      outputs: [node.output],
    });
    removeNode(activation);
    ctx.count('sunk');
    return true;
  },
});

/** Elementwise and non-decreasing in the first input; other inputs are single constants, so that no position differs. */
function isMonotone(node: Node, facts: Facts): boolean {
  const traits = facts.record(node)?.traits;
  const [before, after] = [node.inputs[0], node.output].map((value) => value && facts.of(value).dtype);
  // Casts and quantization would have the pool run on another type.
  if (before === undefined || before !== after) return false;
  const uniform = node.inputs.slice(1).every((value) => value === undefined || value.constant?.size === 1);
  return (
    traits?.elementwise === true && uniform && node.domain === '' && traits.nonDecreasing?.(facts.site(node)) === true
  );
}
