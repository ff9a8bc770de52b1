// What ONNX Runtime fuses by itself when it loads a model (measured on the CPU provider, release 1.31): rewrites that
// would take an activation out of such a fusion make the model slower.
import type { Node } from '../ir/node.js';

/** Activations that run inside a convolution. */
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
