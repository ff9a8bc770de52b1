// The constant weights of a Gemm stored by output channel: Gemm(A, B; transB = 0) = Gemm(A, B^T; transB = 1).
import { intAttr } from '../../ir/attribute.js';
import { permuteTensor } from '../../tensor/view.js';
import { graphOf, setConstantInput } from '../edit.js';
import { defineLocalPass } from '../pass.js';
import { isShared } from '../tensor-layer.js';

export const transposeGemmWeights = defineLocalPass({
  name: 'transpose-gemm-weights',
  category: 'quantize',
  exactness: 'rounding',
  needs: [],
  summary: 'Store the constant weights of Gemm by output channel (transB = 1)',
  details: `A Gemm whose constant matrix stands as \`[inputs, outputs]\` is given its transpose and \`transB = 1\`. The runtime multiplies
8-bit weights with one scale per output channel (QGemm) only where the outputs are the first axis. In float it packs the weights
in both forms alike, so that nothing is won or lost there.`,
  options: {},
  declines: { 'shared-weights': 'The matrix is also read by others, and would be stored twice.' },
  stats: { transposed: 'weights of Gemm transposed' },
  roots: ['Gemm'],
  rewrite(node, ctx) {
    const weight = node.inputs[1];
    const tensor = weight?.constant;
    if (!node.is('Gemm') || !weight || tensor?.dims.length !== 2 || node.int('transB', 0) !== 0) return false;
    if (isShared(weight)) return ctx.decline(node, 'shared-weights');
    setConstantInput(node, 1, permuteTensor(tensor, [1, 0]));
    graphOf(node).setAttribute(node, 'transB', intAttr(1));
    ctx.count('transposed');
    return true;
  },
});
