// Random shape computations: what is inferred with symbols, evaluated at random sizes, equals what ONNX Runtime computes.
import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';
import { expect, it } from 'vitest';
import { createFacts } from '../../src/analysis/inference.js';
import { createRng, type Rng } from '../../src/base/rng.js';
import { intAttr } from '../../src/ir/attribute.js';
import { evaluateDim, formatDim } from '../../src/ir/dim.js';
import { Model } from '../../src/ir/model.js';
import type { Value } from '../../src/ir/value.js';
import { encodeModel } from '../../src/onnx/encode.js';
import type { DType } from '../../src/tensor/dtype.js';
import { Tensor } from '../../src/tensor/tensor.js';

/** One-dimensional int64 values of known length, grown step by step. */
interface Growing {
  readonly model: Model;
  readonly rng: Rng;
  readonly vectors: { readonly value: Value; readonly length: number }[];
}

function node(
  model: Model,
  opType: string,
  inputs: readonly (Value | undefined)[],
  attributes: Readonly<Record<string, number>> = {},
): Value {
  const entries = Object.entries(attributes).map(([name, value]) => [name, intAttr(value)] as const);
  return model.graph.addNode({ opType, inputs, outputs: ['v'], attributes: Object.fromEntries(entries) })
    .output as Value;
}

const constant = (model: Model, dtype: DType, dims: readonly number[], numbers: readonly number[]): Value =>
  model.graph.addInitializer(Tensor.fromNumbers(dtype, dims, numbers), 'k');
const ints = (model: Model, ...numbers: number[]): Value => constant(model, 'int64', [numbers.length], numbers);

type Move = (growing: Growing) => { readonly value: Value; readonly length: number };

const MOVES: readonly Move[] = [
  ({ model, rng, vectors }) => {
    const { value, length } = rng.pick(vectors);
    const picked = Array.from({ length: rng.int(1, 3) }, () => rng.int(-length, length - 1));
    return { value: node(model, 'Gather', [value, ints(model, ...picked)], { axis: 0 }), length: picked.length };
  },
  ({ model, rng, vectors }) => {
    const { value, length } = rng.pick(vectors);
    const start = rng.int(0, length - 1);
    return {
      value: node(model, 'Slice', [
        value,
        ints(model, start),
        ints(model, rng.pick([length, 2 ** 40])),
        ints(model, 0),
      ]),
      length: length - start,
    };
  },
  ({ model, rng, vectors }) => {
    const [a, b] = [rng.pick(vectors), rng.pick(vectors)];
    return a.length + b.length > 8
      ? a
      : { value: node(model, 'Concat', [a.value, b.value], { axis: 0 }), length: a.length + b.length };
  },
  ({ model, rng, vectors }) => {
    const { value, length } = rng.pick(vectors);
    const other = rng.pick([
      ...vectors.filter((vector) => vector.length === length).map((vector) => vector.value),
      ints(model, rng.int(-4, 6)),
    ]);
    return { value: node(model, rng.pick(['Add', 'Sub', 'Mul', 'Max', 'Min']), [value, other]), length };
  },
  ({ model, rng, vectors }) => {
    const { value, length } = rng.pick(vectors);
    return { value: node(model, rng.pick(['Div', 'Mod']), [value, ints(model, rng.int(2, 5))]), length };
  },
  ({ model, rng, vectors }) => {
    const { value, length } = rng.pick(vectors);
    const scaled = node(model, 'Mul', [
      node(model, 'Cast', [value], { to: 1 }),
      constant(model, 'float32', [], [rng.pick([0.5, 2, 0.25, 1.5])]),
    ]);
    return {
      value: node(model, 'Cast', [node(model, rng.pick(['Floor', 'Ceil', 'Identity']), [scaled])], { to: 7 }),
      length,
    };
  },
  ({ model, rng, vectors }) => {
    const { value } = rng.pick(vectors);
    return {
      value: node(model, rng.pick(['ReduceProd', 'ReduceMax', 'ReduceMin']), [value], { keepdims: 1 }),
      length: 1,
    };
  },
  ({ model, rng, vectors }) => {
    const { value, length } = rng.pick(vectors);
    const isGiven = node(model, rng.pick(['Equal', 'Less', 'Greater']), [value, ints(model, rng.int(-1, 3))]);
    return { value: node(model, 'Where', [isGiven, ints(model, rng.int(1, 4)), value]), length };
  },
  ({ model, rng, vectors }) => {
    const { value, length } = rng.pick(vectors);
    const column = node(model, 'Unsqueeze', [value, ints(model, 1)]);
    const row = node(model, 'Transpose', [node(model, 'Tile', [column, ints(model, 1, 2)])]);
    return {
      value: node(model, 'Slice', [
        node(model, 'Reshape', [row, ints(model, -1)]),
        ints(model, length),
        ints(model, 2 * length),
      ]),
      length,
    };
  },
];

function randomModel(rng: Rng): Growing {
  const model = new Model({ graphName: 'shapes', opsets: new Map([['', 17]]), irVersion: 8 });
  const x = model.graph.addInput('x', { kind: 'tensor', dtype: 'float32', shape: ['n', 3, 'h', 'w'] });
  const growing: Growing = { model, rng, vectors: [{ value: node(model, 'Shape', [x]), length: 4 }] };
  for (let step = 0; step < 8; step++) {
    const made = rng.pick(MOVES)(growing);
    growing.vectors.push(made);
  }
  model.graph.setOutputs([...new Set(growing.vectors.map(({ value }) => value))]);
  return growing;
}

it('equals what the runtime computes', async () => {
  const rng = createRng('shape arithmetic');
  const wrong: string[] = [];
  let [known, all] = [0, 0];
  for (let round = 0; round < 120; round++) {
    const { model } = randomModel(rng);
    const sizes = new Map([
      ['n', rng.int(1, 3)],
      ['h', rng.int(1, 9)],
      ['w', rng.int(1, 9)],
    ]);
    const facts = createFacts(model);
    const inferred = new Map(model.graph.outputs.map((value) => [value.name, facts.of(value).data]));
    const session = await InferenceSession.create(Buffer.concat(encodeModel(undefined, model)), {
      graphOptimizationLevel: 'disabled',
      logSeverityLevel: 4,
    });
    const dims = [sizes.get('n') ?? 1, 3, sizes.get('h') ?? 1, sizes.get('w') ?? 1];
    const results = await session.run({
      x: new RuntimeTensor('float32', new Float32Array(dims.reduce((a, b) => a * b)), dims),
    });
    await session.release();
    for (const [name, data] of inferred) {
      const truth = [...((results[name]?.data ?? []) as BigInt64Array)].map(Number);
      all++;
      if (data === undefined) continue;
      known++;
      const values = data.map((dim) => evaluateDim(dim, sizes));
      if (values.join() !== truth.join())
        wrong.push(
          `${data.map(formatDim).join()} at ${JSON.stringify([...sizes])}: ${values.join()}, not ${truth.join()}`,
        );
    }
  }
  expect(wrong).toEqual([]);
  expect(known / all).toBeGreaterThan(0.8);
});
