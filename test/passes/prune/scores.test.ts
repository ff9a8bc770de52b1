// Every score on hand-worked nets: known numbers, what it must refuse, and what must not change it.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../../src/base/rng.js';
import { isRefusal } from '../../../src/passes/plan.js';
import { foldUnits } from '../../../src/passes/prune/scores/folding.js';
import { SCORES } from '../../../src/passes/prune/scores/registry.js';
import { magnitudes, scoredNet, scoreOf, valuesOf, type ScoredNet } from './scored-net.js';

/** Three filters of 1 x 1 on two channels, read by a convolution behind a Relu. */
const chain = (filters = '1, -2, 0, 3, 4, 4', reader = '1, 0, 2'): ScoredNet =>
  scoredNet(
    `g (float[1,2,4,4] x) => (float[1,1,4,4] y)
     <float[3,2,1,1] w = {${filters}}, float[3] b = {1, 2, 3}, float[1,3,1,1] v = {${reader}}>
     { h = Conv (x, w, b) r = Relu (h) y = Conv (r, v) }`,
    'h',
  );

/** The same units made twice and summed, read by two convolutions: of the sum, and behind a Relu. */
const residual = (): ScoredNet =>
  scoredNet(
    `g (float[1,1,4,4] x) => (float[1,1,4,4] y, float[1,1,4,4] z)
     <float[2,1,1,1] w = {3, -1}, float[2,1,1,1] u = {4, 0}, float[1,2,1,1] v = {1, 2}, float[1,2,1,1] t = {3, 4}>
     { a = Conv (x, w) c = Conv (x, u) s = Add (a, c) r = Relu (s) y = Conv (s, v) z = Conv (r, t) }`,
    'a',
  );

/** Two channels of 2 x 1 flattened into a Gemm of two outputs. */
const flattened = (): ScoredNet =>
  scoredNet(
    `g (float[1,1,2,1] x) => (float[1,2] y)
     <float[2,1,1,1] w = {1, 2}, float[4,2] m = {1, 0, 0, 2, 3, 0, 0, 4}>
     { h = Conv (x, w) f = Flatten (h) y = Gemm (f, m) }`,
    'h',
  );

describe('filters', () => {
  it('have norms', () => {
    expect(valuesOf('l1', chain())).toEqual([3, 3, 8]);
    expect(valuesOf('l2', chain())).toEqual([Math.sqrt(5), 3, Math.sqrt(32)]);
  });

  it('of all layers that make a unit count together', () => {
    expect(valuesOf('l1', residual())).toEqual([7, 1]);
    expect(valuesOf('l2', residual())).toEqual([5, 1]);
  });

  it('of stored transposed weights are read in their order', () => {
    const gemm = (attributes: string, weights: string): ScoredNet =>
      scoredNet(
        `g (float[1,2] x) => (float[1,1] y)
         <float${weights}, float[3,1] v = {1, 1, 1}> { h = Gemm ${attributes} (x, w) r = Relu (h) y = Gemm (r, v) }`,
        'h',
      );
    expect(valuesOf('l1', gemm('', '[2,3] w = {1, 2, 3, 10, 20, 30}'))).toEqual([11, 22, 33]);
    expect(valuesOf('l1', gemm('<transB = 1>', '[3,2] w = {1, 2, 3, 10, 20, 30}'))).toEqual([3, 13, 50]);
  });

  it('are compared by their distances to all others', () => {
    const values = valuesOf('geometric-median', chain('0, 0, 3, 4, 0, 1'));
    const last = 1 + Math.sqrt(18);
    expect(values).toEqual([6, 5 + Math.sqrt(18), last].map((x) => expect.closeTo(x, 9)));
  });

  it('must be stored, in some layer', () => {
    const net = chain();
    const relu = net.value('r').producer;
    const computed = { ...net, group: { ...net.group, makers: relu ? [relu] : [] } };
    expect(scoreOf('l1', computed)).toBe('weights-not-constant');
    expect(scoreOf('folding', { ...net, group: { ...net.group, makers: [] } })).toBe('no-filters');
  });
});

describe('normalization', () => {
  it('gives the magnitude of its scale, and there must be one', () => {
    const net = scoredNet(
      `g (float[1,1,4,4] x) => (float[1,1,4,4] y)
       <float[3,1,1,1] w = {1, 2, 3}, float[3] g1 = {-2, 0, 1}, float[3] b1 = {9, 9, 9}, float[3] m1 = {0, 0, 0},
        float[3] v1 = {7, 7, 7}, float[1,3,1,1] v = {1, 1, 1}>
       { h = Conv (x, w) n = BatchNormalization (h, g1, b1, m1, v1) r = Relu (n) y = Conv (r, v) }`,
      'h',
    );
    expect(valuesOf('gamma', net)).toEqual([2, 0, 1]);
    expect(scoreOf('gamma', chain())).toBe('no-normalization');
  });
});

describe('activations', () => {
  it('rank by the mean magnitude that the reader reads', () => {
    const net = chain();
    const activations = new Map([
      [net.value('r'), { count: 4, absolute: Float64Array.of(2, 8, 4), zeros: Float64Array.of(1, 4, 0) }],
    ]);
    expect(valuesOf('dropnet-minimum', net, { activations })).toEqual([0.5, 2, 1]);
    expect(valuesOf('dropnet-minimum-layer', net, { activations })).toEqual([0.5, 2, 1]);
    expect(valuesOf('maximum', net, { activations })).toEqual([-0.5, -2, -1]);
    expect(valuesOf('apoz', net, { activations })).toEqual([0.75, 0, 1]);
  });

  it('take the mean over the values that are read, and over the places of a unit that is spread', () => {
    const net = residual();
    const activations = new Map([
      [net.value('s'), magnitudes([1, 5])],
      [net.value('r'), magnitudes([3, 1])],
    ]);
    expect(valuesOf('dropnet-minimum', net, { activations })).toEqual([2, 3]);
    const flat = flattened();
    expect(
      valuesOf('dropnet-minimum', flat, { activations: new Map([[flat.value('f'), magnitudes([1, 3, 10, 20])]]) }),
    ).toEqual([2, 15]);
  });

  it('with the correction do not change when a unit is scaled up and its readers down, and without it they do', () => {
    const score = (scales: readonly number[], correction: 'none' | 'readers'): number[] => {
      const net = chain('1, -2, 0, 3, 4, 4', [1, 5, 2].map((v, i) => v / (scales[i] ?? 1)).join(', '));
      const activations = new Map([[net.value('r'), magnitudes([2, 8, 4].map((a, i) => a * (scales[i] ?? 1)))]]);
      return valuesOf('dropnet-minimum', net, { activations }, { correction });
    };
    expect(score([1, 1, 1], 'readers')).toEqual([2, 40, 8]);
    expect(score([4, 0.25, 32], 'readers')).toEqual([2, 40, 8]);
    expect(score([4, 0.25, 32], 'none')).not.toEqual(score([1, 1, 1], 'none'));
  });

  it('are corrected by the sum over readers, each with its own value', () => {
    const net = residual();
    const activations = new Map([
      [net.value('s'), magnitudes([1, 5])],
      [net.value('r'), magnitudes([3, 1])],
    ]);
    expect(valuesOf('dropnet-minimum', net, { activations }, { correction: 'readers' })).toEqual([1 + 9, 10 + 4]);
    const flat = flattened();
    const read = new Map([[flat.value('f'), magnitudes([1, 1, 1, 1])]]);
    const norms = [Math.sqrt(5), 5].map((x) => expect.closeTo(x, 12));
    expect(valuesOf('dropnet-minimum', flat, { activations: read }, { correction: 'readers' })).toEqual(norms);
  });

  it('must be observed, and finite', () => {
    const net = chain();
    expect(scoreOf('apoz', net)).toBe('not-observed');
    const broken = new Map([[net.value('r'), magnitudes([1, Number.NaN, 2])]]);
    expect(scoreOf('dropnet-minimum', net, { activations: broken })).toBe('not-finite');
  });
});

describe('random', () => {
  it('is the same for a seed and a group, whatever was drawn before, and differs between them', () => {
    const rng = createRng(7);
    const first = valuesOf('random', chain(), {}, { rng });
    rng.uniform();
    expect(valuesOf('random', chain(), {}, { rng })).toEqual(first);
    expect(valuesOf('random', chain(), {}, { rng: createRng(8) })).not.toEqual(first);
    const other = { ...chain(), group: { ...chain().group, name: 'other' } };
    expect(valuesOf('random', other, {}, { rng })).not.toEqual(first);
    expect(new Set(first).size).toBe(3);
  });
});

describe('folding', () => {
  it('merges filters that are alike with their biases, and tells what stands for what', () => {
    const net = scoredNet(
      `g (float[1,2,4,4] x) => (float[1,1,4,4] y)
       <float[4,2,1,1] w = {1, 0, 0, 5, 1, 0, 0, 5}, float[4] b = {1, 1, 1, 3}, float[1,4,1,1] v = {1, 1, 1, 1}>
       { h = Conv (x, w, b) r = Relu (h) y = Conv (r, v) }`,
      'h',
    );
    const score = scoreOf('folding', net);
    const total = 2 + 26 + 2 + 34;
    expect(score).toMatchObject({ removal: { order: [2, 3, 1, 0] } });
    if (typeof score === 'string') return;
    expect([...(score.removal?.errors ?? [])].slice(0, 3)).toEqual([0, 0, expect.closeTo(2 / total, 12)]);
    expect(score.removal?.errors.at(-1)).toBe(1);
    expect([...score.values].indexOf(Math.max(...score.values))).toBe(0);
    const folded = foldUnits(net.group, net.facts, 2);
    if (isRefusal(folded)) throw new Error(folded.refused);
    expect(folded.members).toEqual([
      [0, 2],
      [1, 3],
    ]);
    expect([...folded.centroids.data]).toEqual([1, 0, 1, 0, 5, 2]);
  });
});

describe('the registry', () => {
  it('knows every score by its own name', () => {
    for (const [name, score] of Object.entries(SCORES)) expect(score.name).toBe(name);
  });
});
