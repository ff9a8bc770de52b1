// Which value is which: names first, then structure, and never what one of them contradicts.
import { describe, expect, it } from 'vitest';
import { parseModel } from '../../src/ir/text/parse.js';
import { matchValues, type Compatible } from '../../src/pipeline/value-matching.js';

const model = (body: string, input = 'x') =>
  parseModel(`<ir_version: 8, opset_import: ["" : 13]> g (float[4] ${input}) => (float[4] y)
    < float[4] v = {1, 2, 3, 4}, float[4] w = {5, 6, 7, 8} > { ${body} }`);

function pairs(a: string, b: string, compatible: Compatible = () => true, input = 'x'): string[] {
  const { matched } = matchValues(model(a), model(b, input), compatible);
  return matched.map((match) => `${match.a.name}=${match.b.name} ${match.by}`);
}

describe('values are matched', () => {
  it('by name, whatever computes them', () => {
    expect(pairs('a = Relu (x)\n y = Neg (a)', 'a = Abs (x)\n b = Exp (a)\n y = Neg (b)')).toEqual([
      'a=a name',
      'y=y name',
    ]);
  });

  it('by structure where names are gone, also behind inputs of another name', () => {
    expect(
      pairs(
        'a = Relu (x)\n b = Add (a, v)\n y = Neg (b)',
        '"7" = Relu (i)\n "9" = Add ("7", v)\n y = Neg ("9")',
        undefined,
        'i',
      ),
    ).toEqual(['a=7 structure', 'b=9 structure', 'y=y name']);
  });

  it('in order where several compute the same of the same', () => {
    const a = 'p = Add (x, v)\n q = Add (x, w)\n y = Mul (p, q)';
    expect(pairs(a, 'm = Add (x, v)\n n = Add (x, w)\n y = Mul (m, n)')).toEqual([
      'p=m structure',
      'q=n structure',
      'y=y name',
    ]);
  });

  it('not where the attributes differ', () => {
    const a = 'p = LeakyRelu <alpha = 0.1> (x)\n y = Neg (p)';
    expect(pairs(a, 'm = LeakyRelu <alpha = 0.2> (x)\n y = Neg (m)')).toEqual(['y=y name']);
  });

  it('not with a value that has the name of another', () => {
    // In B, `b` is computed as `a` is in A, but it is called as another value of A: a rewrite moved the Relu into it.
    expect(pairs('a = Neg (x)\n b = Relu (a)\n y = Exp (b)', 'b = Neg (x)\n y = Exp (b)')).toEqual([
      'b=b name',
      'y=y name',
    ]);
  });

  it('not where types or shapes say no', () => {
    expect(pairs('a = Relu (x)\n y = Neg (a)', 'a = Relu (x)\n y = Neg (a)', (one) => one.name !== 'a')).toEqual([
      'y=y name',
    ]);
  });
});

it('numbers as names say nothing', () => {
  expect(
    pairs('"1" = Relu (x)\n "2" = Abs ("1")\n y = Neg ("2")', '"2" = Relu (x)\n "3" = Abs ("2")\n y = Neg ("3")'),
  ).toEqual(['1=2 structure', '2=3 structure', 'y=y name']);
});

it('counts what has no counterpart', () => {
  const { onlyA, onlyB } = matchValues(model('a = Relu (x)\n y = Neg (a)'), model('y = Abs (x)'), () => true);
  expect([onlyA, onlyB]).toEqual([1, 0]);
});
