// Facts on demand: shape chains, long chains, subgraphs, local functions, rewrites.
import { describe, expect, it } from 'vitest';
import { createFacts } from '../../src/analysis/inference.js';
import { floatAttr, graphAttr, intAttr, intsAttr } from '../../src/ir/attribute.js';
import { formatDim } from '../../src/ir/dim.js';
import { Graph } from '../../src/ir/graph.js';
import { Model } from '../../src/ir/model.js';
import type { DeclaredDim, Value } from '../../src/ir/value.js';
import { Tensor } from '../../src/tensor/tensor.js';
import type { DType } from '../../src/tensor/dtype.js';

function newModel(opset = 17): Model {
  return new Model({ graphName: 'main', opsets: new Map([['', opset]]), irVersion: 8 });
}

const input = (
  graph: Graph,
  name: string,
  shape: readonly DeclaredDim[] | undefined,
  dtype: DType = 'float32',
): Value => graph.addInput(name, { kind: 'tensor', dtype, shape });

function shapeText(model: Model, value: Value | undefined): string | undefined {
  return value && createFacts(model).of(value).shape?.map(formatDim).join(',');
}

describe('shape chains', () => {
  it('follows x.view(x.size(0), -1) through Shape, Gather, Unsqueeze, Concat, Reshape', () => {
    const model = newModel(13);
    const { graph } = model;
    const x = input(graph, 'x', ['batch', 8, 4, 4]);
    const shape = graph.addNode({ opType: 'Shape', inputs: [x], outputs: ['shape'] });
    const zero = graph.addInitializer(Tensor.scalar('int64', 0), 'zero');
    const size = graph.addNode({
      opType: 'Gather',
      inputs: [shape.output, zero],
      outputs: ['size'],
      attributes: { axis: intAttr(0) },
    });
    const axes = graph.addInitializer(Tensor.int64s([0]), 'axes');
    const unsqueezed = graph.addNode({ opType: 'Unsqueeze', inputs: [size.output, axes], outputs: ['unsqueezed'] });
    const rest = graph.addInitializer(Tensor.int64s([-1]), 'rest');
    const target = graph.addNode({
      opType: 'Concat',
      inputs: [unsqueezed.output, rest],
      outputs: ['target'],
      attributes: { axis: intAttr(0) },
    });
    const view = graph.addNode({ opType: 'Reshape', inputs: [x, target.output], outputs: ['view'] });
    expect(shapeText(model, view.output)).toBe('batch,128');
    expect(createFacts(model).of(target.output!).data?.map(formatDim)).toEqual(['batch', '-1']);
  });

  it('gives unnamed input dims symbols of their own', () => {
    const model = newModel();
    const a = input(model.graph, 'a', [undefined, 3]);
    const b = input(model.graph, 'b', ['?', 3]);
    const sum = model.graph.addNode({ opType: 'Add', inputs: [a, b], outputs: ['sum'] });
    expect(shapeText(model, sum.output)).toBe('max(a#0, b#0),3');
  });

  it('evaluates symbols at the assumed sizes for costs only', () => {
    const model = newModel();
    const x = input(model.graph, 'x', ['batch', 3, 'h', 'w']);
    const w = model.graph.addInitializer(Tensor.fromNumbers('float32', [8, 3, 3, 3], new Float64Array(216)), 'w');
    const conv = model.graph.addNode({
      opType: 'Conv',
      inputs: [x, w],
      outputs: ['y'],
      attributes: { strides: intsAttr([2, 2]), pads: intsAttr([1, 1, 1, 1]) },
    });
    const facts = createFacts(model, {
      assumedSizes: new Map([
        ['h', 32],
        ['w', 32],
      ]),
    });
    expect(facts.of(conv.output!).shape?.map(formatDim)).toEqual([
      'batch',
      '8',
      'floor((h + 1)/2)',
      'floor((w + 1)/2)',
    ]);
    expect(facts.staticShape(conv.output!)).toBeUndefined();
    expect(facts.assumed(conv.output!)).toEqual([1, 8, 16, 16]);
    expect(facts.macs(conv)).toBe(8 * 16 * 16 * 27);
  });
});

describe('demand', () => {
  it('walks a chain of 20,000 nodes from its end', () => {
    const model = newModel();
    let value: Value | undefined = input(model.graph, 'x', ['n', 4]);
    for (let i = 0; i < 20_000; i++)
      value = model.graph.addNode({ opType: 'Relu', inputs: [value], outputs: [`r${i}`] }).output;
    expect(shapeText(model, value)).toBe('n,4');
  });

  it('keeps the facts of a value that another node takes over, and infers new ones', () => {
    const model = newModel();
    const { graph } = model;
    const x = input(graph, 'x', [2, 3]);
    const neg = graph.addNode({ opType: 'Neg', inputs: [x], outputs: ['y'] });
    const y = neg.output!;
    const facts = createFacts(model);
    expect(facts.staticShape(y)).toEqual([2, 3]);
    const fresh = graph.addNode({ opType: 'Transpose', inputs: [x], outputs: ['t'] }, neg);
    graph.addNode({ opType: 'Transpose', inputs: [fresh.output], outputs: [y] });
    expect(facts.staticShape(fresh.output!)).toEqual([3, 2]);
    expect(facts.staticShape(y)).toEqual([2, 3]);
  });

  it('leaves the outputs of unknown operators open, whatever the file declares, but takes the declared type', () => {
    const model = newModel();
    const { graph } = model;
    const x = input(graph, 'x', [2, 3]);
    const y = graph.declare('y', { kind: 'tensor', dtype: 'float32', shape: [2, 5] });
    graph.addNode({ opType: 'Mystery', domain: 'acme', inputs: [x], outputs: [y] });
    const facts = createFacts(model);
    expect(facts.of(y)).toEqual({ dtype: 'float32', shape: undefined, data: undefined });
    expect(facts.assumed(y)).toEqual([2, 5]);
  });

  it('uses operator records, not what the file declares', () => {
    const model = newModel();
    const x = input(model.graph, 'x', ['batch', 3]);
    const y = model.graph.declare('y', { kind: 'tensor', dtype: 'float32', shape: [1, 3] });
    model.graph.addNode({ opType: 'Relu', inputs: [x], outputs: [y] });
    expect(shapeText(model, y)).toBe('batch,3');
  });
});

describe('subgraphs', () => {
  function addBranch(model: Model, build: (graph: Graph) => Value | undefined): Graph {
    const graph = new Graph(model, 'branch');
    const output = build(graph);
    graph.setOutputs(output ? [output] : []);
    return graph;
  }

  function addIf(model: Model, condition: Value, yes: Graph, no: Graph): Value | undefined {
    return model.graph.addNode({
      opType: 'If',
      inputs: [condition],
      outputs: ['y'],
      attributes: { then_branch: graphAttr(yes), else_branch: graphAttr(no) },
    }).output;
  }

  const slice = (model: Model, graph: Graph, x: Value, end: number): Value | undefined => {
    const bounds = [0, end, 1].map((bound) => model.graph.addInitializer(Tensor.int64s([bound]), 'bound'));
    return graph.addNode({ opType: 'Slice', inputs: [x, ...bounds], outputs: ['part'] }).output;
  };

  it('merges the branches of If: equal dims stay, others are unknown', () => {
    const model = newModel();
    const x = input(model.graph, 'x', ['n', 8]);
    const condition = input(model.graph, 'c', [], 'bool');
    const y = addIf(
      model,
      condition,
      addBranch(model, (g) => slice(model, g, x, 4)),
      addBranch(model, (g) => slice(model, g, x, 6)),
    );
    expect(shapeText(model, y)).toBe('n,?0');
  });

  it('takes the branch of a known condition, and still knows the values of the other', () => {
    const model = newModel();
    const x = input(model.graph, 'x', ['n', 8]);
    const condition = model.graph.addInitializer(Tensor.scalar('bool', 1), 'c');
    const other = addBranch(model, (g) => slice(model, g, x, 6));
    const y = addIf(
      model,
      condition,
      addBranch(model, (g) => slice(model, g, x, 4)),
      other,
    );
    expect(shapeText(model, y)).toBe('n,4');
    expect(shapeText(model, other.outputs[0])).toBe('n,6');
  });

  it('infers nodes that a rewrite adds to a branch', () => {
    const model = newModel();
    const x = input(model.graph, 'x', ['n', 8]);
    const condition = input(model.graph, 'c', [], 'bool');
    const yes = addBranch(model, (g) => slice(model, g, x, 4));
    const y = addIf(
      model,
      condition,
      yes,
      addBranch(model, (g) => slice(model, g, x, 4)),
    );
    const facts = createFacts(model);
    expect(facts.of(y!).shape?.map(formatDim)).toEqual(['n', '4']);
    const added = yes.addNode({ opType: 'Transpose', inputs: [yes.outputs[0]], outputs: ['added'] });
    expect(facts.of(added.output!).shape?.map(formatDim)).toEqual(['4', 'n']);
  });

  /** A Loop that carries `x` and, when `grow`, appends a row to it in every iteration; it stacks x as well. */
  function addLoop(
    model: Model,
    x: Value,
    grow: 'grows' | 'keeps',
    trips: Value | undefined,
  ): { readonly loop: readonly (Value | undefined)[]; readonly inner: Value } {
    const body = new Graph(model, 'body');
    body.addInput('i', { kind: 'tensor', dtype: 'int64', shape: [] });
    const condition = body.addInput('keep_going', { kind: 'tensor', dtype: 'bool', shape: [] });
    const carried = body.addInput('carried', undefined);
    const again = body.addNode({ opType: 'Identity', inputs: [condition], outputs: ['again'] });
    const next =
      grow === 'grows'
        ? body.addNode({ opType: 'Concat', inputs: [carried, x], outputs: ['next'], attributes: { axis: intAttr(0) } })
        : body.addNode({ opType: 'Elu', inputs: [carried], outputs: ['next'], attributes: { alpha: floatAttr(0.5) } });
    body.setOutputs([again.output!, next.output!, next.output!]);
    const node = model.graph.addNode({
      opType: 'Loop',
      inputs: [trips, undefined, x],
      outputs: ['last', 'all'],
      attributes: { body: graphAttr(body) },
    });
    return { loop: node.outputs, inner: next.output! };
  }

  it('keeps the shape of a carried variable that no iteration changes, and counts the trips', () => {
    const model = newModel();
    const x = input(model.graph, 'x', ['n', 8]);
    const trips = model.graph.addInitializer(Tensor.scalar('int64', 5), 'trips');
    const {
      loop: [last, all],
      inner,
    } = addLoop(model, x, 'keeps', trips);
    expect(shapeText(model, last)).toBe('n,8');
    expect(shapeText(model, all)).toBe('5,n,8');
    expect(shapeText(model, inner)).toBe('n,8');
  });

  it('forgets the dim of a carried variable that grows', () => {
    const model = newModel();
    const x = input(model.graph, 'x', [1, 8]);
    const {
      loop: [last, all],
    } = addLoop(model, x, 'grows', input(model.graph, 'trips', [], 'int64'));
    const facts = createFacts(model);
    expect(facts.of(last!).shape?.map(formatDim)).toEqual([expect.stringMatching(/^\?/), '8']);
    expect(facts.of(all!).shape?.slice(2)).toEqual([8]);
    expect(
      facts
        .of(all!)
        .shape?.slice(0, 2)
        .every((dim) => typeof dim !== 'number'),
    ).toBe(true);
  });
});

describe('local functions', () => {
  function addFunction(model: Model): void {
    const graph = new Graph(model, 'scaled');
    const x = graph.addInput('x', undefined);
    const joined = graph.addNode({
      opType: 'Concat',
      inputs: [x, x],
      outputs: ['joined'],
      attributes: { axis: { kind: 'reference', name: 'along', type: 2 } },
    });
    graph.setOutputs([joined.output!]);
    model.setFunctions([
      { domain: 'acme', name: 'Twice', overload: '', graph, attributeNames: ['along'], opsets: new Map([['', 17]]) },
    ]);
  }

  it('infers each call with its own inputs and attributes', () => {
    const model = newModel();
    addFunction(model);
    const x = input(model.graph, 'x', ['n', 3]);
    const first = model.graph.addNode({
      opType: 'Twice',
      domain: 'acme',
      inputs: [x],
      outputs: ['a'],
      attributes: { along: intAttr(0) },
    });
    const second = model.graph.addNode({
      opType: 'Twice',
      domain: 'acme',
      inputs: [first.output],
      outputs: ['b'],
      attributes: { along: intAttr(1) },
    });
    expect(shapeText(model, first.output)).toBe('2*n,3');
    expect(shapeText(model, second.output)).toBe('2*n,6');
    const body = createFacts(model, { assumedSizes: new Map([['n', 5]]) }).scope.call(second.output!.producer!);
    expect(body?.graph.outputs.map((value) => body.dims(value))).toEqual([[10, 6]]);
  });

  it('claims nothing about the body itself, whose attributes depend on the call', () => {
    const model = newModel();
    addFunction(model);
    expect(createFacts(model).of(model.functions[0]!.graph.outputs[0]!).shape).toBeUndefined();
  });
});
