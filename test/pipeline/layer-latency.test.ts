// Layers timed alone: which share a signature, which have none, and that their models are what ONNX Runtime runs.
import { afterAll, describe, expect, it } from 'vitest';
import { createFacts } from '../../src/analysis/inference.js';
import { InputError, InterruptError } from '../../src/base/errors.js';
import { parseModel } from '../../src/ir/text/parse.js';
import { layerLatencies } from '../../src/pipeline/layer-latency.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import type { LatencyTable } from '../../src/runtime/latency-table.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

/** A table that notes what it is asked to measure and says 10 µs, 20 µs, ... */
function fakeTable(known: ReadonlyMap<string, number> = new Map(), origin: LatencyTable['origin'] = 'own') {
  const entries = new Map(known);
  const models = new Map<string, Uint8Array>();
  let saved = 0;
  const table: LatencyTable = {
    identity: { cpu: 'x', fingerprint: 'x', runtime: '1', threads: 1 },
    origin,
    size: 0,
    lookup: (signature) => entries.get(signature),
    measure: async (signature, build) => {
      if (origin === 'foreign') return undefined;
      models.set(signature, build());
      entries.set(signature, 10 * models.size);
      return entries.get(signature);
    },
    save: () => void saved++,
    exportTo: () => {},
  };
  return { table, models, saves: () => saved };
}

const NET = `<ir_version: 8, opset_import: ["" : 13]>
net (float[n,4,6,6] x) => (float[n,m] y)
<
  float[4,4,3,3] w = {...},
  float[4,4,3,3] v = {...},
  int64[1] zero = {0},
  int64[1] rest = {-1}
>
{
  [a] a = Conv <pads = [1,1,1,1]> (x, w)
  [b] b = Conv <pads = [1,1,1,1]> (a, v)
  [c] c = Conv <pads = [0,0,0,0]> (b, v)
  [r] r = Relu (c)
  [s] s = Shape (r)
  [g] batch = Gather (s, zero)
  [k] shape = Concat <axis = 0> (batch, rest)
  [h] y = Reshape (r, shape)
}`.replaceAll('{...}', `{${Array.from({ length: 144 }, (_, i) => (i % 7) / 7).join(', ')}}`);

const latencies = (text: string, table: LatencyTable, sizes: ReadonlyMap<string, number> = new Map()) => {
  const model = parseModel(text);
  return layerLatencies(model, createFacts(model, { assumedSizes: sizes }), table);
};

describe('signatures', () => {
  it('are shared by layers that differ in their weights only, and no others', async () => {
    const { table, models, saves } = fakeTable();
    const { layers, distinct, measured } = await latencies(NET, table);
    const of = Object.fromEntries(layers.map(({ node, signature, us }) => [node.name, { signature, us }]));
    expect(of['a']).toEqual({ signature: 'Conv-13 float32[1x4x6x6] wfloat32[4x4x3x3] pads=1,1,1,1', us: 10 });
    expect(of['b']).toEqual(of['a']);
    expect(of['c']?.signature).toBe('Conv-13 float32[1x4x6x6] wfloat32[4x4x3x3] pads=0,0,0,0');
    expect(of['h']?.signature).toBe('Reshape-13 float32[1x4x4x4] wint64[2]{1,-1}');
    expect([distinct, measured, models.size, saves()]).toEqual([4, 4, 4, 1]);
  });

  it('hold the sizes that are assumed', async () => {
    const { layers } = await latencies(NET, fakeTable().table, new Map([['n', 3]]));
    expect(layers[0]?.signature).toContain('float32[3x4x6x6]');
    expect(layers.at(-1)?.signature).toBe('Reshape-13 float32[3x4x4x4] wint64[2]{3,-1}');
  });

  it('are not made for shape computations, which the runtime does while it loads', async () => {
    const { layers } = await latencies(NET, fakeTable().table);
    const left = layers.filter(({ notTimed }) => notTimed !== undefined);
    expect(left.map(({ node, notTimed }) => [node.name, notTimed])).toEqual([
      ['s', 'constant'],
      ['g', 'constant'],
      ['k', 'constant'],
    ]);
  });

  it('stay short', async () => {
    const many = Array.from({ length: 300 }, (_, i) => i).join(', ');
    const { layers } = await latencies(
      `<ir_version: 8, opset_import: ["" : 12]> g (float[1,2] x) => (float[1,2] y)
       { y = Squeeze <axes = [${many}]> (x) }`,
      fakeTable().table,
    );
    expect(layers[0]?.signature).toMatch(/^Squeeze-12 float32\[1x2\] axes=0,1,2.* sha1:[0-9a-f]{40}$/);
    expect(layers[0]?.signature?.length).toBeLessThan(500);
  });
});

describe('the models of single layers', () => {
  it('run on ONNX Runtime', async () => {
    const { table, models } = fakeTable();
    await latencies(NET, table);
    for (const [signature, model] of models) {
      const { inputs, outputs } = await host.describe(model);
      expect(inputs.every(({ dims }) => dims.every((dim) => typeof dim === 'number'))).toBe(true);
      expect([signature, outputs.length]).toEqual([signature, 1]);
    }
  });
});

describe('the table', () => {
  it('is asked before anything is measured', async () => {
    const relu = new Map([['Relu-13 float32[1x4x4x4]', 3]]);
    const { layers, measured } = await latencies(NET, fakeTable(relu).table);
    expect(layers.find(({ node }) => node.name === 'r')?.us).toBe(3);
    expect(measured).toBe(3);
  });

  it('of another machine is not added to', async () => {
    const { layers, measured } = await latencies(NET, fakeTable(new Map(), 'foreign').table);
    expect(layers[0]).toMatchObject({ us: undefined, notTimed: 'not-in-table' });
    expect(measured).toBe(0);
  });

  it('keeps what was measured when a layer fails, and when the run is interrupted', async () => {
    const failing = fakeTable();
    const failed = await latencies(NET, {
      ...failing.table,
      measure: () => Promise.reject(new InputError('runtime-failed', 'no')),
    });
    expect(failed.layers[0]).toMatchObject({ us: undefined, notTimed: 'failed' });
    const stopped = fakeTable();
    const run = latencies(NET, { ...stopped.table, measure: () => Promise.reject(new InterruptError('stop')) });
    await expect(run).rejects.toThrow(InterruptError);
    expect([failing.saves(), stopped.saves()]).toEqual([1, 1]);
  });
});
