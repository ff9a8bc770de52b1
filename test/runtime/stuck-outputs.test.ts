// Outputs that answer to what is fed, and those that do not.
import { expect, it } from 'vitest';
import type { DType } from '../../src/tensor/dtype.js';
import { Tensor } from '../../src/tensor/tensor.js';
import { stuckOutputs } from '../../src/runtime/stuck-outputs.js';

const stuck = (samples: readonly (readonly number[])[], dtype: DType = 'float32'): boolean =>
  stuckOutputs(samples.map((row) => new Map([['y', Tensor.fromNumbers(dtype, [row.length], row)]]))).length > 0;

it.each([
  [
    'one number everywhere',
    [
      [5, 5],
      [5, 5.000001],
    ],
  ],
  [
    'zero everywhere',
    [
      [0, 0],
      [0, 0],
    ],
  ],
  [
    'only the two ends of the range, in changing places',
    [
      [1, 0, 0],
      [0, 0.99999, 0.00001],
    ],
  ],
  [
    'nothing finite',
    [
      [Number.NaN, Infinity],
      [Number.NaN, Number.NaN],
    ],
  ],
  [
    'ends, and places that are not finite',
    [
      [1, Number.NaN],
      [Infinity, 0],
    ],
  ],
])('are stuck: %s', (_what, samples) => {
  expect(stuck(samples)).toBe(true);
});

it.each([
  [
    'one value between',
    [
      [1, 0],
      [0.5, 0],
    ],
  ],
  [
    'values that answer',
    [
      [1, 2, 3],
      [4, 5, 6],
    ],
  ],
  ['no elements', [[], []]],
  ['one sample', [[1, 1]]],
])('are not stuck: %s', (_what, samples) => {
  expect(stuck(samples)).toBe(false);
});

it('are not looked for among integers: a class is often the same', () => {
  expect(stuck([[3], [3]], 'int64')).toBe(false);
});
