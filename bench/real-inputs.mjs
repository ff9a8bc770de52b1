// Real inputs for the models of the bench: photographs, CIFAR-10 images, digits, speech, prepared as each model was
// trained (assets/README.md). Everything is decoded here, apart from JPEG's own arithmetic.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import jpeg from 'jpeg-js';
import { Tensor } from '../dist/tensor/tensor.js';
import { assets, root } from './models.mjs';

const MEAN = [0.485, 0.456, 0.406];
const DEVIATION = [0.229, 0.224, 0.225];
const RGB = [0, 1, 2];
const BGR = [2, 1, 0];

/** An image: `pixels` channel last, 0..255. */
function readPhoto(file) {
  const { width, height, data } = jpeg.decode(readFileSync(file), { useTArray: true, formatAsRGBA: false });
  return { width, height, channels: 3, pixels: Float32Array.from(data) };
}

/** Photographs spread evenly over the folder. */
function photos(count) {
  const folder = join(assets, 'images/imagenet-1000');
  const files = readdirSync(folder).sort();
  return Array.from({ length: count }, (_, i) =>
    readPhoto(join(folder, files[Math.floor(((i + 0.5) * files.length) / count)])),
  );
}

function cifarImages(count) {
  const bytes = gunzipSync(readFileSync(join(assets, 'cifar10/test_1000.bin.gz')));
  const plane = 32 * 32;
  return Array.from({ length: count }, (_, i) => {
    const start = i * (1 + 3 * plane) + 1;
    const pixels = new Float32Array(3 * plane);
    for (let at = 0; at < plane; at++) for (let c = 0; c < 3; c++) pixels[3 * at + c] = bytes[start + c * plane + at];
    return { width: 32, height: 32, channels: 3, pixels };
  });
}

/** Digits of the idx file that ships in fixtures: a header of 16 bytes, then 784 bytes per image. */
function digits(count) {
  const bytes = readFileSync(join(root, 'fixtures/mnist-300/images-idx3-ubyte'));
  const total = bytes.readUInt32BE(4);
  return Array.from({ length: count }, (_, i) => {
    const start = 16 + 784 * Math.floor(((i + 0.5) * total) / count);
    return { width: 28, height: 28, channels: 1, pixels: Float32Array.from(bytes.subarray(start, start + 784)) };
  });
}

/** Bilinear, sample points at pixel centres; where the image shrinks, each output pixel averages the pixels it covers. */
function resize({ width, height, channels, pixels }, toWidth, toHeight) {
  const weights = (from, to) =>
    Array.from({ length: to }, (_, i) => {
      const scale = from / to;
      const reach = Math.max(scale, 1);
      const centre = (i + 0.5) * scale;
      const taps = [];
      for (let at = Math.max(0, Math.floor(centre - reach)); at < Math.min(from, Math.ceil(centre + reach)); at++) {
        const weight = 1 - Math.abs(at + 0.5 - centre) / reach;
        if (weight > 0) taps.push([at, weight]);
      }
      const sum = taps.reduce((total, [, weight]) => total + weight, 0);
      return taps.map(([at, weight]) => [at, weight / sum]);
    });
  const columns = weights(width, toWidth);
  const rows = weights(height, toHeight);
  const wide = new Float32Array(height * toWidth * channels);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < toWidth; x++)
      for (const [at, weight] of columns[x])
        for (let c = 0; c < channels; c++)
          wide[(y * toWidth + x) * channels + c] += weight * pixels[(y * width + at) * channels + c];
  const out = new Float32Array(toHeight * toWidth * channels);
  for (let y = 0; y < toHeight; y++)
    for (const [at, weight] of rows[y])
      for (let i = 0; i < toWidth * channels; i++)
        out[y * toWidth * channels + i] += weight * wide[at * toWidth * channels + i];
  return { width: toWidth, height: toHeight, channels, pixels: out };
}

/** Short side to 256, then the middle 224 x 224. */
function centreCrop(image) {
  const scale = 256 / Math.min(image.width, image.height);
  const { width, height, pixels } = resize(image, Math.round(image.width * scale), Math.round(image.height * scale));
  const [left, top] = [(width - 224) >> 1, (height - 224) >> 1];
  const out = new Float32Array(224 * 224 * 3);
  for (let y = 0; y < 224; y++) {
    const start = ((top + y) * width + left) * 3;
    out.set(pixels.subarray(start, start + 224 * 3), y * 224 * 3);
  }
  return { width: 224, height: 224, channels: 3, pixels: out };
}

/** `map` receives a value and its channel (0 is red) and gives what is fed; `order` of channels; [1, C, H, W] or [1, H, W, C]. */
function imageTensor({ width, height, channels, pixels }, { layout = 'first', order = RGB, dtype = 'float32', map }) {
  const plane = width * height;
  const values = new Float32Array(channels * plane);
  for (let at = 0; at < plane; at++) {
    for (let c = 0; c < channels; c++) {
      const source = channels === 1 ? 0 : order[c];
      const value = map(pixels[channels * at + source], source);
      values[layout === 'first' ? c * plane + at : channels * at + c] = value;
    }
  }
  const dims = layout === 'first' ? [1, channels, height, width] : [1, height, width, channels];
  return Tensor.fromNumbers(dtype, dims, values);
}

const same = (value) => value;
const standardized = (value, channel) => (value / 255 - MEAN[channel]) / DEVIATION[channel];

const cifarStandardized = { input: 'input', images: cifarImages, map: standardized };
const prepared = {
  'alexnet-lrn-cifar10': cifarStandardized,
  'googlenet-lrn-cifar10': cifarStandardized,
  'resnet20-cifar10-as-exported': cifarStandardized,
  'resnet20-cifar10-dynamo-raw': cifarStandardized,
  'resnet20-cifar10': cifarStandardized,
  'resnet56-cifar10-as-exported': cifarStandardized,
  'resnet56-cifar10': cifarStandardized,
  'resnet8-cifar10': { input: 'input', images: cifarImages, layout: 'last', map: same },
  'resnet8-cifar10-int8-qdq': {
    input: 'input_1_int8',
    images: cifarImages,
    layout: 'last',
    dtype: 'int8',
    map: (value) => value - 128,
  },
  'mnist-bn-as-exported': { input: 'image', images: digits, map: same },
  'mnist-cntk': { input: 'Input3', images: digits, map: same },
  'mobilenetv2-imagenet': { input: 'input', images: photos, size: centreCrop, map: standardized },
  'squeezenet1.1-imagenet': {
    input: 'data_0',
    images: photos,
    size: centreCrop,
    order: BGR,
    map: (value, channel) => value - [123, 117, 104][channel],
  },
  'mobilenetv1-025-vww': {
    input: 'input_1',
    images: photos,
    size: (image) => resize(image, 96, 96),
    layout: 'last',
    map: (value) => value / 255,
  },
  'ultraface-rfb-320': {
    input: 'input',
    images: photos,
    size: (image) => resize(image, 320, 240),
    map: (value) => (value - 127) / 128,
  },
  'style-candy': {
    input: 'inputImage',
    images: photos,
    size: (image) => resize(image, 720, 720),
    order: BGR,
    map: same,
  },
  'ppocrv4-det': { input: 'x', images: photos, size: (image) => resize(image, 640, 480), map: standardized },
};

/** Mono samples -1..1 of a 16-bit wave file: those of its data chunk. */
function readWave(file) {
  const bytes = readFileSync(file);
  const start = bytes.indexOf('data') + 8;
  const length = Math.min(bytes.readUInt32LE(start - 4), bytes.length - start) >> 1;
  return Float32Array.from({ length }, (_, i) => bytes.readInt16LE(start + 2 * i) / 32768);
}

const speech = () => readWave(join(assets, 'audio/speech-16k-10s.wav'));
const float32 = (dims, values) => Tensor.fromNumbers('float32', dims, values);

/** Features of one recording each. */
function wakewordFeeds(count) {
  const bytes = readFileSync(join(assets, 'features/streaming-wakeword-45x30x1x40.f32'));
  const size = 30 * 40;
  return Array.from({ length: count }, (_, i) => {
    const start = size * Math.floor(((i + 0.5) * 45) / count);
    const values = Float32Array.from({ length: size }, (_value, at) => bytes.readFloatLE(4 * (start + at)));
    return new Map([['input', float32([1, 30, 1, 40], values)]]);
  });
}

/** A tone (A4), speech (played a little fast), and both. */
function basicPitchFeeds() {
  const tone = Float32Array.from({ length: 43844 }, (_, i) => 0.5 * Math.sin((2 * Math.PI * 440 * i) / 22050));
  const talk = speech().subarray(0, 43844);
  const both = tone.map((value, i) => 0.5 * (value + talk[i]));
  return [tone, talk, both].map((samples) => new Map([['serving_default_input_2:0', float32([1, 43844, 1], samples)]]));
}

/** The steps of a stream, with the state that `run` (the original model) gave one step before. */
async function sileroFeeds(count, run) {
  const samples = speech();
  let state = float32([2, 1, 128], new Float32Array(256));
  const kept = [];
  const steps = 60;
  for (let step = 0; step < steps; step++) {
    const window = new Float32Array(576);
    window.set(samples.subarray(Math.max(0, 512 * step - 64), 512 * step + 512), step === 0 ? 64 : 0);
    const feeds = new Map([
      ['input', float32([1, 576], window)],
      ['state', state],
      ['sr', Tensor.fromNumbers('int64', [], [16000])],
    ]);
    if (step % (steps / count) === steps / count - 1) kept.push(feeds);
    state = (await run(feeds)).get('stateN');
  }
  return kept;
}

const others = {
  'streaming-wakeword-1d': { needs: 'features', feeds: wakewordFeeds },
  'basic-pitch-nmp': { needs: 'audio', feeds: basicPitchFeeds },
  'silero-vad-16k': { needs: 'audio', feeds: sileroFeeds },
};

/**
 * `count` feeds (maps of name to tensor) made of real data for the model `name`; none where there is no data of its
 * kind. `run` runs the original model, for models that feed on their own outputs.
 */
export async function realFeeds(name, count, run) {
  const image = prepared[name];
  if (image !== undefined) {
    const folder = { [photos.name]: 'images', [cifarImages.name]: 'cifar10' }[image.images.name];
    if (folder !== undefined && !existsSync(join(assets, folder))) return [];
    const { size = same, images, input, ...rest } = image;
    return images(count).map((one) => new Map([[input, imageTensor(size(one), rest)]]));
  }
  const other = others[name];
  if (other === undefined || !existsSync(join(assets, other.needs))) return [];
  return other.feeds(count, run);
}
