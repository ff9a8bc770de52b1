// What looks wrong with samples: constant pictures, values that do not fit the preprocessing, labels that cannot be right.
import { isFloat } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Sample } from './data-set.js';
import type { FeedFacts } from './feeds.js';

/** Fewer samples than this say little about a model. */
const FEW_SAMPLES = 32;
/** Elements looked at per sample: enough for the range, cheap beside decoding. */
const LOOKED_AT = 4096;
/** Standard deviation of all values below which preprocessing was likely done twice. */
const FLAT = 0.02;

export interface SampleChecks {
  add(sample: Sample, facts: FeedFacts): void;
  /** Classes of the model, once known. */
  expectClasses(count: number): void;
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

/** Watches the samples of a data set as they are read. `preset` is what their preprocessing is called. */
export function createSampleChecks(preset: string): SampleChecks {
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
    warnings: () => (totals.samples === 0 ? [] : describe(totals, preset, classes)),
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

function describe(totals: Totals, preset: string, classes: number | undefined): string[] {
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
    ...rangeWarnings(totals, preset, deviation),
    totals.enlarged > 0 && `${of(totals.enlarged)} are smaller than the model's input and were enlarged`,
    samples < FEW_SAMPLES && `there are only ${samples} samples`,
    labels.size === 1 && known > 1 && `all labelled samples are of class ${[...labels.keys()].join('')}`,
    known > 0 && totals.unlabelled > 0 && `${of(totals.unlabelled)} have no label`,
    classes !== undefined &&
      totals.highestLabel >= classes &&
      `labels go up to ${totals.highestLabel}, the model has ${classes} classes (0 to ${classes - 1})`,
  ].filter((warning) => warning !== false);
}

/** Constant pictures have their own warning, so a range is judged only where there is one. */
function rangeWarnings(
  { count, min, max, wholeNumbers, constant, samples }: Totals,
  preset: string,
  deviation: number,
): string[] {
  if (count === 0 || constant === samples) return [];
  const range = `${min.toPrecision(3)} to ${max.toPrecision(3)}`;
  if (preset !== 'raw' && deviation < FLAT)
    return [
      `values are nearly the same everywhere (${range}, deviation ${deviation.toPrecision(2)}): they look scaled already, see --preprocess raw`,
    ];
  if (preset !== 'raw' && preset !== 'caffe' && Math.max(-min, max) > 30)
    return [`values go from ${range} after the preprocessing ${preset}, far beyond what it gives on 0..255`];
  if (wholeNumbers && min >= 0 && max > 16 && max <= 255)
    return [`values are whole numbers from ${range}: right for models that take 0..255, else see --preprocess`];
  return [];
}
