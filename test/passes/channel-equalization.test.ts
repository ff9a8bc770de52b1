// Cross-layer equalization over random chains: the outputs stay, the ranges of channels draw together.
import { afterAll, describe, expect, it } from 'vitest';
import { createFacts } from '../../src/analysis/inference.js';
import { createRng } from '../../src/base/rng.js';
import type { Model } from '../../src/ir/model.js';
import { parseModel } from '../../src/ir/text/parse.js';
import { applyEqualization, weightEqualization } from '../../src/passes/channel-equalization.js';
import { channelLinks } from '../../src/passes/channel-links.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { difference, feedsFor, runModel } from './run-model.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

const ACTIVATIONS = ['Relu', 'LeakyRelu', 'Identity'];

/** A chain of dense and depthwise convolutions whose filters differ by orders of magnitude. */
function chain(seed: number): Model {
  const rng = createRng(`chain/${seed}`);
  const weights: string[] = [];
  const nodes: string[] = [];
  let channels = 3;
  const layers = rng.int(2, 6);
  for (let i = 0; i < layers; i++) {
    const depthwise = i > 0 && rng.int(0, 2) === 0;
    const outputs = depthwise ? channels : rng.int(2, 9);
    const spread = Array.from({ length: outputs }, () => 10 ** (2 * rng.normal() * 0.5));
    const count = depthwise ? 9 : channels * 9;
    const numbers = spread.flatMap((s) => Array.from({ length: count }, () => (s * rng.normal()).toPrecision(6)));
    weights.push(`float[${outputs},${depthwise ? 1 : channels},3,3] w${i} = {${numbers.join()}}`);
    weights.push(`float[${outputs}] b${i} = {${spread.map((s) => (s * rng.normal()).toPrecision(6)).join()}}`);
    const group = depthwise ? `group = ${channels}, ` : '';
    nodes.push(`c${i} = Conv <${group}pads = [1, 1, 1, 1]> (${i === 0 ? 'x' : `r${i - 1}`}, w${i}, b${i})`);
    if (i < layers - 1) nodes.push(`r${i} = ${ACTIVATIONS[rng.int(0, 1)]} (c${i})`);
    channels = outputs;
  }
  nodes.push(`y = GlobalAveragePool (c${layers - 1})`);
  return parseModel(`g (float[1,3,6,6] x) => (float[1,${channels},1,1] y) <${weights.join()}> { ${nodes.join('\n')} }`);
}

const linksOf = (model: Model) => channelLinks(model, createFacts(model), () => undefined);

/** Largest over smallest of the ratio of both ranges of a channel, over all pairs of layers: 1 where they are equal. */
function imbalance(model: Model): number {
  const ratios = linksOf(model).flatMap(({ producer, consumer }) => {
    const rows = rangesAlong(producer.weights, 0);
    const columns = rangesAlong(consumer.weights, consumer.layout.groups === 1 ? 1 : 0);
    return rows.map((row, c) => Math.abs(Math.log(row / (columns[c] ?? 1))));
  });
  return Math.exp(Math.max(0, ...ratios));
}

/** Largest magnitude per place of an axis of [O, I, k, k]. */
function rangesAlong(tensor: Tensor, axis: 0 | 1): number[] {
  const [outputs = 0, inputs = 0] = tensor.dims;
  const ranges = Array<number>(axis === 0 ? outputs : inputs).fill(0);
  const kernel = tensor.size / (outputs * inputs);
  for (const [i, w] of tensor.toNumbers().entries()) {
    const at = axis === 0 ? Math.floor(i / (kernel * inputs)) : Math.floor(i / kernel) % inputs;
    ranges[at] = Math.max(ranges[at] ?? 0, Math.abs(w));
  }
  return ranges;
}

describe('weightEqualization', () => {
  it.each(Array.from({ length: 12 }, (_, seed) => [seed]))('chain %i', async (seed) => {
    const [before, after] = [chain(seed), chain(seed)];
    const factors = weightEqualization(linksOf(after), 1e6);
    const { failed } = applyEqualization(factors, createFacts(after));
    expect(failed).toEqual([]);
    expect(imbalance(before)).toBeGreaterThan(1.5);
    expect(imbalance(after)).toBeLessThan(1.05);
    const feeds = feedsFor(before, seed);
    expect(difference(await runModel(host, before, feeds), await runModel(host, after, feeds), 1e-5)).toBeUndefined();
  });
});
