// Constant nodes computed on ONNX Runtime: in batches, failing ones apart, and never from inputs that are not known.
import { afterAll, describe, expect, it, vi } from 'vitest';
import { InterruptError } from '../../src/base/errors.js';
import { parseModel } from '../../src/ir/text/parse.js';
import type { Model } from '../../src/ir/model.js';
import { createEvaluator } from '../../src/pipeline/evaluator.js';
import { parsePass } from '../../src/pipeline/recipe.js';
import { runPasses } from '../../src/pipeline/run-passes.js';
import { createFacts } from '../../src/analysis/inference.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import { Tensor } from '../../src/tensor/tensor.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

const signal = new AbortController().signal;

async function evaluate(model: Model, on: RuntimeHost = host): Promise<Record<string, readonly number[]>> {
  const results = await createEvaluator(on, signal).evaluate([...model.graph.nodes()]);
  return Object.fromEntries([...results].map(([value, tensor]) => [value.name, tensor.toNumbers()]));
}

const graph = (weights: string, nodes: string, outputs = 'y'): Model =>
  parseModel(
    `g (float[2] x) => (${outputs
      .split(' ')
      .map((name) => `float[M] ${name}`)
      .join(', ')}) <${weights}> { ${nodes} }`,
  );

describe('evaluate', () => {
  it('computes all outputs of a node, and what other nodes make of them', async () => {
    const model = graph('float[4] a = {1, 2, 3, 4}', 'p, q = Split (a)\n y = Add (p, q)');
    expect(await evaluate(model)).toEqual({ p: [1, 2], q: [3, 4], y: [4, 6] });
  });

  it('keeps the failure of one node from the others', async () => {
    const model = graph(
      'float[2] a = {1, 2}, float[3] b = {1, 2, 3}, float[2] c = {-1, 5}',
      'u = Neg (a)\n v = Add (a, b)\n w = Relu (c)\n m = NoSuchOperator (a)\n y = Abs (c)',
    );
    expect(await evaluate(model)).toEqual({ u: [-1, -2], w: [0, 5], y: [1, 5] });
  });

  it('computes no node from an input that is not known', async () => {
    // Clip without its bound would be another node. The bound comes from a node that fails, and from the model's input.
    const model = graph(
      'float[2] a = {-3, 9}, float[3] b = {1, 2, 3}',
      'bad = Add (a, b)\n low = ReduceMin <keepdims = 0> (bad)\n u = Clip (a, low)\n v = Clip (a, "", low)\n w = Add (a, x)\n y = Neg (a)',
    );
    expect(await evaluate(model)).toEqual({ y: [3, -9] });
  });

  it('hands results over from one part of a batch that failed to the other', async () => {
    const model = graph(
      'float[2] a = {-3, 9}, float[3] b = {1, 2, 3}',
      'low = ReduceMin <keepdims = 0> (a)\n n = Neg (low)\n u = Clip (a, "", n)\n bad = Add (a, b)\n y = Clip (a, low, n)',
    );
    expect(await evaluate(model)).toEqual({ low: [-3], n: [3], u: [-3, 3], y: [-3, 3] });
  });

  it('leaves nodes with subgraphs out', async () => {
    const model = graph(
      'bool c = {1}, float[2] a = {1, 2}',
      'i = If (c) <then_branch = t () => (p) { p = Neg (a) }, else_branch = e () => (q) { q = Abs (a) }>\n y = Neg (a)',
    );
    expect(await evaluate(model)).toEqual({ y: [-1, -2] });
  });

  it('runs many nodes in few calls, and large ones in calls of their own', async () => {
    const own = new RuntimeHost();
    const calls = vi.spyOn(own, 'evaluate');
    const names = Array.from({ length: 1100 }, (_, i) => `n${i}`);
    const many = graph('float[2] a = {1, 2}', `${names.map((name) => `${name} = Neg (a)`).join('\n')}\n y = Abs (a)`);
    expect(Object.keys(await evaluate(many, own))).toHaveLength(1101);
    expect(calls).toHaveBeenCalledTimes(3);
    calls.mockClear();
    const large = graph(
      'float[1] a = {1}, float[1] b = {2}',
      'p = ReduceMax <keepdims = 0> (a)\n q = ReduceMax <keepdims = 0> (b)\n y = Neg (p)',
    );
    for (const node of large.graph.nodes().slice(0, 2))
      large.graph.setInput(
        node,
        0,
        large.graph.addInitializer(new Tensor('float32', [9e6], new Uint8Array(36e6)), 'big'),
      );
    expect(Object.keys(await evaluate(large, own)).sort()).toEqual(['p', 'q', 'y']);
    expect(calls).toHaveBeenCalledTimes(2);
    await own.dispose();
  });

  it('is interrupted, and does not take that for a failing node', async () => {
    const own = new RuntimeHost();
    const evaluator = createEvaluator(own, AbortSignal.abort());
    await expect(
      evaluator.evaluate([...graph('float[1] a = {1}', 'y = Neg (a)').graph.nodes()]),
    ).rejects.toBeInstanceOf(InterruptError);
    await own.dispose();
  });
});

it('is not asked for random operators', async () => {
  const model = graph(
    'float[2] a = {0.5, 0.5}',
    'r = RandomNormalLike <seed = 1.0> (a)\n b = Bernoulli (a)\n s = Add (r, b)\n k = Neg (a)\n t = Add (s, k)\n y = Add (t, x)',
  );
  const environment = {
    createFacts: (of: Model) => createFacts(of),
    evaluator: createEvaluator(host, signal),
    seed: 0,
    signal,
  };
  const log = await runPasses(model, [parsePass('fold-constants')], environment);
  expect(log.rewrites.map(({ site }) => site)).toEqual(['k']);
});
