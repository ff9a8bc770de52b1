// A transposed operand of Gemm is the operand with its flag turned: Gemm(A^T, B; transA = 0) = Gemm(A, B; transA = 1).
import { intAttr } from '../../ir/attribute.js';
import type { Node } from '../../ir/node.js';
import { graphOf, removeNode } from '../edit.js';
import { defineLocalPass } from '../pass.js';

const FLAGS = ['transA', 'transB'] as const;

export const foldGemmTranspose = defineLocalPass({
  name: 'fold-gemm-transpose',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Fold Transpose of an operand into the flags of Gemm',
  details: `Gemm multiplies by an operand or by its transpose as \`transA\` and \`transB\` say, so a Transpose with \`perm = [1, 0]\` in front of
it only turns the flag. ONNX Runtime adds the products in another order then.`,
  options: {},
  declines: { 'shared-output': 'The transposed matrix is also read by others, so the Transpose would stay.' },
  stats: { folded: 'Transpose folded into Gemm' },
  roots: ['Gemm'],
  rewrite(node, ctx) {
    let isShared = false;
    for (const [index, flag] of FLAGS.entries()) {
      const transpose = node.inputs[index]?.producer;
      if (!transpose || !swapsAxes(transpose) || transpose.graph !== node.graph) continue;
      const source = transpose.inputs[0];
      if (transpose.output?.soleConsumer !== node || !source) {
        isShared = true;
        continue;
      }
      const graph = graphOf(node);
      graph.setInput(node, index, source);
      graph.setAttribute(node, flag, node.int(flag, 0) === 0 ? intAttr(1) : undefined);
      removeNode(transpose);
      ctx.count('folded');
      return true;
    }
    return isShared ? ctx.decline(node, 'shared-output') : false;
  },
});

/** A matrix has no other permutation than the identity and this one, which is also the default. */
function swapsAxes(node: Node): boolean {
  const perm = node.ints('perm');
  return node.is('Transpose') && (perm === undefined || (perm.length === 2 && perm[0] === 1));
}
