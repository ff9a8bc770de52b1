// Preprocessing: its text and JSON forms, and what it makes of a picture, worked out by hand.
import { describe, expect, it } from 'vitest';
import { AppError } from '../../src/base/errors.js';
import type { InputPort } from '../../src/data/data-set.js';
import { pictureInput, pictureTensor } from '../../src/data/picture-input.js';
import {
  formatPreprocess,
  parsePreprocess,
  preprocessDocument,
  preprocessFromJson,
  preprocessSchema,
  PREPROCESS_OPTIONS,
} from '../../src/data/preprocess.js';
import type { Picture } from '../../src/data/source.js';
import { problems } from '../report/json-schema.js';

function failure(run: () => unknown): AppError {
  try {
    run();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

describe('the text of --preprocess', () => {
  it.each([
    'imagenet',
    'imagenet:resize=256,crop=224,mean=0.5/0.5/0.5',
    'raw:mean=127,std=128,order=bgr,layout=nhwc',
    'unit:size=480x640,resize=stretch,crop=none,scale=1/127.5',
  ])('comes back as it was, as text and as JSON: %s', (spec) => {
    const preprocess = parsePreprocess(spec);
    expect(formatPreprocess(preprocess)).toBe(spec);
    expect(preprocessFromJson(preprocessDocument(preprocess))).toEqual(preprocess);
    expect(problems(preprocessSchema(), preprocessDocument(preprocess))).toEqual([]);
  });

  it('is read into settings', () => {
    expect(
      parsePreprocess('imagenet:resize=232,crop=192x224,mean=0.5,std=0.1/0.2/0.3,scale=1/2,order=bgr').settings,
    ).toEqual({
      scale: 0.5,
      mean: [0.5],
      std: [0.1, 0.2, 0.3],
      order: 'bgr',
      resize: { kind: 'short', pixels: 232 },
      crop: 'center',
      size: { height: 192, width: 224 },
      layout: 'auto',
    });
    expect(parsePreprocess('imagenet').settings.resize).toEqual({ kind: 'margin' });
  });

  it('takes numbers and lists of them from JSON', () => {
    const json = { preset: 'unit', mean: [0.5, 0.4, 0.3], std: 2, resize: 64 };
    expect(preprocessFromJson(json)).toEqual(parsePreprocess('unit:mean=0.5/0.4/0.3,std=2,resize=64'));
    expect(problems(preprocessSchema(), json)).toEqual([]);
  });

  it.each([
    ['imagenett', 'bad-value', /did you mean "imagenet"/],
    ['', 'bad-value', /imagenet, caffe/],
    ['imagenet:meen=1', 'unknown-option', /did you mean "mean"/],
    ['imagenet:mean=1/x/3', 'bad-value', /one per channel/],
    ['imagenet:std=1/0/1', 'bad-value', /one per channel/],
    ['imagenet:scale=0', 'bad-value', /1\/255/],
    ['imagenet:scale=1/2/3', 'bad-value', /1\/255/],
    ['imagenet:resize=big', 'bad-value', /stretch or none/],
    ['imagenet:crop=224x', 'bad-value', /480x640/],
    ['imagenet:crop=224,size=192', 'bad-value', /once/],
    ['imagenet:order=rbg', 'bad-value', /did you mean "rgb"/],
    ['imagenet:layout=hwc', 'bad-value', /did you mean|choose one of/],
  ])('is refused with what to do: %s', (spec, code, fix) => {
    expect(failure(() => parsePreprocess(spec))).toMatchObject({ code, exitCode: 2, fix: expect.stringMatching(fix) });
  });

  it.each([3, null, {}, { preset: 3 }, { preset: 'unit', mean: [0.5, 'x'] }, { preset: 'unit', mean: true }])(
    'refuses other JSON: %j',
    (json) => {
      expect(failure(() => preprocessFromJson(json))).toMatchObject({ exitCode: 2 });
      expect(problems(preprocessSchema(), json)).not.toEqual([]);
    },
  );

  it('has an option table without defaults that would hide those of the presets', () => {
    for (const key of ['scale', 'mean', 'std', 'resize', 'crop', 'size'] as const)
      expect(PREPROCESS_OPTIONS[key].default).toBe('');
  });
});

/** Two pixels: (10, 20, 30) and (200, 150, 100). */
const TWO: Picture = {
  data: Uint8Array.of(10, 20, 30, 200, 150, 100),
  height: 1,
  width: 2,
  channels: 3,
  layout: 'hwc',
};
const port = (...dims: (number | string)[]): InputPort => ({ name: 'x', dtype: 'float32', dims });
const NCHW = port('n', 3, 1, 2);

function feed(spec: string, input: InputPort, picture: Picture = TWO): { dims: readonly number[]; values: number[] } {
  const { settings } = parsePreprocess(spec);
  const taker = pictureInput(input, settings);
  if (!taker) throw new Error('the input takes no pictures');
  const tensor = pictureTensor(picture, taker, settings, 'p');
  expect(tensor.dtype).toBe(input.dtype);
  return { dims: tensor.dims, values: tensor.toNumbers() };
}

const close = (values: readonly number[], wanted: readonly number[]): void => {
  expect(values).toHaveLength(wanted.length);
  for (const [i, value] of values.entries()) expect(value).toBeCloseTo(wanted[i] ?? Number.NaN, 5);
};

describe('presets on the pixels (10, 20, 30), (200, 150, 100)', () => {
  // 10/255 = 0.039216, minus 0.485 is -0.445784, divided by 0.229 is -1.946656; and so on.
  const imagenet = [-1.946656, 1.307047, -1.685574, 0.590336, -1.281569, -0.061525];
  it.each([
    ['imagenet', imagenet],
    ['cifar10', imagenet],
    ['caffe', [30 - 103.939, 100 - 103.939, 20 - 116.779, 150 - 116.779, 10 - 123.68, 200 - 123.68]],
    ['tf', [10 / 127.5 - 1, 200 / 127.5 - 1, 20 / 127.5 - 1, 150 / 127.5 - 1, 30 / 127.5 - 1, 100 / 127.5 - 1]],
    ['unit', [10 / 255, 200 / 255, 20 / 255, 150 / 255, 30 / 255, 100 / 255]],
    ['raw', [10, 200, 20, 150, 30, 100]],
    ['raw:mean=127,std=128', [-117 / 128, 73 / 128, -107 / 128, 23 / 128, -97 / 128, -27 / 128]],
    [
      'unit:order=bgr,mean=0.1/0.2/0.3',
      [30 / 255 - 0.1, 100 / 255 - 0.1, 20 / 255 - 0.2, 150 / 255 - 0.2, 10 / 255 - 0.3, 200 / 255 - 0.3],
    ],
    // Luma of BT.601: 0.299 * 10 + 0.587 * 20 + 0.114 * 30 = 18.15, and 159.25.
    ['raw:order=gray', [18, 159, 18, 159, 18, 159]],
  ])('%s', (spec, values) => {
    const { dims, values: made } = feed(spec, NCHW);
    expect(dims).toEqual([1, 3, 1, 2]);
    close(made, values);
  });

  it('mnist, for one channel', () => {
    const made = feed('mnist', port(1, 1, 1, 2));
    expect(made.dims).toEqual([1, 1, 1, 2]);
    close(made.values, [(18 / 255 - 0.1307) / 0.3081, (159 / 255 - 0.1307) / 0.3081]);
  });

  it('channels last, by the dims of the input or as asked', () => {
    const pixels = [10, 20, 30, 200, 150, 100];
    expect(feed('raw', port('n', 2, 1, 3), { ...TWO, height: 2, width: 1 })).toEqual({
      dims: [1, 2, 1, 3],
      values: pixels,
    });
    expect(feed('raw:layout=nhwc', port('n', 1, 2, 'c'))).toEqual({ dims: [1, 1, 2, 3], values: pixels });
    expect(feed('raw', port('n', 1, 2))).toEqual({ dims: [1, 1, 2], values: [18, 159] });
  });

  it('planes and single channels are read as they lie', () => {
    const planes: Picture = { ...TWO, data: Uint8Array.of(10, 200, 20, 150, 30, 100), layout: 'chw' };
    expect(feed('raw:order=bgr', NCHW, planes)).toEqual(feed('raw:order=bgr', NCHW));
    expect(feed('raw:order=gray', NCHW, planes)).toEqual(feed('raw:order=gray', NCHW));
    const gray: Picture = { ...TWO, data: Uint8Array.of(7, 9), channels: 1 };
    expect(feed('raw', NCHW, gray).values).toEqual([7, 9, 7, 9, 7, 9]);
    const rgba: Picture = { ...TWO, data: Uint8Array.of(10, 20, 30, 255, 200, 150, 100, 0), channels: 4 };
    expect(feed('raw', NCHW, rgba)).toEqual(feed('raw', NCHW));
  });

  it('integer inputs get whole numbers, within their range', () => {
    const bytes: InputPort = { ...NCHW, dtype: 'uint8' };
    expect(feed('raw', bytes).values).toEqual([10, 200, 20, 150, 30, 100]);
    expect(feed('raw:mean=100', { ...NCHW, dtype: 'int8' }).values).toEqual([-90, 100, -80, 50, -70, 0]);
    expect(feed('raw:scale=2', bytes).values).toEqual([20, 255, 40, 255, 60, 200]);
  });

  it('refuses a mean for other channels, and a size that the model does not take', () => {
    expect(failure(() => feed('imagenet', port(1, 1, 1, 2)))).toMatchObject({ code: 'bad-value', fix: /or 1/ });
    expect(failure(() => feed('unit:size=8', NCHW))).toMatchObject({ code: 'bad-value' });
  });
});

/** Red grows by one per column, green by one per row. */
function ramp(height: number, width: number): Picture {
  const data = new Uint8Array(height * width * 3);
  for (let i = 0; i < height * width; i++) {
    data[3 * i] = i % width;
    data[3 * i + 1] = Math.floor(i / width);
  }
  return { data, height, width, channels: 3, layout: 'hwc' };
}

/** First red and green value, and last: where the picture was cut. */
function corners(spec: string, picture: Picture, height: number, width: number): number[] {
  const { values } = feed(spec, port(1, height, width, 3), picture);
  return [values[0], values[1], values.at(-3), values.at(-2)].map((value) => value ?? Number.NaN);
}

describe('sizes', () => {
  it('resize=none cuts out the middle; odd margins are rounded as Python rounds them', () => {
    expect(corners('raw:resize=none', ramp(8, 10), 4, 4)).toEqual([3, 2, 6, 5]);
    // (9 - 4) / 2 = 2.5 becomes 2, (7 - 4) / 2 = 1.5 becomes 2.
    expect(corners('raw:resize=none', ramp(7, 9), 4, 4)).toEqual([2, 2, 5, 5]);
  });

  it('auto scales the short side to 256/224 of the model, and cuts', () => {
    // Short side 16 to 16: nothing is scaled, 14 of 16 and 14 of 32 are kept.
    expect(corners('raw:resize=auto', ramp(16, 32), 14, 14)).toEqual([9, 1, 22, 14]);
    // 32 x 64 is halved first: value 2x + 0.5, rounded up.
    expect(corners('raw:resize=auto', ramp(32, 64), 14, 14)).toEqual([19, 3, 45, 29]);
  });

  it('auto covers an oblong model', () => {
    // 14 x 28 with margins is 16 x 32: a picture of 16 x 40 keeps its scale.
    expect(corners('raw:resize=auto', ramp(16, 40), 14, 28)).toEqual([6, 1, 33, 14]);
  });

  it('a picture of the size of the model stays as it is, unless a short side was asked for', () => {
    expect(corners('imagenet:mean=0,std=1,scale=1', ramp(6, 6), 6, 6)).toEqual([0, 0, 5, 5]);
    expect(corners('raw:resize=12', ramp(6, 6), 6, 6)).not.toEqual([0, 0, 5, 5]);
  });

  it('stretch takes all of the picture', () => {
    expect(corners('raw:resize=stretch', ramp(4, 8), 4, 4)).toEqual([1, 0, 6, 3]);
  });

  it('what is too small, or may not be cut, is refused with the sizes', () => {
    expect(failure(() => corners('raw:resize=none', ramp(3, 9), 4, 4))).toMatchObject({
      code: 'bad-data',
      message: expect.stringContaining('9 x 3'),
    });
    expect(failure(() => corners('raw:resize=none,crop=none', ramp(8, 8), 4, 4)).code).toBe('bad-data');
  });

  it('open sizes come from the options, from the picture with resize=none, or are asked for', () => {
    expect(feed('raw:size=2x3', port(1, 3, 'h', 'w'), ramp(4, 6)).dims).toEqual([1, 3, 2, 3]);
    expect(feed('imagenet:crop=5', port(1, 'h', 'w', 3), ramp(8, 8)).dims).toEqual([1, 5, 5, 3]);
    expect(feed('raw:resize=none', port(1, 3, 'h', 'w'), ramp(4, 6)).dims).toEqual([1, 3, 4, 6]);
    expect(failure(() => feed('raw', port(1, 3, 'h', 'w')))).toMatchObject({
      code: 'bad-data',
      fix: expect.stringContaining('size=480x640'),
    });
  });

  it('sees which inputs take no pictures', () => {
    const { settings } = parsePreprocess('raw');
    for (const dims of [[1, 10], [1, 16, 8, 8], [], ['n', 'c', 'h', 'w']])
      expect(pictureInput(port(...dims), settings)).toBeUndefined();
  });
});
