// Dynamic dimensions fixed in a model, and the sizes to run it with.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseModel } from '../../src/ir/text/parse.js';
import { openModel } from '../../src/onnx/open.js';
import { freezeInputs, realInputs, shapesToFeed } from '../../src/pipeline/freeze.js';
import { parseRecipe } from '../../src/pipeline/recipe.js';
import { fixture, SlimFolder } from './slim-case.js';

const TWO = `g (float[N,3,H,W] x, float[N,K] z, int64 s) => (float[N,H] y) { a = Add (x, s)\n y = Add (a, z) }`;

const shapes = (text: string, freeze: Record<string, readonly number[]>) => {
  const model = parseModel(text);
  freezeInputs(model, freeze);
  return Object.fromEntries(
    [...model.graph.inputs, ...model.graph.outputs].map((value) => [
      value.name,
      value.type?.kind === 'tensor' ? value.type.shape : undefined,
    ]),
  );
};

describe('freezeInputs', () => {
  it('fixes an input, and its symbols in other inputs and in outputs', () => {
    expect(shapes(TWO, { x: [2, 3, 8, 9] })).toEqual({ x: [2, 3, 8, 9], z: [2, 'K'], s: [], y: [2, 8] });
  });

  it('takes several inputs that agree on their common symbols', () => {
    expect(shapes(TWO, { x: [2, 3, 8, 9], z: [2, 5] })).toMatchObject({ z: [2, 5], y: [2, 8] });
    expect(() => shapes(TWO, { x: [2, 3, 8, 9], z: [4, 5] })).toThrow(/dimension 0 of z is 2, not 4/);
  });

  it('gives a rank to an input without one', () => {
    expect(shapes('g (float[] x) => (float[N] y) { y = Neg (x) }', { x: [4] })).toMatchObject({ x: [4], y: ['N'] });
  });

  it('fixes what follows in outputs, as far as it is known', () => {
    const text =
      'g (float[N,H] x) => (float[A,B] y, float[C,D] z) { y = Concat <axis = 1> (x, x)\n m = NonZero (x)\n z = Cast <to = 1> (m) }';
    expect(shapes(text, { x: [2, 4] })).toEqual({ x: [2, 4], y: [2, 8], z: [2, 'D'] });
    expect(shapes(text, {})).toEqual({ x: ['N', 'H'], y: ['A', 'B'], z: ['C', 'D'] });
  });

  it('takes an input without a name when there is only one, weights listed as inputs not counted', () => {
    const listed = 'g (float[N] x, float[3] w) => (float[N] y) <float[3] w = {1, 2, 3}> { y = Add (x, w) }';
    expect(realInputs(parseModel(listed)).map(({ name }) => name)).toEqual(['x']);
    expect(shapes(listed, { '': [3] })).toMatchObject({ x: [3], y: [3] });
    expect(() => shapes(TWO, { '': [3] })).toThrow(/3 inputs: name the one/);
  });

  it.each([
    [{ X: [2, 3, 8, 9] }, 'no input "X"', /did you mean "x"/],
    [{ w: [1] }, 'no input "w"', /x, z, s|did you mean/],
    [{ x: [2, 3] }, '4 dimensions, not 2', /give 4 sizes/],
    [{ x: [2, 4, 8, 9] }, 'dimension 1 of x is 3, not 4', /give 3 there/],
  ])('refuses %j', (freeze, message, fix) => {
    expect(() => shapes(TWO, freeze as unknown as Record<string, readonly number[]>)).toThrow(
      expect.objectContaining({
        code: 'bad-feed',
        exitCode: 3,
        message: expect.stringContaining(message),
        fix: expect.stringMatching(fix),
      }),
    );
  });
});

describe('shapesToFeed', () => {
  const model = parseModel(TWO);

  it('holds the frozen sizes and those given for other inputs', () => {
    const found = shapesToFeed(model, { x: [2, 3, 8, 9] }, new Map([['z', [2, 5]]]));
    expect(Object.fromEntries(found)).toEqual({ x: [2, 3, 8, 9], z: [2, 5] });
    expect(shapesToFeed(model, { x: [2, 3, 8, 9] }, new Map([['x', [2, 3, 8, 9]]])).size).toBe(1);
  });

  it('refuses to run at another size than the frozen one', () => {
    expect(() => shapesToFeed(model, { x: [2, 3, 8, 9] }, new Map([['x', [2, 3, 9, 9]]]))).toThrow(
      expect.objectContaining({ code: 'bad-feed', message: 'the shape of x is frozen to 2x3x8x9, not 2x3x9x9' }),
    );
  });
});

describe('a run that freezes', () => {
  let folder: SlimFolder;
  beforeAll(async () => {
    folder = await SlimFolder.create();
  });
  afterAll(() => folder.dispose());

  it.each(['symbolic-dims', 'conv1d-net'])('checks %s at the frozen sizes', async (name) => {
    const input = fixture(`small/${name}.onnx`);
    const [first] = realInputs((await openModel(input)).model);
    if (first?.type?.kind !== 'tensor') throw new Error('no input');
    const shape = first.type.shape?.map((dim, axis) => (typeof dim === 'number' ? dim : 5 + 8 * axis)) ?? [];
    const recipe = parseRecipe({ version: 1, freeze: { [first.name]: shape } }, '');
    const { outcome, written } = await folder.slim(folder.request(input, { recipe }));
    expect(outcome.checked).toMatchObject({ verdict: 'agrees', undone: [] });
    expect(outcome.checked.reference?.samples.map(({ feeds }) => feeds.get(first.name)?.dims)).toEqual(
      outcome.checked.reference?.samples.map(() => shape),
    );
    const { model } = await openModel(written);
    expect(realInputs(model)[0]?.type).toMatchObject({ shape });
    const dims = model.graph.outputs.flatMap(({ type }) => (type?.kind === 'tensor' ? (type.shape ?? ['?']) : []));
    expect(dims.filter((dim) => typeof dim !== 'number')).toEqual([]);
  });
});
