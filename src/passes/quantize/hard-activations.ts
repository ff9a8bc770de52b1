// HardSigmoid and HardSwish on integers, for which ONNX Runtime has no kernels: max(0, min(1, a x + b)) is a sum of b and of the
// same integers read with a times their scale, and 8 bits over [0, 1] saturate where it does; HardSwish multiplies x by that.
import type { Graph } from '../../ir/graph.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { Tensor } from '../../tensor/tensor.js';
import { graphOf, removeDead, replaceNode } from '../edit.js';
import { activationParameters, type ActivationParameters } from './parameters.js';

/** The slope and offset of a node, undefined for all others. ONNX: HardSigmoid has 0.2 and 0.5, HardSwish 1/6 and 0.5. */
export function hardGate(node: Node): { readonly slope: number; readonly offset: number } | undefined {
  if (node.is('HardSigmoid')) return { slope: node.float('alpha', 0.2), offset: node.float('beta', 0.5) };
  return node.is('HardSwish') ? { slope: 1 / 6, offset: 0.5 } : undefined;
}

/** Nodes that stand for one that was planned. */
export interface Expanded {
  /** Gives the result. */
  readonly node: Node;
  readonly inner: readonly Node[];
}

/**
 * Puts sums and products of integers in the place of `node`, which reads `data`, the dequantized form of `integers`; a
 * QuantizeLinear stands behind it. Returns undefined for other nodes.
 */
export function expandHardActivation(
  node: Node,
  { integers, dtype }: { readonly integers: Value; readonly dtype: ActivationParameters['dtype'] },
): Expanded | undefined {
  const gate = hardGate(node);
  const [data] = node.inputs;
  const [, scale, zeroPoint] = data?.producer?.inputs ?? [];
  const factor = scale?.constant?.scalar();
  if (!gate || !data || factor === undefined) return undefined;
  const graph = graphOf(node);
  const name = node.output?.name ?? 'gate';
  const scalar = (tensor: Tensor, what: string): Value => graph.addInitializer(tensor, `${name}_${what}`);
  const steeper = [integers, scalar(Tensor.scalar('float32', factor * gate.slope), 'slope'), zeroPoint];
  // One step is the whole offset: it is met exactly.
  const offset = [Tensor.scalar(dtype, 1), Tensor.scalar('float32', gate.offset), Tensor.scalar(dtype, 0)];
  const summands = [
    add(graph, node, { opType: 'DequantizeLinear', inputs: steeper, output: `${name}_scaled` }),
    add(graph, node, {
      opType: 'DequantizeLinear',
      inputs: offset.map((tensor, i) => scalar(tensor, `offset${i}`)),
      output: `${name}_offset`,
    }),
  ];
  if (node.is('HardSigmoid')) {
    const sum = replaceNode(node, { opType: 'Add', name: node.label, inputs: summands });
    removeDead([data]);
    return { node: sum, inner: [] };
  }
  const unit = activationParameters({ low: 0, high: 1 }, dtype);
  const parameters = [
    scalar(Tensor.scalar('float32', unit.scale), 'scale'),
    scalar(Tensor.scalar(dtype, unit.zeroPoint), 'zero'),
  ];
  const sum = add(graph, node, { opType: 'Add', inputs: summands, output: `${name}_sum` });
  const quantized = add(graph, node, {
    opType: 'QuantizeLinear',
    inputs: [sum, ...parameters],
    output: `${name}_gate_quantized`,
  });
  const factorOf = add(graph, node, {
    opType: 'DequantizeLinear',
    inputs: [quantized, ...parameters],
    output: `${name}_gate`,
  });
  const inner = [sum, quantized, factorOf].flatMap((value) => value?.producer ?? []);
  return { node: replaceNode(node, { opType: 'Mul', name: node.label, inputs: [data, factorOf] }), inner };
}

interface Added {
  readonly opType: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly output: string;
}

function add(graph: Graph, before: Node, { opType, inputs, output }: Added): Value | undefined {
  return graph.addNode({ opType, inputs, outputs: [output] }, before).output;
}
