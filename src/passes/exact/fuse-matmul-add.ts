// MatMul and Add of two-dimensional matrices are one Gemm: Y = A B + C.
import { sameDim, type Dim } from '../../ir/dim.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import type { DType } from '../../tensor/dtype.js';
import { removeNode, replaceNode } from '../edit.js';
import { isQuantization } from '../node-kinds.js';
import { defineLocalPass } from '../pass.js';

const GEMM_TYPES: ReadonlySet<DType | undefined> = new Set<DType>(['float16', 'float32', 'float64']);

export const fuseMatMulAdd = defineLocalPass({
  name: 'fuse-matmul-add',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Turn MatMul followed by Add into one Gemm',
  details: `\`Y = A B + C\` is \`Gemm(A, B, C)\`. Gemm takes matrices only, so both operands must have two axes, and \`C\` must broadcast
to the shape of \`A B\` without growing it. The Gemm then takes up what later folds into its weights and bias.`,
  options: {},
  declines: {
    rank: 'The operands of MatMul are not known to have two axes.',
    'addend-shape': 'The addend is not known to broadcast to the shape of the product.',
    quantized:
      'An operand is dequantized: the runtime multiplies integers in a MatMul like this one, and not in a Gemm.',
    'shared-output': 'The product is also read by others, or is an output of the graph.',
  },
  stats: { fused: 'MatMul and Add fused to Gemm' },
  roots: ['Add'],
  rewrite(node, ctx) {
    const found = productAndAddend(node);
    if (!found || ctx.model.opset < 7) return false;
    const { product, matmul, addend } = found;
    const [a, b] = matmul.inputs;
    if (!a || !b || !GEMM_TYPES.has(ctx.facts.of(a).dtype)) return false;
    if ([a, b].some((value) => value.producer && isQuantization(value.producer))) return ctx.decline(node, 'quantized');
    if (product.soleConsumer !== node || matmul.graph !== node.graph) return ctx.decline(node, 'shared-output');
    const [left, right] = [ctx.facts.of(a).shape, ctx.facts.of(b).shape];
    if (left?.length !== 2 || right?.length !== 2) return ctx.decline(node, 'rank');
    if (!broadcastsTo(ctx.facts.of(addend).shape, [left[0] ?? 1, right[1] ?? 1]))
      return ctx.decline(node, 'addend-shape');
    replaceNode(node, { opType: 'Gemm', inputs: [a, b, addend] });
    removeNode(matmul);
    ctx.count('fused');
    return true;
  },
});

function productAndAddend(
  node: Node,
): { readonly product: Value; readonly matmul: Node; readonly addend: Value } | undefined {
  const [first, second] = node.inputs;
  if (!node.is('Add') || !first || !second) return undefined;
  const products = [first, second].filter((value) => value.producer?.is('MatMul'));
  // Of two products the one that the Add alone reads.
  const product = products.find((value) => value.soleConsumer === node) ?? products[0];
  const matmul = product?.producer;
  return product && matmul && { product, matmul, addend: product === first ? second : first };
}

function broadcastsTo(shape: readonly Dim[] | undefined, target: readonly Dim[]): boolean {
  return (
    shape !== undefined &&
    shape.length <= target.length &&
    shape.every((dim, i) => dim === 1 || sameDim(dim, target[target.length - shape.length + i]))
  );
}
