// An edit re-encodes what it changed and nothing else: every other field of the file, at any depth, keeps its bytes, fields
// that we know nothing of included. The files are taken apart by test/onnx/wire-tree.ts, which shares no code with src.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { intAttr } from '../../src/ir/attribute.js';
import type { Model } from '../../src/ir/model.js';
import type { Node } from '../../src/ir/node.js';
import type { Value } from '../../src/ir/value.js';
import { decodeModel } from '../../src/onnx/decode.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { Tensor } from '../../src/tensor/tensor.js';
import { assets, fixtures, hasAssets } from './model-files.js';
import { encodeTree, isMessage, parseTree, type Field, type Message } from './wire-tree.js';

/** Where `after` differs from `before`, as paths of field numbers with what became of them. */
function differences(before: Message, after: Message, path = ''): string[] {
  const keyed = ({ kind, fields }: Message): KeyedField[] =>
    fields.map((field) => ({ field, key: encodeTree({ kind, fields: [field] }).toString('latin1') }));
  const [left, right] = [keyed(before), keyed(after)];
  const [gone, come] = [without(left, right), without(right, left)];
  const kept = (all: readonly KeyedField[], other: readonly KeyedField[]): string =>
    without(all, other)
      .map(({ key }) => key)
      .join();
  const moved = kept(left, gone) === kept(right, come) ? [] : [`${path} reordered`];
  const numbers = new Set([...gone, ...come].map(({ field }) => field.number));
  return [...numbers]
    .flatMap((number) => {
      const olds = gone.filter(({ field }) => field.number === number);
      const news = come.filter(({ field }) => field.number === number);
      const here = `${path}/${number}`;
      if (olds.length !== news.length)
        return [...olds.map(() => `${here} removed`), ...news.map(() => `${here} added`)];
      return olds.flatMap(({ field: { content } }, i) => {
        const other = news[i]?.field.content;
        const areMessages = other !== undefined && isMessage(content) && isMessage(other);
        return areMessages ? differences(content, other, here) : [`${here} changed`];
      });
    })
    .concat(moved);
}

interface KeyedField {
  readonly field: Field;
  readonly key: string;
}

/** `all` without one of equal bytes for each of `taken`. */
function without(all: readonly KeyedField[], taken: readonly KeyedField[]): KeyedField[] {
  const counts = new Map<string, number>();
  for (const { key } of taken) counts.set(key, (counts.get(key) ?? 0) + 1);
  return all.filter(({ key }) => {
    const count = counts.get(key) ?? 0;
    counts.set(key, count - 1);
    return count <= 0;
  });
}

/** What `edit` changes in the file. */
function changes(bytes: Buffer, edit: (model: Model) => void, path?: string): string[] {
  const { model, document } = decodeModel(bytes, path === undefined ? {} : { path });
  edit(model);
  const written = Buffer.concat(encodeModel(document, model, { externalData: 'keep' }));
  return differences(parseTree(bytes), parseTree(written));
}

/** The node in the middle of the main graph. */
function middle({ graph }: Model): Node {
  const nodes = graph.nodes();
  const node = nodes[Math.floor(nodes.length / 2)];
  if (!node) throw new TypeError('the graph is empty');
  return node;
}

/** One file holds its graph in two parts, which are joined when something changes. */
const withNodes = fixtures.filter(
  ([name, path]) =>
    name !== 'repeated-last-wins' && decodeModel(readFileSync(path), { path }).model.graph.nodeCount > 0,
);
const withAttribute = (model: Model): void => {
  const node = middle(model);
  node.graph?.setAttribute(node, 'added_here', intAttr(7));
};

describe('one attribute more', () => {
  it.each(withNodes)('changes one node of fixture %s', (_, path) => {
    expect(changes(readFileSync(path), withAttribute, path)).toEqual(['/7/1/5 added']);
  });

  it.skipIf(!hasAssets).each(hasAssets ? assets : [['(no assets)', '']])('changes one node of asset %s', (_, path) => {
    expect(changes(readFileSync(path), withAttribute, path)).toEqual(['/7/1/5 added']);
  });
});

const metadata = (): Buffer => fixture('metadata-everywhere');

function fixture(name: string): Buffer {
  const path = fixtures.find(([key]) => key === name)?.[1];
  if (path === undefined) throw new TypeError(`no fixture ${name}`);
  return readFileSync(path);
}

/** A value with an entry of its own among the types, which has documentation and metadata. */
const described = ({ graph }: Model): Value => {
  const value = graph.nodes().find(({ opType }) => opType === 'BatchNormalization')?.output;
  if (!value) throw new TypeError('the node computes nothing');
  return value;
};
const weight = (model: Model): Value => {
  const value = [...model.graph.initializers].find(({ constant }) => constant);
  if (!value) throw new TypeError('there is no weight');
  return value;
};

describe('in a model with documentation, metadata and unknown fields on every level', () => {
  it('taking an attribute away removes one field', () => {
    expect(
      changes(metadata(), ({ graph }) => {
        const node = graph.nodes().find(({ attributes }) => attributes.size > 1);
        const [name] = node?.attributes.keys() ?? [];
        if (node && name !== undefined) graph.setAttribute(node, name, undefined);
      }),
    ).toEqual(['/7/1/5 removed']);
  });

  it('another number in an attribute leaves the other attributes and the documentation of the node', () => {
    const edit = ({ graph }: Model): void => {
      for (const node of graph.nodes()) if (node.attributes.has('group')) graph.setAttribute(node, 'group', intAttr(2));
    };
    const found = changes(metadata(), edit);
    expect(found.length).toBeGreaterThan(0);
    expect(found.filter((change) => !/^\/7\/1\/5(?:\/3 changed| changed)$/.test(change))).toEqual([]);
  });

  it('another weight leaves name, documentation and metadata of the tensor', () => {
    const found = changes(metadata(), (model) => {
      const value = weight(model);
      const dims = value.constant?.dims ?? [];
      const tensor = Tensor.fromNumbers(
        'float32',
        dims,
        Array.from({ length: value.constant?.size ?? 0 }, () => 0.5),
      );
      model.graph.setInitializer(value, { kind: 'dense', tensor });
    });
    // Dims are written packed, which is shorter.
    expect(found.filter((change) => !change.startsWith('/7/5/1 '))).toEqual(['/7/5/9 changed']);
  });

  it('another name changes the places that name the value', () => {
    const found = changes(metadata(), (model) => model.graph.rename(described(model), 'renamed'));
    expect(new Set(found)).toEqual(new Set(['/7/1/1 changed', '/7/1/2 changed', '/7/13/1 changed']));
  });

  it('another type changes one entry, and keeps its documentation', () => {
    const found = changes(metadata(), (model) => {
      model.graph.setType(described(model), { kind: 'tensor', dtype: 'float16', shape: [1, undefined] });
    });
    expect(found.length).toBeGreaterThan(0);
    expect(found.filter((change) => !change.startsWith('/7/13/2/'))).toEqual([]);
  });

  it('a node that goes takes its field and the type of its output along', () => {
    const found = changes(metadata(), ({ graph }) => {
      const node = graph.last;
      const [input] = node?.inputs ?? [];
      if (!node?.output || !input) return;
      graph.setOutputs(graph.outputs.map((value) => (value === node.output ? input : value)));
      graph.removeNode(node);
    });
    expect(found.filter((change) => change === '/7/1 removed')).toHaveLength(1);
    expect(found.filter((change) => /^\/7\/(?:1|5)\b(?! removed)/.test(change))).toEqual([]);
  });

  it('an edit that is undone changes nothing', () => {
    const undone = (model: Model): void => {
      const mark = model.journal.mark();
      withAttribute(model);
      model.graph.rename(described(model), 'renamed');
      model.journal.seek(mark);
    };
    expect(changes(metadata(), undone)).toEqual([]);
  });
});

describe('inside', () => {
  it('a subgraph, an edit changes one node of that subgraph', () => {
    const found = changes(fixture('if-runtime'), (model) => {
      const inner = model.graph.nodes().flatMap((node) => node.subgraphs())[0];
      if (inner?.first) inner.setAttribute(inner.first, 'added_here', intAttr(1));
    });
    expect(found).toEqual(['/7/1/5/6/1/5 added']);
  });

  it('a local function, an edit changes one node of that function', () => {
    const found = changes(fixture('functions'), (model) => {
      const body = model.functions[0]?.graph;
      if (body?.first) body.setAttribute(body.first, 'added_here', intAttr(1));
    });
    expect(found).toEqual(['/25/7/5 added']);
  });

  it('a model that trains, an edit leaves training_info', () => {
    expect(changes(fixture('training-info'), withAttribute)).toEqual(['/7/1/5 added']);
  });
});

describe('an operator set', () => {
  it('that becomes newer changes its version alone', () => {
    expect(changes(metadata(), (model) => model.setOpsets(new Map(model.opsets).set('', 22)))).toEqual([
      '/8/2 changed',
    ]);
  });
});
