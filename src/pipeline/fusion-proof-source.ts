// A planned node as it stands in the QDQ model: what each of its results goes through until it is quantized.
import type { Facts } from '../analysis/facts.js';
import { CROSSED_BY_CONVERSIONS, int8Kernel, type Int8Kernel } from '../analysis/int8-kernels.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { constantTensor } from '../ops/generate.js';
import type { DType } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';

/** A node that is to run in integers. */
export interface PlannedNode {
  /** Name in the model; may be empty, or shared with others. */
  readonly node: string;
  readonly opType: string;
  /** Name of the float value that it computes: what is quantized then, or activated before. */
  readonly output: string;
  /** What it is in the plan, such as `conv` or `add`: passed through. */
  readonly kind: string;
}

/** One result of a planned node. */
export interface PlannedResult {
  readonly value: Value;
  /** The Relu or Clip that alone reads it. */
  readonly activation: Node | undefined;
  /** Behind the activation. */
  readonly last: Value;
  readonly quantizers: readonly Node[];
  /** Readers of `last` that are no QuantizeLinear. */
  readonly others: readonly Node[];
}

export interface PlannedSite {
  readonly planned: PlannedNode;
  readonly node: Node;
  readonly kernel: Int8Kernel | undefined;
  readonly results: readonly PlannedResult[];
}

export const QUANTIZE = 'QuantizeLinear';
export const DEQUANTIZE = 'DequantizeLinear';

/** The site of `planned`, whose result is computed by `node`. */
export function plannedSite(planned: PlannedNode, node: Node): PlannedSite {
  const kernel = int8Kernel(node);
  const outputs = node.outputs.filter((value) => value !== undefined && (!value.isUnused || value === node.output));
  const results = outputs.flatMap((value) => (value ? [resultOf(value, kernel)] : []));
  return { planned, node, kernel, results };
}

function resultOf(value: Value, kernel: Int8Kernel | undefined): PlannedResult {
  const reader = value.soleConsumer;
  const isTaken = kernel?.form !== 'same' && (reader?.is('Relu') === true || reader?.is('Clip') === true);
  const activation = isTaken ? reader : undefined;
  const last = activation?.output ?? value;
  const readers = last.consumers();
  return {
    value,
    activation,
    last,
    quantizers: readers.filter((node) => node.is(QUANTIZE)),
    others: readers.filter((node) => !node.is(QUANTIZE)),
  };
}

/** Inputs of `site` that are activations. */
export function activationInputs({ node, kernel }: PlannedSite): readonly Value[] {
  const slots = kernel?.quantized === 'all' ? node.inputs : node.inputs.slice(0, 1);
  return slots.filter((value) => value !== undefined);
}

/** The DequantizeLinear that computes `value`. */
export function dequantizer(value: Value | undefined): Node | undefined {
  return value?.producer?.is(DEQUANTIZE) ? value.producer : undefined;
}

/** The DequantizeLinear that computes `value`, or that the runtime moves there across operators that keep its scale. */
export function dequantizerOf(value: Value | undefined): Node | undefined {
  let source = value;
  while (source?.producer?.domain === '' && CROSSED_BY_CONVERSIONS.has(source.producer.opType))
    [source] = source.producer.inputs;
  return dequantizer(source);
}

/** What is known of `value` before the model runs, also where a Constant node holds it. */
export function knownTensor(value: Value | undefined): Tensor | undefined {
  return value?.constant ?? (value?.producer && constantTensor(value.producer));
}

/** How a QuantizeLinear or DequantizeLinear reads numbers; undefined where it is not known, or has more than one scale. */
export interface QuantizationParameters {
  readonly dtype: DType;
  readonly scale: number;
  readonly zeroPoint: number;
}

/** Scale, zero point and type of a QuantizeLinear or DequantizeLinear with one scale. */
export function parametersOf(node: Node, facts: Facts): QuantizationParameters | undefined {
  const dtype = integerType(node, facts);
  const [, scale, zeroPoint] = node.inputs;
  const scales = knownTensor(scale);
  const zeros = knownTensor(zeroPoint);
  if (dtype === undefined || scales?.size !== 1 || (zeroPoint !== undefined && zeros?.size !== 1)) return undefined;
  return { dtype, scale: scales.scalar(), zeroPoint: zeros?.scalar() ?? 0 };
}

/** The type on the integer side of a QuantizeLinear or DequantizeLinear. */
export function integerType(node: Node, facts: Facts): DType | undefined {
  const integers = node.is(QUANTIZE) ? node.output : node.inputs[0];
  return integers && facts.of(integers).dtype;
}
