// Constants that several layers share: each gets its own, and groups that only they tied come apart.
import { describe, expect, it } from 'vitest';
import { findChannelGroups } from '../../../src/analysis/channels.js';
import { createFacts } from '../../../src/analysis/inference.js';
import type { Model } from '../../../src/ir/model.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { separateConstants } from '../../../src/passes/prune/separate-constants.js';

const TEXT = `g (float[N,2,4,4] x) => (float[N,2,4,4] a, float[N,2,4,4] b)
<float[4] ones = {1, 1, 1, 1}, float[1] one = {1}, float[4] zeros = {0, 0, 0, 0}, float[4,2,1,1] w = random(1), float[2,4,1,1] v = random(2)>
{
  t1 = Conv (x, w)
  n1 = BatchNormalization (t1, ones, zeros, zeros, ones)
  m1 = Mul (n1, one)
  a = Conv (m1, v)
  t2 = Conv (x, w2)
  n2 = BatchNormalization (t2, ones, zeros, zeros, ones)
  m2 = Mul (n2, one)
  b = Conv (m2, v2)
}`;

const namesOf = (model: Model): string[] =>
  findChannelGroups(model, createFacts(model)).flatMap(({ name, frozen }) => (frozen ? [] : [name]));

describe('separateConstants', () => {
  const apart = TEXT.replace('random(1)', 'random(1), float[4,2,1,1] w2 = random(3), float[2,4,1,1] v2 = random(4)');

  it('unties groups that share parameters only', () => {
    const model = parseModel(apart);
    expect(namesOf(model)).toEqual(['t1']);
    expect(separateConstants(model)).toBe(2);
    expect(namesOf(model)).toEqual(['t1', 't2']);
    expect(separateConstants(model)).toBe(0);
  });

  it('leaves single numbers and weights of higher order shared', () => {
    const model = parseModel(apart.replace('(x, w2)', '(x, w)'));
    separateConstants(model);
    const shared = [...model.graph.initializers].filter(({ slots }) => slots.size > 1).map(({ name }) => name);
    expect(shared.sort()).toEqual(['one', 'w']);
    expect(namesOf(model)).toEqual(['t1']);
  });
});
