// High biases move into the next layer: exact where no output falls below the minimum, refused where the sum would differ.
import { afterAll, describe, expect, it } from 'vitest';
import { createFacts } from '../../src/analysis/inference.js';
import type { Model } from '../../src/ir/model.js';
import { parseModel } from '../../src/ir/text/parse.js';
import { absorbHighBias } from '../../src/passes/bias-absorption.js';
import { channelLinks } from '../../src/passes/channel-links.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import { difference, feedsFor, runModel } from './run-model.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

/** Weights are small, so that with |x| bounded by 5 every output of channel c stays above bias - 1. */
const net = (between: string, consumer: string): Model =>
  parseModel(`g (float[1,2,5,5] x) => (float[1,3,N,M] y)
    <float[4,2,1,1] w1 = uniform(-0.05, 0.05, 1), float[4] b1 = {4, 2, -3, 0.5}, float[3,4,3,3] w2 = random(2),
     float[4,3,3,3] wt = random(3), float[3] b2 = random(4), float six = {6}> {
      a = Conv (x, w1, b1)
      ${between}
      y = ${consumer}
    }`);

const absorb = (model: Model, minima: number[]) => {
  const facts = createFacts(model);
  const [link] = channelLinks(model, facts, () => undefined);
  if (!link) throw new Error('the net has no link');
  return absorbHighBias(link, Float64Array.from(minima), facts);
};

describe('absorbHighBias', () => {
  it.each([
    ['a Relu', 'r = Relu (a)'],
    ['a LeakyRelu', 'r = LeakyRelu (a)'],
    ['a Relu and a pool', 's = Relu (a) r = MaxPool <kernel_shape = [2, 2], pads = [0, 0, 1, 1]> (s)'],
    ['no activation', 'r = AveragePool <kernel_shape = [2, 2]> (a)'],
  ])('keeps the outputs across %s', async (_, between) => {
    const build = () => net(between, 'Conv (r, w2, b2)');
    const model = build();
    // x is normal here: beyond 5 once in a million.
    expect(absorb(model, [3, 1, -4, -0.5])).toEqual({ absorbed: 2 });
    const bias = model.graph.first?.inputs[2]?.constant?.toNumbers();
    expect(bias).toEqual([1, 1, -3, 0.5]);
    for (const seed of [0, 1, 2]) {
      const feeds = feedsFor(model, seed);
      const [before, after] = [await runModel(host, build(), feeds), await runModel(host, model, feeds)];
      expect(difference(before, after, 1e-5)).toBeUndefined();
    }
  });

  it('does nothing where no minimum is positive', () => {
    const model = net('r = Relu (a)', 'Conv (r, w2, b2)');
    expect(absorb(model, [-1, 0, -Infinity, Number.NaN])).toEqual({ absorbed: 0 });
  });

  it.each([
    ['padded', 'r = Relu (a)', 'Conv <pads = [1, 1, 1, 1]> (r, w2, b2)'],
    ['padded', 'r = Relu (a)', 'ConvTranspose (r, wt, b2)'],
    ['between', 'r = Add (a, six)', 'Conv (r, w2, b2)'],
    [
      'between',
      's = Relu (a) r = AveragePool <kernel_shape = [2, 2], pads = [0, 0, 1, 1], count_include_pad = 1> (s)',
      'Conv (r, w2, b2)',
    ],
  ])('refuses: %s', (code, between, consumer) => {
    const model = net(between, consumer);
    expect(absorb(model, [3, 1, -4, -0.5])).toMatchObject({ refused: code });
    expect(model.graph.first?.inputs[2]?.constant?.toNumbers()).toEqual([4, 2, -3, 0.5]);
  });
});
