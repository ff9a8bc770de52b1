// Every rule of the invariant check, each broken behind the back of the mutators.
import { describe, expect, it } from 'vitest';
import { checkModel } from '../../src/ir/check.js';
import type { Graph } from '../../src/ir/graph.js';
import type { Model } from '../../src/ir/model.js';
import type { Node } from '../../src/ir/node.js';
import { parseModel } from '../../src/ir/text/parse.js';
import type { Value } from '../../src/ir/value.js';
import { Tensor } from '../../src/tensor/tensor.js';
import { randomGraph } from '../property/random-graphs.js';

interface Parts {
  readonly model: Model;
  readonly graph: Graph;
  readonly relu: Node;
  readonly add: Node;
  readonly branch: Graph;
  readonly x: Value;
  readonly w: Value;
  readonly a: Value;
}

const TEXT = `g (float[2] x, bool c) => (y, b) <float[2] w = {1, 2}> {
  a = Relu (x)
  b = Add (a, w)
  y = If (c) <then_branch = t () => (p) { p = Neg (a) }>
}`;

function parts(): Parts {
  const model = parseModel(TEXT);
  const [relu, add, branching] = model.graph.nodes() as [Node, Node, Node];
  const [branch] = branching.subgraphs() as [Graph];
  return {
    model,
    graph: model.graph,
    relu,
    add,
    branch,
    x: model.graph.inputs[0] as Value,
    w: add.inputs[1] as Value,
    a: relu.output as Value,
  };
}

/** Writes fields that are read-only to everyone else. */
const set = <T extends object>(target: T, fields: { readonly [K in keyof T]?: unknown }): unknown =>
  Object.assign(target, fields);

const BREAKS: readonly (readonly [string, (p: Parts) => unknown, RegExp])[] = [
  [
    'the list of nodes is linked both ways',
    ({ add }) => set(add, { previous: undefined }),
    /Add -> b has a wrong predecessor/,
  ],
  [
    'the list of nodes is linked both ways',
    ({ add }) => set(add, { order: 0 }),
    /Add -> b is numbered before its predecessor/,
  ],
  ['the list of nodes is linked both ways', ({ graph, add }) => set(graph, { last: add }), /"g" has a wrong last node/],
  [
    'the list of nodes is linked both ways',
    ({ graph }) => set(graph, { nodeCount: 7 }),
    /"g" holds 3 nodes and says 7/,
  ],
  [
    'the list of nodes is linked both ways',
    ({ add, branch }) => set(add, { graph: branch }),
    /Add -> b stands in "g" and says otherwise/,
  ],
  ['the model counts its nodes', ({ model }) => set(model, { nodeTotal: 3 }), /nodeTotal is 3, the graphs hold 4/],
  [
    'a subgraph belongs to the node that holds it',
    ({ branch, add }) => set(branch, { owner: add }),
    /subgraph "t" of If -> y has owner Add -> b/,
  ],
  [
    'a subgraph belongs to the node that holds it',
    ({ branch, add }) => set(add, { attributes: new Map([['body', { kind: 'graph', value: branch }]]) }),
    /a subgraph is held twice/,
  ],
  [
    'uses are counted',
    ({ a, add }) => (a.slots as Map<Node, number>).set(add, 2),
    /"a" has wrong uses: Add -> b x2, Neg -> p x1; nodes read it: Add -> b x1/,
  ],
  ['uses are counted', ({ w }) => set(w, { slots: new Map() }), /"w" has wrong uses: none; nodes read it: Add -> b x1/],
  [
    'graph outputs are counted',
    ({ a, graph }) => set(a, { outputOf: new Map([[graph, 1]]) }),
    /"a" is returned by 0 graphs and says 1/,
  ],
  [
    'a node produces its outputs',
    ({ a, add }) => set(a, { producer: add }),
    /output "a" of Relu -> a has producer Add -> b/,
  ],
  [
    'a node produces its outputs',
    ({ a, branch }) => set(a, { graph: branch }),
    /output "a" of Relu -> a is in the scope of another graph/,
  ],
  [
    'a node produces its outputs',
    ({ x, relu }) => set(x, { producer: relu }),
    /producer Relu -> a of "x" does not list it/,
  ],
  [
    'a node produces its outputs',
    ({ a }) => set(a, { isInput: true }),
    /"a" is computed and is an input or initializer too/,
  ],
  ['every value read is defined', ({ w }) => set(w, { graph: undefined }), /"w" is used and belongs to no graph/],
  ['every value read is defined', ({ x }) => set(x, { isInput: false }), /"x" is used and nothing defines it/],
  ['every value read is defined', ({ relu }) => set(relu, { graph: undefined }), /producer Relu -> a was removed/],
  [
    'values are computed before they are read',
    ({ relu }) => set(relu, { order: 9 }),
    /Add -> b reads "a", which is not computed before it/,
  ],
  ['values are computed before they are read', ({ relu }) => set(relu, { order: 9 }), /Neg -> p reads "a"/],
  [
    'values are computed before they are read',
    ({ graph, branch }) => set(graph, { outputs: branch.outputs }),
    /graph "g" returns "p", which is not in scope/,
  ],
  [
    'graphs list their inputs and initializers',
    ({ x }) => set(x, { isInput: false }),
    /input "x" of "g" does not know it is one/,
  ],
  [
    'graphs list their inputs and initializers',
    ({ w }) => set(w, { initializer: undefined }),
    /initializer "w" of "g" does not know it is one/,
  ],
  [
    'graphs list their inputs and initializers',
    ({ graph }) => set(graph, { initializers: new Set() }),
    /"w" takes itself for an initializer/,
  ],
  [
    'graphs list their inputs and initializers',
    ({ graph }) => set(graph, { inputs: [] }),
    /"x" takes itself for an input/,
  ],
  [
    'names are unique in their graph, and read values are not shadowed',
    ({ a }) => set(a, { name: 'x' }),
    /"g" holds two values named "x"/,
  ],
  [
    'names are unique in their graph, and read values are not shadowed',
    ({ branch }) => set(branch.outputs[0] as Value, { name: 'a' }),
    /Neg -> a reads "a", which is another value there/,
  ],
  [
    'names are unique in their graph, and read values are not shadowed',
    ({ a }) => set(a, { name: 'z' }),
    /"z" is missing in the table of names/,
  ],
  [
    'an initializer has the type of its tensor',
    ({ graph, w }) => graph.setInitializer(w, { kind: 'dense', tensor: Tensor.scalar('float32', 1) }),
    /"w" is declared otherwise than its tensor float32\[\]/,
  ],
  [
    'an initializer has the type of its tensor',
    ({ graph, w }) => graph.setType(w, { kind: 'tensor', dtype: 'int8', shape: undefined }),
    /"w" is declared otherwise/,
  ],
];

describe('checkModel', () => {
  it('finds nothing wrong with sound models', () => {
    expect(checkModel(parts().model)).toEqual([]);
    for (let seed = 0; seed < 20; seed++) expect(checkModel(randomGraph(`check/${seed}`).model)).toEqual([]);
  });

  it('looks into function bodies', () => {
    const model = parseModel('g (x) => (y) { y = d.F (x) } <domain: "d"> F (a) => (b) { b = Neg (a) }');
    set(model.functions[0]?.graph as Graph, { nodeCount: 4 });
    expect(checkModel(model)).toEqual([
      { rule: 'the list of nodes is linked both ways', message: '"F" holds 1 nodes and says 4' },
    ]);
  });

  it('accepts sibling branches that use one name', () => {
    expect(
      checkModel(
        parseModel('g (c) => (y) { y = If (c) <a = a () => (p) { p = Neg (c) }, b = b () => (p) { p = Abs (c) }> }'),
      ),
    ).toEqual([]);
  });

  it.each(BREAKS)('"%s" can fail', (rule, breakIt, message) => {
    const p = parts();
    breakIt(p);
    expect(checkModel(p.model)).toContainEqual({ rule, message: expect.stringMatching(message) });
  });
});
