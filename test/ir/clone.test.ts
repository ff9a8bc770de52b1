// Copying nodes: within a model, into another one, with subgraphs, captured values and attribute references.
import { describe, expect, it } from 'vitest';
import type { Attribute } from '../../src/ir/attribute.js';
import { checkModel } from '../../src/ir/check.js';
import { cloneGraph, copyNodes, inlineGraph } from '../../src/ir/clone.js';
import type { Graph } from '../../src/ir/graph.js';
import { Model } from '../../src/ir/model.js';
import type { Node } from '../../src/ir/node.js';
import { parseModel } from '../../src/ir/text/parse.js';
import { printGraph, printModel } from '../../src/ir/text/print.js';
import type { Value } from '../../src/ir/value.js';
import { randomGraph } from '../property/random-graphs.js';

const fresh = (): Model => new Model({ graphName: 'copy', opsets: new Map([['', 17]]), irVersion: 8 });
const print = (model: Model): string => printModel(model, { weights: 'full' });

describe('inlineGraph', () => {
  it.each(Array.from({ length: 25 }, (_, seed) => seed))('copies all of random graph %i into a fresh model', (seed) => {
    const { model } = randomGraph(`clone/${seed}`);
    const before = printGraph(model.graph, { weights: 'full' });
    const copy = new Model({ graphName: model.graph.name, opsets: model.opsets, irVersion: model.irVersion });
    const mapping = new Map<Value, Value>();
    for (const input of model.graph.inputs) mapping.set(input, copy.graph.addInput(input.name, input.type));
    copy.graph.setOutputs(inlineGraph(model.graph, { into: copy.graph, mapping }));
    expect(printGraph(copy.graph, { weights: 'full' })).toBe(before);
    expect(printGraph(model.graph, { weights: 'full' })).toBe(before);
    expect(checkModel(copy)).toEqual([]);
    expect(checkModel(model)).toEqual([]);
  });

  it('puts a branch in front of its node', () => {
    const model = parseModel(`g (x, c) => (y) <float w = {1}> {
      a = Neg (x)
      y = If (c) <then_branch = t () => (r) <float w2 = {2}> { [n] p = Abs (a)
        q = Loop (c) <body = l (i) => (z) { z = Add (p, i) }>
        r = Sum (p, q, w, w2) }>
    }`);
    const node = model.graph.last as Node;
    const [branch] = node.subgraphs() as [Graph];
    const [result] = inlineGraph(branch, {
      into: model.graph,
      before: node,
      mapping: new Map(),
      nodeName: (name) => `then/${name}`,
    });
    const y = node.output as Value;
    model.graph.replaceUses(y, result as Value);
    model.graph.removeNode(node);
    expect(checkModel(model)).toEqual([]);
    expect(print(model)).toBe(`<ir_version: 8, opset_import: ["" : 17]>
g (x, c) => (y)
<
  float w = {1},
  float w2_1 = {2}
>
{
  a = Neg (x)
  ["then/n"] p_1 = Abs (a)
  q_1 = Loop (c) <body = l (i_1) => (z_1) {
    z_1 = Add (p_1, i_1)
  }>
  y = Sum (p_1, q_1, w, w2_1)
}
`);
  });

  it('sets or leaves out attributes that refer to the call', () => {
    const model = parseModel(`<opset_import: ["" : 17, "d" : 1]> g (x) => (y) { y = d.F <axis = 2> (x) }
      <domain: "d", opset_import: ["" : 17]> F <axis, mode> (a) => (b) { b = Softmax <axis: int = @axis, mode: string = @mode, k = 1> (a) }`);
    const call = model.graph.first as Node;
    const body = model.functions[0]?.graph as Graph;
    const attribute = (value: Attribute): Attribute | undefined =>
      value.kind === 'reference' ? call.attribute(value.name) : value;
    const [result] = inlineGraph(body, {
      into: model.graph,
      before: call,
      mapping: new Map([[body.inputs[0] as Value, model.graph.inputs[0] as Value]]),
      attribute,
    });
    model.graph.replaceUses(call.output as Value, result as Value);
    model.graph.removeNode(call);
    expect(checkModel(model)).toEqual([]);
    expect(printGraph(model.graph, { weights: 'full' })).toBe('g (x) => (y) {\n  y = Softmax <axis = 2, k = 1> (x)\n}');
  });
});

describe('copyNodes', () => {
  it('takes initializers along into another model, their tensors shared', () => {
    const { graph } = parseModel(
      'g (x) => (y) <float[2] w = {1, 2}, float[1] v = {3}> { a = Add (w, w)\n b = Mul (a, v)\n y = Neg (x) }',
    );
    const target = fresh();
    const mapping = new Map<Value, Value>();
    const [add, mul] = copyNodes(graph.nodes().slice(0, 2), { into: target.graph, mapping });
    target.graph.setOutputs([mul?.output as Value]);
    expect(checkModel(target)).toEqual([]);
    expect(printGraph(target.graph, { weights: 'full' })).toBe(
      'copy () => (b)\n<\n  float[2] w = {1, 2},\n  float[1] v = {3}\n>\n{\n  a = Add (w, w)\n  b = Mul (a, v)\n}',
    );
    expect(add?.inputs[0]?.constant).toBe(graph.first?.inputs[0]?.constant);
    expect(mapping.get(graph.first?.output as Value)).toBe(add?.output);
  });

  it('refuses values that the other model does not know', () => {
    const { graph } = parseModel('g (x) => (y) { y = Neg (x) }');
    expect(() => copyNodes(graph.nodes(), { into: fresh().graph, mapping: new Map() })).toThrow(/"x" is not known/);
  });

  it('reads the same values within one model and keeps types, names and omitted slots', () => {
    const model = parseModel('g (x) => (y) <float[2] a> { [n] a, "", b = Split (x, "", x)\n y = Neg (a) }');
    const [copy] = copyNodes([model.graph.first as Node], {
      into: model.graph,
      before: model.graph.last,
      mapping: new Map(),
    });
    expect(copy?.inputs).toEqual(model.graph.first?.inputs);
    expect([copy?.name, copy?.outputs.map((value) => value?.name), copy?.output?.type]).toEqual([
      'n',
      ['a_1', undefined, 'b_1'],
      { kind: 'tensor', dtype: 'float32', shape: [2] },
    ]);
    expect(checkModel(model)).toEqual([]);
  });
});

describe('cloneGraph', () => {
  it('makes a graph that another node can hold', () => {
    const model = parseModel(
      'g (x, c) => (y) { y = If (c) <b = b (float[1] p = {1}, q) => (r) { r = Sum (p, q, x) }> }',
    );
    const node = model.graph.first as Node;
    const clone = cloneGraph(node.subgraphs()[0] as Graph, model, { mapping: new Map() });
    model.graph.addNode({
      opType: 'If',
      inputs: node.inputs,
      outputs: ['z'],
      attributes: { b: { kind: 'graph', value: clone } },
    });
    expect(checkModel(model)).toEqual([]);
    expect(printGraph(clone, { weights: 'full' })).toBe(
      'b (float[1] p_1 = {1}, q_1) => (r_1) {\n  r_1 = Sum (p_1, q_1, x)\n}',
    );
  });
});
