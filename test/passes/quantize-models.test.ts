// Whole models through the passes that prepare for 8 bits: they agree with the original, and keep the invariants.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createFacts } from '../../src/analysis/inference.js';
import { checkModel } from '../../src/ir/check.js';
import type { Model } from '../../src/ir/model.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { openModel } from '../../src/onnx/open.js';
import { QUANTIZE_PASSES } from '../../src/passes/quantize/passes.js';
import { ALL_PASSES } from '../../src/passes/registry.js';
import { configure } from '../../src/pipeline/configured-pass.js';
import { PRESETS } from '../../src/pipeline/presets.js';
import { refuseConflicts } from '../../src/pipeline/recipe.js';
import { runPasses } from '../../src/pipeline/run-passes.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import { isNumeric } from '../../src/tensor/dtype.js';
import { ASSET_MODELS } from '../asset-models.js';
import { assetFolder, fixtureFolder } from '../onnx/model-files.js';
import { feedsFor, type Feeds } from './run-model.js';

const host = new RuntimeHost({ keptSessions: 1 });
afterAll(() => host.dispose());

/** Those that keep what the model computes. */
const PREPARING = QUANTIZE_PASSES.filter(({ exactness }) => exactness !== 'lossy');
const FOLDERS = [assetFolder, ...(process.env['MCOMPRESS_MODELS']?.split(':') ?? [])];

/** Sizes and contents of inputs where random ones will not do, as in golden cases. */
const FEEDS: Readonly<Record<string, string>> = {
  'ppocrv4-det.onnx': 'float[1,3,64,96] x = uniform(-2, 2, 1)',
  'silero-vad-16k.onnx': 'batch = 1\nsequence = 576\nint64 sr = {16000}',
};

/** Models that are not compared, and why. */
const NOT_COMPARED: Readonly<Record<string, string>> = {
  'style-candy.onnx': 'a picture of 720 x 720 takes seconds',
  'custom-domain.onnx': 'ONNX Runtime does not know the operator',
  'random-operators.onnx': 'its outputs are random',
  'newest-ir.onnx': 'newer than ONNX Runtime reads',
  'newest-types.onnx': 'newer types than ONNX Runtime knows',
  'ml-domain.onnx': 'an output that is no tensor',
  'sequence-types.onnx': 'an output that is no tensor',
};

const TIMEOUT = 120_000;
/** Of the scale of an output, and of 1: weights of many layers are rounded anew, and Sigmoid errs by 1e-7 near 0. */
const TOLERANCE = { scale: 1e-4, absolute: 1e-6 };
/** Several roundings of float16. */
const HALF_TOLERANCE = { scale: 2e-3, absolute: 1e-3 };

async function defects(path: string, name: string): Promise<string[]> {
  const { model } = await openModel(path);
  const signal = new AbortController().signal;
  const environment = { createFacts: (of: Model) => createFacts(of), seed: 0, signal };
  const before = Buffer.concat(encodeModel(undefined, model));
  // Behind the exact preset, as there are BatchNormalizations between the layers of many exports.
  for (const passes of [PRESETS.exact.passes, PREPARING])
    await runPasses(
      model,
      passes.map((pass) => configure(pass, {})),
      environment,
    );
  const found = checkModel(model).map(({ message }) => message);
  if (NOT_COMPARED[name] !== undefined) return found;
  const feeds = feedsFor(model, 1, FEEDS[name]);
  const after = await host.run(Buffer.concat(encodeModel(undefined, model)), feeds, { optimization: 'all' });
  const expected = await host.run(before, feeds, { optimization: 'all' });
  return [...found, ...disagreements(expected, after, name.includes('float16') ? HALF_TOLERANCE : TOLERANCE)];
}

function disagreements(expected: Feeds, actual: Feeds, { scale, absolute }: typeof TOLERANCE): string[] {
  return [...expected].flatMap(([name, tensor]) => {
    if (!isNumeric(tensor.dtype)) return [];
    const [a, b] = [tensor.toFloat64(), actual.get(name)?.toFloat64()];
    const largest = a.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
    const error = a.reduce((max, x, i) => Math.max(max, x === b?.[i] ? 0 : Math.abs(x - (b?.[i] ?? Number.NaN))), 0);
    return error <= scale * largest + absolute ? [] : [`${name} differs by ${error}, of ${largest}`];
  });
}

const modelsIn = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((file) => file.endsWith('.onnx'))
        .map((file) => join(folder, file))
    : [];

it('stands in no preset', () => {
  const names: readonly string[] = QUANTIZE_PASSES.map(({ name }) => name);
  for (const { passes } of Object.values(PRESETS))
    expect(passes.filter(({ name }) => names.includes(name))).toEqual([]);
});

it('changes weights only where nothing comes behind that reads them as float32', () => {
  const named = (name: string) =>
    QUANTIZE_PASSES.filter((pass) => pass.name === name).map((pass) => configure(pass, {}));
  const order = (...names: string[]) => refuseConflicts(names.flatMap(named));
  expect(() => order('equalize-channels', 'quantize-dynamic', 'convert-fp16')).not.toThrow();
  expect(() => order('convert-fp16', 'quantize-dynamic')).toThrow('quantize-dynamic cannot come after convert-fp16');
  expect(() => order('quantize-dynamic', 'equalize-channels')).toThrow('equalize-channels cannot come after');
  const known = ALL_PASSES.map(({ name }) => name);
  expect(QUANTIZE_PASSES.flatMap(({ conflicts = [] }) => conflicts).filter((name) => !known.includes(name))).toEqual(
    [],
  );
});

describe('fixtures', () => {
  it.each([fixtureFolder, join(fixtureFolder, 'small')].flatMap(modelsIn))('%s', async (path) => {
    expect(await defects(path, path.split(/[\\/]/).at(-1) ?? '')).toEqual([]);
  });
});

describe('models beside the repository', () => {
  for (const name of ASSET_MODELS) {
    const path = FOLDERS.map((folder) => join(folder, name)).find(existsSync);
    it.skipIf(path === undefined)(
      `${name}`,
      async () => {
        expect(await defects(path ?? '', name)).toEqual([]);
      },
      TIMEOUT,
    );
  }
});
