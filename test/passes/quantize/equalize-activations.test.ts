// Equalized models compute what they did, whatever stands between their layers.
import { afterAll, describe, expect, it } from 'vitest';
import { createFacts } from '../../../src/analysis/inference.js';
import type { Model } from '../../../src/ir/model.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import type { Value } from '../../../src/ir/value.js';
import { findChannelClasses } from '../../../src/passes/quantize/channel-classes.js';
import { equalizeActivations, type ChannelSizes } from '../../../src/passes/quantize/equalize-activations.js';
import { planQuantization } from '../../../src/passes/quantize/plan.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { feedsFor, relativeError, runModel } from '../run-model.js';
import { bytesOf } from './quantize-net.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

/** Minimum, maximum and mean square per channel of the values of the plan. */
async function sizesOf(model: Model, feeds: ReturnType<typeof feedsFor>): Promise<Map<Value, ChannelSizes>> {
  const { groups } = planQuantization(model, createFacts(model), { float: new Set() });
  const values = groups.flatMap((group) => group.values).filter((value) => value.producer);
  const mark = model.journal.mark();
  model.graph.setOutputs([...new Set([...model.graph.outputs, ...values])]);
  const bytes = bytesOf(model);
  model.journal.seek(mark);
  const results = await host.run(bytes, feeds, { optimization: 'disabled' });
  return new Map(
    values.flatMap((value) => {
      const tensor = results.get(value.name);
      return tensor ? [[value, channelSizes(tensor.dims, tensor.toFloat64())] as const] : [];
    }),
  );
}

function channelSizes(dims: readonly number[], numbers: Float64Array): ChannelSizes {
  const [batch = 1, channels = 1, ...rest] = dims;
  const positions = rest.reduce((a, b) => a * b, 1);
  const sizes = {
    min: new Float64Array(channels).fill(Infinity),
    max: new Float64Array(channels).fill(-Infinity),
    power: new Float64Array(channels),
  };
  numbers.forEach((x, i) => {
    const c = Math.floor(i / positions) % channels;
    sizes.min[c] = Math.min(sizes.min[c] ?? 0, x);
    sizes.max[c] = Math.max(sizes.max[c] ?? 0, x);
    sizes.power[c] = (sizes.power[c] ?? 0) + x ** 2 / (batch * positions);
  });
  return sizes;
}

/** Output channels of very different size, so that there is something to equalize. */
const uneven = (name: string, outputs: number, inputs: number, seed: number): string => {
  let state = seed;
  const next = (): number => (state = (state * 16807) % 2147483647) / 2147483647;
  const numbers = Array.from({ length: outputs }, (_, o) =>
    Array.from({ length: inputs }, () => ((next() - 0.4) * 4 ** -(o % 4)).toFixed(5)).join(),
  );
  return `float[${outputs},${inputs},1,1] ${name} = {${numbers.join()}}`;
};
const WEIGHTS = [
  uneven('w', 8, 8, 3),
  uneven('v', 8, 8, 5),
  uneven('u', 8, 8, 7),
  uneven('d', 8, 1, 9),
  uneven('k', 4, 16, 11),
  'float[8] b = uniform(-1, 1, 3)',
  'float zero = {0}, float two = {2}, float six = {6}',
].join(', ');

async function equalized(body: string): Promise<{ changed: number; error: number }> {
  const model = parseModel(`g (float[4,8,6,6] x) => (float y) <${WEIGHTS}> { ${body} }`);
  const feeds = feedsFor(model, 1);
  const before = await runModel(host, model, feeds);
  const changed = equalizeActivations(model, createFacts(model), await sizesOf(model, feeds));
  const after = await runModel(host, model, feeds);
  const [y, z] = [before.get('y'), after.get('y')];
  if (!y || !z) throw new Error('no output');
  return { changed, error: relativeError(y, z) };
}

describe('layers are scaled, and the output stays what it was', () => {
  it.each([
    ['Relu', 'a = Conv (x, w, b) r = Relu (a) y = Conv (r, v)'],
    ['LeakyRelu', 'a = Conv (x, w, b) r = LeakyRelu <alpha = 0.2> (a) y = Conv (r, v)'],
    ['Clip', 'a = Conv (x, w, b) r = Clip (a, zero, two) y = Conv (r, v)'],
    ['a Clip that nothing reaches', 'a = Conv (x, w, b) r = Clip (a, zero, six) y = Conv (r, v)'],
    ['depthwise', 'a = Conv (x, w, b) r = Relu (a) c = Conv <group = 8> (r, d) s = Relu (c) y = Conv (s, v)'],
    ['residual', 'a = Conv (x, w, b) r = Relu (a) c = Conv (r, v) s = Add (c, r) t = Relu (s) y = Conv (t, u)'],
    ['Concat', 'a = Conv (x, w, b) r = Relu (a) c = Conv (x, v) t = Concat <axis = 1> (r, c) y = Conv (t, k)'],
    [
      'pools',
      'a = Conv (x, w) p = MaxPool <kernel_shape = [2, 2]> (a) q = AveragePool <kernel_shape = [2, 2]> (p) y = Conv (q, v)',
    ],
  ])('%s', async (_, body) => {
    const { changed, error } = await equalized(body);
    expect(changed).toBeGreaterThan(0);
    expect(error).toBeLessThan(1e-5);
  });
});

describe('nothing is scaled', () => {
  it.each([
    'Sigmoid (a)',
    'HardSwish (a)',
    'Tanh (a)',
    'Mul (a, a)',
    'Softmax <axis = 1> (a)',
    'LRN <size = 3> (a)',
    'Add (a, two)',
  ])('across %s', async (operator) => {
    const { changed, error } = await equalized(`a = Conv (x, w, b) s = ${operator} y = Conv (s, v)`);
    expect({ changed, error }).toEqual({ changed: 0, error: 0 });
  });

  it('that the caller reads, or a branch', () => {
    const model = parseModel(`g (float[4,8,6,6] x, bool c) => (float[4,8,6,6] y, float[4,8,6,6] z) <${WEIGHTS}> {
      a = Conv (x, w)
      y = Conv (a, v)
      p = Conv (x, u)
      q = Relu (p)
      o = Conv (q, v)
      z = If (c) <
        then_branch = one () => (float[4,8,6,6] t) { t = Exp (q) },
        else_branch = two () => (float[4,8,6,6] e) { e = Neg (o) }
      >
    }`);
    const { classOf } = findChannelClasses(model, createFacts(model));
    const scaled = ['x', 'a', 'y', 'p', 'q', 'o', 'z'].filter((name) => {
      const value = [...model.graph.nodes()]
        .flatMap((node) => [...node.inputs, ...node.outputs])
        .find((v) => v?.name === name);
      return value && classOf(value, 0) !== undefined;
    });
    expect(scaled).toEqual(['a']);
  });
});
