// What ONNX Runtime fuses by itself when it loads a model (CPU provider, release 1.30): rewrites that
// would take an activation out of such a fusion make the model slower.
import type { Node } from '../ir/node.js';

/** Activations that run inside a convolution; HardSwish where the convolution has whole blocks of channels. */
const FUSED_INTO_CONV: ReadonlySet<string> = new Set([
  'Relu',
  'Clip',
  'LeakyRelu',
  'Sigmoid',
  'Tanh',
  'HardSigmoid',
  'HardSwish',
]);

/** Whether `activation` runs inside the convolution before it (or before the addition that runs inside it too). */
export function isFusedByRuntime(activation: Node): boolean {
  if (activation.domain !== '' || !FUSED_INTO_CONV.has(activation.opType)) return false;
  const data = activation.inputs[0];
  const producer = data?.producer;
  if (data === undefined || producer === undefined || data.soleConsumer !== activation) return false;
  if (producer.is('Conv') || producer.is('BatchNormalization')) return true;
  return (
    producer.is('Add') && activation.opType === 'Relu' && producer.inputs.some((value) => value?.producer?.is('Conv'))
  );
}

/** Whether the activation that reads the output of `conv` runs inside it. */
export function fusedActivation(conv: Node): Node | undefined {
  const next = conv.output?.soleConsumer;
  return conv.is('Conv') && next && next.graph === conv.graph && isFusedByRuntime(next) ? next : undefined;
}

/** Whether the output of `conv` is added to another computed value: the runtime adds inside the convolution. */
export function fusedSum(conv: Node): Node | undefined {
  const next = conv.output?.soleConsumer;
  const computed = next?.inputs.every((value) => value?.producer !== undefined) === true;
  return conv.is('Conv') && computed && next.is('Add') && next.graph === conv.graph ? next : undefined;
}

/**
 * What the runtime fuses from pieces that end with `node`, where `node` applies a constant: the scale or the bias of a
 * LayerNormalization, the 1/2 of a Gelu. Without it the other pieces run one by one.
 */
export function fusedPattern(node: Node): 'normalization' | 'Gelu' | undefined {
  const data = node.inputs.find((value) => value?.constant === undefined)?.producer;
  if (data === undefined || data.domain !== '') return undefined;
  const isScale = node.is('Mul') || node.is('Div');
  if (isScale && isNormalized(data)) return 'normalization';
  if (isScale && data.is('Mul') && data.inputs.some((value) => isErrorFunction(value?.producer))) return 'Gelu';
  return node.is('Add') && data.is('Mul') && fusedPattern(data) === 'normalization' ? 'normalization' : undefined;
}

/** d / sqrt(v), or d times its inverse. */
function isNormalized(node: Node): boolean {
  const root = (value: Node | undefined): boolean => value?.is('Sqrt') === true;
  if (node.is('Div')) return root(node.inputs[1]?.producer);
  return (
    node.is('Mul') &&
    node.inputs.some((value) => value?.producer?.is('Reciprocal') && root(value.producer.inputs[0]?.producer))
  );
}

/** 1 + erf(...), or 1 + tanh(...). */
function isErrorFunction(node: Node | undefined): boolean {
  return (
    node?.is('Add') === true &&
    node.inputs.some((value) => value?.producer?.is('Erf') === true || value?.producer?.is('Tanh') === true)
  );
}
