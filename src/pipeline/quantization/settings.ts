// What a recipe says about quantization to 8-bit integers: everything that decides what comes out, nothing about files,
// data or measuring.
import { suggestion } from '../../base/suggest.js';
import { CALIBRATOR_NAMES, type CalibratorName } from '../../fit/calibrators/registry.js';
import { TARGETS, type TargetName } from '../../passes/quantize/target.js';

export const ROUNDINGS = ['second-order', 'nearest'] as const;
export const TARGET_NAMES = Object.keys(TARGETS) as TargetName[];

export interface QuantizeSettings {
  readonly target: TargetName;
  /** To choose from, value by value. */
  readonly calibrators: readonly CalibratorName[];
  /** Samples to calibrate with. */
  readonly calibrationSamples: number;
  readonly equalize: 'on' | 'off';
  /** Whether ranges are tried against the outputs of the quantized model, once chosen by the layers that read them. */
  readonly refineRanges: 'on' | 'off';
  readonly correctBiases: 'on' | 'off';
  readonly rounding: (typeof ROUNDINGS)[number];
  /** Labels of nodes that stay in float. */
  readonly float: readonly string[];
  readonly maxDrop: number | undefined;
}

export const DEFAULT_SETTINGS: QuantizeSettings = {
  target: 'x64-vnni',
  calibrators: ['min-max', 'percentile-99.9', 'percentile-99.99', 'percentile-99.999', 'entropy', 'mse'],
  calibrationSamples: 100,
  equalize: 'on',
  refineRanges: 'on',
  correctBiases: 'on',
  rounding: 'second-order',
  float: [],
  maxDrop: undefined,
};

type Key = keyof QuantizeSettings;

interface Field {
  /** What a value has to be, in words. */
  readonly expected: string;
  readonly schema: Readonly<Record<string, unknown>>;
  /** The value as settings hold it; undefined where it does not fit. */
  read(value: unknown): QuantizeSettings[Key];
}

const oneOf = <C extends string>(choices: readonly C[], description: string): Field => ({
  expected: `one of ${choices.join(', ')}`,
  schema: { enum: choices, description },
  read: (value) => choices.find((choice) => choice === value) as QuantizeSettings[Key],
});

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string');

const FIELDS: Readonly<Record<Key, Field>> = {
  target: oneOf(TARGET_NAMES, 'Processor that the model is made for'),
  calibrators: {
    expected: `a list of ${CALIBRATOR_NAMES.join(', ')}`,
    schema: {
      type: 'array',
      minItems: 1,
      items: { enum: CALIBRATOR_NAMES },
      description: 'Calibrators to choose from, value by value',
    },
    read: (value) => {
      const found = isTexts(value) ? CALIBRATOR_NAMES.filter((name) => value.includes(name)) : [];
      return isTexts(value) && found.length > 0 && found.length === new Set(value).size ? found : undefined;
    },
  },
  calibrationSamples: {
    expected: 'a whole number of at least 1',
    schema: { type: 'integer', minimum: 1, description: 'Samples to calibrate with; the others score' },
    read: (value) => (Number.isSafeInteger(value) && Number(value) >= 1 ? Number(value) : undefined),
  },
  equalize: oneOf(['on', 'off'], 'Scale channels so that they are alike'),
  refineRanges: oneOf(['on', 'off'], 'Try ranges against the outputs of the quantized model'),
  correctBiases: oneOf(['on', 'off'], 'Take mean errors out of the biases'),
  rounding: oneOf(ROUNDINGS, 'How weights are rounded'),
  float: {
    expected: 'a list of names of nodes',
    schema: { type: 'array', items: { type: 'string' }, description: 'Nodes that stay in float' },
    read: (value) => (isTexts(value) ? value : undefined),
  },
  maxDrop: {
    expected: 'a number of at least 0',
    schema: {
      type: 'number',
      minimum: 0,
      description: 'Largest loss: points of classifiers, percent of other outputs',
    },
    read: (value) => (typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined),
  },
};

const KEYS = Object.keys(FIELDS) as Key[];

/** The settings of a recipe, defaults where it is silent. `fail` is told what is wrong and what to do. */
export function readSettings(json: unknown, fail: (what: string, fix: string) => never): QuantizeSettings {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    return fail('"quantize" is not an object', 'write "quantize": {} for the defaults');
  const read: [Key, QuantizeSettings[Key]][] = [];
  for (const [key, value] of Object.entries(json)) {
    const known = KEYS.find((one) => one === key);
    if (!known)
      return fail(`"quantize" has an unknown key "${key}"`, suggestion(key, KEYS) ?? `known: ${KEYS.join(', ')}`);
    const { read: readField, expected } = FIELDS[known];
    const found = readField(value);
    if (found === undefined) return fail(`"quantize.${key}" is ${JSON.stringify(value)}`, `write ${expected}`);
    read.push([known, found]);
  }
  return { ...DEFAULT_SETTINGS, ...Object.fromEntries(read) };
}

/** The settings as JSON, without what is as by default. */
export function settingsDocument(settings: QuantizeSettings): Partial<QuantizeSettings> {
  const changed = KEYS.filter((key) => JSON.stringify(settings[key]) !== JSON.stringify(DEFAULT_SETTINGS[key]));
  return Object.fromEntries(changed.map((key) => [key, settings[key]]));
}

/** JSON Schema of `settingsDocument`. */
export function settingsSchema(): Record<string, unknown> {
  return {
    type: 'object',
    additionalProperties: false,
    description: 'Quantize to 8-bit integers behind the passes; {} for the defaults',
    properties: Object.fromEntries(KEYS.map((key) => [key, FIELDS[key].schema])),
  };
}
