// One convolution for a segment: exactly the segment without its activations and with all padding in front; and the middle of it.
import { afterAll, describe, expect, it } from 'vitest';
import { createFacts } from '../../../src/analysis/inference.js';
import { createRng, type Rng } from '../../../src/base/rng.js';
import { checkModel } from '../../../src/ir/check.js';
import type { Model } from '../../../src/ir/model.js';
import { convTensors, replaceWithConv, type ConvMap } from '../../../src/passes/conv-map.js';
import { removeDead } from '../../../src/passes/edit.js';
import { depthMap, middleOf } from '../../../src/passes/learned/depth-map.js';
import { depthSegments, type DepthSegment } from '../../../src/passes/learned/depth-segment.js';
import { isRefusal } from '../../../src/passes/plan.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { difference, feedsFor, runModel } from '../run-model.js';
import { linearOutput, parsed, type LinearCase, type Written } from './linear-model.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

const CONV = 'Conv <pads = [1, 1, 1, 1]>';

/** The segment of the most convolutions. */
function longest(model: Model): DepthSegment {
  const { segments } = depthSegments(model.graph, createFacts(model));
  const [segment] = [...segments].sort((a, b) => b.convs.length - a.convs.length);
  if (!segment) throw new Error('no segment');
  return segment;
}

function mapOf(model: Model): ConvMap {
  const map = depthMap(longest(model), createFacts(model), { read: 'all' });
  if (isRefusal(map)) throw new Error(map.refused);
  return map;
}

/** Puts the map where the segment is. */
function replace(model: Model, map: ConvMap): void {
  const { input, output } = longest(model);
  const tensors = convTensors(map);
  if (isRefusal(tensors) || !output.producer) throw new Error('no weights');
  const gone = output.producer.inputs;
  replaceWithConv(output.producer, input, map, tensors, 'merged');
  removeDead(gone);
}

/** How far the model with the segment as one convolution is from what it has to be. */
async function error(one: LinearCase): Promise<string | undefined> {
  const model = parsed(one.body, one.written);
  const feeds = feedsFor(model, 1);
  const [x, before] = [feeds.get('x'), (await runModel(host, model, feeds)).get('y')];
  if (!x || !before) throw new Error('the model has no x or no y');
  const [, , height = 0, width = 0] = before.dims;
  const expected = await linearOutput(host, one, x, [height, width]);
  replace(model, mapOf(model));
  expect(checkModel(model)).toEqual([]);
  return difference(new Map([['y', expected]]), await runModel(host, model, feeds), 1e-5);
}

type Case = readonly [string, string, number, Written];

describe('a segment as one convolution', () => {
  it.each([
    ['of a chain', `h = ${CONV} (x, w, b)\n r = Relu (h)\n k = ${CONV} (r, v, c)\n y = Relu (k)`, 1, {}],
    [
      'of a residual block',
      `h = ${CONV} (x, w, b)\n r = Relu (h)\n k = ${CONV} (r, v, c)\n s = Add (k, x)\n y = Relu (s)`,
      1,
      {},
    ],
    [
      'of strides and uneven padding',
      `h = Conv <strides = [2, 2], pads = [0, 1, 2, 1]> (x, w, b)\n r = Clip (h, zero, six)\n k = ${CONV} (r, v, c)\n r1 = LeakyRelu (k)
       l = Conv <strides = [2, 2]> (r1, q)\n y = Relu (l)`,
      4,
      { height: 16, width: 15, more: ', float[4,4,1,1] q = random(8)' },
    ],
    [
      'of an inverted residual block',
      `h = Conv (x, q, a)\n r = Clip (h, zero, six)\n k = Conv <group = 8, pads = [1, 1, 1, 1]> (r, t)\n r1 = Clip (k, zero, six)
       l = Conv (r1, u, b)\n y = Add (x, l)`,
      1,
      {
        more: ', float[8,4,1,1] q = random(8), float[8] a = random(9), float[8,1,3,3] t = random(10), float[4,8,1,1] u = random(11)',
      },
    ],
    [
      'of two residual blocks, a scale and a pool',
      `h = Conv <pads = [1, 1, 1, 1]> (x, w)\n r = Relu (h)\n k = Conv (r, p)\n s = Add (k, x)\n r1 = Relu (s)
       n = Mul (r1, six)\n m = Conv <pads = [1, 1, 1, 1]> (n, v)\n r2 = Relu (m)\n o = Conv (r2, p, c)\n t = Add (r1, o)
       z = AveragePool <kernel_shape = [1, 3], pads = [0, 1, 0, 1], count_include_pad = 1> (t)\n l = Conv (z, p)\n y = Relu (l)`,
      1,
      {},
    ],
    [
      'of dilations',
      `h = Conv <dilations = [2, 2], pads = [2, 2, 2, 2]> (x, w, b)\n r = Relu (h)
       k = Conv <dilations = [2, 2], pads = [2, 2, 2, 2]> (r, v)\n y = Relu (k)`,
      1,
      {},
    ],
  ] satisfies Case[])('%s: without the activations, all padding in front', async (_, body, stride, written) => {
    expect(await error({ body, written, stride })).toBe(undefined);
  });

  it('is exact for random chains', async () => {
    for (let seed = 0; seed < 40; seed++) {
      const chain = randomChain(createRng(`chain/${seed}`));
      expect(await error(chain), `seed ${seed}: ${chain.body}`).toBe(undefined);
    }
  });

  it('is exact for random residual blocks', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const blocks = randomBlocks(createRng(`blocks/${seed}`));
      expect(await error(blocks), `seed ${seed}: ${blocks.body}`).toBe(undefined);
    }
  });
});

describe('the middle of a map', () => {
  const ramp = (sizes: readonly number[]): ConvMap => ({
    kernel: sizes,
    strides: [1, 1],
    dilations: [1, 2],
    begins: [2, 4],
    ends: [1, 3],
    dtype: 'float32',
    groups: 1,
    outputs: 1,
    inputs: 2,
    sources: [],
    weights: () => Float64Array.from({ length: 2 * (sizes[0] ?? 0) * (sizes[1] ?? 0) }, (_, i) => i),
    bias: undefined,
  });

  it('keeps the taps in the middle, and as much less padding as taps go', () => {
    // 3 rows of 5, twice: of the rows all, of the columns 1 to 3. A column is 2 elements away from the next.
    const middle = middleOf(ramp([3, 5]), [3, 3]);
    expect(middle).toMatchObject({ kernel: [3, 3], begins: [2, 2], ends: [1, 1] });
    expect([...(middle?.weights() ?? [])]).toEqual([1, 2, 3, 6, 7, 8, 11, 12, 13, 16, 17, 18, 21, 22, 23, 26, 27, 28]);
  });

  it('keeps the earlier of two middles', () => {
    expect([...(middleOf(ramp([1, 4]), [3, 3])?.weights() ?? [])]).toEqual([0, 1, 2, 4, 5, 6]);
  });

  it('is none where it would begin inside of the data', () => {
    // Of 7 rows 2 go in front and 2 behind, where 1 is padded.
    expect(middleOf(ramp([7, 1]), [3, 3])).toBe(undefined);
  });
});

describe('kernels that get too wide on the way', () => {
  const chain = `h = ${CONV} (x, w, b)\n r = Relu (h)\n k = ${CONV} (r, v, c)\n r1 = Relu (k)\n l = ${CONV} (r1, w)\n y = Relu (l)`;

  it('lose as much on both sides, and padding with it', () => {
    // 3 and 3 are 5, of which 3 stay; with another 3 they are 5 again. Biases see all taps of their own layers, and stay as they were.
    const model = parsed(chain);
    const cut = depthMap(longest(model), createFacts(model), { read: 'all', within: 3 });
    expect(cut).toMatchObject({ kernel: [3, 3], begins: [1, 1], ends: [1, 1] });
    const whole = depthMap(longest(model), createFacts(model), { read: 'all' });
    expect(whole).toMatchObject({ kernel: [7, 7], begins: [3, 3], ends: [3, 3], bias: isRefusal(cut) ? [] : cut.bias });
  });

  it('stay as they are where they would begin inside of the data', () => {
    const model = parsed(chain.replaceAll('<pads = [1, 1, 1, 1]>', '<kernel_shape = [3, 3]>'));
    expect(depthMap(longest(model), createFacts(model), { read: 'all', within: 3 })).toMatchObject({ kernel: [7, 7] });
  });
});

describe('a segment that is no convolution', () => {
  it.each([
    ['weights-not-constant', `h = ${CONV} (x, w)\n r = Relu (h)\n u = Relu (v)\n k = ${CONV} (r, u)\n y = Relu (k)`],
    [
      'uneven-average',
      `h = ${CONV} (x, w)\n m = AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (h)\n k = ${CONV} (m, v)\n y = Relu (k)`,
    ],
    [
      'sizes',
      `h = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (x, w)\n k = Conv <strides = [1, 1], pads = [0, 0, 0, 0]> (x, p)
       l = Conv <strides = [3, 3], pads = [1, 1, 1, 1]> (h, w)\n m = Conv <strides = [6, 6], pads = [2, 2, 2, 2]> (k, v)
       s = Add (l, m)\n y = Relu (s)`,
    ],
  ])('%s', (code, body) => {
    const model = parsed(body);
    expect(depthMap(longest(model), createFacts(model), { read: 'sizes' })).toMatchObject({ refused: code });
  });
});

const ACTIVATIONS = ['Relu (?)', 'Clip (?, zero, six)', 'LeakyRelu <alpha = 0.2> (?)'];

const groupsOf = (channels: number): number[] => [1, 2, channels].filter((count) => channels % count === 0);

/** Two or three convolutions, with groups, strides and uneven padding. */
function randomChain(rng: Rng): LinearCase {
  const convs = rng.int(2, 3);
  const lines: string[] = [];
  const weights: string[] = [];
  let [value, channels, stride] = ['x', 4, 1] as [string, number, number];
  for (let i = 0; i < convs; i++) {
    const group = rng.pick(groupsOf(channels));
    const outputs = group * rng.int(1, 2);
    const kernel = [rng.int(1, 3), rng.int(1, 3)];
    const step = rng.pick([1, 1, 2]);
    const pads = [0, 1, 2, 3].map(() => rng.int(0, 1));
    weights.push(`float[${outputs},${channels / group},${kernel.join()}] w${i} = random(${rng.int(1, 99)})`);
    weights.push(`float[${outputs}] b${i} = random(${rng.int(1, 99)})`);
    const attributes = `group = ${group}, strides = [${step}, ${step}], pads = [${pads.join()}]`;
    lines.push(`h${i} = Conv <${attributes}> (${value}, w${i}, b${i})`);
    if (i < convs - 1) lines.push(`r${i} = ${rng.pick(ACTIVATIONS).replace('?', `h${i}`)}`);
    [value, channels, stride] = [`r${i}`, outputs, stride * step];
  }
  const body = [...lines, `y = Relu (h${convs - 1})`].join('\n');
  const written = { height: 18, width: 17, more: `, ${weights.join(', ')}` };
  return { body, written, stride };
}

/** Up to three residual blocks of two convolutions that keep the size of the map, grouped or not, the stream on either side of the sum. */
function randomBlocks(rng: Rng): LinearCase {
  const lines: string[] = [];
  const weights: string[] = [];
  const conv = (name: string, from: string): void => {
    const [group, size] = [rng.pick([1, 2, 4]), rng.pick([1, 3])];
    const pad = (size - 1) / 2;
    weights.push(`float[4,${4 / group},${size},${size}] w${name} = random(${rng.int(1, 99)})`);
    weights.push(`float[4] b${name} = random(${rng.int(1, 99)})`);
    lines.push(
      `${name} = Conv <group = ${group}, pads = [${pad}, ${pad}, ${pad}, ${pad}]> (${from}, w${name}, b${name})`,
    );
  };
  const blocks = rng.int(1, 3);
  let stream = 'x';
  for (let i = 0; i < blocks; i++) {
    conv(`h${i}`, stream);
    lines.push(`r${i} = ${rng.pick(ACTIVATIONS).replace('?', `h${i}`)}`);
    conv(`k${i}`, `r${i}`);
    lines.push(`s${i} = Add (${rng.pick([`${stream}, k${i}`, `k${i}, ${stream}`])})`);
    stream = `s${i}`;
    if (i === blocks - 1 || rng.int(0, 1) > 0) continue;
    lines.push(`r${i + 10} = Relu (${stream})`);
    stream = `r${i + 10}`;
  }
  const written = { more: `, ${weights.join(', ')}` };
  return { body: [...lines, `y = Sigmoid (s${blocks - 1})`].join('\n'), written, stride: 1 };
}
