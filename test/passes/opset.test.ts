// The table of version steps is complete and bold nowhere; refusals leave the model as it was.
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/base/errors.js';
import { nodesUnder, type Model } from '../../src/ir/model.js';
import { parseModel } from '../../src/ir/text/parse.js';
import { printModel } from '../../src/ir/text/print.js';
import { CHANGES, NEWEST_OPSET, OLDEST_OPSET, versionsOf, type OperatorVersion } from '../../src/passes/opset/steps.js';
import { MINIMUM_IR, OPERATOR_VERSIONS } from '../../src/passes/opset/operator-versions.js';
import { toOpset } from './convert.js';
import { OPSET_CASES } from './opset-cases.js';

const operators = Object.keys(OPERATOR_VERSIONS);
const after = (opType: string): OperatorVersion[] =>
  (versionsOf(opType) ?? []).slice(1).filter(({ since }) => since > OLDEST_OPSET);
const stepsOf = (opType: string): string[] => after(opType).map(({ since }) => `${opType} ${since}`);

/** Version steps that no case runs, by reason. */
const NOT_RUN: Readonly<Record<string, readonly string[]>> = {
  'ONNX Runtime has no kernel': [
    'GlobalLpPool 22',
    'MaxRoiPool 22',
    'RoiAlign 22',
    'NegativeLogLikelihoodLoss 13',
    'NegativeLogLikelihoodLoss 22',
    'SoftmaxCrossEntropyLoss 13',
  ],
  random: [
    'Bernoulli 22',
    'Multinomial 22',
    'RandomNormal 22',
    'RandomNormalLike 22',
    'RandomUniform 22',
    'RandomUniformLike 22',
  ],
  refused: ['Scan 9'],
};

/** Marks of operator-versions.ts after which an old node may be invalid or mean something else. */
const isBreaking = (difference: string): boolean => /^[-!~]|^removed$/.test(difference);

describe('the table of version steps', () => {
  it('judges every version of every operator, and no other', () => {
    const judged = Object.entries(CHANGES).flatMap(([opType, changes]) =>
      Object.keys(changes).map((version) => `${opType} ${version}`),
    );
    expect(judged.toSorted()).toEqual(operators.flatMap(stepsOf).toSorted());
    expect(operators.length).toBeGreaterThan(190);
    expect(after('Softmax')).toEqual([
      { since: 11, differences: ['text'] },
      { since: 13, differences: ['!axis', 'types'] },
    ]);
  });

  it('calls no version the same whose schema breaks with the one before', () => {
    const bold = operators.flatMap((opType) =>
      after(opType)
        .filter(({ since, differences }) => differences.some(isBreaking) && CHANGES[opType]?.[since] === 'same')
        .map(({ since }) => `${opType} ${since}`),
    );
    expect(bold).toEqual([]);
  });

  it('has the IR version of every opset', () => {
    expect(Object.keys(MINIMUM_IR).map(Number)).toEqual(
      Array.from({ length: NEWEST_OPSET - OLDEST_OPSET + 1 }, (_, i) => OLDEST_OPSET + i),
    );
    expect(Math.max(...Object.values(MINIMUM_IR))).toBe(13);
  });

  it('is run on ONNX Runtime, step by step', () => {
    const run = new Set(
      OPSET_CASES.flatMap(({ text, from, newest = NEWEST_OPSET }) => {
        const oldest = Math.min(...from);
        const types = new Set([...nodesUnder(parseModel(text).graph)].map(({ opType }) => opType));
        return [...types].flatMap((opType) =>
          after(opType)
            .filter(({ since }) => since > oldest && since <= newest)
            .map(({ since }) => `${opType} ${since}`),
        );
      }),
    );
    expect(
      operators
        .flatMap(stepsOf)
        .filter((step) => !run.has(step))
        .toSorted(),
    ).toEqual(Object.values(NOT_RUN).flat().toSorted());
  });
});

const head = (opset: number, ir = 8): string => `<ir_version: ${ir}, opset_import: ["" : ${opset}]>`;

async function refused(text: string, target: number): Promise<InputError> {
  const model = parseModel(text);
  const before = printModel(model, { weights: 'full' });
  const error: unknown = await toOpset(model, target).catch((reason: unknown) => reason);
  if (!(error instanceof InputError)) throw new Error('the conversion was not refused');
  expect(error.code).toBe('unsupported');
  expect(printModel(model, { weights: 'full' })).toBe(before);
  return error;
}

describe('a refusal names the node, its operator and the versions, and changes nothing', () => {
  const many = 'a = Clip <min = 0.0> (x) b = Softmax (a)';
  it.each([
    [
      'Scan of opset 8',
      `${head(8)} g (float[1,5,4] x, float[1,4] z) => (float f, float y) { [old] f, y = Scan <num_scan_inputs = 1, body = s (float[4] h, float[4] e) => (float[4] i, float[4] o)
      { i = Add (h, e) o = Identity (i) }> ("", z, x) }`,
      9,
      'old',
      'Scan cannot be converted from opset 8 to 9',
    ],
    [
      'BatchNormalization with the outputs of training',
      `${head(9)} g (float[2,4,3] x, float[4] s) => (float[2,4,3] y)
      { ${many} [norm] y, m, v, p, q = BatchNormalization (b, s, s, s, s) }`,
      15,
      'norm',
      'BatchNormalization cannot be converted from opset 13 to 14',
    ],
    [
      'Dropout whose mask is used',
      `${head(9)} g (float[2,4,3] x) => (float y, float m) { ${many} [drop] y, m = Dropout (b) }`,
      13,
      'drop',
      'Dropout cannot be converted from opset 9 to 10',
    ],
    [
      'Dropout whose mask is used, since 10',
      `${head(10)} g (float[2,4] x) => (float y, bool m) { ${many} y, m = Dropout (b) }`,
      13,
      'Dropout -> y',
      'from opset 11 to 12',
    ],
    [
      'Resize 10 by unknown scales',
      `${head(10)} g (float[1,1,4,4] x, float[4] s) => (float y) { ${many} y = Resize (b, s) }`,
      11,
      'Resize -> y',
      'its scales are not known',
    ],
    [
      'Resize 10 up and down',
      `${head(10)} g (float[1,1,4,4] x) => (float y) <float[4] s = {1, 1, 2, 0.5}> { ${many} y = Resize (b, s) }`,
      11,
      'Resize -> y',
      'enlarges along one axis',
    ],
    [
      'tf_half_pixel_for_nn that does not round down',
      `${head(11)} g (float[1,1,4,4] x) => (float y) <float[0] r = {}, float[4] s = {1, 1, 2, 2}>
      { y = Resize <coordinate_transformation_mode = "tf_half_pixel_for_nn"> (x, r, s) }`,
      13,
      'Resize -> y',
      'from opset 12 to 13',
    ],
    [
      'Erf of integers',
      `${head(9)} g (int32[4] x) => (int32 y) { y = Erf (x) }`,
      13,
      'Erf -> y',
      'no longer takes integers',
    ],
    [
      'GroupNormalization with computed scales',
      `${head(18)} g (float[1,4,4] x, float[2] s) => (float y) { y = GroupNormalization <num_groups = 2> (x, s, s) }`,
      21,
      'GroupNormalization -> y',
      'not constants',
    ],
    [
      'GroupNormalization of unknown channels',
      `${head(18)} g (float[1,C,4] x) => (float y) <float[2] s = {1, 2}> { y = GroupNormalization <num_groups = 2> (x, s, s) }`,
      21,
      'GroupNormalization -> y',
      'channels',
    ],
    [
      'an attribute that some caller does not give',
      `<ir_version: 8, opset_import: ["" : 15, "f" : 1]> g (float[2,3] x) => (float[2] y, float z) { y = f.F <over = [1]> (x) z = f.F (x) }
      <domain: "f", opset_import: ["" : 15]> F <over> (a) => (b) { b = ReduceMean <axes: ints = @over, keepdims = 0> (a) }`,
      18,
      'ReduceMean -> b',
      'given by the caller',
    ],
    [
      'an attribute of the caller before Constant could hold it',
      `<ir_version: 8, opset_import: ["" : 9, "f" : 1]> g (float[2,3] x) => (float[2,3] y) { y = f.F (x) }
      <domain: "f", opset_import: ["" : 9]> F <from: ints = [0]> (a) => (b) { b = Slice <starts: ints = @from, ends = [1]> (a) }`,
      10,
      'Slice -> b',
      'given by the caller',
    ],
    [
      'GridSample in an unknown mode',
      `${head(16)} g (float[1,1,4,4] x, float[1,4,4,2] f) => (float y) { y = GridSample <mode = "trilinear"> (x, f) }`,
      20,
      'GridSample -> y',
      'its mode',
    ],
    [
      'an operator of a newer opset',
      `${head(13)} g (float[1] x) => (float[1] y) { ${many} y = Gelu (b) }`,
      18,
      'Gelu -> y',
      'Gelu cannot be converted from opset 13 to 18: ai.onnx has it since opset 20 only',
    ],
    [
      'an operator that does not exist',
      `${head(13)} g (float[1] x) => (float[1] y) { ${many} y = Frobnicate (b) }`,
      18,
      'Frobnicate -> y',
      'no such operator',
    ],
    [
      'an operator in a branch',
      `${head(13)} g (float[1] x, bool c) => (float[1] y) { y = If (c) <then_branch = t () => (float[1] a) { [in] a = constructor (x) },
      else_branch = e () => (float[1] b) { b = Abs (x) }> }`,
      18,
      'in',
      'no such operator',
    ],
  ])('%s', async (_, text, target, node, message) => {
    const error = await refused(text, target);
    expect(error.at.node).toBe(node);
    expect(error.message).toContain(message);
    expect(error.fix).toBeDefined();
  });

  it('models newer than the opset wanted', async () => {
    expect((await refused(`${head(18)} g (float[1] x) => (float[1] y) { y = Abs (x) }`, 13)).message).toContain(
      'written in opset 18 and cannot be converted down to 13',
    );
  });

  it('models and functions older than opset 7', async () => {
    expect((await refused(`${head(6)} g (float[1] x) => (float[1] y) { y = Abs (x) }`, 13)).message).toContain(
      'opset 6',
    );
    const old = `<ir_version: 8, opset_import: ["" : 13, "f" : 1]> g (float[1] x) => (float[1] y) { y = f.F (x) } <domain: "f", opset_import: ["" : 6]> F (x) => (y) { y = Abs (x) }`;
    expect((await refused(old, 13)).at.graph).toBe('F');
  });
});

const texts = (model: Model): string => printModel(model, { weights: 'full' });

describe('the conversion', () => {
  it('raises the IR version as far as the opset demands, and no further', async () => {
    const irAfter = async (ir: number, target: number): Promise<number> => {
      const model = parseModel(`${head(8, ir)} g (float[1] x) => (float[1] y) { y = Abs (x) }`);
      await toOpset(model, target);
      return model.irVersion;
    };
    expect([
      await irAfter(3, 8),
      await irAfter(3, 9),
      await irAfter(3, 13),
      await irAfter(7, 21),
      await irAfter(10, 15),
      await irAfter(4, 26),
    ]).toEqual([3, 4, 7, 10, 10, 13]);
  });

  it('does nothing to a model of that opset, or one that uses no operators of ai.onnx', async () => {
    for (const text of [
      `${head(13)} g (float[1] x) => (float[1] y) { y = Nonsense (x) }`,
      '<ir_version: 4, opset_import: ["custom" : 3]> g (float[1] x) => (float[1] y) { y = custom.Op (x) }',
    ]) {
      const model = parseModel(text);
      const before = texts(model);
      await toOpset(model, 13);
      expect(texts(model)).toBe(before);
    }
  });

  it('leaves other domains and calls of functions alone', async () => {
    const model = parseModel(
      `<ir_version: 8, opset_import: ["" : 11, "custom" : 3, "f" : 1]> g (float[2,3] x) => (float y) { a = custom.Softmax (x) b = f.Softmax (a) c = Softmax (b) y = Squeeze (c) }
      <domain: "f", opset_import: ["" : 12]> Softmax (x) => (y) { a = Squeeze <axes = [0]> (x) y = Erf (a) }`.replace(
        'y = Erf',
        'y = Exp',
      ),
    );
    await toOpset(model, 15);
    expect([...model.opsets]).toEqual([
      ['', 15],
      ['custom', 3],
      ['f', 1],
    ]);
    expect([...(model.functions[0]?.opsets ?? [])]).toEqual([['', 15]]);
    expect(texts(model)).toContain('a = custom.Softmax (x)');
    expect(model.functions[0]?.graph.nodes().map(({ opType }) => opType)).toEqual(['Constant', 'Squeeze', 'Exp']);
  });
});
