// Weights that are graph inputs as well (IR versions before 4 demand it), and what names values from outside the nodes:
// quantization annotations and training_info.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Model } from '../../src/ir/model.js';
import type { Value } from '../../src/ir/value.js';
import { decodeModel } from '../../src/onnx/decode.js';
import { encodeModel, type EncodeOptions } from '../../src/onnx/encode.js';
import { Tensor } from '../../src/tensor/tensor.js';
import { fixtures } from './model-files.js';
import { floats, modelAround, onnx, value } from './proto-bytes.js';

/** y = x + w in IR 3: w is an initializer and an input. */
const old = modelAround(
  onnx.GraphProto.encode({
    name: 'g',
    input: [value('x'), value('w')],
    output: [value('y')],
    node: [{ opType: 'Add', input: ['x', 'w'], output: ['y'] }],
    initializer: [floats('w', [1, 2])],
  }).finish(),
  { irVersion: 3, opset: 7 },
);

const named = (model: Model, name: string): Value => {
  const found = [...model.graph.inputs, ...model.graph.initializers].find((candidate) => candidate.name === name);
  if (!found) throw new TypeError(`no value ${name}`);
  return found;
};

interface Written {
  readonly irVersion: number;
  readonly inputs: readonly string[];
  readonly initializers: readonly string[];
}

function written(edit: (model: Model) => void, options: EncodeOptions = {}): Written {
  const { model, document } = decodeModel(old);
  edit(model);
  const proto = onnx.ModelProto.decode(Buffer.concat(encodeModel(document, model, options)));
  const names = (list: readonly { readonly name?: string | null }[] | null | undefined): string[] =>
    (list ?? []).map(({ name }) => name ?? '');
  return {
    irVersion: Number(proto.irVersion),
    inputs: names(proto.graph?.input),
    initializers: names(proto.graph?.initializer),
  };
}

const addBias = ({ graph }: Model): void => {
  const { output } = graph.first ?? {};
  const bias = graph.addInitializer(Tensor.fromNumbers('float32', [2], [5, 6]), 'bias');
  const node = graph.addNode({ opType: 'Add', inputs: [graph.inputs[0], bias], outputs: ['sum'] }, graph.first);
  if (output && graph.first) graph.setInput(output.producer ?? graph.first, 0, node.output);
};

describe('a weight that is an input too', () => {
  it('is a constant, and no input, unless a caller may override it', () => {
    const closed = decodeModel(old);
    expect(closed.model.graph.inputs.map(({ name }) => name)).toEqual(['x']);
    expect(named(closed.model, 'w').constant?.toNumbers()).toEqual([1, 2]);
    expect([...closed.document.weightInputs].map(({ name }) => name)).toEqual(['w']);
    const open = decodeModel(old, { keepOverridable: true });
    expect(open.model.graph.inputs.map(({ name }) => name)).toEqual(['x', 'w']);
    expect(named(open.model, 'w').constant).toBeUndefined();
    expect(open.document.weightInputs.size).toBe(0);
  });

  it.each<[string, (model: Model) => void, EncodeOptions, Written]>([
    ['stays listed when nothing changed', () => {}, {}, { irVersion: 3, inputs: ['x', 'w'], initializers: ['w'] }],
    [
      'stays listed when its numbers change',
      (model) => {
        const tensor = Tensor.fromNumbers('float32', [2], [3, 4]);
        model.graph.setInitializer(named(model, 'w'), { kind: 'dense', tensor });
      },
      {},
      { irVersion: 3, inputs: ['x', 'w'], initializers: ['w'] },
    ],
    [
      'is renamed in both places',
      (model) => model.graph.rename(named(model, 'w'), 'weight'),
      {},
      { irVersion: 3, inputs: ['x', 'weight'], initializers: ['weight'] },
    ],
    [
      'goes from both places',
      ({ graph }) => {
        if (graph.first) graph.setInput(graph.first, 1, graph.inputs[0]);
        for (const weight of graph.initializers) graph.removeInitializer(weight);
      },
      {},
      { irVersion: 3, inputs: ['x'], initializers: [] },
    ],
    [
      'is taken off the inputs when asked, which raises the IR version',
      () => {},
      { weightInputs: 'drop' },
      { irVersion: 4, inputs: ['x'], initializers: ['w'] },
    ],
    [
      'is taken off the inputs when another weight comes, as that one could not be a constant otherwise',
      addBias,
      {},
      { irVersion: 4, inputs: ['x'], initializers: ['w', 'bias'] },
    ],
  ])('%s', (_, edit, options, expected) => {
    expect(written(edit, options)).toEqual(expected);
  });
});

describe('quantization annotations', () => {
  const annotated = modelAround(
    onnx.GraphProto.encode({
      name: 'g',
      input: [value('x')],
      output: [value('y')],
      node: [
        { opType: 'Add', input: ['x', 'w'], output: ['a'] },
        { opType: 'Mul', input: ['a', 's'], output: ['y'] },
      ],
      initializer: [floats('w', [1, 2]), floats('s', [0.5])],
      quantizationAnnotation: [
        { tensorName: 'w', quantParameterTensorNames: [{ key: 'SCALE_TENSOR', value: 's' }] },
        { tensorName: 'unheard of', quantParameterTensorNames: [{ key: 'SCALE_TENSOR', value: 'nothing' }] },
      ],
    }).finish(),
  );

  function after(edit: (model: Model) => void): readonly (readonly [string, string])[] {
    const { model, document } = decodeModel(annotated);
    edit(model);
    const proto = onnx.ModelProto.decode(Buffer.concat(encodeModel(document, model)));
    return (proto.graph?.quantizationAnnotation ?? []).map((entry) => [
      entry.tensorName ?? '',
      entry.quantParameterTensorNames?.[0]?.value ?? '',
    ]);
  }

  it.each<[string, (model: Model) => void, readonly (readonly [string, string])[]]>([
    [
      'follow the value that they describe',
      (model) => model.graph.rename(named(model, 'w'), 'v'),
      [
        ['v', 's'],
        ['unheard of', 'nothing'],
      ],
    ],
    [
      'follow the values that they name',
      (model) => model.graph.rename(named(model, 's'), 'scale'),
      [
        ['w', 'scale'],
        ['unheard of', 'nothing'],
      ],
    ],
    [
      'go with the value',
      ({ graph }) => {
        if (graph.first) graph.setInput(graph.first, 1, graph.inputs[0]);
        for (const weight of graph.initializers) if (weight.isUnused) graph.removeInitializer(weight);
      },
      [['unheard of', 'nothing']],
    ],
  ])('%s', (_, edit, expected) => {
    expect(after(edit)).toEqual(expected);
  });
});

describe('training_info', () => {
  it('keeps the values that it names', () => {
    const path = fixtures.find(([name]) => name === 'training-info')?.[1] ?? '';
    const { model, document } = decodeModel(readFileSync(path), { path });
    expect(document.hasTraining).toBe(true);
    expect(model.outside.outputs.length).toBeGreaterThan(0);
    for (const kept of model.outside.outputs) expect(kept.isUnused).toBe(false);
  });
});
