// Carries a plan out: QuantizeLinear and DequantizeLinear around every planned node, weights as int8 and biases as int32
// behind a DequantizeLinear, so that the runtime fuses each node with what surrounds it.
import { CROSSED_BY_CONVERSIONS } from '../../analysis/int8-kernels.js';
import { floatAttr, intAttr } from '../../ir/attribute.js';
import type { Graph } from '../../ir/graph.js';
import type { Model } from '../../ir/model.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { elementCount, Tensor } from '../../tensor/tensor.js';
import { dropIfUnused, removeDead } from '../edit.js';
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
import { expandAveragePool } from './average-pool.js';
import { expandHardActivation } from './hard-activations.js';
import type { PlannedNode, QuantizationPlan } from './plan.js';
import type { QuantizationTarget } from './target.js';
import { rowsOf, type WeightRows } from './weight-rows.js';

/** Scale and zero point of every value of a plan. */
export type ParameterMap = ReadonlyMap<Value, ActivationParameters>;

export interface InsertOptions {
  readonly target: QuantizationTarget;
  readonly parameters: ParameterMap;
  /** Weights rounded otherwise than to the nearest, by node. */
  readonly rounded?: ReadonlyMap<Node, RoundedProduct>;
}

/** Weights as integers, and what the bias takes up of the change. */
export interface RoundedProduct extends QuantizedWeights {
  readonly biasShift: Float64Array;
}

/** A bias that may be corrected afterwards. */
export interface InsertedBias {
  readonly node: Node;
  /** int32 initializer. */
  readonly integers: Value;
  /** Of its DequantizeLinear: float32 numbers. */
  readonly scales: Float32Array;
}

export interface InsertedQuantization {
  /** The planned nodes as they stand now. */
  readonly nodes: readonly PlannedNode[];
  /** The biases of the products that have one. */
  readonly biases: readonly InsertedBias[];
}

/** Quantizes `model` by `plan`. */
export function insertQuantization(model: Model, plan: QuantizationPlan, options: InsertOptions): InsertedQuantization {
  const inserter = new Inserter(model.graph, options);
  const integers = new Set(plan.nodes.filter(({ result }) => result === 'integers').flatMap(({ outputs }) => outputs));
  const planned = new Set(plan.nodes.map(({ node }) => node));
  for (const value of new Set(plan.nodes.flatMap(({ inputs }) => inputs)))
    if (!integers.has(value)) inserter.quantizeValue(value, (reader) => planned.has(reader));
  const moved = new Set(plan.nodes.filter(({ operator }) => operator.onIntegers).flatMap(({ outputs }) => outputs));
  for (const value of integers) {
    if (moved.has(value)) inserter.dequantizeValue(value);
    else inserter.quantizeValue(value, 'all');
  }
  for (const { node, operator } of plan.nodes) if (operator.onIntegers) inserter.moveIntegers(node);
  for (const node of plan.floats.keys()) inserter.keepFloat(node);
  const biases = plan.nodes.flatMap((one) => inserter.quantizeOperands(one) ?? []);
  return { nodes: plan.nodes.map((one) => inserter.expand(one)), biases };
}

/** Layers whose constant weights the runtime quantizes by itself. */
const QUANTIZED_AT_LOAD: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm']);
/** What may stand between such a layer and the QuantizeLinear. */
const PASSED: ReadonlySet<string> = new Set(['Relu', 'Clip', 'Identity', 'Dropout']);
/** What the runtime moves conversions across, or leaves out. */
const MOVED: ReadonlySet<string> = new Set([
  ...CROSSED_BY_CONVERSIONS,
  'Identity',
  'Dropout',
  'Expand',
  'Flatten',
  'Tile',
]);

class Inserter {
  readonly #graph: Graph;
  readonly #options: InsertOptions;
  /** Scale and zero point initializers by what they hold: values of one group share them. */
  readonly #shared = new Map<string, Value>();
  /** What each DequantizeLinear reads. */
  readonly #integers = new Map<Value, Value>();

  constructor(graph: Graph, options: InsertOptions) {
    this.#graph = graph;
    this.#options = options;
  }

  /** Puts a pair behind `value`; readers that `reads` picks get the dequantized form; all: branches and the caller, too. */
  quantizeValue(value: Value, reads: 'all' | ((reader: Node) => boolean)): void {
    const parameters = this.#options.parameters.get(value);
    if (parameters === undefined) throw new TypeError(`no range of ${value.name}`);
    const graph = this.#graph;
    const { producer } = value;
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
    if (output === undefined || quantize.output === undefined) return;
    this.#integers.set(output, quantize.output);
    if (reads === 'all') {
      graph.replaceUses(value, output);
      graph.setInput(quantize, 0, value);
      return;
    }
    const readers = value.consumers().filter((reader) => reader !== quantize && reads(reader));
    for (const reader of readers) {
      for (const [slot, input] of reader.inputs.entries()) if (input === value) graph.setInput(reader, slot, output);
    }
  }

  /** For a node that moves integers: only the way back is put behind it. */
  dequantizeValue(value: Value): void {
    const parameters = this.#options.parameters.get(value);
    if (parameters === undefined || !value.producer) throw new TypeError(`no range of ${value.name}`);
    const graph = this.#graph;
    const [scale, zeroPoint] = this.#scaleInputs(value, parameters);
    const dequantize = graph.addNode(
      { opType: 'DequantizeLinear', inputs: [value, scale, zeroPoint], outputs: [`${value.name}_dequantized`] },
      value.producer.next,
    );
    const { output } = dequantize;
    if (output === undefined) return;
    graph.replaceUses(value, output);
    graph.setInput(dequantize, 0, value);
    graph.setType(value, undefined);
    this.#integers.set(output, value);
  }

  /** Operators without a kernel of their own become others. */
  expand(planned: PlannedNode): PlannedNode {
    const { node, pool } = planned;
    const { activations: dtype, weightLimit } = this.#options.target;
    if (pool) return { ...planned, ...expandAveragePool(node, pool, weightLimit) };
    const [data] = node.inputs;
    const integers = data && this.#integers.get(data);
    return { ...planned, ...(integers && expandHardActivation(node, { integers, dtype })) };
  }

  /** Gives `node` the integers of what it reads, and the zero point where it fills in zeros. */
  moveIntegers(node: Node): void {
    const graph = this.#graph;
    const [data] = node.inputs;
    const integers = data && this.#integers.get(data);
    if (!data || !integers) throw new TypeError(`${node.label} reads no integers`);
    const zeroPoint = data.producer?.inputs[2];
    graph.setInput(node, 0, integers);
    const old = node.inputs[2];
    if (node.opType === 'Pad') graph.setInput(node, 2, zeroPoint);
    if (old) dropIfUnused(old);
    // The runtime would run a conversion that nobody reads.
    removeDead([data]);
  }

  /**
   * Between a DequantizeLinear and a QuantizeLinear the runtime quantizes constant weights of a layer (those that it computes
   * while loading, too) by itself, with one
   * scale for all: a LeakyRelu of slope 1 (0 in the place of a Relu), which it takes into the float layer, stops it.
   */
  keepFloat(node: Node): void {
    const graph = this.#graph;
    let [data] = node.inputs;
    while (data?.producer && MOVED.has(data.producer.opType)) [data] = data.producer.inputs;
    if (!QUANTIZED_AT_LOAD.has(node.opType) || !data?.producer?.is('DequantizeLinear')) return;
    let end = node.output;
    const passed: Node[] = [];
    for (let next = end?.soleConsumer; next && PASSED.has(next.opType); next = end?.soleConsumer) {
      passed.push(next);
      end = next.output;
    }
    const reader = end?.soleConsumer;
    let quantizer = reader;
    while (quantizer && MOVED.has(quantizer.opType)) quantizer = quantizer.output?.soleConsumer;
    if (!end || !reader || !quantizer?.is('QuantizeLinear')) return;
    const isRelu = passed.length === 1 && passed[0]?.is('Relu');
    const source = isRelu ? node.output : end;
    const guard = graph.addNode(
      {
        opType: 'LeakyRelu',
        inputs: [source],
        outputs: [`${end.name}_float`],
        attributes: { alpha: floatAttr(isRelu ? 0 : 1) },
      },
      reader,
    );
    graph.setInput(reader, 0, guard.output);
    if (isRelu && passed[0]) graph.removeNode(passed[0]);
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
      if (tensor && operator.role === 'own' && operator.quantized === 'all' && !inputs.includes(value))
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
    const shift = given?.biasShift;
    const before =
      rows.bias ??
      (result === 'float' || (shift && node.opType !== 'MatMul') ? new Float64Array(rows.count) : undefined);
    const bias = before && shift ? before.map((b, row) => b + (shift[row] ?? 0)) : before;
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
