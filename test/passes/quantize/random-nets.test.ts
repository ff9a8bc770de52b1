// Random graphs, quantized: they load, keep their outputs, every planned node is fused, and nothing that was to stay in float is
// quantized by the runtime.
import { afterAll, expect, it } from 'vitest';
import { checkModel } from '../../../src/ir/check.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { isFloat } from '../../../src/tensor/dtype.js';
import { randomFeed, randomGraph } from '../../property/random-graphs.js';
import { bytesOf, quantizeNet } from './quantize-net.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

const SEEDS = Array.from({ length: 60 }, (_, seed) => seed);
/** QuantizeLinear per channel begins here; models come converted. */
const FIRST_OPSET = 13;
/** Chains that divide by small differences lose more; the error of half the graphs is checked. */
const LARGEST_MEDIAN_ERROR = 0.03;

it('random graphs keep running, and run as planned', async () => {
  const errors: number[] = [];
  let planned = 0;
  for (const seed of SEEDS) {
    const graph = randomGraph(`quantized/${seed}`);
    const { model } = graph;
    if (model.opset < FIRST_OPSET) continue;
    const feeds = [1, 2].map((one) => randomFeed(graph, one));
    const before = bytesOf(model);
    const [feed = new Map()] = feeds;
    const isLoaded = await host.run(before, feed, { optimization: 'all' }).then(
      () => true,
      () => false,
    );
    // Some pools are padded by more than the runtime can fuse.
    if (!isLoaded) continue;
    const net = await quantizeNet(host, model, feeds);
    expect(checkModel(model), `graph ${seed}`).toEqual([]);
    const expected = await host.run(before, feed, { optimization: 'disabled' });
    const actual = await host.run(net.bytes, feed, { optimization: 'all' });
    for (const [name, tensor] of expected) {
      const other = actual.get(name);
      expect([other?.dtype, other?.dims], `graph ${seed}, ${name}`).toEqual([tensor.dtype, tensor.dims]);
      if (other && isFloat(tensor.dtype)) errors.push(noise(tensor.toFloat64(), other.toFloat64()));
    }
    const { nodes, quantizedAtLoad } = await net.prove();
    planned += nodes.length;
    const missed = nodes.filter(({ fused }) => !fused).map(({ planned: { output }, detail }) => `${output}: ${detail}`);
    expect([...missed, ...quantizedAtLoad.map(({ node }) => node)], `graph ${seed}`).toEqual([]);
  }
  expect(planned).toBeGreaterThan(100);
  errors.sort((a, b) => a - b);
  expect(errors[Math.floor(errors.length / 2)]).toBeLessThan(LARGEST_MEDIAN_ERROR);
}, 120_000);

/** Root of the mean square of the difference, over that of what is right. */
function noise(expected: Float64Array, actual: Float64Array): number {
  let power = 0;
  let error = 0;
  for (const [i, x] of expected.entries()) {
    power += x * x;
    error += (x - (actual[i] ?? 0)) ** 2;
  }
  return power === 0 ? 0 : Math.sqrt(error / power);
}
