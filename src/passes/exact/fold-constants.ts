// Constant folding: nodes that read only constants are computed once, on ONNX Runtime, and become initializers. What
// merely gives a constant another shape needs no computing: the new initializer shares the bytes.
import type { Facts } from '../../analysis/facts.js';
import { int, type OptionValues } from '../../base/option.js';
import { staticDims } from '../../ir/dim.js';
import type { Graph } from '../../ir/graph.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { storageBytes } from '../../tensor/dtype.js';
import { elementCount, type Tensor } from '../../tensor/tensor.js';
import { becomeConstants, usedOutputs } from '../constants.js';
import { isDeterministic, isQuantization, widensStored } from '../node-kinds.js';
import { defineGlobalPass, type PassContext } from '../pass.js';

const OPTIONS = {
  growth: int({ default: 64, min: 0, help: 'KiB by which one folded result may exceed the constants that it frees' }),
  limit: int({ default: 128, min: 1, help: 'MiB of constants that one folded node may read or make' }),
} as const;

const DECLINES = {
  'too-large': 'The result takes {bytes} bytes and frees {freed}: folding would make the model larger.',
  'over-limit': 'The node reads or makes {bytes} bytes of constants, more than the limit.',
  'graph-output': 'The result is an output of a graph, and an output must be computed by a node.',
  'not-computed': 'ONNX Runtime could not compute the node by itself.',
} as const;

type Context = PassContext<typeof OPTIONS, typeof DECLINES>;

export const foldConstants = defineGlobalPass({
  name: 'fold-constants',
  category: 'exact',
  exactness: 'exact',
  needs: [],
  summary: 'Compute nodes whose inputs are all constants',
  details: `Any deterministic operator of the ONNX and \`com.microsoft\` domains is folded, in subgraphs too, wave after wave until
nothing is left. ONNX Runtime computes the results, with its own optimizations off, so they are what the model would have
computed. Not folded: random operators, nodes with subgraphs, calls of local functions, QuantizeLinear and
DequantizeLinear, which would undo the quantization of weights, and a Cast to float32 of a constant that is stored as float16
to keep the file small. A result may exceed the constants that it frees by \`growth\` KiB, so that Tile, Expand and
ConstantOfShape do not inflate the file. Reshape, Squeeze, Unsqueeze, Flatten and Identity of a constant need no runtime: the
bytes stay the same.`,
  options: OPTIONS,
  declines: DECLINES,
  stats: { folded: 'nodes folded to constants' },
  async run(model, ctx) {
    const queue = new Set(model.graphs().flatMap((graph: Graph) => graph.nodes()));
    while (queue.size > 0) {
      const wave = takeWave(queue, ctx);
      const results = wave.length > 0 && ctx.evaluator ? await ctx.evaluator.evaluate(wave) : new Map<Value, Tensor>();
      for (const node of wave) fold(node, ctx, queue, (value) => results.get(value));
    }
  },
});

/** Empties `queue`: folds what needs no runtime, with what becomes constant by that, and returns what the runtime must compute. */
function takeWave(queue: Set<Node>, ctx: Context): Node[] {
  const wave: Node[] = [];
  for (const node of queue) {
    queue.delete(node);
    if (node.isRemoved || !isCandidate(node, ctx)) continue;
    const bytes = sharedBytes(node, ctx.facts);
    if (bytes) fold(node, ctx, queue, (value) => bytes.reshaped(ctx.facts.staticShape(value) ?? []));
    else wave.push(node);
  }
  return wave;
}

function isCandidate(node: Node, ctx: Context): boolean {
  const inputs = node.inputs.filter((value) => value !== undefined);
  if (inputs.some((value) => value.constant === undefined) || node.is('Constant')) return false;
  if (isQuantization(node) || widensStored(node)) return false;
  const outputs = usedOutputs(node);
  if (outputs.length === 0 || !isDeterministic(node, ctx.facts)) return false;
  if (!ctx.evaluator && !sharedBytes(node, ctx.facts)) return false;
  if (outputs.some((value) => value.isGraphOutput)) return ctx.decline(node, 'graph-output');
  return fitsBudget(node, inputs, outputs, ctx);
}

function fitsBudget(node: Node, inputs: readonly Value[], outputs: readonly Value[], ctx: Context): boolean {
  const read = inputs.reduce((sum, value) => sum + (value.constant?.byteLength ?? 0), 0);
  const made = outputs.reduce((sum, value) => sum + resultBytes(value, ctx.facts), 0);
  const largest = Math.max(read, made);
  if (largest > ctx.options.limit * 2 ** 20 && !sharedBytes(node, ctx.facts))
    return ctx.decline(node, 'over-limit', { bytes: largest });
  return (
    fitsGrowth(node, made, ctx.options) || ctx.decline(node, 'too-large', { bytes: made, freed: freedBytes(node) })
  );
}

function fitsGrowth(node: Node, made: number, options: OptionValues<typeof OPTIONS>): boolean {
  return made <= freedBytes(node) + options.growth * 1024;
}

/** Bytes of the constants that nobody else reads. */
function freedBytes(node: Node): number {
  const owned = [...new Set(node.inputs)].filter((value) => value?.slots.size === 1 && !value.isGraphOutput);
  return owned.reduce((sum, value) => sum + (value?.constant?.byteLength ?? 0), 0);
}

/** As far as it is known before computing: the sizes of operators that can inflate their inputs follow from constants. */
function resultBytes(value: Value, facts: Facts): number {
  const { dtype, shape } = facts.of(value);
  const dims = staticDims(shape);
  return dtype && dtype !== 'string' && dims ? storageBytes(dtype, elementCount(dims)) : 0;
}

const SAME_BYTES: ReadonlySet<string> = new Set(['Identity', 'Reshape', 'Squeeze', 'Unsqueeze', 'Flatten']);

/** The constant whose bytes are those of the result. */
function sharedBytes(node: Node, facts: Facts): Tensor | undefined {
  if (node.domain !== '' || !SAME_BYTES.has(node.opType)) return undefined;
  const tensor = node.inputs[0]?.constant;
  const dims = node.output && facts.staticShape(node.output);
  return tensor && dims && elementCount(dims) === tensor.size ? tensor : undefined;
}

/** Replaces the outputs of `node` by their results; the nodes that read them are queued. */
function fold(node: Node, ctx: Context, queue: Set<Node>, resultOf: (value: Value) => Tensor | undefined): void {
  const results = new Map<Value, Tensor>();
  for (const value of usedOutputs(node)) {
    const tensor = resultOf(value);
    if (tensor) results.set(value, tensor);
  }
  if (results.size === 0) {
    ctx.decline(node, 'not-computed');
    return;
  }
  const made = [...results.values()].reduce((sum, tensor) => sum + tensor.byteLength, 0);
  if (!fitsGrowth(node, made, ctx.options)) {
    ctx.decline(node, 'too-large', { bytes: made, freed: freedBytes(node) });
    return;
  }
  if (!ctx.permit(node)) return;
  for (const constant of becomeConstants(node, results)) for (const reader of constant.slots.keys()) queue.add(reader);
  ctx.count('folded');
}
