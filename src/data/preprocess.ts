// Preprocessing as it is asked for: presets of the usual training pipelines, and options that change single steps. The same
// table gives the flag (`imagenet:resize=256,mean=0.5/0.5/0.5`), the recipe key and the JSON Schema.
import { UsageError } from '../base/errors.js';
import { choice, optionSchema, parseOptions, text, type OptionTable } from '../base/option.js';
import { suggestion } from '../base/suggest.js';

export const CHANNEL_ORDERS = ['rgb', 'bgr', 'gray'] as const;
export type ChannelOrder = (typeof CHANNEL_ORDERS)[number];
export const LAYOUTS = ['auto', 'nchw', 'nhwc'] as const;

/** Height and width in pixels. */
export interface PixelSize {
  readonly height: number;
  readonly width: number;
}

/**
 * How an image is brought to the model's size before the crop. `margin`: scaled to cover 256/224 of that size; `short`:
 * short side to `pixels`; `stretch`: to that size exactly; `none`: as it is.
 */
export type Resizing =
  { readonly kind: 'margin' | 'stretch' | 'none' } | { readonly kind: 'short'; readonly pixels: number };

/** What is done to a picture with values 0..255: (x * scale - mean) / std, channel by channel. */
export interface PreprocessSettings {
  readonly scale: number;
  /** One number, or one per channel in the order of `order`. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly order: ChannelOrder;
  readonly resize: Resizing;
  readonly crop: 'center' | 'none';
  /** For models with open sizes. */
  readonly size: PixelSize | undefined;
  readonly layout: (typeof LAYOUTS)[number];
}

interface Preset extends PreprocessSettings {
  readonly summary: string;
}

const PLAIN = {
  scale: 1,
  mean: [0],
  std: [1],
  order: 'rgb',
  resize: { kind: 'stretch' },
  crop: 'center',
  size: undefined,
  layout: 'auto',
} as const satisfies PreprocessSettings;

const CROPPED = { ...PLAIN, resize: { kind: 'margin' } } as const;
const IMAGENET_MEAN = [0.485, 0.456, 0.406];
const IMAGENET_STD = [0.229, 0.224, 0.225];

/** By name: the table in docs/data.md is held to these records by a test. */
export const PREPROCESS_PRESETS = {
  imagenet: {
    ...CROPPED,
    scale: 1 / 255,
    mean: IMAGENET_MEAN,
    std: IMAGENET_STD,
    summary: 'torchvision, timm: mean and deviation of ImageNet on x/255',
  },
  caffe: {
    ...CROPPED,
    mean: [103.939, 116.779, 123.68],
    order: 'bgr',
    summary: 'Caffe, Keras VGG and ResNet: blue first, mean subtracted, 0..255',
  },
  tf: { ...CROPPED, scale: 1 / 127.5, mean: [1], summary: 'TensorFlow Slim, Keras MobileNet: x/127.5 - 1' },
  unit: { ...PLAIN, scale: 1 / 255, summary: 'x/255' },
  raw: { ...PLAIN, summary: 'values as they are, 0..255 for images' },
  cifar10: {
    ...PLAIN,
    scale: 1 / 255,
    mean: IMAGENET_MEAN,
    std: IMAGENET_STD,
    summary: 'ResNet-20 to 1202 for CIFAR-10 in PyTorch: as imagenet, without a crop',
  },
  mnist: {
    ...PLAIN,
    scale: 1 / 255,
    mean: [0.1307],
    std: [0.3081],
    order: 'gray',
    summary: 'PyTorch nets for MNIST: mean and deviation of its digits on x/255',
  },
} as const satisfies Record<string, Preset>;

export type PresetName = keyof typeof PREPROCESS_PRESETS;
const PRESET_NAMES = Object.keys(PREPROCESS_PRESETS) as PresetName[];

/** An empty text leaves what the preset says. */
export const PREPROCESS_OPTIONS = {
  scale: text({ default: '', help: 'what 0..255 is multiplied by first: a number or a fraction, as 1/255' }),
  mean: text({ default: '', help: 'subtracted after scaling: one number, or one per channel, as 0.5/0.5/0.5' }),
  std: text({ default: '', help: 'divided by at the end: one number, or one per channel' }),
  resize: text({
    default: '',
    help: 'the short side in pixels; auto (256/224 of the model), stretch (to its size exactly) or none',
  }),
  crop: text({ default: '', help: 'center, none, or the size to cut out of the middle, as 224 or 224x192' }),
  size: text({ default: '', help: 'size of the pictures where the model leaves it open, as 480x640 (height x width)' }),
  order: choice(CHANNEL_ORDERS, { default: 'rgb', help: 'order of the channels' }),
  layout: choice(LAYOUTS, { default: 'auto', help: 'channels first or last; auto looks at the input of the model' }),
} as const satisfies OptionTable;

type OptionKey = keyof typeof PREPROCESS_OPTIONS;

export interface Preprocess {
  readonly preset: PresetName;
  /** Options given on top of the preset, as text. */
  readonly changes: Readonly<Partial<Record<OptionKey, string>>>;
  readonly settings: PreprocessSettings;
}

/** The JSON form: the preset and the options beside it. */
export type PreprocessDocument = { readonly preset: PresetName } & Readonly<Partial<Record<OptionKey, unknown>>>;

/**
 * From `preset`, or `preset:option=value,option=value`.
 * @throws UsageError bad-value, unknown-option
 */
export function parsePreprocess(spec: string): Preprocess {
  const colon = spec.indexOf(':');
  const given: Record<string, unknown> = {};
  for (const part of colon < 0 ? [] : spec.slice(colon + 1).split(',')) {
    const equals = part.indexOf('=');
    if (part !== '') given[equals < 0 ? part : part.slice(0, equals)] = equals < 0 ? '' : part.slice(equals + 1);
  }
  return createPreprocess(colon < 0 ? spec : spec.slice(0, colon), given);
}

/**
 * From the recipe key `preprocess`: the text of the flag, or `{"preset": "imagenet", "mean": [0.5, 0.5, 0.5], ...}`.
 * @throws UsageError bad-value, unknown-option
 */
export function preprocessFromJson(json: unknown): Preprocess {
  if (typeof json === 'string') return parsePreprocess(json);
  const { preset, ...options } = typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : {};
  if (typeof preset !== 'string')
    throw new UsageError('bad-value', `preprocess cannot be ${JSON.stringify(json)}`, {
      fix: 'write "preprocess": {"preset": "imagenet"}',
    });
  return createPreprocess(preset, options);
}

/** @throws UsageError bad-value, unknown-option */
function createPreprocess(preset: string, given: Readonly<Record<string, unknown>>): Preprocess {
  const name = PRESET_NAMES.find((candidate) => candidate === preset);
  if (name === undefined)
    throw new UsageError('bad-value', `there is no preprocessing "${preset}"`, {
      fix: suggestion(preset, PRESET_NAMES) ?? `choose one of: ${PRESET_NAMES.join(', ')}`,
    });
  const texts = Object.fromEntries(Object.entries(given).map(([key, value]) => [key, plainText(value)]));
  parseOptions(PREPROCESS_OPTIONS, texts, name);
  const changes = texts as Partial<Record<OptionKey, string>>;
  const settings = applyChanges(PREPROCESS_PRESETS[name], changes, (key, fix) => {
    throw new UsageError('bad-value', `${name}:${key} cannot be ${JSON.stringify(given[key])}`, { fix });
  });
  return { preset: name, changes, settings };
}

/** JSON numbers and lists of them in the form of the flag. */
function plainText(value: unknown): unknown {
  if (typeof value === 'number') return String(value);
  return Array.isArray(value) && value.every((item) => typeof item === 'number') ? value.join('/') : value;
}

type Refuse = (key: OptionKey, fix: string) => never;

function applyChanges(
  { summary: _, ...base }: Preset,
  changes: Partial<Record<OptionKey, string>>,
  refuse: Refuse,
): PreprocessSettings {
  const given = <T>(key: OptionKey, otherwise: T, read: (value: string) => T): T =>
    changes[key] === undefined || changes[key] === '' ? otherwise : read(changes[key]);
  const numbers = (key: 'mean' | 'std') => (value: string) => {
    const list = value.split('/').map((item) => (item.trim() === '' ? Number.NaN : Number(item)));
    const wrong = list.some((item) => !Number.isFinite(item) || (key === 'std' && item === 0));
    return wrong ? refuse(key, 'give a number, or one per channel with / between, as 0.5/0.5/0.5') : list;
  };
  const size = (key: 'size' | 'crop') => (value: string) => parseSize(value) ?? refuse(key, 'give 224, or 480x640');
  const cropSize = given('crop', undefined, (value) =>
    value === 'center' || value === 'none' ? undefined : size('crop')(value),
  );
  const settings: PreprocessSettings = {
    scale: given('scale', base.scale, (value) => parseScale(value) ?? refuse('scale', 'give a number, or 1/255')),
    mean: given('mean', base.mean, numbers('mean')),
    std: given('std', base.std, numbers('std')),
    order: given('order', base.order, (value) => value as ChannelOrder),
    resize: given(
      'resize',
      base.resize,
      (value) => parseResize(value) ?? refuse('resize', 'give 256, auto, stretch or none'),
    ),
    crop: given('crop', base.crop, (value) => (value === 'none' ? 'none' : 'center')),
    size: given('size', cropSize ?? base.size, size('size')),
    layout: given('layout', base.layout, (value) => value as PreprocessSettings['layout']),
  };
  const contradicts =
    cropSize && settings.size && (cropSize.height !== settings.size.height || cropSize.width !== settings.size.width);
  if (contradicts) refuse('crop', 'give the size once, with crop or with size');
  return settings;
}

function parseScale(value: string): number | undefined {
  const parts = value.split('/').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  const scale = parts.length === 2 ? (parts[0] ?? 0) / (parts[1] ?? 0) : (parts[0] ?? 0);
  return parts.length <= 2 && Number.isFinite(scale) && scale !== 0 ? scale : undefined;
}

function parseResize(value: string): Resizing | undefined {
  if (value === 'auto') return { kind: 'margin' };
  if (value === 'stretch' || value === 'none') return { kind: value };
  return /^[1-9]\d{0,4}$/.test(value) ? { kind: 'short', pixels: Number(value) } : undefined;
}

function parseSize(value: string): PixelSize | undefined {
  const match = /^([1-9]\d{0,4})(?:x([1-9]\d{0,4}))?$/.exec(value);
  return match ? { height: Number(match[1]), width: Number(match[2] ?? match[1]) } : undefined;
}

/** The text that `parsePreprocess` reads. */
export function formatPreprocess({ preset, changes }: Preprocess): string {
  const parts = Object.entries(changes).map(([key, value]) => `${key}=${value}`);
  return parts.length === 0 ? preset : `${preset}:${parts.join(',')}`;
}

/** The form that a recipe holds and `preprocessFromJson` reads. */
export function preprocessDocument({ preset, changes }: Preprocess): PreprocessDocument {
  return { preset, ...changes };
}

/** JSON Schema (2020-12) of the recipe key `preprocess`. */
export function preprocessSchema(): Record<string, unknown> {
  const numeric = { anyOf: [{ type: 'string' }, { type: 'number' }, { type: 'array', items: { type: 'number' } }] };
  const properties = Object.entries(PREPROCESS_OPTIONS).map(([key, option]) => {
    const { default: _, ...schema } = optionSchema(option);
    return [key, option.kind === 'text' ? { ...numeric, description: option.help } : schema] as const;
  });
  const presets = { enum: PRESET_NAMES, description: 'A preset of preprocessing, see docs/data.md' };
  return {
    description: 'How pictures become inputs of the model',
    anyOf: [
      { type: 'string', description: 'preset, or preset:option=value,...' },
      {
        type: 'object',
        required: ['preset'],
        additionalProperties: false,
        properties: { preset: presets, ...Object.fromEntries(properties) },
      },
    ],
  };
}
