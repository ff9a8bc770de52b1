// Convolutions in groups with their channels put in order: whatever is around them, each value that keeps its name must have the channels of
// the original in the order that is told, and weights that lie in blocks, however scattered, must be found and lost in no part.
import { afterAll, describe, expect, it } from 'vitest';
import { createFacts } from '../../../src/analysis/inference.js';
import { createRng } from '../../../src/base/rng.js';
import { checkModel } from '../../../src/ir/check.js';
import type { Model } from '../../../src/ir/model.js';
import type { Node } from '../../../src/ir/node.js';
import type { BlockChange, FoundBlocks } from '../../../src/passes/learned/block-rule.js';
import { SHUFFLE_GROUPS } from '../../../src/passes/learned/shuffle-groups.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { Tensor } from '../../../src/tensor/tensor.js';
import { feedsFor, runModel } from '../run-model.js';
import { CHAIN, CONCAT, EDGES, parsed, PARAMETERS, RESIDUAL, SELF, WINDOW, type Around } from './shuffle-models.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

const found = (model: Model): FoundBlocks => SHUFFLE_GROUPS.find(model.graph, createFacts(model));

const nodeNamed = (model: Model, name: string): Node => {
  const node = model.graph.nodes().find((one) => one.name === name);
  if (!node) throw new Error(`no node ${name}`);
  return node;
};

/** Of the layer named `layer`. */
const codesOf = (model: Model): Record<string, string> =>
  Object.fromEntries(
    found(model)
      .declined.filter(({ block }) => block.name === 'layer')
      .map(({ form, code }) => [form ?? 'all', code]),
  );

const formsOf = (model: Model): string[] =>
  found(model)
    .proposals.filter(({ block }) => block.name === 'layer')
    .map(({ form }) => form);

function apply(model: Model, form: string, name = 'layer'): BlockChange {
  const proposal = found(model).proposals.find((one) => one.form === form && one.block.name === name);
  if (!proposal) throw new Error(`no ${form} at ${name}: ${JSON.stringify(codesOf(model))}`);
  return proposal.apply();
}

const setWeights = (node: Node, numbers: ArrayLike<number>): void => {
  const [, weights] = node.inputs;
  if (!weights?.constant) throw new Error('no weights');
  const tensor = Tensor.fromNumbers('float32', weights.constant.dims, Float64Array.from(numbers));
  weights.graph?.setInitializer(weights, { kind: 'dense', tensor });
};

/** Zeros between groups that `groupOf` gives to inputs and outputs. */
function setBlocks(model: Model, groupOf: Record<'inputs' | 'outputs', (channel: number) => number>): void {
  const node = nodeNamed(model, 'layer');
  const weights = node.inputs[1]?.constant;
  const [outputs = 0, inputs = 0, ...kernel] = weights?.dims ?? [];
  const taps = kernel.reduce((all, k) => all * k, 1);
  const numbers = weights?.toNumbers() ?? [];
  const isWithin = (i: number): boolean =>
    groupOf.outputs(Math.floor(i / (inputs * taps)) % outputs) === groupOf.inputs(Math.floor(i / taps) % inputs);
  setWeights(
    node,
    numbers.map((w, i) => (isWithin(i) ? Number(w) : 0)),
  );
}

/** Which of `groups` a channel of `size` belongs to, as many to each, scattered. */
function scattered(size: number, groups: number, seed: number): (channel: number) => number {
  const rng = createRng(seed);
  const order = Array.from({ length: size }, (_, i) => ({ i, at: rng.uniform() })).sort((a, b) => a.at - b.at);
  const of = new Map(order.map(({ i }, rank) => [i, Math.floor((rank * groups) / size)]));
  return (channel) => of.get(channel) ?? -1;
}

const identity = (size: number): number[] => Array.from({ length: size }, (_, i) => i);

/** The dense weights, in the order of the original, that the layer in groups has. */
function denseWeights(layer: Node, before: Node, { kept }: BlockChange): number[] {
  const dims = before.inputs[1]?.constant?.dims ?? [];
  const [outputs = 0, inputs = 0, ...kernel] = dims;
  const taps = kernel.reduce((all, k) => all * k, 1);
  const [data, weights] = layer.inputs;
  const gather = data?.producer?.is('Gather') ? data.producer.inputs[1]?.constant?.toNumbers().map(Number) : undefined;
  const inputOrder = gather ?? kept.get(before.inputs[0]?.name ?? '') ?? identity(inputs);
  const outputOrder = kept.get(before.output?.name ?? '') ?? identity(outputs);
  const groups = layer.int('group', 1);
  const numbers = weights?.constant?.toNumbers().map(Number) ?? [];
  const dense = Array<number>(outputs * inputs * taps).fill(0);
  const width = inputs / groups;
  for (const [i, w] of numbers.entries()) {
    const [o, within, tap] = [Math.floor(i / (width * taps)), Math.floor(i / taps) % width, i % taps];
    const source = Math.floor((o * groups) / outputs) * width + within;
    dense[((outputOrder[o] ?? 0) * inputs + (inputOrder[source] ?? 0)) * taps + tap] = w;
  }
  return dense;
}

/** Every value that both compute, under the name that it has in both. */
function exposeCommon(original: Model, changed: Model): void {
  const names = (model: Model): string[] =>
    model.graph.nodes().flatMap(({ outputs }) => outputs.flatMap((value) => (value ? [value.name] : [])));
  const common = new Set(names(original).filter((name) => names(changed).includes(name)));
  for (const model of [original, changed]) {
    const values = model.graph.nodes().flatMap(({ outputs }) => outputs.filter((value) => value !== undefined));
    const hidden = values.filter((value) => common.has(value.name) && !value.isGraphOutput);
    const byName = hidden.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const value of byName) model.graph.setType(value, { kind: 'tensor', dtype: 'float32', shape: undefined });
    model.graph.setOutputs([...model.graph.outputs, ...byName]);
  }
}

/** Channel o along axis 1 is channel order[o] of what it was. */
function reordered(tensor: Tensor, order: readonly number[] | undefined): number[] {
  const numbers = tensor.toNumbers().map(Number);
  if (!order) return numbers;
  const [batch = 1, channels = 1, ...rest] = tensor.dims;
  const inner = rest.reduce((all, dim) => all * dim, 1);
  return Array.from({ length: batch }, (_, n) =>
    order.flatMap((c) => numbers.slice((n * channels + c) * inner, (n * channels + c + 1) * inner)),
  ).flat();
}

/**
 * By how much the changed model is not the original without the weights that were dropped, in the order that the change tells: the worst of
 * all values, relative to its scale.
 */
async function distance(around: Around, original: Model, changed: Model, change: BlockChange): Promise<number> {
  expect(checkModel(changed)).toEqual([]);
  const [layer, before] = [nodeNamed(changed, 'layer'), nodeNamed(original, 'layer')];
  expect(change.layers).toEqual([layer]);
  setWeights(before, denseWeights(layer, before, change));
  exposeCommon(original, changed);
  const feeds = feedsFor(parsed(around), 1);
  const [expected, actual] = [await runModel(host, original, feeds), await runModel(host, changed, feeds)];
  expect([...actual.keys()].sort()).toEqual([...expected.keys()].sort());
  const distances = [...expected].map(([name, tensor]) => {
    const wanted = reordered(tensor, change.kept.get(name));
    const got = actual.get(name)?.toNumbers().map(Number) ?? [];
    const scale = wanted.reduce((most, number) => Math.max(most, Math.abs(number)), 0);
    const apart = wanted.map((number, i) => Math.abs(number - (got[i] ?? Number.NaN)) / scale);
    return got.length === wanted.length ? apart.reduce((most, by) => Math.max(most, by), 0) : Infinity;
  });
  return Math.max(...distances);
}

describe('blocks that are scattered', () => {
  it.each([
    ['in a chain', CHAIN, 'folded-2'],
    ['beside a residual sum', RESIDUAL, 'folded-2'],
    ['of a window', WINDOW, 'folded-2'],
    ['of a graph input', EDGES, 'gathered-2'],
    ['of a Concat', CONCAT, 'gathered-2'],
  ])('%s are found', async (_, around, form) => {
    const [original, changed] = [parsed(around), parsed(around)];
    const dims = nodeNamed(original, 'layer').inputs[1]?.constant?.dims ?? [];
    const groups = Number(form.split('-')[1]);
    const groupOf = { outputs: scattered(dims[0] ?? 0, groups, 1), inputs: scattered(dims[1] ?? 0, groups, 2) };
    for (const model of [original, changed]) setBlocks(model, groupOf);
    const wanted = nodeNamed(original, 'layer').inputs[1]?.constant?.toNumbers();
    const change = apply(changed, form);
    expect(nodeNamed(changed, 'layer').int('group', 1)).toBe(groups);
    expect(denseWeights(nodeNamed(changed, 'layer'), nodeNamed(original, 'layer'), change)).toEqual(wanted);
    expect(await distance(around, original, changed, change)).toBeLessThan(1e-5);
  });

  it('are found in parts that keep to themselves', async () => {
    const [original, changed] = [parsed(CONCAT), parsed(CONCAT)];
    // Of the inputs the first 8 stay among themselves, and with them in the first group; of the outputs the first 40, and the last 24.
    const first = new Set([0, 1, 2, 3, 4, 5, 6, 7, 9, 11, 13, 15, 17, 19, 21, 23]);
    const outputs = new Set(identity(32).map((i) => i + (i > 10 ? 3 : 0) + (i > 20 ? 4 : 0)));
    const groupOf = { inputs: (i: number) => (first.has(i) ? 0 : 1), outputs: (o: number) => (outputs.has(o) ? 0 : 1) };
    for (const model of [original, changed]) setBlocks(model, groupOf);
    const wanted = nodeNamed(original, 'layer').inputs[1]?.constant?.toNumbers();
    const change = apply(changed, 'folded-2');
    expect(changed.graph.nodes().map(({ opType }) => opType)).not.toContain('Gather');
    expect(denseWeights(nodeNamed(changed, 'layer'), nodeNamed(original, 'layer'), change)).toEqual(wanted);
    expect(await distance(CONCAT, original, changed, change)).toBeLessThan(1e-5);
  });
});

describe('channels that change places', () => {
  it.each([
    ['folded-2', CHAIN],
    ['folded-2', RESIDUAL],
    ['folded-2', WINDOW],
    ['folded-4', WINDOW],
    ['folded-2', CONCAT],
    ['gathered-2', CONCAT],
    ['gathered-2', EDGES],
    ['gathered-2', SELF],
  ] as const)('%s: are those of the original, case %#', async (form, around) => {
    const [original, changed] = [parsed(around), parsed(around)];
    const change = apply(changed, form);
    expect(await distance(around, original, changed, change)).toBeLessThan(1e-5);
  });

  it('take parameters along that two branches share', async () => {
    const around: Around = {
      body: `h = Conv (x, w0, b0)
 [layer] a = Conv (h, w, b)
 k = Conv (h, w1, b)
 d = Conv <group = 64> (a, w2)
 e = Conv <group = 64> (k, w2)
 f = Conv (d, w9)
 g = Conv (e, w9)
 y = Sub (f, g)`,
      constants: `${PARAMETERS}, float[64,32,1,1] w1 = random(6), float[64,1,1,1] w2 = random(7)`,
    };
    const [original, changed] = [parsed(around), parsed(around)];
    const change = apply(changed, 'folded-2');
    expect([...change.kept.keys()].sort()).toEqual(['a', 'd', 'e', 'h', 'k']);
    expect(await distance(around, original, changed, change)).toBeLessThan(1e-5);
  });

  it('twice, where the second layer takes the order that it finds', async () => {
    const [original, changed] = [parsed(RESIDUAL), parsed(RESIDUAL)];
    // Both were found before the first was carried out.
    const [k, layer] = ['second', 'layer'].map((name) =>
      found(changed).proposals.find(({ form, block }) => form === 'folded-2' && block.name === name),
    );
    const kept = new Map(k?.apply().kept);
    setWeights(
      nodeNamed(original, 'second'),
      denseWeights(nodeNamed(changed, 'second'), nodeNamed(original, 'second'), { layers: [], kept }),
    );
    const change = layer?.apply();
    for (const [name, order] of change?.kept ?? []) {
      const before = kept.get(name);
      kept.set(name, before ? order.map((place) => before[place] ?? -1) : order);
    }
    expect(changed.graph.nodes().filter((node) => node.int('group', 1) === 2)).toHaveLength(2);
    expect(await distance(RESIDUAL, original, changed, { layers: change?.layers ?? [], kept })).toBeLessThan(1e-5);
  });

  it('are put back in place behind the activation, for all readers', async () => {
    const [original, changed] = [parsed(EDGES), parsed(EDGES)];
    const change = apply(changed, 'gathered-2');
    expect(changed.graph.nodes().map(({ opType }) => opType)).toEqual([
      'Gather',
      'Conv',
      'Relu',
      'Gather',
      'Sigmoid',
      'Conv',
      'Mul',
      'Neg',
    ]);
    expect([...change.kept.keys()]).toEqual(['a', 'r']);
    expect(await distance(EDGES, original, changed, change)).toBeLessThan(1e-5);
  });

  it('stay where a Flatten takes them apart, or a layer in groups reads them', () => {
    const around = (reader: string, more: string): Around => ({
      body: `h = Conv (x, w0, b0)\n [layer] a = Conv (h, w, b)\n ${reader}`,
      constants: `${PARAMETERS}, ${more}`,
      y: 'float[A,B] y',
    });
    const flat = around('f = Flatten (a)\n y = Gemm (f, wf)', 'float[1920,3] wf = random(6)');
    const grouped = around(
      'c = Conv <group = 2> (a, wg)\n g = GlobalAveragePool (c)\n y = Flatten (g)',
      'float[8,32,1,1] wg = random(6)',
    );
    for (const one of [flat, grouped]) {
      const model = parsed(one);
      expect(formsOf(model)).toContain('folded-2');
      expect([...apply(model, 'folded-2').kept.keys()]).toEqual(['h']);
    }
  });
});

describe('a convolution is left alone', () => {
  const plain = (layer: string, constants: string, more: Partial<Around> = {}): Around => ({
    body: `h = Conv (x, w0, b0)\n ${layer}\n r = Relu (a)\n y = Conv (r, w9)`,
    constants: `${PARAMETERS}${constants}`,
    ...more,
  });
  const usual = '[layer] a = Conv (h, w, b)';

  it.each([
    [
      'other nodes read its weights',
      { all: 'shared-weights' },
      plain(`${usual}\n k = Conv (h, w)\n k2 = Relu (k)`, ''),
    ],
    [
      'its weights are computed',
      { all: 'weights-not-constant' },
      plain('wc = Relu (w)\n [layer] a = Conv (h, wc, b)', ''),
    ],
    ['its bias is computed', { all: 'bias-not-constant' }, plain('bc = Relu (b)\n [layer] a = Conv (h, w, bc)', '')],
    [
      'a group would be too small',
      { 'folded-2': 'uneven', 'folded-4': 'uneven' },
      plain('[layer] a = Conv (x, w8)', ', float[64,6,1,1] w8 = random(9)', {
        x: 'float[2,6,5,6] x',
        body: '[layer] a = Conv (x, w8)\n y = Conv (a, w9)',
      }),
    ],
    [
      'moving between blocks takes more than is saved',
      { 'folded-2': 'no-gain', 'folded-4': 'no-gain' },
      plain(
        'k = Conv (h, w16)\n [layer] a = Conv (k, w64)',
        ', float[16,32,1,1] w16 = random(9), float[64,16,1,1] w64 = random(10)',
      ),
    ],
  ])('where %s', (_, codes, around) => {
    const model = parsed(around);
    expect(codesOf(model)).toEqual(codes);
    expect(formsOf(model)).toEqual([]);
  });

  it('where its numbers are not float32', () => {
    const model = parsed({
      body: 'h = Conv (x, w0)\n [layer] a = Conv (h, w)\n y = Conv (a, w9)',
      constants: 'float16[32,8,1,1] w0 = random(1), float16[64,32,1,1] w = random(2), float16[8,64,1,1] w9 = random(3)',
      x: 'float16[2,8,5,6] x',
      y: 'float16[A,B,C,D] y',
    });
    expect(codesOf(model)).toEqual({ all: 'not-float32' });
  });

  it('where nothing can change places, or be put back', () => {
    const model = parsed({
      body: '[layer] y = Conv (x, w)',
      constants: 'float[64,64,1,1] w = random(1)',
      x: 'float[2,64,5,6] x',
    });
    expect(formsOf(model)).toEqual([]);
    expect(codesOf(model)).toMatchObject({ 'folded-2': 'fixed-order', 'gathered-2': 'graph-output' });
  });

  it('where what comes out is added to what goes in: no order suits both', () => {
    expect(codesOf(parsed(SELF))).toMatchObject({ 'folded-2': 'fixed-order', 'folded-4': 'fixed-order' });
  });

  it('without a word where it has groups already', () => {
    const model = parsed(plain('[layer] a = Conv <group = 2> (h, w2, b)', ', float[64,16,1,1] w2 = random(9)'));
    expect([formsOf(model), codesOf(model)]).toEqual([[], {}]);
  });
});

it('offers nothing but forms that it names, and declines with codes that it explains', () => {
  for (const around of [CHAIN, RESIDUAL, CONCAT, EDGES, WINDOW]) {
    const { proposals, declined } = found(parsed(around));
    for (const { form } of proposals) expect(SHUFFLE_GROUPS.forms).toHaveProperty(form);
    for (const { code } of declined) expect(SHUFFLE_GROUPS.declines).toHaveProperty(code);
  }
});

it('still offers what it offered once other layers have groups', () => {
  const nameOf = ({ form, block }: { readonly form: string; readonly block: Node }): string => `${form} ${block.label}`;
  for (const around of [CHAIN, RESIDUAL, CONCAT, EDGES, WINDOW]) {
    const names = found(parsed(around)).proposals.map(nameOf);
    for (const first of names) {
      const model = parsed(around);
      const proposal = found(model).proposals.find((one) => nameOf(one) === first);
      proposal?.apply();
      const left = new Set(found(model).proposals.map(nameOf));
      const others = names.filter((name) => !name.endsWith(` ${proposal?.block.label}`));
      expect(others.filter((name) => !left.has(name))).toEqual([]);
    }
  }
});
