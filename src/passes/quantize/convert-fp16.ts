// Stores the weights of a model as float16, or makes the whole model compute in it.
import { choice, flag, int, text } from '../../base/option.js';
import { intAttr } from '../../ir/attribute.js';
import type { Graph } from '../../ir/graph.js';
import type { Model } from '../../ir/model.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { DTYPES } from '../../tensor/dtype.js';
import { dropIfUnused, removeNode } from '../edit.js';
import { HALF_DECLINES, halfRefusal, halfTensor, tensorOf, unfitNumber } from '../half-precision.js';
import { convertNode, dropIdleTwins, halveInputs, halveOutputs, type Twins } from '../half-values.js';
import { isQuantization } from '../node-kinds.js';
import { defineGlobalPass, type PassContext } from '../pass.js';
import { isRefusal } from '../plan.js';

const OPTIONS = {
  form: choice(['weights', 'values'], {
    default: 'weights',
    help: 'weights: stored as float16, computed in float32; values: computed in float16 too',
  }),
  minimum: int({ default: 64, min: 1, help: 'Smallest number of elements of a stored tensor (form=weights)' }),
  'keep-io': flag({ default: true, help: 'Inputs and outputs of the model stay float32 (form=values)' }),
  block: text({ default: '', help: 'Operator types or names of nodes that stay float32, separated by +' }),
} as const;

export const convertFp16 = defineGlobalPass({
  name: 'convert-fp16',
  category: 'quantize',
  exactness: 'lossy',
  needs: [],
  objective: 'size',
  // They look at float32 weights.
  conflicts: [
    'transpose-gemm-weights',
    'pad-input-channels',
    'pad-inner-channels',
    'equalize-channels',
    'quantize-dynamic',
  ],
  summary: 'Store weights as float16, or compute in it',
  details: `\`form=weights\` stores every float32 tensor of \`minimum\` elements or more as float16, with a \`Cast\` behind it. ONNX Runtime
computes the Casts once, when it loads the model: the file is half as large, and the model runs exactly as fast as before.
\`form=values\` makes nodes compute in float16, for hardware that does; on a CPU, ONNX Runtime 1.30 has hardly any kernel for it
and surrounds the operators with Casts, which is slower than float32: 1.23 times the time on MobileNetV2, 1.34 on ResNet-20.

Numbers beyond 65504, and numbers of elementwise operators that would become 0, keep their node in float32; bounds of Clip, Max
and Min are drawn into the range. Operators that the runtime does not load in float16, or whose results soon leave its range
(Exp, Pow, Reciprocal, sums), stay float32 too, with Casts around them, and so do nodes with subgraphs; the nodes inside are
converted by themselves. \`scales\` of Resize stay float32. \`block\` adds to these.`,
  options: OPTIONS,
  declines: HALF_DECLINES,
  stats: { tensors: 'tensors stored as float16', nodes: 'nodes that compute in float16' },
  run(model, ctx) {
    if (ctx.options.form === 'weights') storeWeights(model, ctx);
    else convertValues(model, ctx);
  },
});

type Context = PassContext<typeof OPTIONS, typeof HALF_DECLINES, (typeof convertFp16)['stats']>;

function isBlocked(node: Node, { options }: Context): boolean {
  const blocked = options.block.split('+').map((entry) => entry.trim());
  return blocked.includes(node.opType) || (node.name !== '' && blocked.includes(node.name));
}

function storeWeights(model: Model, ctx: Context): void {
  for (const graph of model.graphs()) {
    const { first } = graph;
    const constants = graph.nodes().flatMap((node) => (node.is('Constant') && node.output ? [node.output] : []));
    const stored = [...graph.initializers].sort((a, b) => a.ordinal - b.ordinal);
    for (const value of [...stored, ...constants]) storeWeight(value, graph, ctx, first);
  }
}

/** The Cast stands where the Constant node stood, or in front of `first`. */
function storeWeight(value: Value, graph: Graph, ctx: Context, first: Node | undefined): void {
  const tensor = tensorOf(value);
  const readers = value.consumers();
  const [reader] = readers;
  if (tensor?.dtype !== 'float32' || tensor.size < ctx.options.minimum || !reader || value.isGraphOutput) return;
  if (readers.some((node) => isQuantization(node) || isBlocked(node, ctx))) return;
  for (const node of readers) {
    const number = unfitNumber(tensor, node);
    if (number === undefined) continue;
    ctx.decline(node, 'range', { value: value.name, number });
    return;
  }
  if (!ctx.permit(value)) return;
  const { name, producer } = value;
  const half = graph.addInitializer(halfTensor(tensor, reader), `${name}_half`);
  const attributes = { to: intAttr(DTYPES.float32.code) };
  const cast = graph.addNode({ opType: 'Cast', inputs: [half], outputs: [name], attributes }, producer ?? first);
  if (!cast.output) return;
  graph.replaceUses(value, cast.output);
  if (producer) removeNode(producer);
  else dropIfUnused(value);
  if (!graph.model.names.has(name)) graph.rename(cast.output, name);
  ctx.count('tensors');
}

function convertValues(model: Model, ctx: Context): void {
  const twins: Twins = new Map();
  const chosen: Node[] = [];
  for (const node of model.allNodes()) {
    const verdict = isBlocked(node, ctx) ? undefined : halfRefusal(node, ctx.facts);
    if (verdict === 'convertible') chosen.push(node);
    else if (verdict && isRefusal(verdict)) ctx.decline(node, verdict.refused, verdict.details);
  }
  const permitted = chosen.filter((node) => ctx.permit(node));
  if (permitted.length === 0) return;
  if (!ctx.options['keep-io']) halveInputs(model.graph, twins);
  for (const node of permitted) convertNode(node, twins, ctx.facts);
  if (!ctx.options['keep-io']) halveOutputs(model.graph, twins);
  dropIdleTwins(twins, ctx.facts);
  ctx.count('nodes', permitted.length);
}
