// Nodes that take what a range needs of values: a sample of each, its extrema and its sum. The runtime finds extrema ten
// times faster than we do, and to copy all elements out of it takes longer than most values to compute.
import { invariant } from '../../base/errors.js';
import type { ModelFacts } from '../../analysis/inference.js';
import { sampleStride } from '../../fit/histogram.js';
import type { SampledRangeSpec } from '../../fit/sampled-range.js';
import { intAttr } from '../../ir/attribute.js';
import { isAtLeast } from '../../ir/dim.js';
import type { Graph } from '../../ir/graph.js';
import type { Value } from '../../ir/value.js';
import { Tensor } from '../../tensor/tensor.js';

export interface SampledValues {
  /** A sample of each value, and all reductions: outputs of the model, once it returns them. */
  readonly outputs: readonly Value[];
  readonly specs: ReadonlyMap<Value, SampledRangeSpec>;
}

/** Since this operator set Reshape takes its shape as an input. */
const RESHAPE_BY_INPUT = 5;
/** Since this operator set Slice has steps. */
const SLICE_WITH_STEPS = 10;
const REDUCTIONS = ['ReduceMin', 'ReduceMax', 'ReduceSum'] as const;

/**
 * Adds nodes that sample those of `values` that are float32 and never empty; the others have no spec. Sizes are those that
 * `facts` assume of the inputs.
 */
export function addSamples(graph: Graph, values: readonly Value[], facts: ModelFacts): SampledValues {
  const opset = graph.model.opsets.get('') ?? 0;
  const sampled = opset < RESHAPE_BY_INPUT ? [] : values.filter((value) => canBeSampled(graph, value, facts));
  if (sampled.length === 0) return { outputs: [], specs: new Map() };
  const add = (opType: string, inputs: readonly Value[], attributes: Readonly<Record<string, number>> = {}): Value => {
    const named = Object.entries(attributes).map(([name, value]) => [name, intAttr(value)] as const);
    const { output } = graph.addNode({ opType, inputs, outputs: [opType], attributes: Object.fromEntries(named) });
    invariant(output, 'a node has an output');
    return output;
  };
  const { whole, every } = samplers(graph, opset, add);
  const parts = sampled.map((value) => {
    const elements = elementsOf(value, facts);
    const flat = add('Reshape', [value, whole]);
    const stride = sampleStride(elements);
    const sample = stride === 1 ? flat : every(flat, elements, stride);
    // Without axes these operators read alike in every operator set.
    return { value, elements, sample, reduced: REDUCTIONS.map((opType) => add(opType, [flat], { keepdims: 1 })) };
  });
  // One output is returned faster than many.
  const reductions = add(
    'Concat',
    parts.flatMap(({ reduced }) => reduced),
    { axis: 0 },
  );
  const specs = parts.map(({ value, elements, sample }, index): [Value, SampledRangeSpec] => [
    value,
    { kind: 'sampled-range', values: [sample.name, reductions.name], elements, index },
  ]);
  return { outputs: [...parts.map(({ sample }) => sample), reductions], specs: new Map(specs) };
}

function canBeSampled(graph: Graph, value: Value, { of }: ModelFacts): boolean {
  const { dtype, shape } = of(value);
  return value.graph === graph && dtype === 'float32' && shape !== undefined && shape.every((dim) => isAtLeast(dim, 1));
}

const elementsOf = (value: Value, { of, sizeOf }: ModelFacts): number =>
  (of(value).shape ?? []).reduce<number>((product, dim) => product * sizeOf(dim), 1);

type AddNode = (opType: string, inputs: readonly Value[], attributes?: Readonly<Record<string, number>>) => Value;

interface Samplers {
  /** The shape of a value in one row. */
  readonly whole: Value;
  /** Every `stride`-th element of a row. */
  readonly every: (flat: Value, elements: number, stride: number) => Value;
}

function samplers(graph: Graph, opset: number, add: AddNode): Samplers {
  const known = new Map<string, Value>();
  const constant = (name: string, tensor: () => Tensor): Value => {
    const value = known.get(name) ?? graph.addInitializer(tensor(), name);
    known.set(name, value);
    return value;
  };
  const integer = (value: number): Value =>
    constant(`sample_${value}`, () => Tensor.fromNumbers('int64', [1], [value]));
  const slice: Samplers['every'] = (flat, elements, stride) =>
    add('Slice', [flat, integer(0), integer(elements), integer(0), integer(stride)]);
  const gather: Samplers['every'] = (flat, elements, stride) => {
    const places = (): Tensor => {
      const at = Int32Array.from({ length: Math.ceil(elements / stride) }, (_, i) => i * stride);
      return Tensor.fromNumbers('int32', [at.length], at);
    };
    return add('Gather', [flat, constant(`sample_of_${elements}`, places)], { axis: 0 });
  };
  return { whole: integer(-1), every: opset < SLICE_WITH_STEPS ? gather : slice };
}
