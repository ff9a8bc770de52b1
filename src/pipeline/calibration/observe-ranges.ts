// The ranges of values of a model over a stream of samples. Values are looked at in groups of bounded size: all of a run's
// values of one group are in memory at once, and the samples are streamed once per group.
import { tensorBytes } from '../../analysis/cost.js';
import { createFacts, type ModelFacts } from '../../analysis/inference.js';
import type { AccumulatorSpec } from '../../fit/accumulator.js';
import type { RangeSpec, RangeState } from '../../fit/range.js';
import type { Value } from '../../ir/value.js';
import type { CallOptions, RuntimeHost } from '../../runtime/host.js';
import { observe } from '../../runtime/observe.js';
import type { TensorMap } from '../../runtime/wire-tensor.js';
import { instrument, type InstrumentedModel } from '../instrument.js';
import { assumedSizes } from '../model-facts.js';
import type { Workspace } from '../workspace.js';
import { addSamples } from './sampled-values.js';

/** Every group sees all samples. */
export interface RangesProgress {
  readonly samples: number;
  /** From 1. */
  readonly group: number;
  readonly groups: number;
}

export interface RangesRequest extends CallOptions {
  readonly values: readonly Value[];
  /** The samples from the first one; called once per group, and once more for the sizes of the first. */
  readonly feeds: () => AsyncIterable<TensorMap>;
  readonly threads?: number;
  readonly onProgress?: (progress: RangesProgress) => void;
}

/** Bytes of the values of a group, for one sample. */
const GROUP_BYTES = 96 * 2 ** 20;
/**
 * Up to so many bytes of values the runtime keeps its memory from run to run: to get it anew takes longer than to compute
 * most values. Of large ones it would keep several times their size.
 */
const ARENA_BYTES = 32 * 2 ** 20;

/**
 * The range of every value, over all samples. Memory does not depend on the number of samples, and on the size of the model
 * only by its own run. No values are observed where there is no sample. Where samples of values cannot tell (an element is
 * not finite, feeds differ in size), the values of that group are looked at once more, as a whole: the outcome is the same.
 * @throws InputError as `instrument` and `observe`, and what `feeds` throws
 */
export async function observeRanges(
  host: RuntimeHost,
  workspace: Workspace,
  observed: InstrumentedModel,
  request: RangesRequest,
): Promise<ReadonlyMap<Value, RangeState>> {
  const { values, feeds, threads = 1, signal, onProgress } = request;
  const ranges = new Map<Value, RangeState>();
  const first = await firstOf(feeds());
  if (!first) return ranges;
  const sizes = assumedSizes(observed.model, new Map([...first].map(([name, { dims }]) => [name, dims])), undefined);
  const facts = createFacts(observed.model, { assumedSizes: sizes });
  const groups = inGroups([...new Set(values)], facts);
  let alike = true;
  async function* equalFeeds(): AsyncGenerator<TensorMap> {
    for await (const feed of feeds()) {
      alike = hasSizesOf(feed, first);
      if (!alike) return;
      yield feed;
    }
  }
  for (const [index, group] of groups.entries()) {
    const look = async ({ path, specs, arena }: Prepared, stream: AsyncIterable<TensorMap>): Promise<RangesFound> => {
      const states = await observe(host, { teacher: path }, [...specs.values()], stream, {
        session: { threads, arena },
        ...(signal ? { signal } : {}),
        onProgress: (samples) => onProgress?.({ samples, group: index + 1, groups: groups.length }),
      });
      return new Map([...specs.keys()].map((value, at) => [value, states[at] as RangeState | undefined]));
    };
    const sampled = alike
      ? await look(await prepareSampled(observed, group, { workspace, facts }), equalFeeds())
      : undefined;
    // That may have turned up feeds of other sizes.
    const found = alike ? sampled : undefined;
    const rest = group.filter((value) => !found?.get(value));
    const whole =
      rest.length === 0 ? undefined : await look(await prepareWhole(observed, group, { workspace, rest }), feeds());
    for (const value of group) {
      const state = whole?.get(value) ?? found?.get(value);
      if (state) ranges.set(value, state);
    }
  }
  return ranges;
}

type RangesFound = ReadonlyMap<Value, RangeState | undefined>;

/** A copy of the model that returns what the accumulators of these values read. */
interface Prepared {
  readonly path: string;
  readonly specs: ReadonlyMap<Value, AccumulatorSpec>;
  readonly arena: 'on' | 'off';
}

/** With samples in the place of values, as far as possible. */
async function prepareSampled(
  observed: InstrumentedModel,
  group: readonly Value[],
  { workspace, facts }: { readonly workspace: Workspace; readonly facts: ModelFacts },
): Promise<Prepared> {
  const { graph, journal } = observed.model;
  const mark = journal.mark();
  const bytes = group.reduce((sum, value) => sum + bytesOf(value, facts), 0);
  try {
    const { outputs, specs } = addSamples(graph, group, facts);
    const others = group.filter((value) => !specs.has(value));
    const { path } = await instrument(observed, [...outputs, ...others], workspace);
    return {
      path,
      specs: new Map(group.map((value) => [value, specs.get(value) ?? rangeSpec(value)])),
      arena: bytes > ARENA_BYTES ? 'off' : 'on',
    };
  } finally {
    journal.seek(mark);
  }
}

/** Of `rest` only. All values of the group are returned though, so that the runtime computes them in the same way. */
async function prepareWhole(
  observed: InstrumentedModel,
  group: readonly Value[],
  { workspace, rest }: { readonly workspace: Workspace; readonly rest: readonly Value[] },
): Promise<Prepared> {
  const { path } = await instrument(observed, group, workspace);
  // What is returned is written into the same arrays again and again (see OutputStream).
  return { path, specs: new Map(rest.map((value) => [value, rangeSpec(value)])), arena: 'off' };
}

const rangeSpec = ({ name }: Value): RangeSpec => ({ kind: 'range', values: [name] });

function hasSizesOf(feed: TensorMap, other: TensorMap | undefined): boolean {
  return [...feed].every(([name, { dims }]) => String(dims) === String(other?.get(name)?.dims));
}

async function firstOf<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item;
  return undefined;
}

/** `values` in groups of which one sample's values take bounded memory, in their order. */
export function inGroups(values: readonly Value[], facts: ModelFacts): Value[][] {
  const groups: Value[][] = [];
  let bytes = Infinity;
  for (const value of values) {
    const size = bytesOf(value, facts);
    if (bytes + size > GROUP_BYTES) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)?.push(value);
    bytes += size;
  }
  return groups;
}

/** Looked at as float32, whatever the type. */
const bytesOf = (value: Value, { scope }: ModelFacts): number => tensorBytes('float32', scope.dims(value)) ?? 0;
