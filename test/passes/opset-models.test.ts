// Whole models in newer opsets: they run on ONNX Runtime and agree with the original.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { checkModel } from '../../src/ir/check.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { openModel } from '../../src/onnx/open.js';
import { NEWEST_OPSET } from '../../src/passes/opset/steps.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { ASSET_MODELS } from '../asset-models.js';
import { toOpset } from './convert.js';
import { difference, feedsFor, type Feeds } from './run-model.js';

const place = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const FIXTURES = [place('../../fixtures'), place('../../fixtures/small')];
/** Folders beside the repository; `MCOMPRESS_MODELS` adds more. */
const OTHERS = [place('../../../shared/assets/models'), ...(process.env['MCOMPRESS_MODELS']?.split(':') ?? [])];

/** Sizes and contents of inputs where random ones will not do, as in golden cases. */
const FEEDS: Readonly<Record<string, string>> = {
  'ppocrv4-det.onnx': 'p2o.DynamicDimension.0 = 1\np2o.DynamicDimension.1 = 64\np2o.DynamicDimension.2 = 96',
  'silero-vad-16k.onnx': 'batch = 1\nsequence = 576\nint64 sr = {16000}',
};

/** Models that are not compared, and why. */
const NOT_COMPARED: Readonly<Record<string, string>> = {
  'custom-domain.onnx': 'ONNX Runtime does not know the operator',
  'random-operators.onnx': 'its outputs are random',
  'newest-ir.onnx': 'newer than ONNX Runtime reads',
  'newest-types.onnx': 'newer types than ONNX Runtime knows',
  'training-info.onnx': 'refused',
  'ml-domain.onnx': 'an output that is no tensor',
  'sequence-types.onnx': 'an output that is no tensor',
};

const TOLERANCE = 1e-5;
/** Milliseconds: six runs of a large image net, perhaps on a busy machine. */
const TIMEOUT = 240_000;
const TARGETS = [21, NEWEST_OPSET];
const host = new RuntimeHost({ keptSessions: 1 });

afterAll(() => host.dispose());

const run = async (bytes: Uint8Array, feeds: Feeds): Promise<Map<string, Tensor>> =>
  host.run(bytes, feeds, { optimization: 'disabled' });

/** Everything wrong with `path` in newer opsets. */
async function defects(path: string, name: string): Promise<string[]> {
  const original = await openModel(path);
  const feeds = [0, 1].map((seed) => feedsFor(original.model, seed, FEEDS[name]));
  const bytes = Buffer.concat(encodeModel(original.document, original.model));
  const expected: Map<string, Tensor>[] = [];
  for (const feed of feeds) expected.push(await run(bytes, feed));
  const found: string[] = [];
  for (const target of TARGETS.filter((version) => version > original.model.opset)) {
    const { model, document } = await openModel(path);
    await toOpset(model, target);
    found.push(...checkModel(model).map(({ message }) => `${target}: ${message}`));
    const converted = Buffer.concat(encodeModel(document, model));
    for (const [i, feed] of feeds.entries()) {
      const problem = difference(expected[i] ?? new Map(), await run(converted, feed), TOLERANCE);
      if (problem !== undefined) found.push(`${target}: ${problem}`);
    }
  }
  return found;
}

const files = FIXTURES.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.onnx'))
    .map((name) => ({ name, path: join(folder, name) })),
);

describe('fixtures in newer opsets', () => {
  it.each(files.filter(({ name }) => NOT_COMPARED[name] === undefined))('$name', async ({ name, path }) => {
    expect(await defects(path, name)).toEqual([]);
  });
});

describe('models beside the repository in newer opsets', () => {
  for (const name of ASSET_MODELS) {
    const path = OTHERS.map((folder) => join(folder, name)).find(existsSync);
    it.skipIf(path === undefined)(
      `${name}`,
      async () => {
        expect(await defects(path ?? '', name)).toEqual([]);
      },
      TIMEOUT,
    );
  }
});

describe('training information', () => {
  it('is a reason to refuse', async () => {
    const { model } = await openModel(place('../../fixtures/small/training-info.onnx'));
    await expect(toOpset(model, 21)).rejects.toMatchObject({ code: 'unsupported' });
    expect(model.opset).toBe(17);
  });
});
