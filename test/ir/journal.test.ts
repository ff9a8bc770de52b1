// Rolling back: random edits by every mutator on random graphs, then any recorded state again, both ways.
import { describe, expect, it } from 'vitest';
import { createRng, type Rng } from '../../src/base/rng.js';
import { intAttr } from '../../src/ir/attribute.js';
import { checkModel } from '../../src/ir/check.js';
import { cloneGraph } from '../../src/ir/clone.js';
import { canReplace, Graph } from '../../src/ir/graph.js';
import { Journal } from '../../src/ir/journal.js';
import { graphsUnder, type Model } from '../../src/ir/model.js';
import type { Node } from '../../src/ir/node.js';
import { printModel } from '../../src/ir/text/print.js';
import type { Value } from '../../src/ir/value.js';
import { Tensor } from '../../src/tensor/tensor.js';
import { randomGraph } from '../property/random-graphs.js';

/** Values that `node` may read: defined before it in its graph or in one around it. */
function readable(node: Node): Value[] {
  const values: Value[] = [];
  for (let reader: Node | undefined = node; reader; reader = reader.graph?.owner) {
    if (reader.graph) values.push(...reader.graph.inputs, ...reader.graph.initializers);
    for (let earlier = reader.previous; earlier; earlier = earlier.previous)
      values.push(...earlier.outputs.flatMap((value) => value ?? []));
  }
  return values;
}

type Edit = (rng: Rng, node: Node, graph: Graph) => void;

const EDITS: readonly Edit[] = [
  (rng, node, graph) => graph.addNode({ opType: 'Neg', inputs: [rng.pick(readable(node))], outputs: ['new'] }, node),
  (rng, node, graph) => graph.setInput(node, rng.int(0, 3), rng.uniform() < 0.2 ? undefined : rng.pick(readable(node))),
  (rng, node, graph) =>
    graph.setAttribute(node, rng.pick(['axis', 'group']), rng.uniform() < 0.3 ? undefined : intAttr(rng.int(0, 9))),
  (rng, _, graph) => graph.addInitializer(Tensor.int64s([rng.int(0, 9)]), 'c'),
  (_, node, graph) => {
    for (const value of [...graph.initializers].slice(0, 1)) if (value.isUnused) graph.removeInitializer(value);
    graph.setInput(node, 1, graph.addInitializer(Tensor.scalar('float32', 1), 'w'));
  },
  (_, node, graph) => {
    if (node.outputs.every((value) => !value || value.isUnused)) graph.removeNode(node);
  },
  (_, node, graph) => {
    graph.addNode({ opType: 'Twin', inputs: node.inputs, outputs: node.outputs, attributes: node.attributes }, node);
    graph.removeNode(node);
  },
  (rng, node, graph) => {
    const from = node.output;
    const to = rng.pick(readable(node));
    if (from && canReplace(from, to)) graph.replaceUses(from, to);
  },
  (rng, node, graph) => {
    if (node.output) graph.rename(node.output, graph.model.uniqueName(rng.pick(['a', 'b'])));
  },
  (rng, node, graph) => {
    if (node.output)
      graph.setType(
        node.output,
        rng.uniform() < 0.5 ? undefined : { kind: 'tensor', dtype: 'float32', shape: [rng.int(1, 9), 'N'] },
      );
  },
  (_, node, graph) => {
    const kept = node.outputs.filter((value) => value && !value.isUnused);
    graph.setNodeOutputs(node, kept.length === 0 ? node.outputs : kept);
  },
  (rng, node, graph) => {
    if (node.output && graph.owner === undefined)
      graph.setOutputs(rng.uniform() < 0.5 ? [...graph.outputs, node.output] : graph.outputs.slice(-2));
  },
  (_, node, graph) => {
    if (node.next && node.outputs.every((value) => !value || value.isUnused)) graph.moveNode(node, undefined);
  },
  (_, node) => {
    const owner = node.graph?.owner;
    if (owner?.graph && readsOuterValuesOnly(node)) owner.graph.moveNode(node, owner);
  },
  (_, node, graph) => {
    const [name, attribute] = [...node.attributes].find(([, candidate]) => candidate.kind === 'graph') ?? [];
    if (name !== undefined && attribute?.kind === 'graph')
      graph.setAttribute(node, name, {
        kind: 'graph',
        value: cloneGraph(attribute.value, graph.model, { mapping: new Map() }),
      });
  },
  (rng, _, graph) => {
    for (const value of [...graph.initializers].slice(0, 1)) {
      const dims = value.constant?.dims ?? [];
      const tensor = Tensor.fromNumbers('float32', dims, Array.from({ length: value.constant?.size ?? 0 }, rng.normal));
      if (value.constant?.dtype === 'float32') graph.setInitializer(value, { kind: 'dense', tensor });
    }
  },
  (rng, _, graph) => {
    if (graph.owner === undefined) return;
    const unused = graph.inputs.filter((value) => value.isUnused);
    if (unused.length > 0 && rng.uniform() < 0.5) graph.removeInput(rng.pick(unused));
    else graph.addInput(graph.model.uniqueName('p'), undefined);
  },
  (rng, _, { model }) => model.setOpsets(new Map(model.opsets).set(rng.pick(['', 'local']), rng.int(17, 22))),
  (rng, _, { model }) => model.setIrVersion(rng.int(8, 10)),
  (_, __, { model }) => {
    const graph = new Graph(model, 'f');
    const [value] = graph.addInputs([{ name: model.uniqueName('q'), type: undefined }]);
    const { output } = graph.addNode({ opType: 'Neg', inputs: [value], outputs: ['r'] });
    if (output) graph.setOutputs([output]);
    const name = `f${model.functions.length}`;
    const opsets = new Map([['', 17]]);
    const made = {
      name,
      domain: 'local',
      overload: '',
      attributeNames: [],
      attributeDefaults: new Map(),
      opsets,
      graph,
    };
    for (const dropped of model.functions.slice(0, -2)) dropped.graph.clear();
    model.setFunctions([...model.functions.slice(-2), made]);
  },
];

function readsOuterValuesOnly(node: Node): boolean {
  return (
    node.subgraphs().length === 0 &&
    node.inputs.every((value) => value?.graph !== node.graph) &&
    !node.outputs.some((value) => value?.isGraphOutput)
  );
}

function randomEdit(rng: Rng, model: Model): void {
  const nodes = graphsUnder(model.graph).flatMap((graph) => graph.nodes());
  if (nodes.length === 0) return;
  const node = rng.pick(nodes);
  if (node.graph) rng.pick(EDITS)(rng, node, node.graph);
}

/** All that can be seen of a model: its text, and the sums that it keeps. */
const text = (model: Model): string =>
  `${printModel(model, { weights: 'brief' })}${model.nodeTotal} nodes, ${model.parameterTotal} parameters`;

describe('random edits', () => {
  it.each(Array.from({ length: 30 }, (_, seed) => seed))(
    'of graph %i keep the invariants and can be taken back',
    (seed) => {
      const { model } = randomGraph(`journal/${seed}`);
      const rng = createRng(seed);
      const states = [{ mark: model.journal.mark(), text: text(model) }];
      for (let i = 0; i < 60; i++) {
        randomEdit(rng, model);
        expect(checkModel(model)).toEqual([]);
        states.push({ mark: model.journal.mark(), text: text(model) });
      }
      for (let i = 0; i < 20; i++) {
        const state = rng.pick(states);
        model.journal.seek(state.mark);
        expect(text(model)).toBe(state.text);
        expect(checkModel(model)).toEqual([]);
      }
    },
  );
});

describe('the journal', () => {
  it('forgets what was undone when something else is done', () => {
    const journal = new Journal();
    const log: string[] = [];
    const change = (name: string): void =>
      journal.apply(
        () => log.push(name),
        () => log.pop(),
      );
    change('a');
    const mark = journal.mark();
    change('b');
    change('c');
    journal.seek(mark);
    expect(log).toEqual(['a']);
    change('d');
    expect(log).toEqual(['a', 'd']);
    expect(() => journal.seek(3)).toThrow(/no state 3/);
    journal.seek(0);
    journal.seek(2);
    expect(log).toEqual(['a', 'd']);
  });

  it('counts a revision for every change and every way back', () => {
    const journal = new Journal();
    const before = journal.revision;
    journal.apply(
      () => undefined,
      () => undefined,
    );
    const after = journal.revision;
    journal.seek(0);
    expect(new Set([before, after, journal.revision]).size).toBe(3);
    journal.commit();
    expect(() => journal.seek(1)).toThrow(/no state 1/);
  });

  it('records nothing while a model is built', () => {
    const journal = new Journal();
    const log: number[] = [];
    expect(
      journal.unrecorded(() => {
        journal.apply(
          () => log.push(1),
          () => log.pop(),
        );
        return 7;
      }),
    ).toBe(7);
    expect([log, journal.mark()]).toEqual([[1], 0]);
    journal.apply(
      () => log.push(2),
      () => log.pop(),
    );
    expect(() => journal.unrecorded(() => undefined)).toThrow(/holds changes already/);
  });
});
