// Widths that groups may keep, by hand: what the kernels of the target like, in every layer that the group lies in.
import { describe, expect, it } from 'vitest';
import { findChannelGroups } from '../../../src/analysis/channels.js';
import { createFacts } from '../../../src/analysis/inference.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { groupLevels, ruleFor, type LevelOptions, type WidthRule } from '../../../src/pipeline/pruning/levels.js';
import { convolutionBlock } from '../../../src/runtime/machine.js';

const AVX512: WidthRule = { kind: 'kernels', target: { arithmetic: 'float', block: 16 } };
const AVX2: WidthRule = { kind: 'kernels', target: { arithmetic: 'float', block: 8 } };
const INT8: WidthRule = { kind: 'kernels', target: { arithmetic: 'int8', block: 16 } };
const FOURS: WidthRule = { kind: 'multiples', of: 4 };

/** The levels of all groups of a model, by name. */
function levelsOf(
  text: string,
  rule: WidthRule,
  options: Partial<LevelOptions> = {},
): Record<string, readonly number[]> {
  const model = parseModel(text);
  const facts = createFacts(model);
  const groups = findChannelGroups(model, facts);
  return Object.fromEntries(groups.map((group) => [group.name, groupLevels(group, facts, { rule, ...options })]));
}

const dense = (width: number): string => `<ir_version: 8, opset_import: ["" : 17]>
g (float[1,8,4,4] x) => (float[1,8,4,4] y)
< float[${width},8,1,1] w = random(1), float[8,${width},1,1] v = random(2) >
{
  h = Conv (x, w)
  r = Relu (h)
  y = Conv (r, v)
}`;

const depthwise = (width: number): string => `<ir_version: 8, opset_import: ["" : 17]>
g (float[1,8,4,4] x) => (float[1,8,4,4] y)
< float[${width},8,1,1] w = random(1), float[${width},1,3,3] d = random(3), float[8,${width},1,1] v = random(2) >
{
  h = Conv (x, w)
  c = Conv <group = ${width}, pads = [1, 1, 1, 1]> (h, d)
  y = Conv (c, v)
}`;

describe('groupLevels', () => {
  it('takes blocks of the kernels for dense layers, and less where there is no block', () => {
    expect(levelsOf(dense(64), AVX512)).toEqual({ h: [16, 32, 48, 64], y: [8] });
    expect(levelsOf(dense(32), AVX2)['h']).toEqual([8, 16, 24, 32]);
    expect(levelsOf(dense(72), AVX512)['h']).toEqual([16, 32, 48, 64, 72]);
    expect(levelsOf(dense(16), AVX512)['h']).toEqual([8, 16]);
    expect(levelsOf(dense(8), AVX512)['h']).toEqual([4, 8]);
    expect(levelsOf(dense(3), AVX512)['h']).toEqual([3]);
  });

  it('takes multiples of 4 around depthwise layers where blocks leave no choice', () => {
    expect(levelsOf(depthwise(32), AVX512)['h']).toEqual([4, 8, 12, 16, 20, 24, 28, 32]);
    expect(levelsOf(depthwise(96), AVX512)['h']).toEqual([16, 32, 48, 64, 80, 96]);
  });

  it('integers: multiples of 4 from 16 on, of 16 around depthwise layers', () => {
    expect(levelsOf(dense(24), INT8)['h']).toEqual([16, 20, 24]);
    expect(levelsOf(dense(16), INT8)['h']).toEqual([16]);
    expect(levelsOf(depthwise(48), INT8)['h']).toEqual([16, 32, 48]);
  });

  it('takes what is asked for: multiples, every width, no less than a share, no more than so many', () => {
    expect(levelsOf(dense(16), FOURS)['h']).toEqual([4, 8, 12, 16]);
    expect(levelsOf(dense(5), { kind: 'multiples', of: 1 })['h']).toEqual([1, 2, 3, 4, 5]);
    expect(levelsOf(dense(16), FOURS, { leastShare: 0.5 })['h']).toEqual([8, 12, 16]);
    expect(levelsOf(dense(64), { kind: 'multiples', of: 2 }, { most: 4 })['h']).toEqual([2, 32, 62, 64]);
    expect(() => levelsOf(dense(8), { kind: 'multiples', of: 0 })).toThrow('cannot be multiples of 0');
  });

  it('looks at the width of every layer that the group lies in', () => {
    const parts = `<ir_version: 8, opset_import: ["" : 17]>
g (float[1,8,4,4] x) => (float[1,8,4,4] y)
< float[24,8,1,1] a = random(1), float[40,8,1,1] b = random(2), float[8,64,1,1] v = random(3) >
{
  h = Conv (x, a)
  k = Conv (x, b)
  c = Concat <axis = 1> (h, k)
  y = Conv (c, v)
}`;
    // 24 - 8 = 16 is a block, but leaves 56 in the reader: blocks of 8 suit both.
    expect(levelsOf(parts, AVX512)).toEqual({ h: [8, 16, 24], k: [8, 16, 24, 32, 40], y: [8] });
  });

  it('frozen groups keep their width, whatever the rule', () => {
    const levels = levelsOf(dense(64), { kind: 'multiples', of: 1 });
    expect(levels['y']).toEqual([8]);
    expect(levels['h']).toHaveLength(24);
  });
});

const block = (behind: string): string => `<ir_version: 8, opset_import: ["" : 17]>
g (float[1,16,8,8] x) => (float[1,16,8,8] y)
< float[16,16,1,1] w = random(1), float[16,16,1,1] v = random(2), float[16,16,1,1] u = random(3) >
{
  s = Conv (x, u)
  h = Conv (s, w)
  r = Relu (h)
  t = Conv (r, v)
  ${behind}
}`;

it('a branch may go whole where that is asked for; then narrow layers need no other width', () => {
  const sum = block('z = Add (s, t)\n  y = Conv (z, u)');
  expect(levelsOf(sum, AVX512, { branches: 'may-go' })['h']).toEqual([0, 16]);
  expect(levelsOf(sum, FOURS, { branches: 'may-go' })['h']).toEqual([0, 4, 8, 12, 16]);
  expect(levelsOf(sum, AVX512)['h']).toEqual([8, 16]);
  expect(levelsOf(block('y = Conv (t, u)'), AVX512, { branches: 'may-go' })['h']).toEqual([8, 16]);
});

it('the objective says whether kernels count', () => {
  const target = { arithmetic: 'float', block: 16 } as const;
  expect(ruleFor('latency', target)).toEqual(AVX512);
  expect(ruleFor('ratio', target)).toEqual(AVX512);
  expect(ruleFor('macs', target)).toEqual(AVX512);
  expect(ruleFor('size', target)).toEqual(FOURS);
});

it('the processor says how large blocks are', () => {
  expect(convolutionBlock(new Set(['avx2', 'avx512f']))).toBe(16);
  expect(convolutionBlock(new Set(['avx2']))).toBe(8);
  expect(convolutionBlock(new Set())).toBe(16);
});
