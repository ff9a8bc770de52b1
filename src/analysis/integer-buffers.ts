// Which values of a graph with QuantizeLinear and DequantizeLinear are never made: the runtime takes the conversions around an operator
// that has an integer kernel into it (QDQ form, docs/quantization-rules.md), so that what stands in memory are integers.
import type { Graph } from '../ir/graph.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { constantTensor } from '../ops/generate.js';
import { int8Kernel } from './int8-kernels.js';

export interface IntegerBuffers {
  /** Results that never stand there as floats, and the quantized value that is made in their place. */
  readonly insteadOf: ReadonlyMap<Value, Value>;
  /** Nodes that do nothing of their own: their output is their first input. */
  readonly views: ReadonlySet<Node>;
  /** Weights, stored as integers. */
  readonly weights: ReadonlySet<Value>;
}

const isActivation = (node: Node): boolean => node.is('Relu') || node.is('Clip');

/** Empty for a graph without conversions. */
export function integerBuffers(graph: Graph): IntegerBuffers {
  const nodes = graph.nodes();
  const insteadOf = new Map<Value, Value>();
  const views = new Set<Node>();
  const weights = new Set<Value>();
  const conversions = nodes.filter((node) => node.is('DequantizeLinear'));
  if (conversions.length === 0) return { insteadOf, views, weights };
  for (const { inputs, output } of conversions) if (output && isConstant(inputs[0])) weights.add(output);
  const whole = new Set<Node>();
  for (const node of nodes) {
    const kernel = int8Kernel(node);
    if (!node.output || !kernel || kernel.refuse?.(node) || !readsIntegers(node, kernel)) continue;
    const behind = conversionBehind(node.output);
    if (!behind && kernel.floatResult !== 'allowed') continue;
    whole.add(node);
    if (!behind) continue;
    insteadOf.set(node.output, behind.result);
    for (const taken of behind.nodes) views.add(taken);
  }
  for (const node of conversions) {
    const { output } = node;
    if (!output || weights.has(output) || output.isGraphOutput) continue;
    if (output.consumers().every((reader) => whole.has(reader))) views.add(node);
  }
  return { insteadOf, views, weights };
}

/** The activations behind a value, and the QuantizeLinear that alone reads what they give; undefined where there is none. */
function conversionBehind(value: Value): { readonly nodes: readonly Node[]; readonly result: Value } | undefined {
  const nodes: Node[] = [];
  let reader = value.soleConsumer;
  while (reader && isActivation(reader)) {
    nodes.push(reader);
    reader = reader.output?.soleConsumer;
  }
  if (!reader?.output || !reader.is('QuantizeLinear')) return undefined;
  return { nodes: [...nodes, reader], result: reader.output };
}

function readsIntegers({ inputs }: Node, { form, quantized }: NonNullable<ReturnType<typeof int8Kernel>>): boolean {
  const data = form === 'product' ? inputs.slice(0, 2) : quantized === 'all' ? inputs : inputs.slice(0, 1);
  return data.every((value) => value?.producer?.is('DequantizeLinear') === true);
}

const isConstant = (value: Value | undefined): boolean =>
  value?.constant !== undefined || (value?.producer !== undefined && constantTensor(value.producer) !== undefined);
