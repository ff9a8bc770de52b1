// Carries a plan out: QuantizeLinear and DequantizeLinear around every planned node, weights as int8 and biases as int32
// behind a DequantizeLinear, so that the runtime fuses each node with what surrounds it.
import { intAttr } from '../../ir/attribute.js';
import type { Graph } from '../../ir/graph.js';
import type { Model } from '../../ir/model.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { elementCount, Tensor } from '../../tensor/tensor.js';
import { dropIfUnused } from '../edit.js';
import {
  activationParameters,
  quantizeBias,
  roundHalfEven,
  roundWeights,
  scalesForBias,
  weightScales,
  type ActivationParameters,
  type QuantizedWeights,
} from './parameters.js';
import type { PlannedNode, QuantizationPlan } from './plan.js';
import type { QuantizationTarget } from './target.js';
import { rowsOf, type WeightRows } from './weight-rows.js';

/** Scale and zero point of every value of a plan. */
export type ParameterMap = ReadonlyMap<Value, ActivationParameters>;

export interface InsertOptions {
  readonly target: QuantizationTarget;
  readonly parameters: ParameterMap;
  /** Weights rounded otherwise than to the nearest, by node. */
  readonly rounded?: ReadonlyMap<Node, QuantizedWeights>;
}

/** A bias that may be corrected afterwards. */
export interface InsertedBias {
  readonly node: Node;
  /** int32 initializer. */
  readonly integers: Value;
  /** Of its DequantizeLinear: float32 numbers. */
  readonly scales: Float32Array;
}

/** Quantizes `model` by `plan`. Returns the biases of the products that have one. */
export function insertQuantization(model: Model, plan: QuantizationPlan, options: InsertOptions): InsertedBias[] {
  const inserter = new Inserter(model.graph, options);
  const integers = new Set(plan.nodes.filter(({ result }) => result === 'integers').flatMap(({ outputs }) => outputs));
  const planned = new Set(plan.nodes.map(({ node }) => node));
  for (const value of new Set(plan.nodes.flatMap(({ inputs }) => inputs)))
    if (!integers.has(value)) inserter.quantizeValue(value, (reader) => planned.has(reader));
  for (const value of integers) inserter.quantizeValue(value, () => true);
  return plan.nodes.flatMap((one) => inserter.quantizeOperands(one) ?? []);
}

class Inserter {
  readonly #graph: Graph;
  readonly #options: InsertOptions;
  /** Scale and zero point initializers by what they hold: values of one group share them. */
  readonly #shared = new Map<string, Value>();

  constructor(graph: Graph, options: InsertOptions) {
    this.#graph = graph;
    this.#options = options;
  }

  /** Puts a pair behind `value`; readers that `reads` picks get the dequantized form, and the caller if all do. */
  quantizeValue(value: Value, reads: (reader: Node) => boolean): void {
    const parameters = this.#options.parameters.get(value);
    if (parameters === undefined) throw new TypeError(`no range of ${value.name}`);
    const graph = this.#graph;
    const { producer } = value;
    const readers = value.consumers().filter((reader) => reader.graph === graph && reads(reader));
    const before = producer ? producer.next : graph.first;
    const [scale, zeroPoint] = this.#scaleInputs(value, parameters);
    const quantize = graph.addNode(
      { opType: 'QuantizeLinear', inputs: [value, scale, zeroPoint], outputs: [`${value.name}_quantized`] },
      before,
    );
    const dequantize = graph.addNode(
      {
        opType: 'DequantizeLinear',
        inputs: [quantize.output, scale, zeroPoint],
        outputs: [`${value.name}_dequantized`],
      },
      before,
    );
    const { output } = dequantize;
    if (output === undefined) return;
    if (producer && value.isGraphOutput && value.slots.size === readers.length + 1) {
      graph.replaceUses(value, output);
      graph.setInput(quantize, 0, value);
      return;
    }
    for (const reader of readers) {
      for (const [slot, input] of reader.inputs.entries()) if (input === value) graph.setInput(reader, slot, output);
    }
  }

  #scaleInputs(value: Value, parameters: ActivationParameters): [Value, Value] {
    const { scale, zeroPoint, dtype } = parameters;
    return [
      this.#initializer(Tensor.scalar('float32', scale), `${value.name}_scale`, `scale ${scale}`),
      this.#initializer(Tensor.scalar(dtype, zeroPoint), `${value.name}_zero_point`, `${dtype} ${zeroPoint}`),
    ];
  }

  #initializer(tensor: Tensor, name: string, key: string): Value {
    const known = this.#shared.get(key);
    const value = known ?? this.#graph.addInitializer(tensor, name);
    this.#shared.set(key, value);
    return value;
  }

  /** Weights and bias of a product, or the constant operand of another node. */
  quantizeOperands({ node, operator, inputs, result }: PlannedNode): InsertedBias | undefined {
    if (operator.role === 'product') return this.#quantizeProduct(node, result);
    for (const [slot, value] of node.inputs.entries()) {
      const tensor = value?.constant;
      if (tensor && operator.role === 'own' && operator.data && !inputs.includes(value))
        this.#quantizeConstant(node, slot, tensor);
    }
    return undefined;
  }

  /** A constant operand over its own range, in the type of the activations. */
  #quantizeConstant(node: Node, slot: number, tensor: Tensor): void {
    const graph = this.#graph;
    const numbers = tensor.toFloat64();
    const range = {
      low: numbers.reduce((a, b) => Math.min(a, b), 0),
      high: numbers.reduce((a, b) => Math.max(a, b), 0),
    };
    const dtype = this.#options.target.activations;
    const { scale, zeroPoint } = activationParameters(range, dtype);
    const [low, high] = dtype === 'uint8' ? [0, 255] : [-128, 127];
    const integers = numbers.map((x) => Math.max(low, Math.min(high, roundHalfEven(x / scale) + zeroPoint)));
    const old = node.inputs[slot];
    const name = old?.name ?? `${node.label}_constant`;
    const stored = graph.addInitializer(Tensor.fromNumbers(dtype, tensor.dims, integers), `${name}_quantized`);
    const scaleInput = graph.addInitializer(Tensor.scalar('float32', scale), `${name}_scale`);
    const zeroInput = graph.addInitializer(Tensor.scalar(dtype, zeroPoint), `${name}_zero_point`);
    this.#dequantizeInto(node, slot, [stored, scaleInput, zeroInput]);
  }

  #quantizeProduct(node: Node, result: PlannedNode['result']): InsertedBias | undefined {
    const rows = rowsOf(node);
    const [data] = node.inputs;
    const inputScale = data && this.#scaleOf(data);
    if (!rows || inputScale === undefined) return undefined;
    const { target, rounded } = this.#options;
    const given = rounded?.get(node);
    const scales = given?.scales ?? weightScales(rows.weights, rows.count, target.weightLimit);
    const bias = rows.bias ?? (result === 'float' ? new Float64Array(rows.count) : undefined);
    const wide = bias ? scalesForBias(scales, bias, inputScale) : scales;
    const integers =
      given && wide.every((scale, row) => scale === scales[row])
        ? given.integers
        : roundWeights(rows.weights, wide, target.weightLimit);
    this.#storeWeights(node, rows, { integers, scales: wide });
    return bias && this.#storeBias(node, bias, wide, inputScale);
  }

  /** The scale of a value that a planned node reads: that of its DequantizeLinear. */
  #scaleOf(value: Value): number | undefined {
    const scale = value.producer?.is('DequantizeLinear') ? value.producer.inputs[1]?.constant : undefined;
    return scale?.scalar();
  }

  #storeWeights(node: Node, rows: WeightRows, { integers, scales }: QuantizedWeights): void {
    const graph = this.#graph;
    const name = node.inputs[1]?.name ?? 'weight';
    const tensor = new Tensor('int8', rows.dims, new Uint8Array(rows.stored(integers).buffer));
    const stored = graph.addInitializer(tensor, `${name}_quantized`);
    const scaleInput = graph.addInitializer(Tensor.fromNumbers('float32', [scales.length], scales), `${name}_scale`);
    const zeroInput = graph.addInitializer(
      Tensor.fromNumbers('int8', [scales.length], new Float64Array(scales.length)),
      `${name}_zero_point`,
    );
    this.#dequantizeInto(node, 1, [stored, scaleInput, zeroInput], rows.axis);
    if (rows.isTransposed) graph.setAttribute(node, 'transB', intAttr(1));
  }

  #storeBias(node: Node, bias: Float64Array, scales: Float32Array, inputScale: number): InsertedBias {
    const graph = this.#graph;
    const name = node.inputs[2]?.name ?? `${node.output?.name ?? 'product'}_bias`;
    const quantized = quantizeBias(bias, scales, inputScale);
    const integers = graph.addInitializer(
      Tensor.fromNumbers('int32', [bias.length], quantized.integers),
      `${name}_quantized`,
    );
    const scaleInput = graph.addInitializer(
      Tensor.fromNumbers('float32', [bias.length], quantized.scales),
      `${name}_scale`,
    );
    const zeroInput = graph.addInitializer(
      Tensor.fromNumbers('int32', [bias.length], new Float64Array(bias.length)),
      `${name}_zero_point`,
    );
    this.#dequantizeInto(node, 2, [integers, scaleInput, zeroInput], 0);
    return { node, integers, scales: quantized.scales };
  }

  #dequantizeInto(node: Node, slot: number, inputs: readonly Value[], axis?: number): void {
    const old = node.inputs[slot];
    const dequantize = this.#graph.addNode(
      {
        opType: 'DequantizeLinear',
        inputs,
        outputs: [`${inputs[0]?.name ?? node.label}_dequantized`],
        ...(axis === undefined ? {} : { attributes: { axis: intAttr(axis) } }),
      },
      node,
    );
    this.#graph.setInput(node, slot, dequantize.output);
    if (old) dropIfUnused(old);
  }
}

/** Replaces an inserted bias by `numbers`, rounded to its scales. */
export function setBias(graph: Graph, { integers, scales }: InsertedBias, numbers: Float64Array): void {
  const rounded = numbers.map((b, row) => roundHalfEven(b / (scales[row] ?? 1)));
  const tensor = Tensor.fromNumbers('int32', [elementCount([numbers.length])], rounded);
  graph.setInitializer(integers, { kind: 'dense', tensor });
}

/** The numbers that an inserted bias stands for. */
export function biasOf({ integers, scales }: InsertedBias): Float64Array {
  const stored = integers.constant?.toFloat64() ?? new Float64Array(scales.length);
  return stored.map((b, row) => b * (scales[row] ?? 1));
}
