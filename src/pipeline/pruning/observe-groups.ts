// What the chosen scores need of channel groups, gathered over the samples in as few runs over them as memory allows.
import type { ChannelGroup, GroupReader } from '../../analysis/channel-group.js';
import { tensorBytes } from '../../analysis/cost.js';
import type { Facts } from '../../analysis/facts.js';
import type { ModelFacts } from '../../analysis/inference.js';
import type { AccumulatorSpec } from '../../fit/accumulator.js';
import type { ChannelMagnitudes, ChannelMagnitudesSpec } from '../../fit/channel-magnitudes.js';
import { layerSizes } from '../../fit/patch-geometry.js';
import { momentBytes, patchMomentsSpec, type PatchMoments } from '../../fit/patch-moments.js';
import type { Moments } from '../../fit/rank-update.js';
import type { Value } from '../../ir/value.js';
import { channelLayer, readerLayer } from '../../passes/linear-layer.js';
import type { GroupEvidence, ScoreNeed } from '../../passes/prune/scores/score.js';
import { valuesRead } from '../../passes/prune/scores/units.js';
import { benchFacts, observeValues, type QuantizationBench } from '../quantization/bench.js';

export interface ObserveGroupsOptions {
  readonly needs: ReadonlySet<ScoreNeed>;
  /** Samples of the bench to use, from the first; default all. */
  readonly samples?: number;
  readonly seed?: number;
  /** Bytes of the values of one sample, and of moments, that one run over the samples may hold. */
  readonly valueBytes?: number;
  readonly momentBytes?: number;
  /** Called before each run over the samples, from 1. */
  readonly onPass?: (pass: number, passes: number) => void;
}

const VALUE_BYTES = 96 * 2 ** 20;
const MOMENT_BYTES = 256 * 2 ** 20;
/**
 * Numbers of a patch up to which all channels are taken together: 256 channels of 3 x 3. The inverse that `obs` works
 * with takes 42 MB then, and time grows with the cube. Wider layers are seen in runs of as many channels.
 */
const LARGEST_PATCH = 2304;
/** Channels of a value that dependence is looked for among. */
const MOST_CHANNELS = 4608;

/** A thing to gather for some group; where groups or readers need the same, it is gathered once in a run. */
interface Wanted {
  readonly value: Value;
  readonly spec: AccumulatorSpec;
  /** Of the state. */
  readonly bytes: number;
  keep(state: unknown, evidence: Gathered): void;
}

interface Gathered {
  readonly group: ChannelGroup;
  readonly activations: Map<Value, ChannelMagnitudes>;
  readonly moments: Map<GroupReader, PatchMoments>;
  readonly covariance: Map<Value, Moments>;
}

/**
 * The evidence of each group, in their order. What cannot be observed is left out of it, and the score says so. Memory is
 * bounded by the options and by what the largest group needs, if nobody keeps the evidence.
 * @throws InputError as `observe`, and what the feeds throw
 */
export async function* observeGroups(
  bench: QuantizationBench,
  groups: readonly ChannelGroup[],
  options: ObserveGroupsOptions,
): AsyncGenerator<GroupEvidence> {
  const facts = benchFacts(bench);
  const wanted = groups.map((group) => ({ group, items: wantedFor(group, facts, bench, options) }));
  const runs = inRuns(wanted, facts, options);
  const observed = runs.filter((run) => run.some(({ items }) => items.length > 0)).length;
  let pass = 0;
  for (const run of runs) {
    const items = run.flatMap((one) => one.items);
    const specs = new Map(items.map(({ spec }) => [keyOf(spec), spec]));
    if (items.length > 0) options.onPass?.(++pass, observed);
    const states = await statesOf(bench, items, [...specs.values()], options.samples);
    const byKey = new Map([...specs.keys()].map((key, at) => [key, states[at]]));
    for (const { group, items: own } of run) {
      const gathered: Gathered = { group, activations: new Map(), moments: new Map(), covariance: new Map() };
      for (const { spec, keep } of own) keep(byKey.get(keyOf(spec)), gathered);
      yield gathered;
    }
  }
}

async function statesOf(
  bench: QuantizationBench,
  items: readonly Wanted[],
  specs: readonly AccumulatorSpec[],
  samples: number = bench.samples,
): Promise<readonly unknown[]> {
  if (items.length === 0) return [];
  return observeValues(bench, [...new Set(items.map(({ value }) => value))], specs, samples);
}

const keyOf = (spec: AccumulatorSpec): string => JSON.stringify(spec);

interface WantedGroup {
  readonly group: ChannelGroup;
  readonly items: readonly Wanted[];
}

/** Runs of groups whose values and moments fit into memory together. */
function inRuns(wanted: readonly WantedGroup[], facts: ModelFacts, options: ObserveGroupsOptions): WantedGroup[][] {
  const limits = { values: options.valueBytes ?? VALUE_BYTES, moments: options.momentBytes ?? MOMENT_BYTES };
  const runs: WantedGroup[][] = [];
  const values = new Set<Value>();
  let used = { values: Infinity, moments: Infinity };
  for (const one of wanted) {
    const fresh = new Set(one.items.map(({ value }) => value).filter((value) => !values.has(value)));
    // Looked at as float32, whatever the type.
    const bytes = [...fresh].reduce((sum, value) => sum + (tensorBytes('float32', facts.scope.dims(value)) ?? 0), 0);
    const moments = one.items.reduce((sum, item) => sum + item.bytes, 0);
    if (used.values + bytes > limits.values || used.moments + moments > limits.moments) {
      runs.push([]);
      values.clear();
      used = { values: 0, moments: 0 };
    }
    runs.at(-1)?.push(one);
    for (const value of fresh) values.add(value);
    used = { values: used.values + bytes, moments: used.moments + moments };
  }
  return runs;
}

function wantedFor(
  group: ChannelGroup,
  facts: Facts,
  bench: QuantizationBench,
  { needs, samples = bench.samples, seed = 0 }: ObserveGroupsOptions,
): Wanted[] {
  const plan = { samples, seed, largestPatch: LARGEST_PATCH };
  const wanted: Wanted[] = [];
  for (const [value, axis] of valuesRead(group)) {
    if (!isVisible(value, bench)) continue;
    if (needs.has('activations')) wanted.push(magnitudesOf(value, axis));
    if (needs.has('covariance')) wanted.push(...covarianceOf(value, axis, facts, plan));
  }
  for (const reader of needs.has('moments') ? group.readers : []) {
    const value = reader.node.inputs[reader.slot];
    const layer = readerLayer(reader, facts);
    if (!value || !layer || !isVisible(value, bench)) continue;
    // What a layer sees does not depend on how many outputs it has: alike readers of a value share their moments.
    const spec = patchMomentsSpec({ ...layer, outputs: layer.kind === 'rows' ? 0 : layer.groups }, [value.name], plan);
    if (!spec) continue;
    const keep: Wanted['keep'] = (state, { moments }) => void moments.set(reader, state as PatchMoments);
    wanted.push({ value, spec, bytes: momentBytes(spec), keep });
  }
  return wanted;
}

function magnitudesOf(value: Value, axis: number): Wanted {
  const spec: ChannelMagnitudesSpec = { kind: 'channel-magnitudes', values: [value.name], axis };
  const keep: Wanted['keep'] = (state, { activations }) => void activations.set(value, state as ChannelMagnitudes);
  return { value, spec, bytes: 0, keep };
}

function covarianceOf(
  value: Value,
  axis: number,
  facts: Facts,
  plan: { readonly samples: number; readonly seed: number },
): Wanted[] {
  const layer = channelLayer(value, axis, facts);
  if (!layer || layerSizes(layer).patch > MOST_CHANNELS) return [];
  const spec = patchMomentsSpec(layer, [value.name], { ...plan, largestPatch: MOST_CHANNELS });
  if (!spec) return [];
  const keep: Wanted['keep'] = (state, { covariance }) => {
    const [only] = (state as PatchMoments).parts;
    if (only) covariance.set(value, only);
  };
  return [{ value, spec, bytes: momentBytes(spec), keep }];
}

/** Only values that the main graph computes, or that are fed, can be looked at. */
function isVisible(value: Value, { decoded }: QuantizationBench): boolean {
  return value.graph === decoded.model.graph && (value.producer !== undefined || value.isInput);
}
