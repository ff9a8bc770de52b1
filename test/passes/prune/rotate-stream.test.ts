// Linear streams in another basis: the model computes the same on ONNX Runtime; and what is no linear stream is not taken for one.
import { afterAll, describe, expect, it } from 'vitest';
import type { ChannelGroup } from '../../../src/analysis/channel-group.js';
import { findChannelGroups } from '../../../src/analysis/channels.js';
import { createFacts } from '../../../src/analysis/inference.js';
import { createRng } from '../../../src/base/rng.js';
import { checkModel } from '../../../src/ir/check.js';
import type { Model } from '../../../src/ir/model.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { printModel } from '../../../src/ir/text/print.js';
import { cholesky, invert } from '../../../src/linalg/cholesky.js';
import { multiply, multiplyTransposed } from '../../../src/linalg/gemm.js';
import { matrix, transpose, type Matrix } from '../../../src/linalg/matrix.js';
import { linearStream, rotateStream, type LinearStream } from '../../../src/passes/prune/rotate-stream.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { randomFeed } from '../../property/random-graphs.js';
import { difference, feedsFor, runModel } from '../run-model.js';
import { randomChannels } from './random-channels.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

const HEADER = `<ir_version: 8, opset_import: ["" : 17]>\n`;

interface Found {
  readonly model: Model;
  readonly group: ChannelGroup;
  readonly stream: LinearStream | undefined;
}

function find(text: string, name: string): Found {
  const model = parseModel(HEADER + text);
  const facts = createFacts(model);
  const groups = findChannelGroups(model, facts);
  const group = groups.find((one) => one.name === name);
  if (!group) throw new Error(`no group ${name}: there are ${groups.map((one) => one.name).join(', ')}`);
  return { model, group, stream: linearStream(group, facts) };
}

/** Lower triangular, so that it is no other than its transpose by chance; and its inverse L^T (L L^T)^-1. */
function randomBasis(width: number): { readonly forward: Matrix; readonly back: Matrix } {
  const rng = createRng(`basis ${width}`);
  const a = matrix(
    width,
    width,
    Float64Array.from({ length: width * width }, () => rng.normal()),
  );
  const square = multiplyTransposed(a, a);
  for (let i = 0; i < width; i++) square.data[i * width + i] = (square.data[i * width + i] ?? 0) + 1;
  const forward = cholesky(square);
  if (!forward) throw new Error('no basis');
  return { forward, back: multiply(transpose(forward), invert(forward)) };
}

const STREAMS: Readonly<Record<string, { readonly text: string; readonly group: string; readonly weights: number }>> = {
  'the residual stream of a MobileNet-like net': {
    text: `g (float[2,3,9,9] x) => (float[2,5,5,5] y)
<float[4,3,1,1] w = random(1), float[4] b = random(2), float[6,4,1,1] e = random(3), float[6] eb = random(4),
 float[6,1,3,3] d = random(5), float[4,6,1,1] p = random(6), float[5,4,3,3] v = random(7), float lo = {0}, float hi = {6}>
{
  h = Conv (x, w, b)
  i = Conv (h, e, eb)
  j = Clip (i, lo, hi)
  k = Conv <group = 6, pads = [1, 1, 1, 1]> (j, d)
  l = Clip (k, lo, hi)
  m = Conv (l, p)
  s = Add (h, m)
  t = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (s, v)
  y = Relu (t)
}`,
    group: 'h',
    weights: 5,
  },
  'a chain of convolutions with padding': {
    text: `g (float[1,3,7,7] x) => (float[1,5,7,7] y)
<float[4,3,3,3] w = random(1), float[5,4,3,3] v = random(2), float[5] b = random(3)>
{
  h = Conv <pads = [1, 1, 1, 1]> (x, w)
  y = Conv <pads = [1, 1, 1, 1]> (h, v, b)
}`,
    group: 'h',
    weights: 2,
  },
  'a chain of Gemm with factors, transposed or not': {
    text: `g (float[3,6] x) => (float[3,2] y)
<float[4,6] w = random(1), float[1,4] b = random(2), float[4,2] v = random(3), float[2] c = random(4)>
{
  h = Gemm <transB = 1, alpha = 0.5, beta = 2.0> (x, w, b)
  y = Gemm <alpha = 3.0> (h, v, c)
}`,
    group: 'h',
    weights: 3,
  },
  'rows with positions: sums, differences, a bias behind, and a layer that reads and makes the stream': {
    text: `g (float[2,3,6] x) => (float[2,3,2] y)
<float[6,4] w = random(1), float[4] b = random(2), float[1,3,4] p = random(3), float[4,4] u = random(4), float[4,2] v = random(5)>
{
  m = MatMul (x, w)
  h = Add (b, m)
  s = Add (h, p)
  r = MatMul (s, u)
  i = Identity (s)
  q = Sub (i, r)
  z = Sum (q, s, h)
  y = MatMul (z, v)
}`,
    group: 'm',
    weights: 6,
  },
  'transposed convolutions': {
    text: `g (float[1,3,5,5] x) => (float[1,5,9,9] y)
<float[3,4,2,2] w = random(1), float[4] b = random(2), float[4,5,2,2] v = random(3)>
{
  h = ConvTranspose <strides = [2, 2], pads = [1, 1, 1, 1]> (x, w, b)
  y = ConvTranspose (h, v)
}`,
    group: 'h',
    weights: 3,
  },
  'filters that two makers share': {
    text: `g (float[1,3,5,5] x) => (float[1,5,5,5] y)
<float[4,3,1,1] w = random(1), float[5,4,1,1] v = random(2)>
{
  n = Neg (x)
  e = Exp (n)
  h = Conv (x, w)
  i = Conv (e, w)
  s = Add (h, i)
  y = Conv (s, v)
}`,
    group: 'h',
    weights: 2,
  },
};

const nodesOf = ({ graph }: Model): string[] =>
  graph.nodes().map(({ opType, inputs }) => [opType, ...inputs.map((input) => input?.name)].join());

describe('a linear stream in another basis', () => {
  it.each(Object.entries(STREAMS))('%s', async (_, { text, group: name, weights }) => {
    const { model, group, stream } = find(text, name);
    expect(stream && stream.made.length + stream.read.length).toBe(weights);
    if (!stream) return;
    const feeds = feedsFor(model, 1);
    const before = await runModel(host, model, feeds);
    const [numbers, nodes] = [printModel(model, { weights: 'full' }), nodesOf(model)];
    rotateStream(stream, randomBasis(group.width));
    expect(checkModel(model)).toEqual([]);
    expect(nodesOf(model)).toEqual(nodes);
    expect(printModel(model, { weights: 'full' })).not.toBe(numbers);
    expect(difference(before, await runModel(host, model, feeds), 1e-5)).toBeUndefined();
    model.journal.seek(0);
    expect(printModel(model, { weights: 'full' })).toBe(numbers);
  });

  it('the value itself is another: forward x where it was x', () => {
    const text = `g (float[1,1] x) => (float[1,1] y) <float[1,2] w = {1, 10}, float[2] b = {2, 3}, float[2,1] v = {5, 7}>
{
  h = Gemm (x, w, b)
  y = Gemm (h, v)
}`;
    const { model, stream } = find(text, 'h');
    if (!stream) throw new Error('no stream');
    // z0 = x0 + x1, z1 = x1: x0 = z0 - z1.
    rotateStream(stream, {
      forward: matrix(2, 2, Float64Array.of(1, 1, 0, 1)),
      back: matrix(2, 2, Float64Array.of(1, -1, 0, 1)),
    });
    const numbers = [...model.graph.initializers].map(({ name, constant }) => [name, constant?.toNumbers()]);
    expect(Object.fromEntries(numbers)).toEqual({ w: [11, 10], b: [5, 3], v: [5, 2] });
  });
});

/** A layer that makes four channels h from x, and what stands behind it. */
const afterConv = (behind: string, weights: string, outputs = 'float[1,N,A,B] y'): string =>
  `g (float[1,3,6,6] x) => (${outputs}) <float[4,3,1,1] w = random(1), float[5,4,1,1] v = random(2)${weights}>
{
  h = Conv (x, w)
  ${behind}
}`;

const DECLINED: Readonly<Record<string, readonly [text: string, group?: string]>> = {
  'an activation between': [afterConv('r = Relu (h)\n y = Conv (r, v)', '')],
  'a Clip between': [afterConv('r = Clip (h, lo)\n y = Conv (r, v)', ', float lo = {0}')],
  'an activation on one of two ways': [afterConv('r = Relu (h)\n s = Add (r, h)\n y = Conv (s, v)', '')],
  'a depthwise reader': [afterConv('d = Conv <group = 4> (h, k)\n y = Conv (d, v)', ', float[4,1,3,3] k = random(3)')],
  'a depthwise reader besides another': [
    afterConv(
      'd = Conv <group = 4, pads = [1, 1, 1, 1]> (h, k)\n y = Conv (d, v)\n z = Conv (h, v2)',
      ', float[4,1,3,3] k = random(3), float[5,4,1,1] v2 = random(4)',
      'float[1,N,A,B] y, float[1,P,C,D] z',
    ),
  ],
  'a reader in two groups': [afterConv('y = Conv <group = 2> (h, k)', ', float[6,2,1,1] k = random(3)')],
  'a maker in two groups': [
    `g (float[1,4,6,6] x) => (float[1,5,6,6] y) <float[4,2,1,1] w = random(1), float[5,4,1,1] v = random(2)>
{
  h = Conv <group = 2> (x, w)
  y = Conv (h, v)
}`,
  ],
  'an output of the graph': [afterConv('y = Conv (h, v)', '', 'float[1,N,A,B] y, float[1,4,6,6] h')],
  'a Concat with others': [
    afterConv(
      'i = Conv (x, w2)\n c = Concat <axis = 1> (h, i)\n y = Conv (c, k)',
      ', float[4,3,1,1] w2 = random(3), float[5,8,1,1] k = random(4)',
    ),
  ],
  'filters that another layer shares, with an activation behind it': [
    afterConv(
      'n = Neg (x)\n i = Conv (n, w)\n r = Relu (i)\n y = Conv (h, v)\n z = Conv (r, v2)',
      ', float[5,4,1,1] v2 = random(4)',
      'float[1,N,A,B] y, float[1,P,C,D] z',
    ),
  ],
  'filters that the graph returns': [afterConv('y = Conv (h, v)', '', 'float[1,N,A,B] y, float[4,3,1,1] w')],
  'weights that a caller may feed': [
    `g (float[1,3,6,6] x, float[5,4,1,1] v) => (float[1,N,A,B] y) <float[4,3,1,1] w = random(1), float[5,4,1,1] v = random(2)>
{
  h = Conv (x, w)
  y = Conv (h, v)
}`,
  ],
  'normalization that is left': [
    afterConv(
      'n = BatchNormalization (h, a, b, c, d)\n y = Conv (n, v)',
      ', float[4] a = random(3), float[4] b = random(4), float[4] c = random(5), float[4] d = {1, 2, 3, 4}',
    ),
  ],
  'a factor per channel': [afterConv('m = Mul (h, k)\n y = Conv (m, v)', ', float[4,1,1] k = random(3)')],
  'a constant for all channels': [afterConv('m = Add (h, k)\n y = Conv (m, v)', ', float k = {1}')],
  'a product of the stream with itself': [
    `g (float[3,6] x) => (float[3,3] y) <float[6,4] w = random(1)>
{
  h = MatMul (x, w)
  t = Transpose (h)
  y = MatMul (h, t)
}`,
  ],
  'channels that are spread by Flatten': [
    afterConv('f = Flatten (h)\n y = Gemm (f, k)', ', float[144,2] k = random(3)', 'float[1,2] y'),
  ],
  'a bias that is one number for all': [
    `g (float[3,6] x) => (float[3,2] y) <float[6,4] w = random(1), float[1] b = {1}, float[4,2] v = random(3)>
{
  h = Gemm (x, w, b)
  y = Gemm (h, v)
}`,
  ],
  'half precision': [
    `g (float16[3,6] x) => (float16[3,2] y) <float16[6,4] w = random(1), float16[4,2] v = random(3)>
{
  h = MatMul (x, w)
  y = MatMul (h, v)
}`,
  ],
  'an operator of another domain': [
    `g (float[1,3,6,6] x) => (float[1,5,6,6] y) <float[4,3,1,1] w = random(1), float[5,4,1,1] v = random(2)>
{
  h = Conv (x, w)
  a = other.Add (h, h)
  y = Conv (a, v)
}`,
  ],
};

describe('no linear stream', () => {
  it.each(Object.entries(DECLINED))('%s', (_, [text, name = 'h']) => {
    expect(find(text, name).stream).toBeUndefined();
  });
});

describe('random nets', () => {
  let turned = 0;

  it.each(Array.from({ length: 40 }, (_, i) => `suite/${i}`))('%s computes the same in other bases', async (seed) => {
    const graph = randomChannels(seed);
    const { model } = graph;
    const facts = createFacts(model);
    const streams = findChannelGroups(model, facts).flatMap((group) => linearStream(group, facts) ?? []);
    const feeds = randomFeed(graph, 0);
    const before = await runModel(host, model, feeds);
    for (const stream of streams) rotateStream(stream, randomBasis(stream.group.width));
    expect(difference(before, await runModel(host, model, feeds), 1e-4)).toBeUndefined();
    turned += streams.length;
  });

  it('had streams to turn', () => {
    expect(turned).toBeGreaterThan(15);
  });
});
