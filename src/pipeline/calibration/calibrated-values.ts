// Which values of a model calibration looks at: those that a quantizer can put 8 bits at.
import type { Facts } from '../../analysis/facts.js';
import { isFloat } from '../../tensor/dtype.js';
import type { Model } from '../../ir/model.js';
import type { Value } from '../../ir/value.js';

/** What every runtime computes together with the node before it: only the result is ever quantized. */
const FUSED_BEHIND: ReadonlySet<string> = new Set(['Relu', 'Clip', 'BatchNormalization']);

/**
 * Floating-point inputs of the model and values that its main graph computes from them, in order. Left out is what only a
 * Relu, Clip or BatchNormalization reads, and what does not depend on the inputs.
 */
export function calibratedValues(model: Model, facts: Facts): Value[] {
  const dynamic = new Set<Value>(model.graph.inputs.filter(({ initializer }) => initializer === undefined));
  for (const node of model.graph.nodes()) {
    const depends = node.inputs.some((input) => input && dynamic.has(input)) || node.subgraphs().length > 0;
    if (depends) for (const output of node.outputs) if (output) dynamic.add(output);
  }
  return [...dynamic].filter((value) => isReal(facts, value) && !isFusedAway(value) && !value.isUnused);
}

function isReal(facts: Facts, value: Value): boolean {
  const { dtype, data } = facts.of(value);
  return dtype !== undefined && isFloat(dtype) && data === undefined;
}

function isFusedAway(value: Value): boolean {
  const reader = value.soleConsumer;
  return value.producer !== undefined && reader?.inputs[0] === value && FUSED_BEHIND.has(reader.opType);
}
