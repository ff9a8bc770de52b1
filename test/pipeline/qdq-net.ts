// Builds small models in QDQ form: QuantizeLinear/DequantizeLinear around float operators, integer weights and biases. Shared
// by the tests of the fusion proof and by bench/fusion-rules.mjs.
import { createRng } from '../../src/base/rng.js';
import { floatAttr, intAttr, intsAttr, stringAttr, type Attribute } from '../../src/ir/attribute.js';
import { Model } from '../../src/ir/model.js';
import type { Value } from '../../src/ir/value.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { Tensor } from '../../src/tensor/tensor.js';
import type { DType } from '../../src/tensor/dtype.js';

export type PlainAttribute = number | string | readonly number[] | { readonly float: number };
export type PlainAttributes = Readonly<Record<string, PlainAttribute>>;

export interface Quantization {
  readonly scale?: number;
  readonly zero?: number;
  readonly type?: 'uint8' | 'int8' | 'uint16' | 'int16';
}

export interface WeightOptions {
  readonly type?: 'int8' | 'uint8';
  /** Axis of the scales; one scale for all without it. */
  readonly axis?: number;
  readonly zero?: number;
}

export interface ConvOptions extends WeightOptions {
  readonly kernel?: number;
  readonly group?: number;
  readonly stride?: number;
  /** `integer`: int32 with the scale that the kernel adds in; `misscaled`: int32 with another. */
  readonly bias?: 'integer' | 'float' | 'misscaled' | 'ulp' | 'none';
  readonly opType?: 'Conv' | 'ConvTranspose';
}

const ACTIVATIONS = { scale: 0.02, zero: 128, type: 'uint8' } as const;
const WEIGHT_SCALE = 0.01;

export class QdqNet {
  readonly model: Model;
  readonly #rng = createRng('qdq-net');
  readonly #scales = new Map<Value, readonly number[]>();
  readonly #names: 'given' | 'none';
  #count = 0;

  /** `names: 'none'`: nodes have no names. */
  constructor(
    options: { readonly opset?: number; readonly irVersion?: number; readonly names?: 'given' | 'none' } = {},
  ) {
    this.#names = options.names ?? 'given';
    const opsets = new Map([
      ['', options.opset ?? 13],
      ['com.microsoft', 1],
    ]);
    this.model = new Model({ graphName: 'net', opsets, irVersion: options.irVersion ?? 8 });
  }

  input(shape: readonly number[], name = 'x'): Value {
    return this.model.graph.addInput(name, { kind: 'tensor', dtype: 'float32', shape });
  }

  /** A constant; `numbers` in full, or one for all elements. */
  tensor(dtype: DType, dims: readonly number[], numbers: readonly number[] | number): Value {
    const size = dims.reduce((a, b) => a * b, 1);
    const elements = typeof numbers === 'number' ? Array.from({ length: size }, () => numbers) : numbers;
    return this.model.graph.addInitializer(Tensor.fromNumbers(dtype, dims, elements), `c${this.#count++}`);
  }

  /** Normal numbers of this deviation. */
  random(dtype: DType, dims: readonly number[], deviation = 1): Value {
    const size = dims.reduce((a, b) => a * b, 1);
    return this.tensor(
      dtype,
      dims,
      Array.from({ length: size }, () => this.#rng.normal() * deviation),
    );
  }

  op(opType: string, inputs: readonly (Value | undefined)[], attributes: PlainAttributes = {}, outputs = 1): Value[] {
    const id = this.#count++;
    const names = Array.from({ length: outputs }, (_, i) => `${opType.toLowerCase()}${id}_${i}`);
    const node = this.model.graph.addNode({
      opType,
      name: this.#names === 'none' ? '' : `${opType}${id}`,
      inputs,
      outputs: names,
      attributes: Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, attributeOf(value)])),
    });
    return node.outputs.filter((value) => value !== undefined);
  }

  /** The first output of a new node. */
  one(opType: string, inputs: readonly (Value | undefined)[], attributes: PlainAttributes = {}): Value {
    const [output] = this.op(opType, inputs, attributes);
    if (!output) throw new Error(`${opType} has no output`);
    return output;
  }

  quantize(value: Value, { scale = 0.02, zero, type = 'uint8' }: Quantization = ACTIVATIONS): Value {
    const point = zero ?? (type === 'uint8' ? 128 : type === 'uint16' ? 32768 : 0);
    const parameters = [this.tensor('float32', [], scale), this.tensor(type, [], point)];
    const quantized = this.one('QuantizeLinear', [value, ...parameters]);
    this.#scales.set(quantized, [scale]);
    return quantized;
  }

  /** Reads integers that `quantize` made, with the same scale and zero point. */
  dequantize(quantized: Value): Value {
    const result = this.one('DequantizeLinear', [quantized, ...(quantized.producer?.inputs.slice(1) ?? [])]);
    this.#scales.set(result, this.#scales.get(quantized) ?? []);
    return result;
  }

  /** Reads integers with a scale and zero point of its own. */
  dequantized(integers: Value, { scale = 0.02, zero = 128, type = 'uint8' }: Quantization = ACTIVATIONS): Value {
    const parameters = [this.tensor('float32', [], scale), this.tensor(type, [], zero)];
    const result = this.one('DequantizeLinear', [integers, ...parameters]);
    this.#scales.set(result, [scale]);
    return result;
  }

  qdq(value: Value, quantization?: Quantization): Value {
    return this.dequantize(this.quantize(value, quantization));
  }

  /** Dequantized integer weights. */
  weights(dims: readonly number[], { type = 'int8', axis, zero = 0 }: WeightOptions = {}): Value {
    const size = dims.reduce((a, b) => a * b, 1);
    const offset = type === 'uint8' && zero === 0 ? 128 : zero;
    const elements = Array.from({ length: size }, () => this.#rng.int(-40, 40) + offset);
    const count = axis === undefined ? 1 : (dims[axis] ?? 1);
    const scales = Array.from(
      { length: count },
      (_, i) => WEIGHT_SCALE * (1 + (axis === undefined ? 0 : (i % 5) / 10)),
    );
    const shape = axis === undefined ? [] : [count];
    const value = this.one(
      'DequantizeLinear',
      [this.tensor(type, dims, elements), this.tensor('float32', shape, scales), this.tensor(type, shape, offset)],
      axis === undefined ? {} : { axis },
    );
    this.#scales.set(value, scales);
    return value;
  }

  /** A bias for the product of `x` and `weights`. */
  bias(x: Value, weights: Value, count: number, kind: ConvOptions['bias'] = 'integer'): Value | undefined {
    if (kind === 'none') return undefined;
    if (kind === 'float') return this.random('float32', [count], 0.1);
    const [inputScale = 1] = this.#scalesOf(x);
    const factor = kind === 'misscaled' ? 1.5 : kind === 'ulp' ? 1 + 2 ** -23 : 1;
    const scales = (this.#scales.get(weights) ?? [1]).map((scale) =>
      Math.fround(factor * Math.fround(Math.fround(inputScale) * Math.fround(scale))),
    );
    const shape = scales.length === 1 ? [] : [scales.length];
    const numbers = Array.from({ length: count }, () => this.#rng.int(-2000, 2000));
    const parameters = [this.tensor('float32', shape, scales), this.tensor('int32', shape, 0)];
    return this.one(
      'DequantizeLinear',
      [this.tensor('int32', [count], numbers), ...parameters],
      shape.length === 0 ? {} : { axis: 0 },
    );
  }

  /** Those that `value` was quantized with, before operators that keep them. */
  #scalesOf(value: Value | undefined): readonly number[] {
    if (!value) return [];
    return this.#scales.get(value) ?? this.#scalesOf(value.producer?.inputs[0]);
  }

  /** A 2-D convolution (3x3, same size) with integer weights and bias; its output is not yet quantized. */
  conv(x: Value, channels: readonly [from: number, to: number], options: ConvOptions = {}): Value {
    const { kernel = 3, group = 1, stride = 1, bias = 'integer', opType = 'Conv' } = options;
    const [from, to] = channels;
    const dims = opType === 'Conv' ? [to, from / group] : [from, to / group];
    const weights = this.weights([...dims, kernel, kernel], options);
    const pad = (kernel - 1) / 2;
    return this.one(opType, [x, weights, this.bias(x, weights, to, bias)], {
      kernel_shape: [kernel, kernel],
      pads: [pad, pad, pad, pad],
      strides: [stride, stride],
      ...(group === 1 ? {} : { group }),
    });
  }

  bytes(...outputs: readonly Value[]): Buffer {
    this.model.graph.setOutputs(outputs);
    for (const output of outputs) {
      const dtype = output.producer?.opType === 'ArgMax' ? 'int64' : 'float32';
      if (!output.type) this.model.graph.setType(output, { kind: 'tensor', dtype, shape: undefined });
    }
    return Buffer.concat(encodeModel(undefined, this.model));
  }
}

function attributeOf(value: PlainAttribute): Attribute {
  if (typeof value === 'string') return stringAttr(value);
  if (typeof value === 'number') return Number.isInteger(value) ? intAttr(value) : floatAttr(value);
  return 'float' in value ? floatAttr(value.float) : intsAttr(value);
}
