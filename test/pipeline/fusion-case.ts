// Graphs in QDQ form whose fusion is proved: what the tests of the fusion proof share.
import type { Node } from '../../src/ir/node.js';
import type { Value } from '../../src/ir/value.js';
import { proveFusion, type FusionProof, type NodeProof } from '../../src/pipeline/fusion-proof.js';
import type { PlannedNode } from '../../src/pipeline/fusion-proof-source.js';
import type { RuntimeHost } from '../../src/runtime/host.js';
import { QdqNet, type Quantization } from './qdq-net.js';

export const POSITIVE = { scale: 0.02, zero: 0 };
export const OTHER = { scale: 0.03, zero: 100 };
export const S8 = { scale: 0.02, zero: 0, type: 'int8' } as const;
export const PLAIN = [16, 16] as const;
export const POOL = { kernel_shape: [2, 2], strides: [2, 2] };
const OPERATORS = new Set(['QuantizeLinear', 'DequantizeLinear', 'Relu', 'Clip', 'Constant']);

export interface FusionCase {
  readonly opset?: number;
  readonly input?: Quantization;
  readonly int8Activations?: 'kept';
  readonly names?: 'none';
}

/** Plans every operator among `nodes` that may be one of integers. */
export function plan(nodes: Iterable<Node>): PlannedNode[] {
  return [...nodes]
    .filter((node) => !OPERATORS.has(node.opType))
    .map((node) => ({ node: node.name, opType: node.opType, output: node.output?.name ?? '', kind: node.opType }));
}

export type Build = (net: QdqNet, x: Value) => Value | readonly Value[];
export type Prove = (build: Build, options?: FusionCase) => Promise<FusionProof>;

/** Plans every operator of the net that `build` makes of a quantized input of 16 channels. */
export function proverOf(host: () => RuntimeHost): Prove {
  return (build, options = {}) => {
    const net = new QdqNet({ ...(options.opset ? { opset: options.opset } : {}), names: options.names ?? 'given' });
    const outputs = build(net, net.qdq(net.input([1, 16, 8, 8]), options.input));
    const bytes = net.bytes(...[outputs].flat());
    const { int8Activations } = options;
    return proveFusion(host(), bytes, plan(net.model.graph.nodes()), int8Activations ? { int8Activations } : {});
  };
}

/** What each planned node ran as. */
export const ranAs = ({ nodes }: FusionProof): string[] =>
  nodes.map(({ fused, ranAs: as }: NodeProof) => `${fused ? '' : 'float: '}${as}`);
