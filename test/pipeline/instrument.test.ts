// A copy of a model that returns values inside it: what ONNX Runtime gives for them, and what stays as it was.
import { afterAll, describe, expect, it } from 'vitest';
import { parseModel } from '../../src/ir/text/parse.js';
import { printModel } from '../../src/ir/text/print.js';
import type { Model } from '../../src/ir/model.js';
import type { Value } from '../../src/ir/value.js';
import { instrument } from '../../src/pipeline/instrument.js';
import { openModel } from '../../src/onnx/open.js';
import { Workspace } from '../../src/pipeline/workspace.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import { Tensor } from '../../src/tensor/tensor.js';

const host = new RuntimeHost();
const workspace = await Workspace.create(undefined);
afterAll(async () => {
  await host.dispose();
  await workspace.dispose();
});

const MODEL = 'g (float[2] x) => (float[2] y) { a = Neg (x)\n b = Abs (a)\n y = Add (a, b) }';

function value(model: Model, name: string): Value {
  const found = [...model.graph.nodes().flatMap((node) => node.outputs), ...model.graph.inputs].find(
    (one) => one?.name === name,
  );
  if (!found) throw new Error(`no value ${name}`);
  return found;
}

const run = async (path: string): Promise<Record<string, number[]>> => {
  const outputs = await host.run(path, new Map([['x', Tensor.fromNumbers('float32', [2], [3, -4])]]));
  return Object.fromEntries([...outputs].map(([name, tensor]) => [name, tensor.toNumbers()]));
};

describe('instrument', () => {
  it('returns values inside besides the outputs, once each', async () => {
    const model = parseModel(MODEL);
    const wanted = ['b', 'a', 'y', 'x', 'a'].map((name) => value(model, name));
    const { path, names } = await instrument({ model, document: undefined }, wanted, workspace);
    expect(await run(path)).toEqual({ y: [0, 8], b: [3, 4], a: [-3, 4] });
    expect([...names.values()]).toEqual(['b', 'a', 'y', 'x']);
  });

  it('leaves out what the values do not need', async () => {
    const model = parseModel(MODEL);
    const before = printModel(model, { weights: 'full' });
    const { path } = await instrument({ model }, [value(model, 'a')], workspace, { rest: 'drop' });
    expect(await run(path)).toEqual({ a: [-3, 4] });
    const written = await openModel(path);
    expect(written.model.graph.nodes().map(({ opType }) => opType)).toEqual(['Neg']);
    const own = await instrument(
      { model },
      ['y', 'a'].map((name) => value(model, name)),
      workspace,
      { rest: 'drop' },
    );
    expect(await run(own.path)).toEqual({ y: [0, 8], a: [-3, 4] });
    const inputs = await instrument({ model }, [value(model, 'x')], workspace, { rest: 'drop' });
    expect(await run(inputs.path)).toEqual({ y: [0, 8] });
    expect(printModel(model, { weights: 'full' })).toBe(before);
  });

  it('leaves the model as it was', async () => {
    const model = parseModel(MODEL);
    const before = printModel(model, { weights: 'full' });
    await instrument({ model, document: undefined }, [value(model, 'a')], workspace);
    expect(printModel(model, { weights: 'full' })).toBe(before);
  });

  it('works on a model changed since it was read', async () => {
    const model = parseModel(MODEL);
    const mark = model.journal.mark();
    model.graph.setOutputs([value(model, 'a')]);
    const { path } = await instrument({ model, document: undefined }, [value(model, 'b')], workspace);
    expect(await run(path)).toEqual({ a: [-3, 4], b: [3, 4] });
    model.journal.seek(mark);
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(['y']);
  });

  it('refuses what the main graph does not compute', async () => {
    const model = parseModel(
      `g (bool c, float[2] x) => (float[2] y) <float[1] w = {1}> {
        y = If (c) <then_branch = t () => (float[2] u) { u = Add (x, w) }, else_branch = e () => (float[2] v) { v = Neg (x) }>
      }`,
    );
    const [node] = model.graph.nodes();
    const inner = node?.subgraphs()[0]?.outputs[0];
    const constant = [...model.graph.initializers][0];
    for (const hidden of [inner, constant]) {
      if (!hidden) throw new Error('the model lacks it');
      await expect(instrument({ model, document: undefined }, [hidden], workspace)).rejects.toMatchObject({
        code: 'unsupported',
        at: { tensor: hidden.name },
      });
    }
  });
});
