// Nearest interpolation copies elements: an elementwise map does the same before it, on fewer of them.
import { sameDims } from '../../ir/dim.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { elementCount } from '../../tensor/tensor.js';
import type { Facts } from '../../analysis/facts.js';
import { graphOf, removeNode, replaceNode } from '../edit.js';
import { isElementwise, variableInputs } from '../elementwise-run.js';
import { defineLocalPass } from '../pass.js';
import { interpolationOf } from '../resizing.js';

export const swapResizeActivation = defineLocalPass({
  name: 'swap-resize-activation',
  category: 'exact',
  // The runtime computes the same element by other instructions at the end of a row.
  exactness: 'rounding',
  needs: [],
  summary: 'Run elementwise nodes in front of the nearest-neighbour Resize that enlarges their input',
  details: `A Resize by the nearest element copies elements, so every elementwise map of one value commutes with it, with operands that are
constant along the resized axes. In front of an enlarging Resize it runs on fewer elements, and comes to stand behind the
convolution that it can run inside of.`,
  options: {},
  declines: {
    'shared-output': 'The resized data is also read by others, or is an output of the graph.',
    'not-constant': 'An operand of {op} differs along the resized axes.',
  },
  stats: { swapped: 'elementwise nodes moved in front of a Resize' },
  roots: ['*'],
  rewrite(node, ctx) {
    const middle = node.inputs.find((value) => value?.constant === undefined);
    const resize = middle?.producer;
    const data = resize?.inputs[0];
    if (!middle || !resize || !data || resize.graph !== node.graph || !enlarges(resize, data, ctx.facts)) return false;
    if (!isMovable(node, middle, ctx.facts)) return false;
    if (middle.slots.size > 1 || middle.isGraphOutput) return ctx.decline(node, 'shared-output');
    if (!node.inputs.every((value) => value === middle || isSpread(value, ctx.facts.of(data).shape?.length ?? 0)))
      return ctx.decline(node, 'not-constant', { op: node.opType });
    const moved = graphOf(node).addNode(
      {
        opType: node.opType,
        name: node.name,
        inputs: node.inputs.map((value) => (value === middle ? data : value)),
        attributes: node.attributes,
        outputs: [`${node.output?.name ?? 'map'}_small`],
      },
      node,
    );
    replaceNode(node, {
      opType: resize.opType,
      name: resize.name,
      inputs: [moved.output, ...resize.inputs.slice(1)],
      attributes: resize.attributes,
    });
    removeNode(resize);
    ctx.count('swapped');
    return true;
  },
});

function enlarges(resize: Node, data: Value, facts: Facts): boolean {
  if (interpolationOf(resize, facts) !== 'nearest') return false;
  const [small, large] = [data, resize.output].map((value) => value && facts.assumed(value));
  return small !== undefined && large !== undefined && elementCount(large) > elementCount(small);
}

/** A map of one value, of its type and shape. */
function isMovable(node: Node, middle: Value, facts: Facts): boolean {
  const { output } = node;
  if (!output || !isElementwise(node, facts) || variableInputs(node).length !== 1) return false;
  const [before, after] = [facts.of(middle), facts.of(output)];
  return before.dtype === after.dtype && sameDims(before.shape, after.shape);
}

/** The operand is one number, or varies along batch and channels only. */
function isSpread(value: Value | undefined, rank: number): boolean {
  const dims = value?.constant?.dims ?? [];
  return dims.every((dim, i) => dim === 1 || rank - dims.length + i < 2);
}
