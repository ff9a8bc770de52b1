// Removes sums and means that have nothing to add: x + 0, and reductions and average pools over a single element. They
// differ from their input in the sign of zero alone (-0 + 0 is 0), which is why they stand apart from remove-identity.
import { bypass } from '../edit.js';
import { neutralOperand, poolsOneElement, reducesNothing, windowOfOne, type IdleRule } from '../idle-nodes.js';
import { defineLocalPass } from '../pass.js';

export const removeNeutralSums = defineLocalPass({
  name: 'remove-neutral-sums',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Remove additions of 0, and sums and means of a single element',
  details: `\`x + 0\` where the zeros do not broadcast x; ReduceSum, ReduceMean and ReduceProd over axes of size 1 that are kept;
GlobalAveragePool of 1x1 maps; AveragePool with a window of 1, stride 1 and no padding. Each gives its input, except that
-0 may come out as 0.`,
  options: {},
  declines: {
    'graph-output':
      'The node gives the output of a graph its name, and its input is an input, an initializer or another output.',
  },
  stats: { removed: 'sums of nothing removed' },
  roots: ['Add', 'ReduceSum', 'ReduceMean', 'ReduceProd', 'GlobalAveragePool', 'AveragePool'],
  rewrite(node, ctx) {
    if (node.domain !== '') return false;
    const source = RULES[node.opType]?.(node, ctx.facts);
    if (source === undefined) return false;
    if (!bypass(node, source)) return ctx.decline(node, 'graph-output');
    ctx.count('removed');
    return true;
  },
});

const RULES: Readonly<Record<string, IdleRule>> = {
  Add: neutralOperand(0, [0, 1]),
  ReduceSum: reducesNothing,
  ReduceMean: reducesNothing,
  ReduceProd: reducesNothing,
  GlobalAveragePool: poolsOneElement,
  AveragePool: windowOfOne,
};
