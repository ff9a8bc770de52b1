// Data sets out of memory, and the test images of the fixtures and the shared assets, for the tests of the evaluation.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import type { DataSet, Sample } from '../../../src/data/data-set.js';
import { Tensor } from '../../../src/tensor/tensor.js';

export interface FakeData {
  readonly classes?: readonly string[];
  readonly labelled?: boolean;
}

/** A data set of these samples, in stored order only. */
export function fakeData(samples: readonly Sample[], { classes, labelled }: FakeData = {}): DataSet {
  return {
    path: 'fake',
    size: samples.length,
    labelled: labelled ?? samples.some(({ label }) => label !== undefined),
    classes,
    digest: () => Promise.resolve('fake'),
    async *samples({ from = 0, to = samples.length } = {}) {
      for (const sample of samples.slice(from, to)) yield await Promise.resolve(sample);
    },
    skipped: [],
    warnings: () => [],
  };
}

/** A sample of one float input. */
export function sampleOf(
  name: string,
  label: number | undefined,
  input: string,
  dims: readonly number[],
  numbers: ArrayLike<number>,
): Sample {
  return { name, label, feeds: new Map([[input, Tensor.fromNumbers('float32', dims, numbers)]]) };
}

const fixtures = new URL('../../../fixtures/', import.meta.url);
/** A path under fixtures/. */
export const fixture = (name: string): string => fileURLToPath(new URL(name, fixtures));

/** The 300 digits of the fixtures, 0..255, for the input "image". */
export function digits(): Sample[] {
  const images = readFileSync(fixture('mnist-300/images-idx3-ubyte')).subarray(16);
  const labels = readFileSync(fixture('mnist-300/labels-idx1-ubyte')).subarray(8);
  return Array.from(labels, (label, at) =>
    sampleOf(`digit#${at}`, label, 'image', [1, 1, 28, 28], images.subarray(at * 784, (at + 1) * 784)),
  );
}

const assets = process.env['MCOMPRESS_ASSETS'] ?? fileURLToPath(new URL('../../../../shared/assets', import.meta.url));
const cifarFile = `${assets}/cifar10/test_1000.bin.gz`;
export const haveCifar = existsSync(cifarFile);
/** A model of the shared assets. */
export const assetModel = (name: string): string => `${assets}/models/${name}`;

const MEAN = [0.485, 0.456, 0.406];
const DEVIATION = [0.229, 0.224, 0.225];
const PIXELS = 1024;
export const CIFAR_CLASSES = 'airplane automobile bird cat deer dog frog horse ship truck'.split(' ');

/** The first 1000 test images of CIFAR-10: normalized, channel first for the ResNets; or 0..255, channel last. */
export function cifar(form: 'normalized' | 'raw-nhwc', input: string): Sample[] {
  const bytes = gunzipSync(readFileSync(cifarFile));
  return Array.from({ length: bytes.length / 3073 }, (_, at) => {
    const record = bytes.subarray(at * 3073, (at + 1) * 3073);
    const planes = record.subarray(1);
    const numbers =
      form === 'normalized'
        ? Array.from(planes, (value, i) => {
            const channel = Math.floor(i / PIXELS);
            return (value / 255 - (MEAN[channel] ?? 0)) / (DEVIATION[channel] ?? 1);
          })
        : Array.from({ length: 3 * PIXELS }, (__, i) => planes[(i % 3) * PIXELS + Math.floor(i / 3)] ?? 0);
    const dims = form === 'normalized' ? [1, 3, 32, 32] : [1, 32, 32, 3];
    return sampleOf(`cifar#${at}`, record[0], input, dims, numbers);
  });
}
