// Models that speak of sizes no memory holds: inference answers from the sizes and never makes the values.
import { expect, it } from 'vitest';
import { nodeCosts } from '../../src/analysis/cost.js';
import { createFacts } from '../../src/analysis/inference.js';
import { peakActivations } from '../../src/analysis/liveness.js';
import { formatDim } from '../../src/ir/dim.js';
import { parseModel } from '../../src/ir/text/parse.js';

const repeated = (count: number, line: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => line(i)).join(' ');
const LARGEST = '9223372036854775807';

/** The shape of y, or undefined where anything that is not wrong will do. */
const CASES: readonly (readonly [name: string, graph: string, shape: string | undefined])[] = [
  [
    'ConstantOfShape of 10^24 elements',
    'g (float x) => (y) <int64[2] s = {1000000000000, 1000000000000}> { y = ConstantOfShape (s) }',
    '1000000000000,1000000000000',
  ],
  [
    'Range up to 2^63',
    `g (float x) => (y) <int64 s = {0}, int64 e = {${LARGEST}}, int64 d = {1}> { y = Range (s, e, d) }`,
    undefined,
  ],
  ['Expand to a billion', 'g (float x) => (y) <int64[1] e = {1000000000}> { y = Expand (x, e) }', '1000000000'],
  [
    'Tile of small integers a billion times',
    'g (float x) => (y) <int64[1] s = {5}, int64[1] e = {1000000000}> { y = Tile (s, e) }',
    '1000000000',
  ],
  [
    'a shape that doubles sixty times',
    `g (float[2] x) => (y) { v0 = Shape (x) ${repeated(60, (i) => `v${i + 1} = Concat <axis = 0> (v${i}, v${i})`)} y = Expand (x, v60) }`,
    undefined,
  ],
  [
    'sizes that are squared sixty times',
    `g (float[N,M] x) => (y) { v0 = Shape (x) ${repeated(60, (i) => `v${i + 1} = Mul (v${i}, v${i})`)} y = Expand (x, v60) }`,
    undefined,
  ],
  [
    'a sum of symbols to the fortieth power',
    `g (float[N,M] x) => (y) <int64[1] a = {0}, int64[1] b = {1}> {
      s = Shape (x) p = Gather (s, a) q = Gather (s, b) t0 = Add (p, q)
      ${repeated(40, (i) => `t${i + 1} = Mul (t${i}, t0)`)} y = Expand (x, t40)
    }`,
    undefined,
  ],
  [
    'quotients and maxima of symbols, sixty deep',
    `g (float[N,M] x) => (y) <int64[1] a = {0}, int64[1] b = {1}> {
      s = Shape (x) t0 = Gather (s, a) q = Gather (s, b)
      ${repeated(60, (i) => `u${i} = Div (t${i}, q) t${i + 1} = Max (u${i}, t${i})`)} y = Expand (x, t60)
    }`,
    undefined,
  ],
  [
    'a Loop of 2^63 iterations',
    `g (float x) => (y, z) <int64 n = {${LARGEST}}> {
      z, y = Loop (n, "", x) <body = b (int64 i, bool c, float v) => (bool d, float w, float r) {
        d = Identity (c) w = Relu (v) r = Relu (v)
      }>
    }`,
    undefined,
  ],
];

it.each(CASES)('%s', (_, graph, shape) => {
  const model = parseModel(`<ir_version: 10, opset_import: ["" : 21]>\n${graph}`);
  const facts = createFacts(model);
  const buffers = process.memoryUsage().arrayBuffers;
  const y = model.graph.outputs.find(({ name }) => name === 'y');
  const found = y && facts.of(y);
  expect(nodeCosts(model, facts)).toHaveLength(model.nodeTotal);
  expect(peakActivations(model, facts).bytes).toBeGreaterThan(0);
  expect([undefined, found?.shape?.map(formatDim).join()]).toContain(shape);
  expect(found?.data).toBeUndefined();
  expect(process.memoryUsage().arrayBuffers - buffers).toBeLessThan(2 ** 22);
});
