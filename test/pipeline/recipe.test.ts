// Recipes as text and JSON: what is read, what is refused with which hint, and that the schema says the same.
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/base/errors.js';
import {
  formatPass,
  matchingPreset,
  parsePass,
  parseRecipe,
  presetPasses,
  recipeDocument,
  recipeSchema,
  refuseConflicts,
  refuseLast,
} from '../../src/pipeline/recipe.js';
import { ALL_PASSES } from '../../src/passes/registry.js';
import { configure } from '../../src/pipeline/configured-pass.js';
import { problems } from '../report/json-schema.js';

const read = (json: unknown) => parseRecipe(json, 'net.recipe.json');
const failure = (act: () => unknown): UsageError => {
  try {
    act();
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
};

describe('passes as text', () => {
  it.each(['remove-identity', 'fold-constants:limit=4', 'fold-constants:growth=0,limit=4'])('come back: %s', (text) => {
    expect(formatPass(parsePass(text))).toBe(text);
  });

  it('leave out what is the default', () => {
    expect(formatPass(parsePass('fold-constants:growth=64'))).toBe('fold-constants');
    expect(formatPass(parsePass('fold-constants:'))).toBe('fold-constants');
  });

  it.each(ALL_PASSES.map((pass) => [pass.name, pass] as const))(
    'exist for %s, with every option at its default',
    (name, pass) => {
      expect(parsePass(name)).toEqual(configure(pass));
      for (const [key, option] of Object.entries(pass.options))
        expect(parsePass(`${name}:${key}=${option.default}`).options[key]).toBe(option.default);
    },
  );

  it.each([
    ['fold-constant', { code: 'unknown-pass', fix: 'did you mean "fold-constants"?' }],
    ['zzzzzzzz', { code: 'unknown-pass', fix: 'see: mcompress passes' }],
    ['fold-constants:limt=4', { code: 'unknown-option', fix: 'did you mean "limit"?' }],
    ['remove-identity:x=1', { code: 'unknown-option', fix: 'it takes no options' }],
    ['fold-constants:limit=0', { code: 'bad-value', fix: 'give a whole number of at least 1' }],
    ['fold-constants:limit=1.5', { code: 'bad-value', fix: 'give a whole number of at least 1' }],
    ['fold-constants:limit', { code: 'bad-value', fix: 'give a whole number of at least 1' }],
  ])('are refused: %s', (text, error) => {
    expect(failure(() => parsePass(text))).toMatchObject({ ...error, exitCode: 2 });
  });
});

const ACCEPTED: readonly unknown[] = [
  { version: 1 },
  { version: 1, preset: 'exact' },
  { version: 1, passes: [] },
  { version: 1, passes: ['remove-identity', 'fold-constants:limit=4', { pass: 'fold-constants' }] },
  { version: 1, passes: [{ pass: 'fold-constants', options: { growth: 0, limit: 4 } }] },
  { version: 1, $schema: './recipe.schema.json', freeze: { x: [1, 3, 224, 224], '': [2] }, opset: 17 },
  { version: 1, preprocess: 'imagenet:resize=256,order=bgr' },
  { version: 1, preprocess: { preset: 'unit', mean: [0.5, 0.4, 0.3], std: 0.5, size: '480x640' } },
  { version: 1, quantize: {} },
  { version: 1, passes: ['remove-identity'], quantize: { target: 'x64-avx2', float: ['a b'], maxDrop: 0 } },
  {
    version: 1,
    quantize: {
      calibrators: ['mse'],
      calibrationSamples: 7,
      equalize: 'off',
      refineRanges: 'off',
      correctBiases: 'off',
      rounding: 'nearest',
    },
  },
  { version: 1, combine: {} },
  {
    version: 1,
    combine: {
      maxDrop: 0.5,
      latency: '8ms',
      macs: '0.5x',
      kinds: ['prune', 'int8'],
      classes: ['cat', '3'],
      effort: '90s',
    },
  },
];

describe('recipes as JSON', () => {
  it('is the exact preset when nothing is said', () => {
    expect(read({ version: 1 })).toEqual({ freeze: {}, opset: undefined, passes: presetPasses('exact') });
  });

  it.each(ACCEPTED)('come back in their shortest form: %j', (json) => {
    const recipe = read(json);
    const document = JSON.parse(JSON.stringify(recipeDocument(recipe))) as unknown;
    expect(read(document)).toEqual(recipe);
    expect(recipeDocument(read(document))).toEqual(document);
    expect(problems(recipeSchema(), json)).toEqual([]);
    expect(problems(recipeSchema(), document)).toEqual([]);
  });

  it('name the preset only when it is all of it, in its order, with default options', () => {
    expect(recipeDocument(read({ version: 1 }))).toEqual({ version: 1, preset: 'exact' });
    const preset = presetPasses('exact');
    expect(matchingPreset(preset.slice(1))).toBeUndefined();
    expect(matchingPreset(preset.toReversed())).toBeUndefined();
    const changed = preset.map((step) =>
      step.pass.name === 'fold-constants' ? parsePass('fold-constants:limit=4') : step,
    );
    expect(matchingPreset(changed)).toBeUndefined();
    expect(recipeDocument({ freeze: {}, opset: undefined, passes: changed }).passes).toContainEqual({
      pass: 'fold-constants',
      options: { limit: 4 },
    });
  });

  it.each([
    [[], 'the recipe is not a JSON object', /"version": 1/],
    ['exact', 'the recipe is not a JSON object', /"version": 1/],
    [null, 'the recipe is not a JSON object', /"version": 1/],
    [{}, 'the recipe has no version', /"version": 1/],
    [{ version: 2 }, 'the recipe has version 2', /reads version 1/],
    [{ version: '1' }, 'the recipe has version "1"', /reads version 1/],
    [{ version: 1, pases: [] }, 'the recipe has an unknown key "pases"', /did you mean "passes"/],
    [{ version: 1, seed: 3 }, 'the recipe has an unknown key "seed"', /version, preset, passes/],
    [{ version: 1, preset: 'exact', passes: [] }, 'the recipe has both "preset" and "passes"', /keep one/],
    [{ version: 1, preset: 'exakt' }, 'there is no preset "exakt"', /did you mean "exact"/],
    [{ version: 1, preset: 'toString' }, 'there is no preset "toString"', /exact/],
    [{ version: 1, preset: 3 }, 'there is no preset 3', /exact/],
    [{ version: 1, passes: 'remove-identity' }, '"passes" is not a list', /\["pass-name"/],
    [{ version: 1, passes: [3] }, 'a pass is 3', /"name" or/],
    [{ version: 1, passes: [{ name: 'remove-identity' }] }, 'a pass is {"name":"remove-identity"}', /"pass": "name"/],
    [
      { version: 1, passes: [{ pass: 'fold-constants', limit: 4 }] },
      'the pass fold-constants has an unknown key "limit"',
      /options/,
    ],
    [
      { version: 1, passes: [{ pass: 'fold-constants', options: 4 }] },
      'the options of fold-constants are not an object',
      /key/,
    ],
    [
      { version: 1, passes: [{ pass: 'fold-constants', options: { limit: '4' } }] },
      'fold-constants:limit is the text "4"',
      /without quotes: 4/,
    ],
    [{ version: 1, freeze: [1] }, '"freeze" does not map inputs to sizes', /"input": \[1, 3/],
    [{ version: 1, freeze: { x: [0] } }, '"freeze" does not map inputs to sizes', /"input": \[1, 3/],
    [{ version: 1, freeze: { x: [1.5] } }, '"freeze" does not map inputs to sizes', /"input": \[1, 3/],
    [{ version: 1, freeze: { x: 'n' } }, '"freeze" does not map inputs to sizes', /"input": \[1, 3/],
    [{ version: 1, opset: 0 }, '"opset" is not a positive whole number', /"opset": 17/],
    [{ version: 1, opset: '17' }, '"opset" is not a positive whole number', /"opset": 17/],
  ])('are refused, by the schema too: %j', (json, message, fix) => {
    expect(failure(() => read(json))).toMatchObject({
      code: 'bad-recipe',
      exitCode: 2,
      message,
      fix: expect.stringMatching(fix),
      at: { file: 'net.recipe.json' },
    });
    expect(problems(recipeSchema(), json)).not.toEqual([]);
  });

  it.each([
    [{ version: 1, passes: ['no-such'] }, 'unknown-pass'],
    [{ version: 1, passes: [{ pass: 'no-such' }] }, 'unknown-pass'],
    [{ version: 1, passes: [{ pass: 'fold-constants', options: { x: 1 } }] }, 'unknown-option'],
    [{ version: 1, passes: [{ pass: 'fold-constants', options: { limit: 0 } }] }, 'bad-value'],
    [{ version: 1, preprocess: 'imagenett' }, 'bad-value'],
    [{ version: 1, quantize: true }, 'bad-recipe'],
    [{ version: 1, quantize: { targett: 'arm64' } }, 'bad-recipe'],
    [{ version: 1, quantize: { target: 'arm' } }, 'bad-recipe'],
    [{ version: 1, quantize: { calibrators: [] } }, 'bad-recipe'],
    [{ version: 1, quantize: { calibrators: ['mse', 'mean'] } }, 'bad-recipe'],
    [{ version: 1, quantize: { calibrationSamples: 0 } }, 'bad-recipe'],
    [{ version: 1, quantize: { maxDrop: -1 } }, 'bad-recipe'],
    [{ version: 1, combine: { kinds: [] } }, 'bad-recipe'],
    [{ version: 1, combine: { kinds: ['int8', 'int4'] } }, 'bad-recipe'],
    [{ version: 1, combine: { effort: 90 } }, 'bad-recipe'],
    [{ version: 1, combine: { effort: '0s' } }, 'bad-recipe'],
    [{ version: 1, combine: {}, prune: {} }, 'conflict'],
    [{ version: 1, combine: {}, quantize: {} }, 'conflict'],
    [{ version: 1, preprocess: { mean: 0.5 } }, 'bad-value'],
    [{ version: 1, preprocess: { preset: 'unit', std: [1, 0, 1] } }, 'bad-value'],
    [{ version: 1, preprocess: { preset: 'unit', meen: 0.5 } }, 'unknown-option'],
  ])('name what is wrong in a pass or the preprocessing: %j', (json, code) => {
    expect(failure(() => read(json))).toMatchObject({ code, exitCode: 2 });
  });
});

it('offers the choice among all in the place of one step, or that step alone', () => {
  const both = { version: 1, combine: { maxDrop: 1 }, quantize: {} };
  expect(failure(() => read(both))).toMatchObject({
    message: 'the recipe has both "combine" and "quantize"',
    fix: expect.stringContaining('"kinds": ["int8"]') as string,
    at: { file: 'net.recipe.json' },
  });
});

it('is refused when a pass comes after one that rules it out', () => {
  const [first, second] = [parsePass('remove-identity'), parsePass('fold-constants')];
  const jealous = { ...first, pass: { ...first.pass, conflicts: ['fold-constants'] } };
  expect(failure(() => refuseConflicts([jealous, first, second]))).toMatchObject({
    code: 'conflict',
    message: 'fold-constants cannot come after remove-identity',
    fix: 'put fold-constants in front',
  });
  expect(() => refuseConflicts([second, jealous])).not.toThrow();
});

it('is refused with what belongs behind a run that changes layers', () => {
  const [usual, last] = [parsePass('fold-batch-norm'), parsePass('expand-lrn')];
  expect(() => refuseLast({ passes: [usual] }, 'prune')).not.toThrow();
  expect(failure(() => refuseLast({ passes: [usual, last] }, 'prune'))).toMatchObject({
    code: 'conflict',
    message: expect.stringMatching(/^expand-lrn belongs behind prune/) as string,
    fix: expect.stringContaining('mcompress slim OUT -p expand-lrn') as string,
  });
});
