// What removeUnits does with groups that do not fit their model: it refuses them by code, and changes nothing. The groups
// are made by hand here, since the analysis makes none of that kind.
import { describe, expect, it } from 'vitest';
import type { ChannelGroup, GroupMember } from '../../../src/analysis/channel-group.js';
import { findChannelGroups } from '../../../src/analysis/channels.js';
import { createFacts } from '../../../src/analysis/inference.js';
import type { Model } from '../../../src/ir/model.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { printModel } from '../../../src/ir/text/print.js';
import type { Value } from '../../../src/ir/value.js';
import { removeUnits } from '../../../src/passes/prune/remove-units.js';

function valueOf(model: Model, name: string): Value {
  const values = [...model.graph.inputs, ...model.graph.initializers, ...model.graph.nodes().flatMap((n) => n.outputs)];
  const found = values.find((value) => value?.name === name);
  if (!found) throw new Error(`no value ${name}`);
  return found;
}

/** A group of `width` single indices along `axis` of each value: `['w 0', 't 1']`. */
function groupOf(model: Model, width: number, members: readonly string[]): ChannelGroup {
  const indices = Array.from({ length: width }, (_, index) => [index]);
  return {
    name: 'by hand',
    width,
    members: members.map((text): GroupMember => {
      const [name = '', axis] = text.split(' ');
      return { value: valueOf(model, name), axis: Number(axis), indices };
    }),
    makers: [],
    readers: [],
  };
}

/** Code and place of the refusal; the model must be as it was. */
function refusalOf(text: string, units: readonly number[], width: number, members: readonly string[]): string {
  const model = parseModel(text);
  const before = printModel(model, { weights: 'full' });
  const group = groupOf(model, width, members);
  const { removed, refused } = removeUnits(model, createFacts(model), new Map([[group, units]]));
  expect(removed).toEqual([]);
  expect(printModel(model, { weights: 'full' })).toBe(before);
  const refusal = refused.get(group);
  return `${refusal?.code}: ${refusal?.at}`;
}

const SLICED = `g (float[2,2,3,3] x) => (float[2,2,3,3] y)
<float[6,2,1,1] w = random(1), int64[1] from = {0}, int64[1] to = {6}, int64[1] axis = {1}, int64[1] step = {2}, float[2,3,1,1] v = random(2)>
{
  t = Conv (x, w)
  s = Slice (t, from, to, axis, step)
  y = Conv (s, v)
}`;

const GATHERED = `g (float[2,2,3,3] x) => (float[2,2,3,3] y)
<float[3,2,1,1] w = random(1), int64[2] order = {2, 0}, float[2,2,1,1] v = random(2)>
{
  t = Conv (x, w)
  s = Gather <axis = 1> (t, order)
  y = Conv (s, v)
}`;

const COMPUTED = `g (float[N,2,3,3] x) => (float[N,2,6,6] y)
<float[3,2,1,1] w = random(1), float[2,3,1,1] v = random(2), int64[1] zero = {0}, int64[3] rest = {3, 6, 6}>
{
  t = Conv (x, w)
  shape = Shape (x)
  batch = Gather (shape, zero)
  sizes = Concat <axis = 0> (batch, rest)
  r = Resize <mode = "nearest"> (t, , , sizes)
  y = Conv (r, v)
}`;

describe('removeUnits refuses', () => {
  it('a convolution whose groups would be of different width', () => {
    const text = `g (float[2,4,3,3] x) => (float[2,2,3,3] y)
      <float[4,2,1,1] w = random(1), float[2,4,1,1] v = random(2)>
      {
        t = Conv <group = 2> (x, w)
        y = Conv (t, v)
      }`;
    expect(refusalOf(text, [0], 4, ['w 0', 't 1', 'v 1'])).toBe('uneven-groups: Conv -> t');
  });

  it('a convolution whose weights would not follow its input', () => {
    const text = `g (float[2,2,3,3] x) => (float[2,2,3,3] y)
      <float[4,2,1,1] w = random(1), float[2,4,1,1] v = random(2)>
      {
        t = Conv (x, w)
        y = Conv (t, v)
      }`;
    expect(refusalOf(text, [1], 4, ['w 0', 't 1'])).toBe('uneven-groups: Conv -> y');
  });

  it('a Slice of which no range is left', () => {
    const model = parseModel(SLICED);
    const [t, s] = ['t', 's'].map((name) => valueOf(model, name));
    if (!t || !s) throw new Error('no values');
    const group: ChannelGroup = {
      ...groupOf(model, 6, ['w 0', 't 1']),
      members: [
        ...groupOf(model, 6, ['w 0', 't 1']).members,
        { value: s, axis: 1, indices: [[0], [], [1], [], [2], []] },
        { value: valueOf(model, 'v'), axis: 1, indices: [[0], [], [1], [], [2], []] },
      ],
    };
    const { refused } = removeUnits(model, createFacts(model), new Map([[group, [1]]]));
    expect(refused.get(group)).toEqual({ code: 'no-range', at: 'Slice -> s' });
  });

  it('a unit that an index reads on', () => {
    expect(refusalOf(GATHERED, [2], 3, ['w 0', 't 1'])).toBe('read-by-index: Gather -> s');
  });

  it('a size that is computed without regard to the units', () => {
    expect(refusalOf(COMPUTED, [0], 3, ['w 0', 't 1', 'r 1', 'v 1'])).toBe('computed-size: Resize -> r');
  });

  it('an axis of unknown size', () => {
    expect(refusalOf(COMPUTED, [0], 3, ['t 0'])).toBe('unknown-shape: t');
  });

  it('what the caller gives', () => {
    expect(refusalOf(GATHERED, [0], 2, ['x 1'])).toBe('not-constant: x');
  });

  it('a group of which nothing would be left', () => {
    expect(refusalOf(GATHERED, [0, 1, 2, 2], 3, ['w 0', 't 1'])).toBe('all-units: by hand');
  });
});

describe('removeUnits', () => {
  it('does not take a unit that the group does not have', () => {
    const model = parseModel(GATHERED);
    const group = groupOf(model, 3, ['w 0', 't 1']);
    expect(() => removeUnits(model, createFacts(model), new Map([[group, [3]]]))).toThrow('unit 3 of a group of 3');
  });

  it('changes nothing where there is nothing to remove', () => {
    const model = parseModel(GATHERED);
    const revision = model.revision;
    const groups = findChannelGroups(model, createFacts(model));
    const { refused } = removeUnits(model, createFacts(model), new Map(groups.map((group) => [group, []])));
    expect([...refused.values()].map(({ code }) => code)).toEqual(['no-reader', 'graph-output']);
    expect(model.revision).toBe(revision);
  });

  it('makes declared shapes fit', () => {
    const model = parseModel(GATHERED);
    const [t, s] = [valueOf(model, 't'), valueOf(model, 's')];
    model.graph.setType(t, { kind: 'tensor', dtype: 'float32', shape: ['N', 3, undefined, 3] });
    model.graph.setType(s, { kind: 'tensor', dtype: 'float32', shape: undefined });
    const facts = createFacts(model);
    const group = findChannelGroups(model, facts).find(({ name }) => name === 't');
    if (!group) throw new Error('no group t');
    expect(removeUnits(model, facts, new Map([[group, [1]]])).removed).toEqual([group]);
    expect(t.type).toEqual({ kind: 'tensor', dtype: 'float32', shape: ['N', 2, undefined, 3] });
    expect(s.type).toEqual({ kind: 'tensor', dtype: 'float32', shape: undefined });
    expect(valueOf(model, 'w').type).toMatchObject({ shape: [2, 2, 1, 1] });
  });
});
