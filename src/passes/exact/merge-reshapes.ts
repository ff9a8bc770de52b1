// Runs of Reshape, Flatten, Squeeze, Unsqueeze and of Transposes that move only axes of size 1 keep the elements in
// order: only the last shape matters, so one Reshape does what the run did, or nothing is left to do.
import { sameDims } from '../../ir/dim.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { Tensor } from '../../tensor/tensor.js';
import { bypass, graphOf, removeDead, replaceNode } from '../edit.js';
import { keepsOrder } from '../element-order.js';
import { defineLocalPass } from '../pass.js';
import { reshapeTarget } from '../reshape-target.js';

export const mergeReshapes = defineLocalPass({
  name: 'merge-reshapes',
  category: 'exact',
  exactness: 'exact',
  needs: [],
  summary: 'Merge runs of Reshape, Flatten, Squeeze and Unsqueeze into one Reshape, or none',
  details: `None of these operators changes the order of the elements in memory, and neither does a Transpose whose axes longer than 1
keep their order. So a run of them is a single Reshape from its first input to its last shape, which is written with -1 for
one free dimension and 0 for those that equal the input's own at the same place. Where the first input has that shape
already, nothing is left. A single Transpose that only moves axes of size 1 becomes a Reshape, which copies nothing.`,
  options: {},
  declines: {
    'free-dims': 'The last shape has more free dimensions than one Reshape can express.',
    'shape-unknown': 'The last shape is not known.',
  },
  stats: { merged: 'reshaping nodes merged', removed: 'runs of reshaping nodes that change nothing removed' },
  roots: ['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Transpose'],
  rewrite(node, ctx) {
    const { output } = node;
    if (output === undefined || !keepsOrder(node, ctx.facts) || ctx.facts.site(node).opset < 5) return false;
    const source = startOfRun(node, (before) => keepsOrder(before, ctx.facts));
    const isRun = source !== node.inputs[0];
    if (source === undefined || !(isRun || node.is('Transpose'))) return false;
    const from = ctx.facts.of(source).shape;
    const to = ctx.facts.of(output).shape;
    if (to === undefined) return ctx.decline(node, 'shape-unknown');
    const { inputs } = node;
    if (sameDims(from, to)) {
      if (!bypass(node, source)) replaceNode(node, { opType: 'Identity', inputs: [source] });
      removeDead(inputs);
      ctx.count('removed');
      return true;
    }
    const target = reshapeTarget(from, to);
    if (target === undefined) return isRun ? ctx.decline(node, 'free-dims') : false;
    const shape = graphOf(node).addInitializer(Tensor.int64s(target), `${output.name}_shape`);
    replaceNode(node, { opType: 'Reshape', inputs: [source, shape] });
    removeDead(inputs);
    ctx.count('merged');
    return true;
  },
});

/** The value that enters the run of nodes that ends with `node`. */
function startOfRun(node: Node, belongs: (before: Node) => boolean): Value | undefined {
  let source = node.inputs[0];
  for (let before = source?.producer; before && belongs(before); before = source?.producer) source = before.inputs[0];
  return source;
}
