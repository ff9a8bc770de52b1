// How ONNX Runtime's CPU kernels take each operator in integers (docs/quantization-rules.md; run on onnxruntime-node 1.30). What
// is not listed runs in float between DequantizeLinear and QuantizeLinear.
import type { Node } from '../ir/node.js';

/**
 * `product`: activations times weights, input 1 and 2 being weights and bias. `own`: input and output have scales of their
 * own. `same`: elements are moved or chosen, so input and output must share scale and zero point.
 */
export type Int8Form = 'product' | 'own' | 'same';

export interface Int8Kernel {
  readonly form: Int8Form;
  /** Inputs that are quantized: the first, or each of them. */
  readonly quantized: 'first' | 'all';
  /** The first operator set in which the runtime takes it. */
  readonly since: number;
  /** The result need not be quantized. */
  readonly floatResult?: 'allowed';
  /** Why this node is no such operator. */
  refuse?(node: Node): KernelRefusal | undefined;
}

/** A form of an operator that has no integer kernel. */
export interface KernelRefusal {
  readonly code: 'attributes' | 'resize-mode';
  /** A noun phrase. */
  readonly what: string;
}

/** QuantizeLinear begins here. */
const FIRST = 10;
const product = { form: 'product', quantized: 'first', since: FIRST } as const;
const own = { form: 'own', quantized: 'first', since: FIRST } as const;
const same = { form: 'same', quantized: 'first', since: FIRST } as const;
const every = { form: 'own', quantized: 'all', since: FIRST } as const;

const SAME: readonly string[] = [
  'DepthToSpace',
  'Expand',
  'Flatten',
  'Gather',
  'Identity',
  'ReduceMax',
  'ReduceMin',
  'Reshape',
  'Slice',
  'Split',
  'Squeeze',
  'Tile',
  'Transpose',
  'Unsqueeze',
];

const KERNELS: ReadonlyMap<string, Int8Kernel> = new Map<string, Int8Kernel>([
  ['Conv', product],
  [
    'Gemm',
    {
      ...product,
      floatResult: 'allowed',
      refuse: (node) =>
        node.inputs[2] && node.float('beta', 1) !== 1 ? { code: 'attributes', what: 'a beta other than 1' } : undefined,
    },
  ],
  ['MatMul', { ...product, floatResult: 'allowed' }],
  ['Add', every],
  ['Mul', every],
  ['Concat', every],
  ['AveragePool', own],
  ['GlobalAveragePool', own],
  ['LeakyRelu', own],
  ['Sigmoid', own],
  ['Softmax', own],
  [
    'MaxPool',
    {
      ...same,
      since: 12,
      refuse: (node) =>
        node.outputs[1] === undefined ? undefined : { code: 'attributes', what: 'indices as a result' },
    },
  ],
  [
    'Resize',
    {
      ...same,
      refuse: (node) => {
        const mode = node.string('mode', 'nearest');
        return mode === 'nearest' ? undefined : { code: 'resize-mode', what: `the mode ${mode}` };
      },
    },
  ],
  ...SAME.map((opType) => [opType, same] as const),
]);

/** How `node` runs in integers where everything around it allows it; undefined when there is no such kernel. */
export function int8Kernel(node: Pick<Node, 'opType' | 'domain'>): Int8Kernel | undefined {
  return node.domain === '' ? KERNELS.get(node.opType) : undefined;
}

/** Operators that the runtime moves a lone QuantizeLinear or DequantizeLinear across. */
export const CROSSED_BY_CONVERSIONS: ReadonlySet<string> = new Set([
  'MaxPool',
  'Reshape',
  'Slice',
  'Squeeze',
  'Transpose',
  'Unsqueeze',
]);

/** Operators of the optimized graph that compute in integers whatever they read. */
export function isIntegerOperator({ opType }: Node): boolean {
  return (
    opType.startsWith('QLinear') ||
    opType === 'QGemm' ||
    opType.startsWith('MatMulInteger') ||
    opType === 'ConvInteger' ||
    opType.startsWith('DynamicQuantize')
  );
}
