// Why ONNX Runtime left a planned node in float, from what stands around it in our model: the rules of docs/quantization-rules.md
// asked one after the other.
import type { Facts } from '../analysis/facts.js';
import type { Model } from '../ir/model.js';
import type { Value } from '../ir/value.js';
import { clippingOf } from '../passes/value-range.js';
import { DTYPES, type DType } from '../tensor/dtype.js';
import {
  activationInputs,
  dequantizer,
  dequantizerOf,
  integerType,
  knownTensor,
  parametersOf,
  type PlannedResult,
  type PlannedSite,
  type QuantizationParameters,
} from './fusion-proof-source.js';

export type FusionCause =
  /** The runtime has no integer kernel for this operator, or for these attributes. */
  | 'no-int8-kernel'
  | 'opset'
  /** The result is returned by the model as it is. */
  | 'graph-output'
  /** The result is read by more than one QuantizeLinear. */
  | 'second-consumer'
  /** What reads the result is no QuantizeLinear. */
  | 'output-not-quantized'
  /** Relu before a QuantizeLinear whose zero point is not the type's minimum. */
  | 'zero-point'
  /** Clip narrower than what the QuantizeLinear behind it can hold. */
  | 'clip-range'
  /** An island next to it: an input that does not come from a DequantizeLinear. */
  | 'input-not-dequantized'
  /** Weights that are no integers with scales along the axis of the results. */
  | 'weights'
  | 'type'
  /** The scale of an int32 bias is not the product of those of input and weights. */
  | 'bias-scale'
  /** Input and output of an operator that only moves elements differ in scale or zero point. */
  | 'parameters'
  | 'unknown';

export interface Finding {
  readonly cause: FusionCause;
  /** What was found, as a clause: `its result is also read by Add_3`. */
  readonly detail: string;
}

export interface CauseContext {
  readonly model: Model;
  readonly facts: Facts;
  /** How the session takes int8 activations. */
  readonly int8Activations: 'kept' | undefined;
}

type Rule = (site: PlannedSite, context: CauseContext) => Finding | undefined;

const finding = (cause: FusionCause, detail: string): Finding => ({ cause, detail });

/** The first rule that `site` breaks. */
export function causeOf(site: PlannedSite, context: CauseContext): Finding {
  for (const rule of RULES) {
    const found = rule(site, context);
    if (found) return found;
  }
  return finding('unknown', 'no rule that is known explains it');
}

/** What makes an integer kernel compute something else than the model says. */
export function wrongnessOf(site: PlannedSite): Finding | undefined {
  return site.kernel?.form === 'product' ? (weightAxis(site) ?? biasScale(site)) : undefined;
}

const operator: Rule = ({ node, kernel }, { model }) => {
  if (!kernel) return finding('no-int8-kernel', `the runtime has no integer kernel for ${node.opType}`);
  const refusal = kernel.refuse?.(node)?.what;
  if (refusal) return finding('no-int8-kernel', `the runtime has no integer kernel for ${node.opType} with ${refusal}`);
  if (model.opset >= kernel.since) return undefined;
  return finding('opset', `${node.opType} needs operator set ${kernel.since}, the model has ${model.opset}`);
};

const results: Rule = (site, context) => {
  for (const result of site.results) {
    const found = resultProblem(result, site, context);
    if (found) return found;
  }
  return undefined;
};

function resultProblem(result: PlannedResult, site: PlannedSite, context: CauseContext): Finding | undefined {
  const { value, last, quantizers, others, activation } = result;
  const [quantizer] = quantizers;
  const readers = value === last ? quantizers.length + others.length : 1;
  const isReturned = value.isGraphOutput || last.isGraphOutput;
  if (!quantizer && site.kernel?.floatResult === 'allowed' && !activation) return floatResult(site);
  if (isReturned && quantizer) return finding('graph-output', `the model returns its result "${last.name}" as it is`);
  if (quantizers.length > 1)
    return finding('second-consumer', `its result has ${quantizers.length} QuantizeLinear behind it`);
  const [other] = others;
  if (quantizer && other) return finding('second-consumer', `its result is also read by ${other.label}`);
  if (!quantizer) {
    if (readers > 1 || others.length > 1) return secondConsumer(result);
    if (isReturned) return finding('graph-output', `the model returns its result "${last.name}" as it is`);
    const reader = other ? `${other.opType} ${other.label}` : 'nothing';
    return finding('output-not-quantized', `its result is read by ${reader}, not by a QuantizeLinear`);
  }
  return activation && activationProblem(result, context);
}

function secondConsumer({ others }: PlannedResult): Finding {
  return finding('second-consumer', `its result is read by ${others.map(({ label }) => label).join(' and ')}`);
}

/** A product whose result stays float needs an integer bias, or none. */
function floatResult({ node }: PlannedSite): Finding | undefined {
  const bias = node.inputs[2];
  if (!bias || dequantizer(bias)) return undefined;
  return finding(
    'output-not-quantized',
    'its result is not quantized and its bias is float: one of them must be integer',
  );
}

function activationProblem({ activation, quantizers }: PlannedResult, { facts }: CauseContext): Finding | undefined {
  const [quantizer] = quantizers;
  const parameters = quantizer && parametersOf(quantizer, facts);
  const clipping = activation && clippingOf(activation, facts);
  if (!activation || !parameters || !clipping) return undefined;
  const [least, greatest] = integerRange(parameters.dtype);
  if (activation.is('Relu')) {
    if (parameters.zeroPoint === least) return undefined;
    const says = `zero point ${parameters.zeroPoint}, and the Relu needs ${least}`;
    return finding('zero-point', `the QuantizeLinear behind it has the ${says}`);
  }
  const real = (integer: number): number => (integer - parameters.zeroPoint) * parameters.scale;
  const [low, high] = [real(least), real(greatest)];
  // The runtime compares rounded numbers.
  const slack = parameters.scale * 1e-3;
  if (clipping.low <= low + slack && clipping.high >= high - slack) return undefined;
  const bounds = `${clipping.low} to ${clipping.high}`;
  return finding(
    'clip-range',
    `Clip from ${bounds} cuts what the QuantizeLinear holds: ${short(low)} to ${short(high)}`,
  );
}

const inputs: Rule = (site) => {
  for (const value of activationInputs(site)) {
    if (dequantizerOf(value)) continue;
    return finding('input-not-dequantized', `its input "${value.name}" is ${originOf(value)}, not dequantized`);
  }
  return undefined;
};

function originOf(value: Value): string {
  if (knownTensor(value)) return 'a float constant';
  if (value.producer) return `computed by ${value.producer.opType} ${value.producer.label} in float`;
  return 'an input of the model';
}

const weights: Rule = (site, { facts }) => {
  if (site.kernel?.form !== 'product') return undefined;
  const source = dequantizer(site.node.inputs[1]);
  if (!source) return finding('weights', 'its weights are not dequantized');
  const dtype = integerType(source, facts);
  if (dtype !== 'int8' && dtype !== 'uint8')
    return finding('weights', `its weights are ${dtype ?? 'of no known type'}`);
  return weightAxis(site);
};

/** Scales per channel must run along the results: axis 0 of a Conv, the columns of a product. */
function weightAxis({ node }: PlannedSite): Finding | undefined {
  const source = dequantizer(node.inputs[1]);
  const scale = knownTensor(source?.inputs[1]);
  if (!source || !scale || scale.size === 1) return undefined;
  const rank = knownTensor(source.inputs[0])?.dims.length ?? 0;
  const given = source.int('axis', 1);
  const axis = given < 0 ? given + rank : given;
  const needed = node.is('Conv') ? 0 : node.is('Gemm') && node.int('transB', 0) !== 0 ? 0 : rank - 1;
  if (axis === needed) return undefined;
  return finding('weights', `its weights have scales along axis ${axis}, and the kernel reads them along ${needed}`);
}

const types: Rule = (site, { facts, int8Activations }) => {
  const activations = activationInputs(site).map((value) => typeOf(value, facts));
  const quantized = site.results.flatMap(({ quantizers }) => quantizers.map((node) => integerType(node, facts)));
  const all = [...activations, ...quantized];
  const wide = all.find((dtype) => dtype !== undefined && DTYPES[dtype].bits !== 8);
  if (wide) return finding('type', `${wide} where the kernels take 8 bits`);
  if (new Set(all).size > 1) return finding('type', `activations of different types: ${[...new Set(all)].join(', ')}`);
  const [activation] = activations;
  const source = dequantizer(site.node.inputs[1]);
  const weight = site.kernel?.form === 'product' && source ? integerType(source, facts) : undefined;
  if (activation === 'int8' && weight === 'uint8') return finding('type', 'int8 activations with uint8 weights');
  if (activation !== 'int8' || int8Activations === 'kept') return undefined;
  return finding('type', 'int8 activations: on x86 the runtime makes some of them uint8, and the types then differ');
};

function typeOf(value: Value, facts: Facts): DType | undefined {
  const source = dequantizerOf(value);
  return source && integerType(source, facts);
}

/** Relative difference that rounding the product of two scales can make, with room. */
const SCALE_ROUNDING = 1e-5;

function biasScale({ node }: PlannedSite): Finding | undefined {
  const bias = dequantizer(node.inputs[2]);
  const [input, weight] = [node.inputs[0], node.inputs[1]].map((value) => scalesOf(dequantizerOf(value)?.inputs[1]));
  const given = scalesOf(bias?.inputs[1]);
  if (!bias || !input || !weight || !given) return undefined;
  const count = Math.max(weight.length, given.length);
  for (let i = 0; i < count; i++) {
    const expected = at(input, i) * at(weight, i);
    const ratio = at(given, i) / expected;
    if (Math.abs(ratio - 1) <= SCALE_ROUNDING) continue;
    const says = `scale ${short(at(given, i))} where input times weights give ${short(expected)}`;
    return finding('bias-scale', `its bias has the ${says}${count > 1 ? ` (channel ${i})` : ''}`);
  }
  return undefined;
}

const at = (numbers: Float64Array, i: number): number => numbers[numbers.length === 1 ? 0 : i] ?? Number.NaN;

function scalesOf(value: Value | undefined): Float64Array | undefined {
  return knownTensor(value)?.toFloat64();
}

const parameters: Rule = (site, { facts }) => {
  if (site.kernel?.form !== 'same') return undefined;
  const source = dequantizerOf(site.node.inputs[0]);
  const before = source && parametersOf(source, facts);
  for (const { quantizers } of site.results) {
    const after = quantizers[0] && parametersOf(quantizers[0], facts);
    if (!before || !after || isSame(before, after)) continue;
    const says = `${pairText(before)} before it, ${pairText(after)} behind it`;
    return finding('parameters', `scale and zero point must stay, and are ${says}`);
  }
  return undefined;
};

const isSame = (a: QuantizationParameters, b: QuantizationParameters): boolean =>
  a.scale === b.scale && a.zeroPoint === b.zeroPoint && a.dtype === b.dtype;
const pairText = ({ scale, zeroPoint }: QuantizationParameters): string => `${short(scale)} and ${zeroPoint}`;
const short = (x: number): string => String(Number(x.toPrecision(4)));

/** Least and greatest integer of an 8-bit or wider type. */
function integerRange(dtype: DType): readonly [number, number] {
  const { bits } = DTYPES[dtype];
  return dtype.startsWith('u') ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
}

const bias: Rule = (site) => (site.kernel?.form === 'product' ? biasScale(site) : undefined);

const RULES: readonly Rule[] = [operator, results, inputs, weights, types, bias, parameters];
