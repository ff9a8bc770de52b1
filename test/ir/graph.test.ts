// The mutators of the IR: each case edits a small graph and reads it back as text; uses, owners and names are checked.
import { describe, expect, it } from 'vitest';
import { floatAttr, graphAttr } from '../../src/ir/attribute.js';
import { checkModel } from '../../src/ir/check.js';
import { canReplace, Graph } from '../../src/ir/graph.js';
import type { Model } from '../../src/ir/model.js';
import type { Node } from '../../src/ir/node.js';
import { parseModel } from '../../src/ir/text/parse.js';
import { printModel } from '../../src/ir/text/print.js';
import type { Value } from '../../src/ir/value.js';
import { Tensor } from '../../src/tensor/tensor.js';

const CHAIN = `g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> {
  a = Relu (x)
  b = Add (a, w)
  y = Sigmoid (b)
}`;
const BRANCHES = `g (float[2] x, bool c) => (y) <float[2] w = {1, 2}> {
  a = Relu (x)
  y = If (c) <then_branch = t () => (p) { p = Add (a, w) }, else_branch = e () => (q) <float[2] v = {3, 4}> { q = Mul (a, v) }>
}`;

function valueIn(graph: Graph, name: string): Value {
  const values = [...graph.inputs, ...graph.initializers, ...graph.nodes().flatMap((node) => node.outputs)];
  const value = values.find((candidate) => candidate?.name === name);
  if (!value) throw new Error(`no value ${name}`);
  return value;
}

function nodeOf(graph: Graph, opType: string): Node {
  const node = graph.nodes().find((candidate) => candidate.opType === opType);
  if (!node) throw new Error(`no ${opType}`);
  return node;
}

/** The nodes after `edit`, one per line; checks the invariants, and that rolling back restores the model. */
function edited(text: string, edit: (graph: Graph, model: Model) => void): string[] {
  const model = parseModel(text);
  const before = printModel(model, { weights: 'full' });
  edit(model.graph, model);
  expect(checkModel(model)).toEqual([]);
  const after = printModel(model, { weights: 'full' });
  const mark = model.journal.mark();
  model.journal.seek(0);
  expect(printModel(model, { weights: 'full' })).toBe(before);
  expect(checkModel(model)).toEqual([]);
  model.journal.seek(mark);
  expect(printModel(model, { weights: 'full' })).toBe(after);
  expect(checkModel(model)).toEqual([]);
  return after
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.includes('(') && !line.startsWith('g ('));
}

describe('addNode', () => {
  it('puts a node in front of another and makes new names unique', () => {
    expect(
      edited(CHAIN, (graph) => {
        graph.addNode(
          { opType: 'Neg', inputs: [valueIn(graph, 'a')], outputs: ['a', undefined] },
          nodeOf(graph, 'Add'),
        );
      }),
    ).toEqual(['a = Relu (x)', 'a_1, "" = Neg (a)', 'b = Add (a, w)', 'y = Sigmoid (b)']);
  });

  it('takes outputs over from the node that had them', () => {
    expect(
      edited(CHAIN, (graph) => {
        const old = nodeOf(graph, 'Sigmoid');
        graph.addNode({ opType: 'Tanh', inputs: old.inputs, outputs: old.outputs }, old);
        expect(old.outputs).toEqual([undefined]);
        graph.removeNode(old);
      }),
    ).toEqual(['a = Relu (x)', 'b = Add (a, w)', 'y = Tanh (b)']);
  });

  it('drops trailing omitted inputs and attributes that are undefined', () => {
    expect(
      edited(CHAIN, (graph) => {
        graph.addNode({
          opType: 'Clip',
          inputs: [valueIn(graph, 'b'), undefined, undefined],
          outputs: ['c'],
          attributes: { a: undefined, b: floatAttr(1) },
        });
      }).at(-1),
    ).toBe('c = Clip <b = 1.0> (b)');
  });

  it('refuses places and outputs of other graphs', () => {
    const model = parseModel(BRANCHES);
    const inner = nodeOf(model.graph, 'If').subgraphs()[0];
    expect(() => model.graph.addNode({ opType: 'Neg', inputs: [], outputs: [] }, inner?.first)).toThrow(
      /is not in graph g/,
    );
    expect(() => model.graph.addNode({ opType: 'Neg', inputs: [], outputs: [inner?.outputs[0]] })).toThrow(
      /p is not in graph g/,
    );
  });

  it('can be repeated a thousand times at one place', () => {
    const model = parseModel(CHAIN);
    const anchor = nodeOf(model.graph, 'Add');
    for (let i = 0; i < 1000; i++)
      model.graph.addNode({ opType: 'Neg', inputs: [valueIn(model.graph, 'a')], outputs: ['n'] }, anchor);
    expect(checkModel(model)).toEqual([]);
    expect(model.nodeTotal).toBe(1003);
    model.journal.seek(0);
    expect(checkModel(model)).toEqual([]);
  });
});

describe('removeNode', () => {
  it('takes the node and its outputs away', () => {
    expect(
      edited(CHAIN, (graph) => {
        graph.replaceUses(valueIn(graph, 'b'), valueIn(graph, 'x'));
        graph.removeNode(nodeOf(graph, 'Add'));
        expect(valueIn(graph, 'w').isUnused).toBe(true);
      }),
    ).toEqual(['a = Relu (x)', 'y = Sigmoid (x)']);
  });

  it('refuses while the outputs are used', () => {
    const { graph } = parseModel(CHAIN);
    expect(() => graph.removeNode(nodeOf(graph, 'Add'))).toThrow(/b is still used/);
    expect(() => graph.removeNode(nodeOf(graph, 'Sigmoid'))).toThrow(/y is still used/);
  });

  it('releases what its subgraphs read', () => {
    expect(
      edited(BRANCHES, (graph) => {
        const node = nodeOf(graph, 'If');
        graph.addNode({ opType: 'Neg', inputs: [valueIn(graph, 'x')], outputs: node.outputs });
        graph.removeNode(node);
        expect([valueIn(graph, 'a').isUnused, valueIn(graph, 'w').isUnused]).toEqual([true, true]);
      }),
    ).toEqual(['a = Relu (x)', 'y = Neg (x)']);
  });

  it('leaves subgraphs alone that another node holds by now', () => {
    expect(
      edited(BRANCHES, (graph) => {
        const old = nodeOf(graph, 'If');
        const next = graph.addNode(
          { opType: 'If', name: 'new', inputs: old.inputs, outputs: old.outputs, attributes: old.attributes },
          old,
        );
        graph.removeNode(old);
        expect(next.subgraphs().map((inner) => [inner.owner, inner.nodeCount])).toEqual([
          [next, 1],
          [next, 1],
        ]);
      }),
    ).toContain('p = Add (a, w)');
  });
});

describe('replaceUses', () => {
  it('reaches every slot of every reader, in subgraphs too', () => {
    expect(
      edited(BRANCHES, (graph) => {
        const sum = graph.addNode(
          { opType: 'Add', inputs: [valueIn(graph, 'a'), valueIn(graph, 'a')], outputs: ['s'] },
          nodeOf(graph, 'If'),
        );
        graph.replaceUses(valueIn(graph, 'a'), valueIn(graph, 'x'));
        expect(valueIn(graph, 'x').slots.get(sum)).toBe(2);
      }),
    ).toEqual([
      'a = Relu (x)',
      's = Add (x, x)',
      'y = If (c) <then_branch = t () => (p) {',
      'p = Add (x, w)',
      '}, else_branch = e () => (q)',
      'q = Mul (x, v)',
    ]);
  });

  it('keeps the name and type of a graph output', () => {
    expect(
      edited(CHAIN, (graph) => {
        graph.replaceUses(valueIn(graph, 'y'), valueIn(graph, 'b'));
        graph.removeNode(nodeOf(graph, 'Sigmoid'));
        expect(graph.outputs[0]?.type).toEqual({ kind: 'tensor', dtype: 'float32', shape: [2] });
      }),
    ).toEqual(['a = Relu (x)', 'y = Add (a, w)']);
  });

  it('is refused where a graph output would lose its name', () => {
    const { graph } = parseModel(
      'g (x) => (y, z, x2, y) <float[1] w = {1}> { y = Relu (x)\n z = Neg (x)\n x2 = Abs (x)\n u = Neg (z)\n v = Neg (u) }',
    );
    const [y, z, x, w, u, v] = ['y', 'z', 'x', 'w', 'u', 'v'].map((name) => valueIn(graph, name)) as [
      Value,
      Value,
      Value,
      Value,
      Value,
      Value,
    ];
    expect(canReplace(z, x)).toBe(false);
    expect(canReplace(z, w)).toBe(false);
    expect(canReplace(z, y)).toBe(false);
    expect(canReplace(y, u)).toBe(false);
    expect(canReplace(z, v)).toBe(true);
    expect(canReplace(u, x)).toBe(true);
    expect(canReplace(u, u)).toBe(false);
    expect(() => graph.replaceUses(z, x)).toThrow(/x cannot stand for z/);
  });

  it('never renames an input that the graph returns', () => {
    const { graph } = parseModel('g (x) => (x) { y = Relu (x) }');
    expect(canReplace(valueIn(graph, 'x'), valueIn(graph, 'y'))).toBe(false);
  });
});

describe('setInput and setAttribute', () => {
  it('widen and trim the inputs', () => {
    expect(
      edited(CHAIN, (graph) => {
        const relu = nodeOf(graph, 'Relu');
        graph.setInput(relu, 2, valueIn(graph, 'w'));
        expect(relu.inputs.map((value) => value?.name)).toEqual(['x', undefined, 'w']);
        graph.setInput(relu, 0, undefined);
        graph.setInput(relu, 2, undefined);
        expect(relu.inputs).toEqual([]);
      })[0],
    ).toBe('a = Relu ()');
  });

  it('exchange a subgraph, and back', () => {
    expect(
      edited(BRANCHES, (graph, model) => {
        const node = nodeOf(graph, 'If');
        const branch = new Graph(model, 'n');
        branch.setOutputs([
          branch.addNode({ opType: 'Neg', inputs: [valueIn(graph, 'x')], outputs: ['r'] }).output as Value,
        ]);
        graph.setAttribute(node, 'then_branch', graphAttr(branch));
        expect(valueIn(graph, 'w').isUnused).toBe(true);
        expect(branch.owner).toBe(node);
        graph.setAttribute(node, 'else_branch', undefined);
        expect(valueIn(graph, 'a').isUnused).toBe(true);
      }),
    ).toEqual(['a = Relu (x)', 'y = If (c) <then_branch = n () => (r) {', 'r = Neg (x)']);
  });
});

describe('setNodeOutputs', () => {
  it('leaves unused outputs out', () => {
    const text = 'g (x) => (a) { a, b, c = Split (x) }';
    expect(
      edited(text, (graph) => {
        const node = nodeOf(graph, 'Split');
        graph.setNodeOutputs(node, node.outputs.slice(0, 1));
      }),
    ).toEqual(['a = Split (x)']);
    const { graph } = parseModel(text);
    expect(() => graph.setNodeOutputs(nodeOf(graph, 'Split'), [])).toThrow(/a is still used/);
  });
});

describe('moveNode', () => {
  it('changes the order within a graph', () => {
    expect(
      edited('g (x) => (y) { a = Neg (x)\n b = Abs (x)\n y = Add (a, b) }', (graph) => {
        graph.moveNode(nodeOf(graph, 'Abs'), graph.first);
      }),
    ).toEqual(['b = Abs (x)', 'a = Neg (x)', 'y = Add (a, b)']);
  });

  it('lifts a node out of a branch under a name that is free there', () => {
    const text = 'g (x, c) => (y) { p = Neg (x)\n y = If (c) <t = t () => (r) { p = Abs (x)\n r = Add (p, p) }> }';
    expect(
      edited(text, (graph) => {
        const node = nodeOf(graph, 'If');
        const abs = node.subgraphs()[0]?.first;
        if (abs) graph.moveNode(abs, node);
      }),
    ).toEqual(['p = Neg (x)', 'p_1 = Abs (x)', 'y = If (c) <t = t () => (r) {', 'r = Add (p_1, p_1)']);
  });
});

describe('inputs and initializers', () => {
  it('come and go', () => {
    edited(CHAIN, (graph) => {
      const value = graph.addInitializer(Tensor.int64s([1, 2]), 'w');
      expect([value.name, value.constant?.toNumbers(), value.type]).toEqual([
        'w_1',
        [1, 2],
        { kind: 'tensor', dtype: 'int64', shape: [2] },
      ]);
      graph.removeInitializer(value);
      expect([value.graph, graph.initializers.has(value)]).toEqual([undefined, false]);
      expect(() => graph.removeInitializer(valueIn(graph, 'w'))).toThrow(/still used/);
    });
  });

  it('keep an input that has an initializer', () => {
    edited('g (float[1] w = {1}) => () { }', (graph) => {
      const value = valueIn(graph, 'w');
      graph.removeInitializer(value);
      expect([value.graph, value.constant]).toEqual([graph, undefined]);
    });
  });

  it('are constants unless a caller may override them', () => {
    const constant = (header: string): unknown =>
      valueIn(parseModel(`${header} g (float[1] w = {1}) => () { }`).graph, 'w').constant?.toNumbers();
    expect(constant('')).toEqual([1]);
    expect(constant('<keep_overridable: 1>')).toBeUndefined();
  });

  it('of branches are removed only when unused', () => {
    edited('g (c) => (y) { y = If (c) <b = b (p, q) => (r) { r = Neg (p) }> }', (graph) => {
      const inner = nodeOf(graph, 'If').subgraphs()[0] as Graph;
      inner.removeInput(valueIn(inner, 'q'));
      expect(inner.inputs.map((value) => value.name)).toEqual(['p']);
      expect(() => inner.removeInput(valueIn(inner, 'p'))).toThrow(/cannot be removed/);
    });
  });
});

describe('values', () => {
  it('know their only reader', () => {
    const { graph } = parseModel('g (x) => (o) { a = Neg (x)\n b = Add (a, a)\n o = Add (b, x) }');
    const reader = (name: string): string | undefined => valueIn(graph, name).soleConsumer?.opType;
    expect([reader('a'), reader('b'), reader('x'), reader('o')]).toEqual([undefined, 'Add', undefined, undefined]);
  });

  it('have distinct names, also after renaming', () => {
    const model = parseModel(CHAIN);
    model.graph.rename(valueIn(model.graph, 'a'), 'z');
    expect([model.uniqueName('a'), model.uniqueName('a'), model.uniqueName('z'), model.uniqueName('')]).toEqual([
      'a',
      'a_1',
      'z_1',
      'value',
    ]);
  });
});

describe('the model', () => {
  it('walks subgraphs after the nodes that hold them', () => {
    const model = parseModel(BRANCHES);
    expect([...model.allNodes()].map((node) => node.opType)).toEqual(['Relu', 'If', 'Add', 'Mul']);
    expect(model.graphs().map((graph) => graph.name)).toEqual(['g', 't', 'e']);
    expect([...model.allInitializers()].map((value) => value.name)).toEqual(['w', 'v']);
  });

  it('finds the local function a node calls', () => {
    const model = parseModel(
      `g (x) => (y) { y = d.F (x)\n z = d.F:v (x)\n w = F (x) } <domain: "d"> F (a) => (b) { b = Neg (a) } <domain: "d", overload: "v"> F (a) => (b) { b = Abs (a) }`,
    );
    expect(model.graph.nodes().map((node) => model.functionOf(node)?.graph.first?.opType)).toEqual([
      'Neg',
      'Abs',
      undefined,
    ]);
  });
});
