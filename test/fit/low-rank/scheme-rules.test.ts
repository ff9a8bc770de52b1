// Which schemes a layer is offered, and the layers of their chains: geometry, ranks, costs.
import { describe, expect, it } from 'vitest';
import { chainMacs, chainParams } from '../../../src/fit/low-rank/factors.js';
import { chainLayers, fullRanks, schemesFor } from '../../../src/fit/low-rank/scheme-rules.js';
import type { LinearLayer, WindowLayer } from '../../../src/fit/patch-geometry.js';
import { square } from './chains.js';

const codes = (layer: LinearLayer): Record<string, string> =>
  Object.fromEntries(schemesFor(layer).declined.map(({ scheme, code }) => [scheme, code]));
const all = (code: string): Record<string, string> =>
  Object.fromEntries(
    ['svd', 'channel-svd', 'spatial-svd', 'tucker-2', 'cp', 'tucker-cp'].map((scheme) => [scheme, code]),
  );

describe('schemes for a layer', () => {
  it('are those for kernels where there is a kernel', () => {
    expect(schemesFor(square(4, 6)).offered).toEqual(['channel-svd', 'spatial-svd', 'tucker-2', 'cp', 'tucker-cp']);
    expect(codes(square(4, 6))).toEqual({ svd: 'has-kernel' });
  });

  it('is the plain SVD for rows and 1x1 kernels', () => {
    const rest = { 'channel-svd': 'no-kernel', 'spatial-svd': 'no-kernel', 'tucker-2': 'no-kernel' };
    const declined = { ...rest, cp: 'no-kernel', 'tucker-cp': 'no-kernel' };
    expect(codes({ ...square(4, 6), kernel: [1, 1] })).toEqual(declined);
    expect(codes({ kind: 'rows', inputs: 3, outputs: 2, weights: 'input-output' })).toEqual(declined);
  });

  it('have no spatial SVD where the kernel is long along one axis only', () => {
    const conv1d: WindowLayer = { ...square(4, 6), kernel: [3], strides: [1], dilations: [1], begins: [1], ends: [1] };
    expect(codes(conv1d)).toEqual({ svd: 'has-kernel', 'spatial-svd': 'one-axis' });
    expect(codes({ ...square(4, 6), kernel: [1, 5] })).toMatchObject({ 'spatial-svd': 'one-axis' });
  });

  it('are none for groups, depthwise and transposed layers and for single channels, each with its reason', () => {
    expect(codes({ ...square(4, 6), groups: 2 })).toEqual(all('grouped'));
    expect(codes({ ...square(4, 8), groups: 4 })).toEqual(all('depthwise'));
    expect(codes({ ...square(4, 6), kind: 'conv-transpose' })).toEqual(all('transposed'));
    expect(codes(square(1, 6))).toEqual(all('one-channel'));
    expect(schemesFor(square(1, 6)).declined.every(({ reason }) => reason.endsWith('.'))).toBe(true);
  });
});

describe('layers of a chain', () => {
  // 5x3 kernel, stride 2 along the first axis, dilation 2 along the second, asymmetric pads.
  const layer: WindowLayer = {
    ...{ kind: 'conv', inputs: 8, outputs: 12, groups: 1, kernel: [5, 3] },
    ...{ strides: [2, 1], dilations: [1, 2], begins: [2, 1], ends: [1, 3] },
  };
  const flat = { strides: [1, 1], dilations: [1, 1], begins: [0, 0], ends: [0, 0] };

  it('have strides, dilations and pads on the layers with the kernel', () => {
    expect(chainLayers(layer, 'channel-svd', [5])).toEqual([
      { ...layer, outputs: 5 },
      { ...layer, ...flat, inputs: 5, kernel: [1, 1] },
    ]);
    expect(chainLayers(layer, 'spatial-svd', [5])).toEqual([
      { ...layer, outputs: 5, kernel: [5, 1], dilations: [1, 1], begins: [2, 0], ends: [1, 0] },
      { ...layer, inputs: 5, kernel: [1, 3], strides: [1, 1], begins: [0, 1], ends: [0, 3] },
    ]);
    expect(chainLayers(layer, 'tucker-2', [3, 4])).toEqual([
      { ...layer, ...flat, outputs: 3, kernel: [1, 1] },
      { ...layer, inputs: 3, outputs: 4 },
      { ...layer, ...flat, inputs: 4, kernel: [1, 1] },
    ]);
    expect(chainLayers(layer, 'cp', [7])).toEqual([
      { ...layer, ...flat, outputs: 7, kernel: [1, 1] },
      { ...layer, inputs: 7, outputs: 7, groups: 7 },
      { ...layer, ...flat, inputs: 7, kernel: [1, 1] },
    ]);
  });

  it('of Tucker-2 with CP are multiplied out where that costs no more', () => {
    const widths = (ranks: readonly number[]): number[] =>
      chainLayers(square(64, 64), 'tucker-cp', ranks).map((one) => one.outputs);
    // 64 -> 8 -> 32 costs 768, 64 -> 32 2048; 64 -> 60 -> 32 costs 5760.
    expect(widths([8, 32, 8])).toEqual([8, 32, 32, 8, 64]);
    expect(widths([60, 32, 8])).toEqual([32, 32, 8, 64]);
    expect(widths([60, 32, 60])).toEqual([32, 32, 64]);
  });

  it('cost what the formulas say', () => {
    // CP: R (C + k^2 + O); Tucker-2: C R1 + k^2 R1 R2 + R2 O; spatial: R (C + O) k, the first layer at the input's other axis.
    expect(chainParams(chainLayers(square(64, 32), 'cp', [10]))).toBe(10 * (64 + 9 + 32));
    expect(chainParams(chainLayers(square(64, 32), 'tucker-2', [6, 5]))).toBe(64 * 6 + 9 * 30 + 5 * 32);
    expect(chainMacs(chainLayers(square(64, 32), 'spatial-svd', [10]), [8, 6])).toBe(48 * 10 * 3 * (64 + 32));
  });

  it('have full ranks as large as the unfoldings allow', () => {
    expect(fullRanks(square(64, 4), 'tucker-2')).toEqual([36, 4]);
    expect(fullRanks(square(2, 64), 'channel-svd')).toEqual([18]);
    expect(fullRanks(layer, 'spatial-svd')).toEqual([36]);
    expect(fullRanks({ kind: 'rows', inputs: 3, outputs: 9, weights: 'input-output' }, 'svd')).toEqual([3]);
  });
});
