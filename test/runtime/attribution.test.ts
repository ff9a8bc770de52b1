// Small graphs with the names that onnxruntime-node 1.30 gives to what it fuses, and real profiles of real models.
import { afterAll, describe, expect, it } from 'vitest';
import { attributeProfile, type GraphNode, type SourceGraph } from '../../src/runtime/attribution.js';
import { findFeeds } from '../../src/runtime/find-feeds.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import { profileModel, type NodeTime } from '../../src/runtime/profile.js';
import { asset, haveAssets } from './assets.js';
import { decodeGraph, decodeNodes, withNames } from './decode.js';

/** `name: Op(a, b) -> c` */
function node(text: string): GraphNode {
  const [, name = '', opType = '', inputs = '', outputs = ''] = /^(\S*): (\w+)\(([^)]*)\) -> (.*)$/.exec(text) ?? [];
  return { name, opType, inputs: inputs.split(', '), outputs: outputs.split(', ') };
}
const graph = (...lines: string[]): SourceGraph => ({ nodes: lines.map(node), inputs: ['x'] });
const time = (name: string, opType: string, us: number): NodeTime => ({ name, opType, us, calls: 1 });

describe('attributeProfile', () => {
  it('gives a Conv with a batch normalization and an activation their time once', () => {
    const source = graph('c: Conv(x, w) -> a', 'b: BatchNormalization(a, s) -> n', 'r: Relu(n) -> y');
    const { nodes, unknown } = attributeProfile([time('c', 'FusedConv', 10)], source, [
      node('c: FusedConv(x, w2, b2) -> y'),
    ]);
    expect(nodes.get('c')).toEqual({ us: 10, ranAs: 'FusedConv', fused: ['r', 'b'], fusedInto: undefined });
    expect(nodes.get('r')).toEqual({ us: 0, ranAs: undefined, fused: [], fusedInto: 'c' });
    expect(unknown).toEqual([]);
  });

  it('follows the blocked layout, its reorders and its fused sums', () => {
    const source = graph(
      'c1: Conv(x, w) -> a1',
      'r1: Relu(a1) -> y1',
      'c2: Conv(y1, w) -> a2',
      'add: Add(a2, y1) -> s',
      'r2: Relu(s) -> y2',
      'c3: Conv(y2, w) -> a3',
      'r3: Relu(a3) -> y3',
    );
    const optimized = [
      'ReorderInput: ReorderInput(x) -> t0',
      'y1_nchwc: Conv(t0, w, b) -> t1',
      'a2_nchwc: Conv(t1, w, b, t1) -> t2',
      'y3_nchwc: Conv(t2, w, b) -> t3',
      'ReorderOutput_token_7: ReorderOutput(t3) -> y3',
    ].map(node);
    const times = optimized.map(({ name, opType }, i) => time(name, opType, i + 1));
    const { nodes, inserted, unknown } = attributeProfile(times, source, optimized);
    expect([...nodes].filter(([, entry]) => entry.ranAs).map(([name, entry]) => [name, entry.us, entry.fused])).toEqual(
      [
        ['c1', 2, ['r1']],
        ['c2', 3, ['add', 'r2']],
        ['c3', 4, ['r3']],
      ],
    );
    expect(inserted).toEqual([
      { opType: 'ReorderInput', count: 1, us: 1 },
      { opType: 'ReorderOutput', count: 1, us: 5 },
    ]);
    expect(unknown).toEqual([]);
  });

  it('does not take an activation that something else uses, or that ran itself', () => {
    const source = graph('c: Conv(x, w) -> a', 'add: Add(a, x) -> s', 'r: Relu(s) -> y', 't: Tanh(s) -> z');
    const optimized = [node('a_nchwc: Conv(x, w, b, x) -> t0'), node('r: Relu(s) -> y'), node('t: Tanh(s) -> z')];
    const { nodes } = attributeProfile(
      optimized.map(({ name, opType }) => time(name, opType, 1)),
      source,
      optimized,
    );
    expect(nodes.get('c')).toMatchObject({ us: 1, fused: ['add'] });
    expect(nodes.get('r')).toMatchObject({ us: 1, ranAs: 'Relu' });
  });

  it('traces quantized convolutions between inserted transposes', () => {
    const source = graph('d: DequantizeLinear(x, s) -> xf', 'c: Conv(xf, w) -> a', 'q: QuantizeLinear(a, s) -> y');
    const optimized = [
      node('Transpose: Transpose(x) -> t0'),
      node('c_token_21: QLinearConv(t0, s, w) -> t1'),
      node('Transpose_token_9: Transpose(t1) -> t2'),
    ];
    const { nodes, inserted } = attributeProfile(
      optimized.map(({ name, opType }) => time(name, opType, 2)),
      source,
      optimized,
    );
    expect(nodes.get('c')).toMatchObject({ us: 2, ranAs: 'QLinearConv' });
    expect(nodes.get('d')?.fusedInto).toBe('c');
    expect(nodes.get('q')?.fusedInto).toBe('c');
    expect(inserted).toEqual([{ opType: 'Transpose', count: 2, us: 4 }]);
  });

  it('keeps a transpose of the source apart from inserted ones', () => {
    const source = graph('Transpose: Transpose(x) -> t', 'r: Relu(t) -> y');
    const times = [time('Transpose', 'Transpose', 3), time('Transpose_token_4', 'Transpose', 5), time('r', 'Relu', 1)];
    const { nodes, inserted } = attributeProfile(times, source, [
      node('Transpose: Transpose(x) -> t'),
      node('Transpose_token_4: Transpose(t) -> u'),
      node('r: Relu(u) -> y'),
    ]);
    expect(nodes.get('Transpose')?.us).toBe(3);
    expect(inserted).toEqual([{ opType: 'Transpose', count: 1, us: 5 }]);
  });

  it('knows nodes by the endings the runtime adds, by position, and copies by their original', () => {
    const source = graph(
      's1: Slice(x, a) -> y1',
      's2: Slice(x, b) -> y2',
      'm: MatMul(y1, w) -> p',
      'a: Add(p, c) -> q',
      'unnamed: Relu(q) -> z',
      'd: DequantizeLinear(y2, s) -> e',
    );
    const optimized = [
      node('s2/GatherSliceToSplitFusion: Split(x, n) -> y1, y2'),
      node('m/MatMulAddFusion: Gemm(y1, w, c) -> q'),
      node('d: DequantizeLinear(y2, s) -> e'),
      node('d/duplicated: DequantizeLinear(y2, s) -> e2'),
    ];
    const times = [...optimized.map(({ name, opType }) => time(name, opType, 1)), time('Relu_4', 'Relu', 7)];
    const { nodes, unknown } = attributeProfile(times, source, optimized);
    expect(nodes.get('s2')).toMatchObject({ ranAs: 'Split', fused: ['s1'] });
    expect(nodes.get('m')).toMatchObject({ ranAs: 'Gemm', fused: ['a'] });
    expect(nodes.get('unnamed')?.us).toBe(7);
    expect(nodes.get('d')?.us).toBe(2);
    expect(unknown).toEqual([]);
  });

  it('calls neither fused nor run what was computed at load time', () => {
    const source = graph('k: Constant() -> w', 'sh: Shape(x) -> d', 'g: Gather(d, i) -> e', 'rs: Reshape(x, e) -> y');
    const { nodes } = attributeProfile([time('rs', 'Reshape', 1)], source, [node('rs: Reshape(x, e) -> y')]);
    for (const name of ['k', 'sh', 'g'])
      expect(nodes.get(name)).toEqual({ us: 0, ranAs: undefined, fused: [], fusedInto: undefined });
  });

  it('reports what it cannot trace', () => {
    expect(attributeProfile([time('mystery', 'Fizz', 4)], graph('r: Relu(x) -> y')).unknown).toEqual([
      time('mystery', 'Fizz', 4),
    ]);
  });

  it('works by names alone', () => {
    expect(
      attributeProfile([time('r', 'Relu', 4), time('ReorderInput', 'ReorderInput', 1)], graph('r: Relu(x) -> y')),
    ).toMatchObject({ inserted: [{ opType: 'ReorderInput', us: 1 }], unknown: [] });
  });
});

describe.skipIf(!haveAssets)('profiles of real models', () => {
  const host = new RuntimeHost();
  afterAll(() => host.dispose());
  const sum = (values: Iterable<{ readonly us: number }>): number =>
    [...values].reduce((total, { us }) => total + us, 0);
  const attributed = async (name: string, fill = new Map<string, number>()) => {
    const model = withNames(asset(name));
    const fixed = new Map([...fill].map(([input, value]) => [input, { fill: value }]));
    const search = await findFeeds(host, model, { seed: 0, kinds: ['uniform'], fixed });
    if (search.verdict !== 'found') throw search.error;
    const profile = await profileModel(host, model, search.samples[0]?.feeds ?? new Map(), { budget: 100 });
    const source = decodeGraph(model);
    return {
      profile,
      source,
      result: attributeProfile(profile.nodes, source, decodeNodes(profile.optimizedModel ?? new Uint8Array())),
    };
  };

  it.each<[string, Map<string, number>]>([
    ['resnet20-cifar10.onnx', new Map()],
    ['resnet20-cifar10-as-exported.onnx', new Map()],
    ['resnet8-cifar10-int8-qdq.onnx', new Map()],
    ['ultraface-rfb-320.onnx', new Map()],
    ['basic-pitch-nmp.onnx', new Map()],
    ['silero-vad-16k.onnx', new Map([['sr', 16000]])],
  ])('%s: every microsecond is accounted for', async (name, fill) => {
    const { profile, source, result } = await attributed(name, fill);
    expect(profile.runs).toBeGreaterThanOrEqual(5);
    expect(sum(result.nodes.values()) + sum(result.inserted) + sum(result.unknown)).toBeCloseTo(sum(profile.nodes), 6);
    expect(result.unknown).toEqual([]);
    expect(result.nodes.size).toBe(source.nodes.length);
    expect(sum(profile.nodes)).toBeGreaterThan(0);
  });

  it('every convolution of ResNet-20 ran, and every batch normalization went into the one before it', async () => {
    const { source, result } = await attributed('resnet20-cifar10-as-exported.onnx');
    const producer = new Map(source.nodes.flatMap((entry) => entry.outputs.map((output) => [output, entry.name])));
    const of = (opType: string) => source.nodes.filter((entry) => entry.opType === opType);
    expect(of('Conv').filter((entry) => !result.nodes.get(entry.name)?.ranAs?.includes('Conv'))).toEqual([]);
    expect(of('BatchNormalization')).toHaveLength(19);
    expect(
      of('BatchNormalization').filter(
        (entry) => result.nodes.get(entry.name)?.fusedInto !== producer.get(entry.inputs[0] ?? ''),
      ),
    ).toEqual([]);
  });
});
