// Segments that become one convolution: which there are, that it is exactly the segment without its activations and with all padding in
// front, and what is left alone.
import { afterAll, describe, expect, it } from 'vitest';
import { createFacts } from '../../../src/analysis/inference.js';
import { createRng, type Rng } from '../../../src/base/rng.js';
import { checkModel } from '../../../src/ir/check.js';
import type { Model } from '../../../src/ir/model.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import type { BlockProposal } from '../../../src/passes/learned/block-rule.js';
import { MERGE_DEPTH } from '../../../src/passes/learned/merge-depth.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { Tensor } from '../../../src/tensor/tensor.js';
import { difference, feedsFor, runModel } from '../run-model.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

interface Written {
  readonly channels?: number;
  readonly height?: number;
  readonly width?: number;
  readonly outputs?: string;
  readonly more?: string;
}

const parsed = (
  body: string,
  { channels = 4, height = 12, width = 11, outputs = 'float[1,O,A,B] y', more = '' }: Written = {},
): Model =>
  parseModel(`<ir_version: 8, opset_import: ["" : 17]>
g (float[1,${channels},${height},${width}] x) => (${outputs})
<float[4,4,3,3] w = random(1), float[4] b = random(2), float[4,4,3,3] v = random(3), float[4] c = random(4), float[4,4,1,1] p = random(5),
 float[4,1,3,3] d = random(6), float[4,1,3,3] e = random(7), float zero = {0}, float six = {6}${more}>
{
${body}
}`);

const found = (model: Model) => MERGE_DEPTH.find(model.graph, createFacts(model));

/** Form and block of each. */
const named = (proposals: readonly BlockProposal[]): string[] =>
  proposals.map(({ form, block }) => `${form}@${block.output?.name}`);

function proposed(model: Model, form: string, block?: string): BlockProposal {
  const proposal = found(model).proposals.find(
    (one) => one.form === form && (block === undefined || one.block.output?.name === block),
  );
  if (!proposal) throw new Error(`${form} is not among ${named(found(model).proposals).join(' ')}`);
  return proposal;
}

const CONV = 'Conv <pads = [1, 1, 1, 1]>';
const CHAIN = `h = ${CONV} (x, w, b)\n r = Relu (h)\n k = ${CONV} (r, v, c)\n y = Sigmoid (k)`;
const BLOCK = `h = ${CONV} (x, w, b)\n r = Relu (h)\n k = ${CONV} (r, v, c)\n s = Add (k, x)\n y = Relu (s)`;

/** Zeros around the data, far enough out that the border of the padded data does not come into play. */
function padded(x: Tensor, margin: number): Tensor {
  const [, channels = 0, height = 0, width = 0] = x.dims;
  const [tall, wide] = [height + 2 * margin, width + 2 * margin];
  const numbers = x.toNumbers();
  const out = new Float64Array(channels * tall * wide);
  for (let i = 0; i < numbers.length; i++) {
    const [channel, row, column] = [Math.floor(i / (height * width)), Math.floor(i / width) % height, i % width];
    out[(channel * tall + row + margin) * wide + column + margin] = numbers[i] ?? 0;
  }
  return Tensor.fromNumbers('float32', [1, channels, tall, wide], out);
}

/** The part of `y` that begins at `first` along both spatial axes. */
function cropped(y: Tensor, first: number, [height, width]: readonly [number, number]): Tensor {
  const [, channels = 0, tall = 0, wide = 0] = y.dims;
  const numbers = y.toNumbers();
  const out = Array.from({ length: channels * height * width }, (_, i) => {
    const [channel, row, column] = [Math.floor(i / (height * width)), Math.floor(i / width) % height, i % width];
    return numbers[(channel * tall + row + first) * wide + column + first] ?? 0;
  });
  return Tensor.fromNumbers('float32', [1, channels, height, width], out);
}

/** Without the activations that are called `r`, `r1`, ... */
const withoutActivations = (body: string): string =>
  body.replaceAll(/\b(r\d*) = (?:Relu|Clip|LeakyRelu)(?: <[^>]*>)? \((\w+)[^)]*\)/g, '$1 = Identity ($2)');

interface Comparison {
  readonly body: string;
  readonly written: Written;
  /** Product of all strides. */
  readonly stride: number;
  readonly form: string;
}

/**
 * The merged model against the same without activations on data with zeros around: there every layer sees zeros of the data and none of its
 * own, which is what padding in front means.
 */
async function compare({ body, written, stride, form }: Comparison): Promise<string | undefined> {
  const margin = 12 * stride;
  const model = parsed(body, written);
  const feeds = feedsFor(model, 1);
  const x = feeds.get('x');
  if (!x) throw new Error('no feed');
  const sizes = await runModel(host, model, feeds);
  const { height = 12, width = 11 } = written;
  const linear = parsed(withoutActivations(body), {
    ...written,
    height: height + 2 * margin,
    width: width + 2 * margin,
  });
  const around = await runModel(host, linear, new Map([['x', padded(x, margin)]]));
  const [y, whole] = [sizes.get('y'), around.get('y')];
  proposed(model, form).apply();
  expect(checkModel(model)).toEqual([]);
  const merged = await runModel(host, model, feeds);
  if (!y || !whole) throw new Error('no output');
  const expected = cropped(whole, margin / stride, [y.dims[2] ?? 0, y.dims[3] ?? 0]);
  return difference(new Map([['y', expected]]), merged, 1e-5);
}

describe('segments', () => {
  it.each([
    ['a chain', CHAIN, ['2-to-1@h', '2-to-3@h', '2-to-5@h']],
    [
      'a residual block, which is folded or goes',
      BLOCK,
      ['drop@h', '2-folded-to-1@h', '2-folded-to-3@h', '2-folded-to-5@h'],
    ],
    [
      'an activation in front of a block, which is kept or folded',
      `q = Sigmoid (x)\n r0 = Relu (q)\n h = ${CONV} (r0, w, b)\n r = Relu (h)\n k = ${CONV} (r, v, c)\n s = Add (q, k)\n y = Sigmoid (s)`,
      ['2-to-3@h', '2-folded-to-3@h'],
    ],
    [
      'three in a row: any two neighbours, and all of them',
      `h = ${CONV} (x, w, b)\n r = Clip (h, zero, six)\n k = Conv <group = 4, pads = [1, 1, 1, 1]> (r, d)\n r1 = LeakyRelu (k)\n l = Conv (r1, p)\n y = Sigmoid (l)`,
      ['2-to-3@h', '3-to-3@h', '2-to-1@k'],
    ],
    [
      'depthwise',
      `h = Conv <group = 4, pads = [1, 1, 1, 1]> (x, d)\n r = Relu (h)\n k = Conv <group = 4, pads = [1, 1, 1, 1]> (r, e)\n y = Sigmoid (k)`,
      ['2-to-5@h'],
    ],
    [
      'a pool and a scale among them',
      `h = ${CONV} (x, w, b)\n r = Relu (h)\n m = AveragePool <kernel_shape = [2, 2], strides = [2, 2]> (r)\n n = Mul (m, six)\n k = ${CONV} (n, v)\n y = Sigmoid (k)`,
      ['2-to-7@h', '2-to-3@h'],
    ],
  ])('%s', (_, body, forms) => {
    expect(named(found(parsed(body)).proposals)).toEqual(expect.arrayContaining(forms));
  });
});

describe('the convolution in place of a segment', () => {
  it.each([
    ['of a chain', CHAIN.replace('y = Sigmoid', 'y = Relu'), '2-to-5', 1, {}],
    ['of a residual block', BLOCK, '2-folded-to-5', 1, {}],
    [
      'of strides and uneven padding',
      `h = Conv <strides = [2, 2], pads = [0, 1, 2, 1]> (x, w, b)\n r = Clip (h, zero, six)\n k = ${CONV} (r, v, c)\n r1 = LeakyRelu (k)
       l = Conv <strides = [2, 2]> (r1, q)\n y = Relu (l)`,
      '3-to-7',
      4,
      { height: 16, width: 15, more: ', float[4,4,1,1] q = random(8)' },
    ],
    [
      'of an inverted residual block',
      `h = Conv (x, q, a)\n r = Clip (h, zero, six)\n k = Conv <group = 8, pads = [1, 1, 1, 1]> (r, t)\n r1 = Clip (k, zero, six)
       l = Conv (r1, u, b)\n y = Add (x, l)`,
      '3-folded-to-3',
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
      '5-folded-to-7',
      1,
      {},
    ],
    [
      'of dilations',
      `h = Conv <dilations = [2, 2], pads = [2, 2, 2, 2]> (x, w, b)\n r = Relu (h)\n k = Conv <dilations = [2, 2], pads = [2, 2, 2, 2]> (r, v)\n y = Relu (k)`,
      '2-to-5',
      1,
      {},
    ],
  ])('%s is exactly that without the activations, all padding in front', async (_, body, form, stride, written) => {
    expect(await compare({ body, written, stride, form })).toBe(undefined);
  });

  it('of random chains is exactly that', async () => {
    let compared = 0;
    for (let seed = 0; seed < 30; seed++) {
      const chain = randomChain(createRng(`chain/${seed}`));
      const model = parsed(chain.body, chain.written);
      // What would be too wide or too dear is no proposal.
      if (!found(model).proposals.some(({ form }) => form === chain.form)) continue;
      expect(await compare(chain), `seed ${seed}: ${chain.body}`).toBe(undefined);
      compared++;
    }
    expect(compared).toBeGreaterThan(12);
  });
});

const ACTIVATIONS = ['Relu (?)', 'Clip (?, zero, six)', 'LeakyRelu <alpha = 0.2> (?)'];

const groupsOf = (channels: number): number[] => [1, 2, channels].filter((count) => channels % count === 0);

/** Two or three convolutions, with groups, strides and uneven padding, and what the widest of what could stand for it is called. */
function randomChain(rng: Rng): Comparison {
  const convs = rng.int(2, 3);
  const lines: string[] = [];
  const weights: string[] = [];
  const reach = [1, 1];
  let [value, channels, stride] = ['x', 4, 1] as [string, number, number];
  for (let i = 0; i < convs; i++) {
    const group = rng.pick(groupsOf(channels));
    const outputs = group * rng.int(1, 2);
    const kernel = [rng.int(1, 3), rng.int(1, 3)];
    const step = rng.pick([1, 1, 2]);
    const pads = [0, 1, 2, 3].map(() => rng.int(0, 1));
    for (const axis of [0, 1]) reach[axis] = (reach[axis] ?? 1) + stride * ((kernel[axis] ?? 1) - 1);
    weights.push(`float[${outputs},${channels / group},${kernel.join()}] w${i} = random(${rng.int(1, 99)})`);
    weights.push(`float[${outputs}] b${i} = random(${rng.int(1, 99)})`);
    const attributes = `group = ${group}, strides = [${step}, ${step}], pads = [${pads.join()}]`;
    lines.push(`h${i} = Conv <${attributes}> (${value}, w${i}, b${i})`);
    if (i < convs - 1) lines.push(`r${i} = ${rng.pick(ACTIVATIONS).replace('?', `h${i}`)}`);
    [value, channels, stride] = [`r${i}`, outputs, stride * step];
  }
  const body = [...lines, `y = Relu (h${convs - 1})`].join('\n');
  const written = { height: 18, width: 17, more: `, ${weights.join(', ')}` };
  return { body, written, stride, form: `${convs}-to-${Math.max(...reach)}` };
}
