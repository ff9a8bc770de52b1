// Order and scope: nodes that come in any order, names that are used again in other graphs, and names that hide others.
import { describe, expect, it } from 'vitest';
import { checkModel } from '../../src/ir/check.js';
import { decodeModel } from '../../src/onnx/decode.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { floats, modelOf, onnx, value } from './proto-bytes.js';

const io = { input: [value('x')], output: [value('y')] };
const relu = (name: string, input: string, output: string): object => ({
  name,
  opType: 'Relu',
  input: [input],
  output: [output],
});

describe('nodes that are not in order', () => {
  const bytes = modelOf({ ...io, node: [relu('c', 'b', 'y'), relu('a', 'x', 'a'), relu('b', 'a', 'b')] });

  it('are put in order, and written as they were when nothing changed', () => {
    const { model, document } = decodeModel(bytes);
    expect(model.graph.nodes().map((node) => node.name)).toEqual(['a', 'b', 'c']);
    expect(checkModel(model)).toEqual([]);
    expect(Buffer.concat(encodeModel(document, model))).toEqual(bytes);
  });

  it('are written in order when something changed', () => {
    const { model, document } = decodeModel(bytes);
    model.graph.setAttribute(
      model.graph.nodes()[1] ?? model.graph.addNode({ opType: 'X', inputs: [], outputs: [] }),
      'k',
      { kind: 'int', value: 1 },
    );
    const written = onnx.ModelProto.decode(Buffer.concat(encodeModel(document, model)));
    expect(written.graph?.node?.map((node) => node.name)).toEqual(['a', 'b', 'c']);
  });

  it('in a chain of 20,000, last first', () => {
    const count = 20_000;
    const node = Array.from({ length: count }, (_, i) => relu(`n${count - i}`, `v${count - 1 - i}`, `v${count - i}`));
    const { model } = decodeModel(modelOf({ input: [value('v0')], output: [value(`v${count}`)], node }));
    expect(model.graph.first?.name).toBe('n1');
    expect(model.graph.last?.name).toBe(`n${count}`);
  });

  it('count what their subgraphs return', () => {
    const branching = {
      name: 'if',
      opType: 'If',
      input: ['c'],
      output: ['y'],
      attribute: [{ name: 'then_branch', type: 5, g: { name: 'b', output: [{ name: 'late' }] } }],
    };
    const { model } = decodeModel(
      modelOf({
        input: [value('x'), value('c', 9, [])],
        output: [value('y')],
        node: [branching, relu('late', 'x', 'late')],
      }),
    );
    expect(model.graph.nodes().map((node) => node.name)).toEqual(['late', 'if']);
    expect(checkModel(model)).toEqual([]);
  });

  it('count what their subgraphs read', () => {
    const branch = (input: string): object => ({
      name: 'b',
      node: [relu('', input, `${input}_out`)],
      output: [{ name: `${input}_out` }],
    });
    const branching = {
      name: 'if',
      opType: 'If',
      input: ['c'],
      output: ['y'],
      attribute: [
        { name: 'then_branch', type: 5, g: branch('late') },
        { name: 'else_branch', type: 5, g: branch('x') },
      ],
    };
    const { model } = decodeModel(
      modelOf({
        input: [value('x'), value('c', 9, [])],
        output: [value('y')],
        node: [branching, relu('late', 'x', 'late')],
      }),
    );
    expect(model.graph.nodes().map((node) => node.name)).toEqual(['late', 'if']);
    expect(checkModel(model)).toEqual([]);
  });
});

describe('names', () => {
  const branch = (name: string, op: string): object => ({
    name,
    node: [{ opType: op, input: ['x'], output: ['same'] }],
    output: [{ name: 'same' }],
  });

  it('may be used again in a sibling graph, and mean what the innermost graph defines', () => {
    const branching = {
      opType: 'If',
      input: ['c'],
      output: ['y'],
      attribute: [
        { name: 'then_branch', type: 5, g: branch('t', 'Relu') },
        { name: 'else_branch', type: 5, g: branch('e', 'Neg') },
      ],
    };
    const { model } = decodeModel(
      modelOf({ input: [value('x'), value('c', 9, [])], output: [value('y')], node: [branching] }),
    );
    const [, then, otherwise] = model.graphs();
    expect(then?.outputs[0]?.producer?.opType).toBe('Relu');
    expect(otherwise?.outputs[0]?.producer?.opType).toBe('Neg');
    expect(model.names.isShared('same')).toBe(true);
  });

  it('of an inner graph hide those around it', () => {
    const inner = {
      name: 't',
      initializer: [floats('x', [5])],
      node: [{ opType: 'Relu', input: ['x'], output: ['p'] }],
      output: [{ name: 'p' }],
    };
    const branching = {
      opType: 'If',
      input: ['c'],
      output: ['y'],
      attribute: [
        { name: 'then_branch', type: 5, g: inner },
        { name: 'else_branch', type: 5, g: branch('e', 'Neg') },
      ],
    };
    const { model } = decodeModel(
      modelOf({ input: [value('x'), value('c', 9, [])], output: [value('y')], node: [branching] }),
    );
    const [then] = model.graph.first?.subgraphs() ?? [];
    expect(then?.first?.inputs[0]?.constant?.toNumbers()).toEqual([5]);
  });
});
