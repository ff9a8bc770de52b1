// What looks wrong with samples: constant pictures, values that do not fit the preprocessing, labels that cannot be right.
import { isFloat } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Sample } from './data-set.js';
import type { FeedFacts } from './feeds.js';
import { parsePreprocess, type Preprocess, type PreprocessSettings } from './preprocess.js';

/** Fewer samples than this say little about a model. */
const FEW_SAMPLES = 32;
/** Elements looked at per sample: enough for the range, cheap beside decoding. */
const LOOKED_AT = 4096;
/** Standard deviation, as a part of the range that preprocessing gives, below which it was likely done twice. */
const FLAT = 0.01;
/** How far beyond that range values may lie, as a part of it. */
const BEYOND = 0.05;

export interface SampleChecks {
  add(sample: Sample, facts: FeedFacts): void;
  /** Classes of the model, once known. */
  expectClasses(count: number): void;
  /** The preprocessing that was taken without being asked for. */
  assumed(): string | undefined;
  warnings(): string[];
}

interface Totals {
  samples: number;
  constant: number;
  notFinite: number;
  enlarged: number;
  assumed: string | undefined;
  labels: Map<number, number>;
  highestLabel: number;
  unlabelled: number;
  /** Of float inputs that are pictures. */
  count: number;
  sum: number;
  squares: number;
  min: number;
  max: number;
  wholeNumbers: boolean;
}

/** What is known of the samples before they are read. */
export interface SampleFacts {
  /** The preprocessing that was asked for. */
  readonly preprocess: Preprocess | undefined;
  /** How many classes the data names. */
  readonly named: number | undefined;
}

/** Watches the samples of a data set as they are read. */
export function createSampleChecks(known: SampleFacts): SampleChecks {
  let classes: number | undefined;
  const totals: Totals = {
    samples: 0,
    constant: 0,
    notFinite: 0,
    enlarged: 0,
    assumed: undefined,
    labels: new Map(),
    highestLabel: -1,
    unlabelled: 0,
    count: 0,
    sum: 0,
    squares: 0,
    min: Infinity,
    max: -Infinity,
    wholeNumbers: true,
  };
  return {
    add: (sample, facts) => addSample(totals, sample, facts),
    expectClasses: (count) => {
      classes = count;
    },
    assumed: () => totals.assumed,
    warnings: () => (totals.samples === 0 ? [] : describe(totals, known, classes)),
  };
}

function addSample(totals: Totals, { feeds, label }: Sample, facts: FeedFacts): void {
  totals.samples++;
  totals.assumed ??= facts.assumed;
  if (facts.enlarged) totals.enlarged++;
  if (label === undefined) totals.unlabelled++;
  else {
    totals.labels.set(label, (totals.labels.get(label) ?? 0) + 1);
    totals.highestLabel = Math.max(totals.highestLabel, label);
  }
  const looks = [...feeds.values()]
    .filter(({ dtype, size }) => isFloat(dtype) && size > 1)
    .map((tensor) => look(tensor, totals));
  if (looks.length > 0 && looks.every(({ min, max }) => min === max)) totals.constant++;
  if (looks.some(({ finite }) => !finite)) totals.notFinite++;
}

function look(tensor: Tensor, totals: Totals): { min: number; max: number; finite: boolean } {
  const bytes = tensor.bytes();
  const values =
    tensor.dtype === 'float32' && bytes.byteOffset % 4 === 0
      ? new Float32Array(bytes.buffer, bytes.byteOffset, tensor.size)
      : tensor.toFloat64();
  // An odd stride, so that the channels of an interleaved picture all come up.
  const stride = Math.max(1, Math.floor(values.length / LOOKED_AT)) | 1;
  let min = Infinity;
  let max = -Infinity;
  let finite = true;
  for (let i = 0; i < values.length; i += stride) {
    const value = values[i] ?? 0;
    if (!Number.isFinite(value)) {
      finite = false;
      continue;
    }
    if (value < min) min = value;
    if (value > max) max = value;
    totals.count++;
    totals.sum += value;
    totals.squares += value * value;
    totals.wholeNumbers &&= Number.isInteger(value);
  }
  totals.min = Math.min(totals.min, min);
  totals.max = Math.max(totals.max, max);
  return { min, max, finite };
}

function describe(totals: Totals, { preprocess, named }: SampleFacts, classes: number | undefined): string[] {
  const { samples, labels } = totals;
  const of = (count: number): string =>
    count === samples ? `all ${samples} samples` : `${count} of ${samples} samples`;
  const deviation = Math.sqrt(Math.max(0, totals.squares / totals.count - (totals.sum / totals.count) ** 2));
  const known = samples - totals.unlabelled;
  return [
    totals.assumed !== undefined &&
      `no --preprocess was given: ${totals.assumed} is assumed (docs/data.md lists the presets)`,
    totals.notFinite > 0 && `${of(totals.notFinite)} hold NaN or infinite values`,
    totals.constant > 0 && `${of(totals.constant)} have one value everywhere, like a black picture`,
    ...rangeWarnings(totals, preprocess, deviation),
    totals.enlarged > 0 && `${of(totals.enlarged)} are smaller than the model's input and were enlarged`,
    samples < FEW_SAMPLES && `there are only ${samples} samples`,
    labels.size === 1 && known > 1 && `all labelled samples are of class ${[...labels.keys()].join('')}`,
    known > 0 && totals.unlabelled > 0 && `${of(totals.unlabelled)} have no label`,
    classes !== undefined &&
      named !== undefined &&
      named !== classes &&
      `the data names ${named} classes, the model has ${classes}: check that label 0, 1, ... mean the same in both`,
    classes !== undefined &&
      totals.highestLabel >= classes &&
      `labels go up to ${totals.highestLabel}, the model has ${classes} classes (0 to ${classes - 1})`,
  ].filter((warning) => warning !== false);
}

/** Constant samples have their own warning, so a range is judged only where there is one. */
function rangeWarnings(totals: Totals, preprocess: Preprocess | undefined, deviation: number): string[] {
  const { count, min, max, wholeNumbers, constant, samples, assumed } = totals;
  const preset = preprocess?.preset ?? assumed;
  if (count === 0 || constant === samples || preset === 'raw') return [];
  const range = `${min.toPrecision(3)} to ${max.toPrecision(3)}`;
  // Floats as they are stored: nothing was asked for, and nothing assumed.
  if (preset === undefined)
    return wholeNumbers && min >= 0 && max > 16 && max <= 255
      ? [`values are whole numbers from ${range}: right for models that take 0..255, else see --preprocess`]
      : [];
  const [low, high] = rangeOf((preprocess ?? parsePreprocess(preset)).settings);
  if (deviation < FLAT * (high - low))
    return [
      `values are nearly the same everywhere after ${preset} (${range}): they look scaled already, see --preprocess raw`,
    ];
  const slack = BEYOND * (high - low);
  return min < low - slack || max > high + slack
    ? [`values go from ${range} after ${preset}, which makes ${low.toPrecision(3)} to ${high.toPrecision(3)} of 0..255`]
    : [];
}

/** Lowest and highest value that preprocessing makes of 0..255. */
function rangeOf({ scale, mean, std }: PreprocessSettings): [number, number] {
  const ends = [0, 255].flatMap((value) =>
    Array.from({ length: Math.max(mean.length, std.length) }, (_, c) => {
      const shift = mean[mean.length === 1 ? 0 : c] ?? 0;
      return (value * scale - shift) / (std[std.length === 1 ? 0 : c] ?? 1);
    }),
  );
  return [Math.min(...ends), Math.max(...ends)];
}
