// Which channels of the original are left after one removal and after another.
import { describe, expect, it } from 'vitest';
import type { ChannelGroup } from '../../../src/analysis/channel-group.js';
import { findChannelGroups } from '../../../src/analysis/channels.js';
import { createFacts } from '../../../src/analysis/inference.js';
import type { Model } from '../../../src/ir/model.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { allChannels, removeTracked, type KeptChannels } from '../../../src/pipeline/pruning/kept-channels.js';

const NET = `<ir_version: 8, opset_import: ["" : 17]>
g (float[1,2,2,2] x) => (float[1,3] y)
<float[5,2,1,1] w = random(1), float[4,5,1,1] v = random(2), float[3,5,1,1] s = random(4), float[28,3] u = random(3)>
{
  a = Conv (x, w)
  b = Relu (a)
  c = Conv (b, v)
  d = Conv (b, s)
  e = Concat <axis = 1> (c, d)
  f = Flatten (e)
  y = MatMul (f, u)
}`;

function remove(model: Model, units: Readonly<Record<string, readonly number[]>>, before?: KeptChannels): KeptChannels {
  const facts = createFacts(model);
  const groups = findChannelGroups(model, facts);
  const named = Object.entries(units).map(([name, list]): [ChannelGroup, readonly number[]] => {
    const group = groups.find((one) => one.name === name);
    if (!group) throw new Error(`no group ${name} in ${groups.map((one) => one.name).join(', ')}`);
    return [group, list];
  });
  return removeTracked(model, facts, new Map(named), before).kept;
}

describe('removeTracked', () => {
  it('follows units through all values, index by index', () => {
    const kept = remove(parseModel(NET), { a: [1, 3], d: [0] });
    expect(kept.get('a')?.get(1)).toEqual([0, 2, 4]);
    expect(kept.get('b')?.get(1)).toEqual([0, 2, 4]);
    expect(kept.has('c')).toBe(false);
    expect(kept.get('d')?.get(1)).toEqual([1, 2]);
    expect(kept.get('e')?.get(1)).toEqual([0, 1, 2, 3, 5, 6]);
    const positions = Array.from({ length: 28 }, (_, index) => index).filter((index) => index < 16 || index >= 20);
    expect(kept.get('f')?.get(1)).toEqual(positions);
    // Weights are looked up by nobody.
    expect(kept.has('w')).toBe(false);
  });

  it('speaks of the indices of the original after a second removal', () => {
    const model = parseModel(NET);
    const first = remove(model, { a: [1, 3] });
    const second = remove(model, { a: [1], c: [2] }, first);
    expect(second.get('b')?.get(1)).toEqual([0, 4]);
    expect(second.get('c')?.get(1)).toEqual([0, 1, 3]);
    expect(second.get('e')?.get(1)).toEqual([0, 1, 3, 4, 5, 6]);
    expect(first.get('b')?.get(1)).toEqual([0, 2, 4]);
  });

  it('does not count what was refused', () => {
    const model = parseModel(NET);
    const facts = createFacts(model);
    const groups = findChannelGroups(model, facts);
    const [a, c] = ['a', 'c'].map((name) => groups.find((group) => group.name === name));
    if (!a || !c) throw new Error('groups are missing');
    const { kept, refused } = removeTracked(
      model,
      facts,
      new Map([
        [a, [0, 1, 2, 3, 4]],
        [c, [0]],
      ]),
    );
    expect([...refused.keys()]).toEqual([a]);
    expect(kept.has('b')).toBe(false);
    expect(kept.get('c')?.get(1)).toEqual([1, 2, 3]);
    expect(allChannels().size).toBe(0);
  });
});
