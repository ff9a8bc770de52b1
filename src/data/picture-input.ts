// From a picture to an input of the model: size, crop, channel order, (x * scale - mean) / std, layout.
import { InputError, UsageError } from '../base/errors.js';
import { Tensor } from '../tensor/tensor.js';
import type { InputPort } from './data-set.js';
import type { ChannelOrder, PixelSize, PreprocessSettings } from './preprocess.js';
import { resizeBilinear, type ResizeWindow } from './resize.js';
import { badData, type Picture } from './source.js';

/** An input that takes pictures; sizes that the model leaves open are undefined. */
export interface PictureInput {
  readonly port: InputPort;
  /** `nhw`: [batch, height, width], grey. */
  readonly layout: 'nchw' | 'nhwc' | 'nhw';
  readonly channels: 1 | 3;
  readonly height: number | undefined;
  readonly width: number | undefined;
}

/** Share of the resized picture that the centre crop keeps: 224 of 256, as ImageNet models are evaluated. */
const CROP_SHARE = 224 / 256;
/** Grey of RGB in Pillow and OpenCV: the luma of ITU-R BT.601, in fixed point. */
const LUMA = { red: 19595, green: 38470, blue: 7471, half: 0x8000, bits: 16 };

const isChannelCount = (dim: number | string | undefined): dim is 1 | 3 => dim === 1 || dim === 3;

/**
 * How `port` takes pictures, or undefined where it takes none (rank and channels).
 * @throws UsageError bad-value when a given size contradicts the model
 */
export function pictureInput(port: InputPort, settings: PreprocessSettings): PictureInput | undefined {
  const { dims } = port;
  const layout = findLayout(dims, settings.layout);
  if (layout === undefined) return undefined;
  const [heightAxis, widthAxis, channelAxis] = { nchw: [2, 3, 1], nhwc: [1, 2, 3], nhw: [1, 2, -1] }[layout];
  const declared = channelAxis === undefined || channelAxis < 0 ? 1 : dims[channelAxis];
  const channels = isChannelCount(declared) ? declared : settings.order === 'gray' ? 1 : 3;
  for (const list of [settings.mean, settings.std]) {
    if (list.length !== 1 && list.length !== channels)
      throw new UsageError(
        'bad-value',
        `mean and std have ${list.length} values, the input takes ${channels} channels`,
        { at: { tensor: port.name }, fix: `give one value, or ${channels}` },
      );
  }
  const size = (axis: number | undefined, key: keyof PixelSize): number | undefined => {
    const dim = dims[axis ?? 0];
    const fixed = typeof dim === 'number' && dim > 0 ? dim : undefined;
    const asked = settings.size?.[key];
    if (fixed !== undefined && asked !== undefined && fixed !== asked)
      throw new UsageError('bad-value', `the preprocessing asks for a ${key} of ${asked}, the model takes ${fixed}`, {
        at: { tensor: port.name },
        fix: 'leave out size and crop: they follow the model',
      });
    return fixed ?? asked;
  };
  return { port, layout, channels, height: size(heightAxis, 'height'), width: size(widthAxis, 'width') };
}

function findLayout(dims: InputPort['dims'], asked: PreprocessSettings['layout']): PictureInput['layout'] | undefined {
  if (dims.length === 3 && asked === 'auto') return 'nhw';
  if (dims.length !== 4) return undefined;
  const open = (dim: number | string | undefined): boolean => typeof dim !== 'number' || dim <= 0;
  const takes = (axis: number): boolean => isChannelCount(dims[axis]) || open(dims[axis]);
  if (asked !== 'auto') return takes(asked === 'nchw' ? 1 : 3) ? asked : undefined;
  if (isChannelCount(dims[1])) return 'nchw';
  return isChannelCount(dims[3]) ? 'nhwc' : undefined;
}

/**
 * The input made of `picture`: float32 arithmetic, then the element type of the input.
 * @throws InputError bad-data when the picture cannot be brought to the size of the model
 */
export function pictureTensor(
  picture: Picture,
  input: PictureInput,
  settings: PreprocessSettings,
  name: string,
): Tensor {
  const sized = toSize(picture, input, settings, name);
  const { height, width } = sized;
  const { layout, channels, port } = input;
  const values = new Float32Array(height * width * channels);
  const plane = layout === 'nchw' ? { pixel: 1, channel: height * width } : { pixel: channels, channel: 1 };
  const source = sized.layout === 'hwc' ? { pixel: sized.channels, channel: 1 } : { pixel: 1, channel: height * width };
  const gray = channels === 1 || settings.order === 'gray';
  const data = gray && sized.channels >= 3 ? luma(sized.data, source, height * width) : sized.data;
  const single = gray || sized.channels < 3;
  for (let c = 0; c < channels; c++) {
    const channel = single ? 0 : pickChannel(c, settings.order);
    copyChannel(data, values, {
      from: channel * source.channel,
      step: gray && sized.channels >= 3 ? 1 : source.pixel,
      to: c * plane.channel,
      stride: plane.pixel,
      count: height * width,
      scale: settings.scale,
      mean: settings.mean[settings.mean.length === 1 ? 0 : c] ?? 0,
      std: settings.std[settings.std.length === 1 ? 0 : c] ?? 1,
    });
  }
  const dims = { nchw: [1, channels, height, width], nhwc: [1, height, width, channels], nhw: [1, height, width] };
  return port.dtype === 'float32'
    ? new Tensor('float32', dims[layout], new Uint8Array(values.buffer))
    : Tensor.fromNumbers(port.dtype, dims[layout], values);
}

const pickChannel = (c: number, order: ChannelOrder): number => (order === 'bgr' ? 2 - c : c);

interface ChannelCopy {
  readonly from: number;
  readonly step: number;
  readonly to: number;
  readonly stride: number;
  readonly count: number;
  readonly scale: number;
  readonly mean: number;
  readonly std: number;
}

function copyChannel(data: Uint8Array | Float32Array, out: Float32Array, copy: ChannelCopy): void {
  const { step, stride, count, scale, mean, std } = copy;
  if (data instanceof Uint8Array) {
    // 256 results per channel: a table is faster than the arithmetic, and rounds the same way.
    const table = Float32Array.from({ length: 256 }, (_, value) => (value * scale - mean) / std);
    for (let i = 0, at = copy.from, to = copy.to; i < count; i++, at += step, to += stride)
      out[to] = table[data[at] as number] as number;
    return;
  }
  for (let i = 0, at = copy.from, to = copy.to; i < count; i++, at += step, to += stride)
    out[to] = ((data[at] as number) * scale - mean) / std;
}

function luma(
  data: Uint8Array | Float32Array,
  { pixel, channel }: { readonly pixel: number; readonly channel: number },
  count: number,
): Uint8Array | Float32Array {
  const gray = data instanceof Uint8Array ? new Uint8Array(count) : new Float32Array(count);
  for (let i = 0, at = 0; i < count; i++, at += pixel) {
    const sum =
      LUMA.red * (data[at] as number) +
      LUMA.green * (data[at + channel] as number) +
      LUMA.blue * (data[at + 2 * channel] as number);
    gray[i] = data instanceof Uint8Array ? (sum + LUMA.half) >> LUMA.bits : sum / 2 ** LUMA.bits;
  }
  return gray;
}

/** The picture at the size of the model. A picture of that size already stays as it is, unless a short side was asked for. */
function toSize(picture: Picture, input: PictureInput, settings: PreprocessSettings, name: string): Picture {
  const height = input.height ?? (settings.resize.kind === 'none' ? picture.height : undefined);
  const width = input.width ?? (settings.resize.kind === 'none' ? picture.width : undefined);
  if (height === undefined || width === undefined)
    throw new InputError('bad-data', 'the model leaves the size of its pictures open', {
      at: { tensor: input.port.name },
      fix: 'give it, for example --preprocess imagenet:size=480x640, or --input x:1x3x480x640',
    });
  const wanted = { height, width };
  const same = picture.height === height && picture.width === width;
  if (same && settings.resize.kind !== 'short') return picture;
  const scaled = scaledSize(picture, wanted, settings.resize);
  const window = cropWindow(scaled, wanted, settings, name);
  return scaled.height === picture.height && scaled.width === picture.width
    ? cropped(picture, window)
    : resizeBilinear(interleaved(picture, name), scaled, window);
}

/** Sizes after resizing, rounded as torchvision does: the long side is cut down to whole pixels. */
function scaledSize(from: PixelSize, wanted: PixelSize, resize: PreprocessSettings['resize']): PixelSize {
  const byShort = (pixels: number): PixelSize =>
    from.height <= from.width
      ? { height: pixels, width: Math.trunc((pixels * from.width) / from.height) }
      : { height: Math.trunc((pixels * from.height) / from.width), width: pixels };
  if (resize.kind === 'none') return from;
  if (resize.kind === 'stretch') return wanted;
  if (resize.kind === 'short') return byShort(resize.pixels);
  const height = Math.round(wanted.height / CROP_SHARE);
  const width = Math.round(wanted.width / CROP_SHARE);
  if (height === width) return byShort(height);
  // Not square: the picture covers the enlarged rectangle.
  return from.height * width >= from.width * height
    ? { height: Math.max(height, Math.round((from.height * width) / from.width)), width }
    : { height, width: Math.max(width, Math.round((from.width * height) / from.height)) };
}

function cropWindow(from: PixelSize, wanted: PixelSize, { crop }: PreprocessSettings, name: string): ResizeWindow {
  const same = from.height === wanted.height && from.width === wanted.width;
  if (!same && (crop === 'none' || from.height < wanted.height || from.width < wanted.width))
    throw badData(
      name,
      `the picture is ${from.width} x ${from.height} pixels after resizing, the model takes ${wanted.width} x ${wanted.height}`,
      { fix: 'choose resize=stretch or resize=auto, and crop=center' },
    );
  return {
    top: roundHalfToEven((from.height - wanted.height) / 2),
    left: roundHalfToEven((from.width - wanted.width) / 2),
    ...wanted,
  };
}

/** Python's round(), which decides where torchvision puts an odd margin. */
function roundHalfToEven(value: number): number {
  const low = Math.floor(value);
  return value - low === 0.5 ? low + (low % 2) : Math.round(value);
}

function cropped(picture: Picture, { top, left, height, width }: ResizeWindow): Picture {
  const { channels, layout } = picture;
  const data =
    picture.data instanceof Uint8Array
      ? new Uint8Array(height * width * channels)
      : new Float32Array(height * width * channels);
  const lines = layout === 'hwc' ? 1 : channels;
  const pixel = layout === 'hwc' ? channels : 1;
  for (let c = 0; c < lines; c++) {
    for (let y = 0; y < height; y++) {
      const from = ((c * picture.height + top + y) * picture.width + left) * pixel;
      data.set(picture.data.subarray(from, from + width * pixel), (c * height + y) * width * pixel);
    }
  }
  return { data, height, width, channels, layout };
}

/** What the resizer reads: 8 bits, channels together. */
function interleaved(picture: Picture, name: string): Picture {
  const { data, channels, height, width } = picture;
  if (!(data instanceof Uint8Array))
    throw badData(name, `an array of floats (${height} x ${width}) is not resized`, {
      fix: 'store it at the size of the model, or as 8-bit pictures',
    });
  if (picture.layout === 'hwc') return picture;
  const out = new Uint8Array(data.length);
  const plane = height * width;
  for (let c = 0; c < channels; c++) for (let i = 0; i < plane; i++) out[i * channels + c] = data[c * plane + i] ?? 0;
  return { ...picture, data: out, layout: 'hwc' };
}
