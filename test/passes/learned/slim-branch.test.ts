// Blocks of branches: which are found, what takes over what, and that the weights it begins with give what was there before, exactly
// wherever that can be.
import { afterAll, describe, expect, it } from 'vitest';
import { createFacts } from '../../../src/analysis/inference.js';
import { checkModel } from '../../../src/ir/check.js';
import type { Model } from '../../../src/ir/model.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import type { BlockChange, FoundBlocks } from '../../../src/passes/learned/block-rule.js';
import { branchBlock } from '../../../src/passes/learned/branch-block.js';
import { placeHost } from '../../../src/passes/learned/branch-place.js';
import { planBranches, type BranchForm } from '../../../src/passes/learned/branch-plan.js';
import { SLIM_BRANCH } from '../../../src/passes/learned/slim-branch.js';
import { isRefusal } from '../../../src/passes/plan.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { feedsFor, runModel } from '../run-model.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

const WEIGHTS = `float[3,4,1,1] w1 = random(1), float[3] b1 = random(2), float[4,4,1,1] wr3 = random(3), float[4] br3 = random(4),
 float[5,4,3,3] w3 = random(5), float[5] b3 = random(6), float[3,4,1,1] wr5 = random(7), float[3] br5 = random(8),
 float[2,3,5,5] w5 = random(9), float[2] b5 = random(41), float[6,4,1,1] wp = random(11), float[6] bp = random(12)`;

const ONE = 'h1 = Conv (x, w1, b1)\n o1 = Relu (h1)';
const THREE = `hr3 = Conv (x, wr3, br3)\n r3 = Relu (hr3)\n h3 = Conv <pads = [1, 1, 1, 1]> (r3, w3, b3)\n o3 = Relu (h3)`;
const FIVE = `hr5 = Conv (x, wr5, br5)\n r5 = Relu (hr5)\n h5 = Conv <pads = [2, 2, 2, 2]> (r5, w5, b5)\n o5 = Relu (h5)`;
const POOL = 'p = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x)\n hp = Conv (p, wp, bp)\n op = Relu (hp)';
const AVERAGE = 'AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1], count_include_pad = 1>';
/** Unit 4 has the least weights. */
const WIDE = `float[14,4,1,1] wp = {${[1, 2, 3, 4, 0, 6, 7, 8, 9, 10, 11, 12, 13, 14].flatMap((w) => [w, w, w, w]).join(', ')}},
 float[14] bp = random(12)`;
const BEHIND = 'c = Concat <axis = 1> (o1, o3, o5, op)\n y = Sigmoid (c)';
const INCEPTION = [ONE, THREE, FIVE, POOL, BEHIND].join('\n ');

const parsed = (body: string, { weights = WEIGHTS, y = 'float[N,O,A,B] y', size = '[N,4,6,7]' } = {}): Model =>
  parseModel(`<ir_version: 8, opset_import: ["" : 17]>
g (float${size} x) => (${y})
<${weights}>
{
${body}
}`);

const find = (model: Model): FoundBlocks => SLIM_BRANCH.find(model.graph, createFacts(model));

const formsOf = (model: Model): string[] => find(model).proposals.map(({ form }) => form);

/** A form with all units in front of the kernels, which the rule offers none of: with them, what can be exact is. */
function applyWith(model: Model, form: BranchForm): BlockChange {
  const facts = createFacts(model);
  const [block] = model.graph.nodes().flatMap((node) => branchBlock(node, facts) ?? []);
  const plan = block && planBranches(block, form);
  if (!plan || isRefusal(plan)) throw new Error(`no plan: ${plan?.refused}`);
  return placeHost(block, plan);
}

const codes = (model: Model): string[] => find(model).declined.map(({ form, code }) => `${form}: ${code}`);
const operators = (model: Model): string[] => model.graph.nodes().map(({ opType }) => opType);

interface Applied {
  readonly change: BlockChange;
  /** Of the Concat, channel by channel: the greatest difference. */
  readonly off: readonly number[];
}

/** Carries the proposal out, and compares what the block gives (channel by channel, of `name`) with what it gave. */
async function applied(model: Model, form: BranchForm, name = 'y'): Promise<Applied> {
  const feeds = feedsFor(model, 1);
  const before = (await runModel(host, model, feeds)).get(name);
  const change = applyWith(model, form);
  expect(checkModel(model)).toEqual([]);
  const after = (await runModel(host, model, feeds)).get(name);
  expect(after?.dims).toEqual(before?.dims);
  const [a, b] = [before?.toNumbers() ?? [], after?.toNumbers() ?? []];
  const [, channels = 0, height = 1, width = 1] = before?.dims ?? [];
  const off = Array.from({ length: channels }, () => 0);
  for (const [i, value] of a.entries()) {
    const channel = Math.floor(i / (height * width)) % channels;
    off[channel] = Math.max(off[channel] ?? 0, Math.abs(Number(value) - Number(b[i])));
  }
  return { change, off };
}

const exact = (off: readonly number[]): boolean[] => off.map((one) => one < 1e-5);
const times = (count: number, value: boolean): boolean[] => Array.from({ length: count }, () => value);

describe('a block', () => {
  it('is found with all its forms', () => {
    const { proposals, declined } = find(parsed(INCEPTION));
    expect(proposals.map(({ form }) => form)).toEqual(Object.keys(SLIM_BRANCH.forms));
    expect(declined).toEqual([]);
    const nodes = proposals.find(({ form }) => form === 'large-75')?.nodes.map(({ output }) => output?.name);
    expect(nodes?.toSorted().join()).toBe('c,h3,h5,hp,hr3,hr5,o3,o5,op,p,r3,r5');
    const pooling = proposals.find(({ form }) => form === 'unpooled')?.nodes.map(({ output }) => output?.name);
    expect(pooling?.toSorted().join()).toBe('c,hp,op,p');
  });

  it.each([
    ['along another axis', INCEPTION.replace('axis = 1', 'axis = 2').replace('o1, o3, o5, op', 'o1, o1')],
    ['of one branch', `${ONE}\n c = Concat <axis = 1> (o1, x)\n y = Sigmoid (c)`],
    ['of what is no convolution', 'a = Sigmoid (x)\n b = Relu (x)\n y = Concat <axis = 1> (a, b)'],
  ])('is none %s', (_, body) => {
    expect(find(parsed(body))).toEqual({ proposals: [], declined: [] });
  });

  it.each([
    [
      'others read within it',
      INCEPTION.replace('Sigmoid (c)', 'Concat <axis = 1> (c, r5)'),
      ['whole-50: other-branch'],
    ],
    ['ends in what is no clip', INCEPTION.replace('op = Relu', 'op = LeakyRelu'), ['whole-50: other-branch']],
    [
      'ends in another activation',
      INCEPTION.replace('o5 = Relu (h5)', 'o5 = Clip (h5, low, high)'),
      ['large-50: activations-differ'],
    ],
    [
      'pools more than once',
      INCEPTION.replace('\n hp', `\n q = ${AVERAGE} (p)\n hp`).replace('(p, wp', '(q, wp'),
      ['whole-50: other-branch'],
    ],
    [
      'has groups',
      INCEPTION.replace('(x, wr5, br5)', '(x, g5, bg)')
        .replace('hr5 = Conv', 'hr5 = Conv <group = 2>')
        .replace('(r5, w5', '(r5, w55'),
      ['large-75: grouped'],
    ],
    [
      'is dilated',
      INCEPTION.replace('[2, 2, 2, 2]', '[4, 4, 4, 4], dilations = [2, 2]'),
      ['large-75: strided', 'whole-50: strided'],
    ],
    ['moves the map', INCEPTION.replace('[2, 2, 2, 2]', '[1, 1, 1, 1]'), ['large-75: size']],
    [
      'pools more than any kernel sees',
      INCEPTION.replace('[3, 3], pads = [1, 1, 1, 1]> (x)', '[7, 7], pads = [3, 3, 3, 3]> (x)'),
      ['large-75: no-host'],
    ],
    [
      'is longer',
      INCEPTION.replace('h5 = Conv', 'm = Conv <pads = [1, 1, 1, 1]> (r5, wm)\n h5 = Conv').replace(
        '(r5, w5',
        '(m, w5',
      ),
      ['large-75: long-branch'],
    ],
    [
      'has no reducer, others do',
      INCEPTION.replace('(r5, w5', '(x, w5d'),
      ['large-75: no-reducer', 'whole-50: no-reducer'],
    ],
  ])('is left alone where a branch %s', (_, body, expected) => {
    const weights = `${WEIGHTS}, float low = {0}, float high = {6}, float[4,2,1,1] g5 = random(21), float[4] bg = random(22),
 float[2,4,5,5] w55 = random(25), float[3,3,3,3] wm = random(23), float[2,4,5,5] w5d = random(24)`;
    expect(codes(parsed(body, { weights }))).toEqual(expect.arrayContaining(expected));
  });

  it('is left alone where the graph returns what lies within a branch', () => {
    const model = parsed(INCEPTION, { y: 'float[N,O,A,B] y, float[N,2,A,B] h5' });
    expect(codes(model)).toEqual(['whole-50: other-branch']);
    expect(formsOf(model)).toEqual(['unpooled']);
  });

  it('has no form for a fire module, whose 3x3 kernel would only get more work', () => {
    const weights = 'float[6,4,1,1] w1 = random(1), float[6] b1 = random(2), float[5,4,3,3] w3 = random(3)';
    const fire = `${ONE}\n h3 = Conv <pads = [1, 1, 1, 1]> (x, w3)\n o3 = Relu (h3)\n y = Concat <axis = 1> (o1, o3)`;
    const model = parsed(fire, { weights });
    expect(formsOf(model)).toEqual([]);
    expect(codes(model)).toEqual(['whole-50: no-reducer']);
  });
});

describe('one branch in the place of others', () => {
  // Of 3 + 5 + 2 + 6 channels those of the branch that takes over, and of branches that are not touched, are what they were. Units of
  // the 1x1 branch are passed on; those of the 5x5 kernel and the pool are cut to the middle.
  it.each([
    ['unpooled', [...times(10, true), ...times(6, false)]],
    ['large', [...times(8, true), ...times(8, false)]],
    ['whole', [...times(8, true), ...times(8, false)]],
  ] as const)('%s: keeps what it gave', async (cover, expected) => {
    const model = parsed(INCEPTION);
    const { off } = await applied(model, { cover, share: 1 });
    expect(exact(off)).toEqual(expected);
    expect(operators(model)).not.toContain('MaxPool');
    expect(operators(model).filter((name) => name === 'Concat').length).toBe(cover === 'large' ? 2 : 1);
  });

  it('keeps all names that the fit looks for, and says what is left', async () => {
    const model = parsed(INCEPTION);
    const { change } = await applied(model, { cover: 'large', share: 1 });
    const names = new Set(model.graph.nodes().map(({ output }) => output?.name));
    for (const name of ['o1', 'r3', 'r5', 'op', 'c']) expect(names).toContain(name);
    expect([...change.kept.keys()]).toEqual([]);
    // The whole of the pooling branch fits into a block of 16 channels: 4 + 3 + 6.
    expect(change.layers.map(({ inputs }) => inputs[1]?.constant?.dims)).toEqual([
      [6, 4, 1, 1],
      [13, 13, 3, 3],
    ]);
  });

  it('adds the units with the largest weights where not all fit', async () => {
    const weights = WEIGHTS.replace('float[6,4,1,1] wp = random(11), float[6] bp = random(12)', WIDE);
    const model = parsed(INCEPTION, { weights });
    const { change } = await applied(model, { cover: 'large', share: 1 });
    // Seven own units and nine more; unit 4 is the weakest of 14, and of the others the first are.
    expect([...change.kept]).toEqual([['op', [5, 6, 7, 8, 9, 10, 11, 12, 13]]]);
    const pooled = model.graph.nodes().find(({ output }) => output?.name === 'op')?.inputs[0]?.producer;
    expect(pooled?.inputs[1]?.constant?.toNumbers().slice(0, 8)).toEqual([6, 6, 6, 6, 7, 7, 7, 7]);
  });

  // Energies of what makes a unit and of what reads it, multiplied: unit 1 of four is made with weights 9, but hardly read.
  it('keeps half of the units where it says so, with the weights that they had', async () => {
    const made = 'float[4,4,1,1] wr3 = {1, 1, 1, 1, 9, 9, 9, 9, 2, 2, 2, 2, 3, 3, 3, 3}';
    const reads = Array.from({ length: 180 }, (_, i) => (Math.floor(i / 9) % 4 === 1 ? 0.001 : 1 + i / 256)).join(', ');
    const weights = WEIGHTS.replace('float[4,4,1,1] wr3 = random(3)', made).replace(
      'w3 = random(5)',
      `w3 = {${reads}}`,
    );
    const model = parsed(INCEPTION, { weights });
    const { change } = await applied(model, { cover: 'large', share: 0.5 });
    expect(change.kept.get('r3')).toEqual([2, 3]);
    expect(change.kept.get('r5')?.length).toBe(2);
    const [reducer, , , kernel] = change.layers.map(({ inputs }) => inputs[1]?.constant);
    expect(reducer?.toNumbers()).toEqual([2, 2, 2, 2, 3, 3, 3, 3]);
    expect(kernel?.dims).toEqual([13, 10, 3, 3]);
    // Of five outputs the last: units 2 and 3, nine taps each.
    expect(kernel?.toNumbers().slice(4 * 90, 4 * 90 + 18)).toEqual(
      Array.from({ length: 18 }, (_, i) => Math.fround(1 + (162 + i) / 256)),
    );
  });

  it('gives a smaller kernel exactly', async () => {
    const weights = WEIGHTS.replace('[2,3,5,5]', '[4,3,5,5]').replace('float[2] b5', 'float[4] b5');
    const model = parsed([THREE, FIVE, POOL, 'c = Concat <axis = 1> (o3, o5, op)', 'y = Sigmoid (c)'].join('\n '), {
      weights,
    });
    const { change, off } = await applied(model, { cover: 'large', share: 1 });
    // The 3x3 convolution takes 5 4 9 = 180 multiplications per position, the 5x5 one 4 3 25 = 300.
    expect(change.layers.map(({ inputs }) => inputs[1]?.constant?.dims)).toEqual([
      [6, 4, 1, 1],
      [15, 13, 5, 5],
    ]);
    expect(exact(off)).toEqual([...times(9, true), ...times(6, false)]);
  });

  // A mean and a product are linear: with enough units in front of the kernel nothing is lost.
  it('is exact where all is linear and the units tell everything', async () => {
    const weights = `float[5,4,1,1] wr = random(1), float[5] br = random(2), float[3,5,3,3] w3 = random(3), float[3] b3 = random(4),
 float[2,4,1,1] wp = random(5), float[6,4,1,1] w1 = random(6), float[6] b1 = random(7)`;
    const body = `o1 = Conv (x, w1, b1)\n r = Conv (x, wr, br)\n o3 = Conv <pads = [1, 1, 1, 1]> (r, w3, b3)
 p = ${AVERAGE} (x)\n op = Conv (p, wp)\n y = Concat <axis = 1> (o1, o3, op)`;
    const model = parsed(body, { weights });
    const feeds = feedsFor(model, 1);
    const before = (await runModel(host, model, feeds)).get('y');
    applyWith(model, { cover: 'whole', share: 1 });
    // Six units are wanted of the 1x1 branch and five passed on: the last is a sum of all.
    expect(operators(model)).toEqual(['Conv', 'Conv', 'Conv', 'Concat', 'Conv']);
    const after = (await runModel(host, model, feeds)).get('y');
    const [a, b] = [before?.toFloat64() ?? [], after?.toFloat64() ?? []];
    const [, channels = 0, height = 0, width = 0] = before?.dims ?? [];
    let worst = 0;
    for (const [i, value] of a.entries()) {
      const [column, row] = [i % width, Math.floor(i / width) % height];
      const isInner = column > 0 && row > 0 && column < width - 1 && row < height - 1;
      // At the border the pool sees zeros, and the kernel sees that the units see nothing, not even their bias.
      const isJudged = isInner || Math.floor(i / (width * height)) % channels < 9;
      if (isJudged) worst = Math.max(worst, Math.abs(value - (b[i] ?? 0)));
    }
    expect(worst).toBeLessThan(1e-4);
  });

  it.each([POOL, POOL.replace(/MaxPool.*> \(x\)/, `${AVERAGE} (x)`)])(
    'keeps the weights where only a pool goes',
    (pool) => {
      const model = parsed([ONE, THREE, FIVE, pool, BEHIND].join('\n '));
      const before = model.graph.nodes().find(({ output }) => output?.name === 'hp')?.inputs[1]?.constant;
      const { layers } = applyWith(model, { cover: 'unpooled', share: 1 });
      expect(layers.map(({ inputs }) => [inputs[0]?.name, inputs[1]?.constant?.toNumbers()])).toEqual([
        ['x', before?.toNumbers()],
      ]);
    },
  );

  it('takes apart what is stacked', async () => {
    const weights = `${WEIGHTS}, int64[2] sizes = {4, 3}, float[7,4,1,1] ws = random(31), float[7] bs = random(32)`;
    const stacked = 'hs = Conv (x, ws, bs)\n rs = Relu (hs)\n r3, r5 = Split <axis = 1> (rs, sizes)';
    const rest = [THREE, FIVE].map((branch) => branch.split('\n').slice(2).join('\n'));
    const model = parsed([ONE, stacked, ...rest, POOL, BEHIND].join('\n '), { weights });
    const { nodes = [] } = find(model).proposals.find(({ form }) => form === 'large-50') ?? {};
    expect(nodes.map(({ opType }) => opType)).toContain('Split');
    const { off } = await applied(model, { cover: 'large', share: 1 });
    expect(exact(off)).toEqual([...times(8, true), ...times(8, false)]);
    expect(operators(model)).not.toContain('Split');
  });

  it.each(Object.keys(SLIM_BRANCH.forms))('%s can be carried out as the rule offers it', async (form) => {
    const model = parsed(INCEPTION);
    const feeds = feedsFor(model, 1);
    const before = (await runModel(host, model, feeds)).get('y');
    const change = find(model)
      .proposals.find((one) => one.form === form)
      ?.apply();
    expect(checkModel(model)).toEqual([]);
    expect((await runModel(host, model, feeds)).get('y')?.dims).toEqual(before?.dims);
    expect(change?.layers.every(({ graph }) => graph === model.graph)).toBe(true);
  });
});
