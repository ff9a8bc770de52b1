// Groups that lose all of their units: the branch of a residual sum goes with them, and what is left is the model with zeros in
// place of what the branch adds; anywhere else the removal is refused.
import { afterAll, describe, expect, it } from 'vitest';
import { findChannelGroups } from '../../../src/analysis/channels.js';
import { createFacts } from '../../../src/analysis/inference.js';
import { residualBranch } from '../../../src/analysis/residual-branch.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { removalDefects, removeFromText } from './removal-case.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

const HEAD = '<ir_version: 8, opset_import: ["" : 17]>';

/** `s` is the stream; `behind` reads it and makes `z`. */
const net = (weights: string, behind: string, output = 'y'): string => `${HEAD}
g (float[1,3,6,6] x) => (float[1,5,6,6] ${output})
< float[5,3,3,3] a = random(1), float[4,5,3,3] b = random(2), float[4] bb = random(3), float[5,4,3,3] c = random(4),
  float[5] bc = random(5), float[5,5,1,1] d = random(6)${weights} >
{
  s0 = Conv <pads = [1, 1, 1, 1]> (x, a)
  s = Relu (s0)
  ${behind}
}`;

const BLOCK = `h0 = Conv <pads = [1, 1, 1, 1]> (s, b, bb)
  h = Relu (h0)
  t = Conv <pads = [1, 1, 1, 1]> (h, c, bc)`;

const SQUEEZE_EXCITE = `h0 = Conv <pads = [1, 1, 1, 1]> (s, b, bb)
  p = GlobalAveragePool (h0)
  q = Conv (p, e)
  r = Relu (q)
  v = Conv (r, f)
  w = Sigmoid (v)
  h = Mul (h0, w)
  t = Conv <pads = [1, 1, 1, 1]> (h, c, bc)`;

const BOTTLENECK = `k0 = Conv (s, e)
  k = Relu (k0)
  h0 = Conv <pads = [1, 1, 1, 1]> (k, f)
  h = Relu (h0)
  t = Conv <pads = [1, 1, 1, 1]> (h, c, bc)`;

const units = (count: number): string => Array.from({ length: count }, (_, at) => at).join(' ');

interface Case {
  readonly text: string;
  readonly group: string;
  readonly width: number;
  /** Operators that are left, in order. */
  readonly left: string;
}

const CASES: Readonly<Record<string, Case>> = {
  'a plain block': {
    text: net('', `${BLOCK}\n  u = Add (t, s)\n  z = Relu (u)\n  y = Conv (z, d)`),
    group: 'h0',
    width: 4,
    left: 'Conv Relu Relu Conv',
  },
  'the stream on the left, and a projection in it': {
    text: net('', `${BLOCK}\n  i = Conv (s, d)\n  u = Add (i, t)\n  y = Conv (u, d)`),
    group: 'h0',
    width: 4,
    left: 'Conv Relu Conv Conv',
  },
  'squeeze and excite within the branch': {
    text: net(
      ', float[2,4,1,1] e = random(7), float[4,2,1,1] f = random(8)',
      `${SQUEEZE_EXCITE}\n  u = Add (t, s)\n  y = Conv (u, d)`,
    ),
    group: 'h0',
    width: 4,
    left: 'Conv Relu Conv',
  },
  'a bottleneck: with its last group': {
    text: net(
      ', float[2,5,1,1] e = random(7), float[4,2,3,3] f = random(8)',
      `${BOTTLENECK}\n  u = Add (t, s)\n  y = Conv (u, d)`,
    ),
    group: 'h0',
    width: 4,
    left: 'Conv Relu Conv',
  },
  'rows with their bias': {
    text: `${HEAD}
g (float[2,6] x) => (float[2,6] y)
< float[6,4] b = random(1), float[4,6] c = random(2), float[6] bc = random(3), float[6,6] d = random(4) >
{
  s = MatMul (x, d)
  h0 = MatMul (s, b)
  h = Relu (h0)
  t0 = MatMul (h, c)
  t = Add (t0, bc)
  u = Add (s, t)
  y = MatMul (u, d)
}`,
    group: 'h0',
    width: 4,
    left: 'MatMul MatMul',
  },
};

describe('all units of a group in a residual branch', () => {
  it.each(Object.entries(CASES))('take the branch along: %s', async (_, { text, group, width, left }) => {
    const removed = removeFromText(text, { [group]: units(width) });
    expect(removed.declines).toEqual([]);
    expect(removed.model.graph.nodes().map(({ opType }) => opType)).toEqual(left.split(' '));
    expect(await removalDefects({ before: text, feeds: '' }, removed, host)).toEqual([]);
  });

  it('leave beside units of the stream, of the group before, and of the branch behind', async () => {
    const again = BLOCK.replaceAll(/\b(h0|h|t|b|bb|c)\b/g, (name) => `${name}2`).replace('(s,', '(z,');
    const text = net(
      ', float[4,5,3,3] b2 = random(7), float[4] bb2 = random(9), float[5,4,3,3] c2 = random(8)',
      `${BLOCK}\n  u = Add (t, s)\n  z = Relu (u)\n  ${again}\n  u2 = Add (t2, z)\n  y = Conv (u2, d)`,
    );
    const removed = removeFromText(text, { h0: units(4), s0: '1 4', h02: '0' });
    expect([...removed.removed.keys()].sort()).toEqual(['h0', 'h02', 's0']);
    expect(await removalDefects({ before: text, feeds: '' }, removed, host)).toEqual([]);
    const { text: bottleneck } = CASES['a bottleneck: with its last group'] ?? { text: '' };
    const both = removeFromText(bottleneck, { k0: '1', h0: units(4) });
    expect(await removalDefects({ before: bottleneck, feeds: '' }, both, host)).toEqual([]);
  });
});

const DECLINES: Readonly<Record<string, string>> = {
  'no sum behind it': net('', `${BLOCK}\n  z = Relu (t)\n  y = Conv (z, d)`),
  'the branch is read beside the sum': net('', `${BLOCK}\n  u = Add (t, s)\n  z = Mul (u, t)\n  y = Conv (z, d)`),
  'the units are read elsewhere': net(
    ', float[5,4,1,1] e = random(7)',
    `${BLOCK}\n  u = Add (t, s)\n  k = Conv (h, e)\n  z = Mul (u, k)\n  y = Conv (z, d)`,
  ),
  'the sum is what the caller gets': net('', `${BLOCK}\n  y = Add (t, s)`),
  'both sides come from the units': net(
    ', float[5,4,3,3] e = random(7)',
    `${BLOCK}\n  k = Conv <pads = [1, 1, 1, 1]> (h, e)\n  u = Add (t, k)\n  y = Conv (u, d)`,
  ),
  'the other side is broadcast': net('', `${BLOCK}\n  p = GlobalAveragePool (s)\n  u = Add (t, p)\n  y = Conv (u, d)`),
};

describe('all units of another group', () => {
  it.each(Object.entries(DECLINES))('stay: %s', (_, text) => {
    const model = parseModel(text);
    const facts = createFacts(model);
    const group = findChannelGroups(model, facts).find(({ name }) => name === 'h0');
    if (!group) throw new Error('no group h0');
    expect(residualBranch(group, facts)).toBeUndefined();
    expect(removeFromText(text, { h0: units(4) }).declines).toEqual(['all-units: h0']);
  });
});
