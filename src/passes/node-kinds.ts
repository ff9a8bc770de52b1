// Kinds of nodes that rewrites treat alike wherever they meet them.
import type { Facts } from '../analysis/facts.js';
import type { Node } from '../ir/node.js';
import { DTYPES } from '../tensor/dtype.js';

const QUANTIZATION: ReadonlySet<string> = new Set(['QuantizeLinear', 'DequantizeLinear', 'DynamicQuantizeLinear']);

/**
 * The node turns numbers into quantized ones or back. These stay where they are: the runtime looks for them around an
 * operator to run it on integers, and folding the one of a weight would store the weight four times as large.
 */
export function isQuantization(node: Node): boolean {
  return QUANTIZATION.has(node.opType);
}

/** Shorter constants of half precision are no weights that somebody wanted small. */
const STORED_HALF = 64;

/**
 * The node widens a constant of half precision, whose short form keeps the file small: the runtime computes it when it loads
 * the model, and folding it would store the constant twice as large.
 */
export function widensStored(node: Node): boolean {
  const tensor = node.is('Cast') ? node.inputs[0]?.constant : undefined;
  const isHalf = tensor?.dtype === 'float16' || tensor?.dtype === 'bfloat16';
  return isHalf && tensor.size >= STORED_HALF && node.int('to', 0) === DTYPES.float32.code;
}

const RANDOM: ReadonlySet<string> = new Set([
  'RandomNormal',
  'RandomNormalLike',
  'RandomUniform',
  'RandomUniformLike',
  'Multinomial',
  'Bernoulli',
]);

/** Domains whose operators are known to compute the same from the same. */
const KNOWN_DOMAINS: ReadonlySet<string> = new Set(['', 'ai.onnx', 'ai.onnx.ml', 'com.microsoft']);

/**
 * Equal inputs give equal outputs, as far as is known: the operator draws no random numbers, is of a domain that has none
 * hidden, is no call of a local function (inlining tells what it does) and holds no subgraph.
 */
export function isDeterministic(node: Node, facts: Facts): boolean {
  if (RANDOM.has(node.opType) || !KNOWN_DOMAINS.has(node.domain) || facts.record(node)?.traits.deterministic === false)
    return false;
  if (node.opType === 'Dropout' && !isIdleDropout(node, facts)) return false;
  return node.graph?.model.functionOf(node) === undefined && node.subgraphs().length === 0;
}

/** The Dropout passes its input through: it does so unless it trains and drops. */
export function isIdleDropout(node: Node, facts: Facts): boolean {
  const { opset } = facts.site(node);
  if (opset < 7) return node.int('is_test', 0) !== 0;
  const training = node.inputs[2];
  if (opset < 12 || training === undefined || facts.of(training).data?.[0] === 0) return true;
  const ratio = node.inputs[1];
  return ratio !== undefined && facts.of(ratio).data?.[0] === 0;
}
