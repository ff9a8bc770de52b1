// Compositions of random convolutions and average pools against ONNX Runtime, whatever they would cost: kernels, strides,
// dilations, groups, padding of the first, biases, in one to three dimensions.
import { afterAll, describe, expect, it } from 'vitest';
import { createFacts } from '../../src/analysis/inference.js';
import { createRng, type Rng } from '../../src/base/rng.js';
import { staticDims } from '../../src/ir/dim.js';
import type { Model } from '../../src/ir/model.js';
import type { Node } from '../../src/ir/node.js';
import { parseModel } from '../../src/ir/text/parse.js';
import {
  averagePoolMap,
  compose,
  convMapOf,
  convTensors,
  replaceWithConv,
  type ConvMap,
} from '../../src/passes/conv-map.js';
import { removeNode } from '../../src/passes/edit.js';
import { isRefusal } from '../../src/passes/plan.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import { difference, feedsFor, runModel } from './run-model.js';

const host = new RuntimeHost();

afterAll(() => host.dispose());

const list = (numbers: readonly number[]): string => `[${numbers.join(', ')}]`;

interface Layer {
  readonly node: string;
  readonly weights: readonly string[];
  readonly outputs: number;
}

interface Site {
  readonly name: string;
  readonly input: string;
  readonly output: string;
  /** Spatial dimensions. */
  readonly rank: number;
  readonly channels: number;
  readonly pads: 'any' | 'none';
}

function randomConv(rng: Rng, { name, input, output, rank, channels, pads }: Site): Layer {
  const axes = Array.from({ length: rank }, (_, i) => i);
  const group = rng.pick([1, 1, 2, channels].filter((g) => channels % g === 0));
  const outputs = group * rng.int(1, 2);
  const kernel = axes.map(() => rng.int(1, 3));
  const padding = [...axes, ...axes].map(() => (pads === 'any' ? rng.int(0, 2) : 0));
  const attributes = [
    `group = ${group}`,
    `strides = ${list(axes.map(() => rng.int(1, 3)))}`,
    `dilations = ${list(axes.map(() => rng.int(1, 2)))}`,
    `pads = ${list(padding)}`,
  ];
  const seed = rng.int(1, 1000);
  const hasBias = rng.int(0, 2) > 0;
  return {
    outputs,
    weights: [
      `float[${[outputs, channels / group, ...kernel].join(',')}] ${name}_w = random(${seed})`,
      ...(hasBias ? [`float[${outputs}] ${name}_b = random(${seed + 1})`] : []),
    ],
    node: `${output} = Conv <${attributes.join(', ')}> (${input}, ${name}_w${hasBias ? `, ${name}_b` : ''})`,
  };
}

function randomPool(rng: Rng, { input, output, rank, channels, pads }: Site): Layer {
  const axes = Array.from({ length: rank }, (_, i) => i);
  const kernel = axes.map(() => rng.int(1, 3));
  const padding = [...kernel, ...kernel].map((k) => (pads === 'any' ? rng.int(0, k - 1) : 0));
  const attributes = [
    `kernel_shape = ${list(kernel)}`,
    `strides = ${list(axes.map(() => rng.int(1, 3)))}`,
    `pads = ${list(padding)}`,
    'count_include_pad = 1',
  ];
  return { outputs: channels, weights: [], node: `${output} = AveragePool <${attributes.join(', ')}> (${input})` };
}

/** Two layers in a row, the second without padding. */
function randomPair(seed: number): Model {
  const rng = createRng(`conv-map/${seed}`);
  const rank = rng.pick([1, 2, 2, 3]);
  const channels = rng.pick([2, 4]);
  const [one, two] = rng.pick([
    [randomConv, randomConv],
    [randomConv, randomConv],
    [randomPool, randomConv],
    [randomConv, randomPool],
  ]);
  const first = one(rng, { name: 'one', input: 'x', output: 't', rank, channels, pads: 'any' });
  const second = two(rng, { name: 'two', input: 't', output: 'y', rank, channels: first.outputs, pads: 'none' });
  const sizes = Array.from({ length: rank }, () => rng.int(17, 23));
  const free = sizes.map((_, i) => `S${i}`);
  return parseModel(`g (float[2,${[channels, ...sizes].join(',')}] x) => (float[2,${[second.outputs, ...free].join(',')}] y)
<${[...first.weights, ...second.weights].join(', ')}>
{
  ${first.node}
  ${second.node}
}`);
}

function mapOf(node: Node, model: Model): ConvMap {
  const facts = createFacts(model);
  const channels = staticDims(node.inputs[0] && facts.of(node.inputs[0]).shape)?.[1] ?? 0;
  const map = node.is('Conv') ? convMapOf(node, facts) : averagePoolMap(node, channels, 'float32', facts);
  if (!map || isRefusal(map)) throw new Error(`${node.opType} is no map`);
  return map;
}

describe('the composition of two convolutions', () => {
  it.each(Array.from({ length: 60 }, (_, i) => i))('is one convolution: pair %i', async (seed) => {
    const model = randomPair(seed);
    const [first, second] = model.graph.nodes();
    const source = model.graph.inputs[0];
    if (!first || !second || !source) throw new Error('a pair has two nodes and an input');
    const one = mapOf(first, model);
    const map = compose(one, mapOf(second, model));
    const tensors = convTensors(map);
    if (isRefusal(tensors)) throw new Error('the numbers fit');
    replaceWithConv(second, source, map, tensors, 'merged');
    removeNode(first);
    const feeds = feedsFor(model, seed);
    expect(
      difference(await runModel(host, randomPair(seed), feeds), await runModel(host, model, feeds), 1e-5),
    ).toBeUndefined();
  });
});
