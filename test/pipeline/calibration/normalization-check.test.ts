// The check of samples against normalization statistics: cases worked by hand, and CIFAR-10 with right and wrong preparation.
import { afterAll, describe, expect, it } from 'vitest';
import type { Sample } from '../../../src/data/data-set.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { openModel } from '../../../src/onnx/open.js';
import { checkNormalization, type NormalizationCheck } from '../../../src/pipeline/calibration/normalization-check.js';
import { Workspace } from '../../../src/pipeline/workspace.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import type { TensorMap } from '../../../src/runtime/wire-tensor.js';
import { assetModel, cifar, haveCifar, sampleOf } from '../evaluation/fake-data.js';

const host = new RuntimeHost();
const workspace = await Workspace.create(undefined);
afterAll(async () => {
  await host.dispose();
  await workspace.dispose();
});

async function* feedsOf(samples: readonly Sample[]): AsyncGenerator<TensorMap> {
  for (const { feeds } of samples) yield await Promise.resolve(feeds);
}

/** One node over three channels with means 0, 10, 20 and variances 1, 4, 0 (which says nothing). */
const MODEL = `<ir_version: 8, opset_import: ["" : 17]>
net (float[N,3,K] x) => (float[N,3,K] y)
<float[3] s = {1, 1, 1}, float[3] b = {0, 0, 0}, float[3] m = {0, 10, 20}, float[3] v = {1, 4, 0}> {
  y = BatchNormalization (x, s, b, m, v)
}`;

const check = (rows: readonly (readonly number[])[]): Promise<NormalizationCheck | undefined> =>
  checkNormalization(
    host,
    workspace,
    { model: parseModel(MODEL) },
    { feeds: feedsOf(rows.map((row, at) => sampleOf(`${at}`, undefined, 'x', [1, 3, row.length / 3], row))) },
  );

describe('by hand', () => {
  it('is silent where mean and deviation are those of the model', async () => {
    // Two elements per channel and sample, one deviation to either side.
    const found = await check([
      [-1, 1, 8, 12, 7, 7],
      [1, -1, 12, 8, 7, 7],
    ]);
    expect(found).toMatchObject({
      shift: 0,
      spread: 1,
      warning: undefined,
      nodes: [{ node: 'y', shift: 0, spread: 1 }],
    });
  });

  it('gives the shift of the means and the ratio of the deviations, medians over the channels', async () => {
    // Means 2 and 16: 2 and 3 deviations off. Deviations 3 and 2: 3 and 1 times.
    const found = await check([[-1, 5, 14, 18, 0, 0]]);
    expect(found).toMatchObject({ shift: 2.5, spread: 2 });
    expect(found?.warning).toContain('at "y", its first BatchNormalization, means 2.5 deviations off, deviations 2.00');
  });

  it.each([
    ['shifted by 0.4 deviations: other samples of the same kind', [-0.6, 1.4, 8.8, 12.8, 0, 0], false],
    ['shifted by 0.6', [-0.4, 1.6, 9.2, 13.2, 0, 0], true],
    ['a deviation of 1.4 times', [-1.4, 1.4, 7.2, 12.8, 0, 0], false],
    ['a deviation of 1.6 times', [-1.6, 1.6, 6.8, 13.2, 0, 0], true],
    ['a deviation of 0.6 times', [-0.6, 0.6, 8.8, 11.2, 0, 0], true],
  ])('%s', async (_, row, warns) => {
    expect((await check([row]))?.warning !== undefined).toBe(warns);
  });

  it('has nothing to say without samples, and without normalization', async () => {
    expect(await check([])).toBeUndefined();
    const bare = parseModel(
      '<ir_version: 8, opset_import: ["" : 17]>\nnet (float[2] x) => (float[2] y) { y = Neg (x) }',
    );
    const feeds = feedsOf([sampleOf('', undefined, 'x', [2], [1, 2])]);
    expect(await checkNormalization(host, workspace, { model: bare }, { feeds })).toBeUndefined();
  });
});

describe.skipIf(!haveCifar)('ResNet-20 on CIFAR-10 (shared assets)', () => {
  const images = haveCifar ? cifar('normalized', 'input').slice(0, 16) : [];
  const look = async (change: (x: number) => number): Promise<NormalizationCheck | undefined> =>
    checkNormalization(
      host,
      workspace,
      await openModel(assetModel('resnet20-cifar10-as-exported.onnx'), { keepOverridable: false }),
      {
        feeds: feedsOf(
          images.map(({ name, label, feeds }) =>
            sampleOf(name, label, 'input', [1, 3, 32, 32], feeds.get('input')?.toNumbers().map(change) ?? []),
          ),
        ),
      },
    );

  it('knows the images that it was trained on, and the same without normalization', async () => {
    const right = await look((x) => x);
    expect(right?.warning).toBeUndefined();
    expect(right?.nodes).toHaveLength(16);
    expect(right?.spread).toBeGreaterThan(0.8);
    // Means 0.485 and deviations 0.225, roughly: what x / 255 gives, and 0 to 255.
    expect((await look((x) => x * 0.225 + 0.45))?.warning).toBeDefined();
    expect((await look((x) => x * 57 + 115))?.warning).toBeDefined();
  });
});
