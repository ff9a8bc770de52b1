// Obstacles for mobile runtimes on graphs worked out by hand.
import { describe, expect, it } from 'vitest';
import { createFacts } from '../../src/analysis/inference.js';
import { mobileObstacles, type Obstacle } from '../../src/analysis/mobile-obstacles.js';
import { MOBILE_RUNTIMES } from '../../src/analysis/mobile-operators.js';
import { parseModel } from '../../src/ir/text/parse.js';

function obstacles(text: string): Obstacle[] {
  const model = parseModel(text);
  return mobileObstacles(model, createFacts(model));
}

const net = (head: string, body: string, opset = 13): string =>
  `<ir_version: 8, opset_import: ["" : ${opset}]> g ${head} { ${body} }`;
const short = (found: readonly Obstacle[]): string[] =>
  found.map(({ target, code, count }) => `${target} ${code} ${count}`);

describe('operators', () => {
  it('that a runtime lacks are counted and named, most frequent first', () => {
    const found = obstacles(
      net('(float[1,2,4,4] x) => (float[1,2,4,4] y)', 'a = Softplus (x)\n b = Selu (a)\n c = Selu (b)\n y = Relu (c)'),
    );
    expect(short(found)).toEqual([
      'ORT mobile missing-operator 3',
      'NNAPI missing-operator 3',
      'CoreML missing-operator 2',
      'XNNPACK missing-operator 3',
    ]);
    expect(found[0]?.message).toContain('Selu (2), Softplus (1)');
    expect(found[2]).toMatchObject({ examples: ['Selu -> b', 'Selu -> c'] });
  });

  it('of a domain that nobody knows are an obstacle everywhere', () => {
    const found = obstacles(
      '<ir_version: 8, opset_import: ["" : 13, "own" : 1]> g (float[2] x) => (float[2] y) { y = own.Thing (x) }',
    );
    expect(short(found)[0]).toBe('any unknown-operator 1');
    expect(found[0]?.message).toContain('own.Thing (1)');
  });

  it('of an old operator set are missing from the reduced package', () => {
    const relu = (opset: number): string[] =>
      short(obstacles(net('(float[2] x) => (float[2] y)', 'y = Relu (x)', opset)));
    expect(relu(11)).toEqual(['ORT mobile old-opset 1']);
    expect(relu(12)).toEqual([]);
  });

  it('are listed for every runtime without a name twice or one that is no operator', () => {
    for (const { operators } of MOBILE_RUNTIMES) {
      expect(operators.size).toBeGreaterThan(10);
      expect([...operators].filter((name) => !/^(com\.microsoft\.)?[A-Z]\w+$/.test(name))).toEqual([]);
      expect(operators).toContain('Conv');
    }
  });
});

describe('sizes that are open', () => {
  it('come from inputs, which are named', () => {
    const found = obstacles(net('(float[n,4] x) => (float[n,4] y)', 'a = Relu (x)\n y = Sigmoid (a)'));
    const dynamic = found.filter(({ code }) => code === 'dynamic-shape');
    expect(dynamic.map(({ target, examples }) => [target, examples])).toEqual([
      ['NNAPI', ['x']],
      ['CoreML', ['x']],
    ]);
    expect(dynamic[0]?.message).toContain('2 nodes');
    expect(dynamic[0]?.message).toContain('--freeze');
  });

  it('may be computed from data', () => {
    const found = obstacles(net('(float[4] x) => (int64[1,k] y)', 'y = NonZero (x)'));
    const dynamic = found.find(({ code }) => code === 'dynamic-shape');
    expect(dynamic).toMatchObject({ target: 'NNAPI', examples: ['y'] });
    expect(dynamic?.message).toContain('computed from data');
  });
});

describe('elements of 64 bits', () => {
  it('are counted where they are computed or fed, not in weights', () => {
    const text = `<ir_version: 8, opset_import: ["" : 13]> g (float[2,3] x, int64[2,1] at) => (float[3,2] y, float[2,1] z)
      < int64[2] shape = {3, 2} > { y = Reshape (x, shape)\n z = GatherElements <axis = 1> (x, at) }`;
    const wide = obstacles(text).filter(({ code }) => code === '64-bit-type');
    expect(wide.map(({ target, count, examples }) => [target, count, examples])).toEqual([
      ['NNAPI', 1, ['at']],
      ['CoreML', 1, ['at']],
    ]);
  });
});
