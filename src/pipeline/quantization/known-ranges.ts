// Ranges that are known before a run looks at its samples: those of a calibration cache, which was made of the original model.
// They hold for a value that still is what the original computes under this name; slimming keeps names, but equalized
// channels are other numbers. Running both models on a few samples tells.
import { createFacts } from '../../analysis/inference.js';
import { relativeNoise, type SignalError, type SignalErrorSpec } from '../../fit/signal-error.js';
import type { RangeState } from '../../fit/range.js';
import type { Graph } from '../../ir/graph.js';
import type { Value } from '../../ir/value.js';
import type { DecodedModel } from '../../onnx/decode.js';
import { observe } from '../../runtime/observe.js';
import type { StreamOptions } from '../../data/data-set.js';
import { checkCalibration, type CalibrationCache } from '../calibration/cache.js';
import { readCacheFile } from '../calibration/cache-file.js';
import { modelDigest } from '../calibration/calibrate-model.js';
import { readRange, writeRange } from '../calibration/range-text.js';
import { inGroups, observeRanges } from '../calibration/observe-ranges.js';
import { instrument, type InstrumentedModel } from '../instrument.js';
import { assumedSizes } from '../model-facts.js';
import { benchFacts, firstFeeds, type QuantizationBench } from './bench.js';
import type { Journal } from './journal.js';
import type { SampleSplit } from './split-samples.js';

/** Where ranges come from, besides the samples. */
export interface RangeSources {
  /** The model that the cache was made of, and what it says, by the names of values there. */
  readonly cache?: { readonly original: InstrumentedModel; readonly values: ReadonlyMap<string, RangeState> };
  /** Keeps what was seen, so that a run that goes on does not look again. */
  readonly journal?: Journal;
}

export interface GatheredRanges {
  readonly states: ReadonlyMap<Value, RangeState>;
  /** Names of the values whose ranges the cache gave. */
  readonly cached: ReadonlySet<string>;
}

/** Samples on which both models are compared, and the noise up to which a value is the same: rounding stays far below. */
const COMPARED_SAMPLES = 2;
const SAME_NOISE = 1e-6;

/** The range of each of `values` of the model as it stands. @throws what running the models throws */
export async function gatherRanges(
  bench: QuantizationBench,
  values: readonly Value[],
  { cache, journal }: RangeSources,
): Promise<GatheredRanges> {
  const gather = async (): Promise<GatheredRanges> => {
    bench.onStage?.('calibrating');
    const known = cache
      ? await unchanged(
          bench,
          cache.original,
          values.filter(({ name }) => cache.values.has(name)),
        )
      : [];
    const isKnown = new Set(known);
    const seen = await observeRanges(bench.host, bench.workspace, bench.decoded, {
      values: values.filter((value) => !isKnown.has(value)),
      feeds: bench.feeds,
      signal: bench.signal,
    });
    const cached = known.flatMap((value): [Value, RangeState][] => {
      const state = cache?.values.get(value.name);
      return state ? [[value, state]] : [];
    });
    return { states: new Map([...seen, ...cached]), cached: new Set(cached.map(([{ name }]) => name)) };
  };
  if (!journal) return gather();
  const kept = await journal.recall('ranges', async () => {
    const { states, cached } = await gather();
    return { states: [...states].map(([{ name }, state]) => [name, writeRange(state)] as const), cached: [...cached] };
  });
  const byName = new Map<string, unknown>(kept.states);
  const states = values.flatMap((value): [Value, RangeState][] => {
    const state = readRange(byName.get(value.name));
    return state ? [[value, state]] : [];
  });
  return { states: new Map(states), cached: new Set(kept.cached) };
}

/** Those of `values` that `original` computes, too, under their names. */
async function unchanged(
  bench: QuantizationBench,
  original: InstrumentedModel,
  values: readonly Value[],
): Promise<readonly Value[]> {
  const facts = benchFacts(bench);
  const before = createFacts(original.model, { assumedSizes: assumedSizes(original.model, bench.shapes, undefined) });
  const named = namedValues(original.model.graph);
  const pairs = values.flatMap((value) => {
    const source = named.get(value.name);
    if (source?.isInput || !source) return [];
    const [dims, now] = [before.scope.dims(source), facts.scope.dims(value)];
    return dims && now && dims.join() === now.join() ? [{ value, source }] : [];
  });
  const same = new Set(values.filter((value) => value.isInput && named.get(value.name)?.isInput));
  const sources = new Map(pairs.map(({ value, source }) => [value, source]));
  for (const group of inGroups([...sources.keys()], facts)) {
    const wanted = group.flatMap((value) => sources.get(value) ?? []);
    const teacher = await instrument(original, wanted, bench.workspace);
    const student = await instrument(bench.decoded, group, bench.workspace);
    const specs = group.map((value, at): SignalErrorSpec => {
      const source = wanted[at];
      const reference = (source && teacher.names.get(source)) ?? value.name;
      return {
        kind: 'signal-error',
        values: [`teacher/${reference}`, `student/${student.names.get(value) ?? value.name}`],
      };
    });
    const models = { teacher: teacher.path, student: student.path };
    const feeds = firstFeeds(bench.feeds(), COMPARED_SAMPLES);
    const states = await observe(bench.host, models, specs, feeds, { signal: bench.signal });
    group.forEach((value, at) => {
      if (relativeNoise(states[at] as SignalError) <= SAME_NOISE) same.add(value);
    });
    for (const { path } of [teacher, student]) await bench.workspace.remove(path);
  }
  return values.filter((value) => same.has(value));
}

/** Values of the main graph that are not constants. */
function namedValues(graph: Graph): ReadonlyMap<string, Value> {
  const values = [...graph.inputs, ...graph.nodes().flatMap(({ outputs }) => outputs)];
  return new Map(values.flatMap((value) => (value ? [[value.name, value] as const] : [])));
}

/**
 * The cache in `file`, when it was made of this model and these samples.
 * @throws InputError not-found, bad-data
 */
export async function readRanges(
  file: string,
  original: { readonly decoded: DecodedModel; readonly path: string },
  { scoring, part, dataFree }: SampleSplit,
): Promise<{ readonly cache: CalibrationCache; readonly warnings: readonly string[] }> {
  const cache = await readCacheFile(file);
  const expected = { model: await modelDigest(original.decoded, original.path) };
  checkCalibration(cache, file, dataFree ? expected : { ...expected, data: await scoring.digest() });
  return { cache, warnings: overlapWarning(cache, part) };
}

const OVERLAP =
  'samples that score are among those of the calibration cache: the loss on others may be larger; calibrate with --limit N, ' +
  'and quantize with --calibration-samples N';

/** Warns where samples of the cache are among those that score. */
function overlapWarning(
  { data, parts }: CalibrationCache,
  { from = 0, to = Infinity, ...part }: StreamOptions,
): string[] {
  const { order = 'stored', seed } = part;
  const isSameOrder = data.order === order && (order === 'stored' || data.seed === seed);
  const overlaps = !isSameOrder || parts.some((one) => one.from < to && from < one.to);
  return overlaps ? [OVERLAP] : [];
}
