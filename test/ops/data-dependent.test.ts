// Operators whose output sizes the data decides: ranks and the sizes that are known, and symbols that may be zero.
import { describe, expect, it } from 'vitest';
import { createFacts } from '../../src/analysis/inference.js';
import { boundsOf, formatDim } from '../../src/ir/dim.js';
import { buildOneNode, type OperatorCase } from './one-node.js';

const run = (spec: Omit<OperatorCase, 'opsets'>): readonly (readonly string[] | undefined)[] => {
  const { model, node } = buildOneNode({ ...spec, opsets: [13] }, 13, 'numbers');
  const facts = createFacts(model);
  return node.outputs.map(
    (value) =>
      value &&
      facts
        .of(value)
        .shape?.map((dim) => (typeof dim === 'number' ? formatDim(dim) : `${formatDim(dim)} >= ${boundsOf(dim).low}`)),
  );
};

describe('sizes that the data decides', () => {
  it('NonZero: rank by count', () => {
    expect(run({ op: 'NonZero', in: [['float32', [2, 3]]], out: [['int64', []]] })).toEqual([['2', '?0 >= 0']]);
  });
  it('NonMaxSuppression: count by 3', () => {
    const inputs = [
      ['float32', [1, 6, 4]],
      ['float32', [1, 1, 6]],
      ['int64', [], [3]],
    ] as const;
    expect(run({ op: 'NonMaxSuppression', in: inputs, out: [['int64', []]] })).toEqual([['?0 >= 0', '3']]);
  });
  it('Compress: one axis, or all elements', () => {
    expect(
      run({
        op: 'Compress',
        in: [
          ['float32', [2, 3]],
          ['bool', [3]],
        ],
        attr: { axis: ['int', 1] },
        out: [['float32', []]],
      }),
    ).toEqual([['2', '?0 >= 0']]);
    expect(
      run({
        op: 'Compress',
        in: [
          ['float32', [2, 3]],
          ['bool', [3]],
        ],
        out: [['float32', []]],
      }),
    ).toEqual([['?0 >= 0']]);
  });
  it('Unique: values, first positions and counts have one size, inverse indices another', () => {
    const out = [
      ['float32', []],
      ['int64', []],
      ['int64', []],
      ['int64', []],
    ] as const;
    expect(run({ op: 'Unique', in: [['float32', [2, 3]]], out })).toEqual([
      ['?0 >= 0'],
      ['?0 >= 0'],
      ['?1 >= 0'],
      ['?0 >= 0'],
    ]);
  });
  it('Reshape, Expand, Tile, Slice and Resize by unknown numbers keep the rank', () => {
    expect(
      run({
        op: 'Reshape',
        in: [
          ['float32', [2, 3]],
          ['int64', [3]],
        ],
        out: [['float32', []]],
      })[0],
    ).toHaveLength(3);
    expect(
      run({
        op: 'Expand',
        in: [
          ['float32', [2, 3]],
          ['int64', [3]],
        ],
        out: [['float32', []]],
      })[0],
    ).toHaveLength(3);
    expect(
      run({
        op: 'Tile',
        in: [
          ['float32', [2, 3]],
          ['int64', [2]],
        ],
        out: [['float32', []]],
      })[0],
    ).toHaveLength(2);
    expect(
      run({
        op: 'Slice',
        in: [
          ['float32', [2, 3]],
          ['int64', [1]],
          ['int64', [1]],
          ['int64', [1], [1]],
        ],
        out: [['float32', []]],
      }),
    ).toEqual([['2', '?0 >= 0']]);
    expect(
      run({ op: 'Resize', in: [['float32', [1, 2, 4, 4]], null, ['float32', [4]]], out: [['float32', []]] })[0],
    ).toHaveLength(4);
  });
});
