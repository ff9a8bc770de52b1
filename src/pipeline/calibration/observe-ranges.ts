// The ranges of values of a model over a stream of samples. Values are looked at in groups of bounded size: all of a run's
// values of one group are in memory at once, and the samples are streamed once per group.
import { tensorBytes } from '../../analysis/cost.js';
import { createFacts, type ModelFacts } from '../../analysis/inference.js';
import type { RangeSpec, RangeState } from '../../fit/range.js';
import { isAtLeast } from '../../ir/dim.js';
import type { Value } from '../../ir/value.js';
import type { CallOptions, RuntimeHost } from '../../runtime/host.js';
import { observe } from '../../runtime/observe.js';
import type { TensorMap } from '../../runtime/wire-tensor.js';
import { instrument, type InstrumentedModel } from '../instrument.js';
import { assumedSizes } from '../model-facts.js';
import type { Workspace } from '../workspace.js';

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
 * The range of every value, over all samples. Memory does not depend on the number of samples, and on the size of the model
 * only by its own run. No values are observed where there is no sample.
 * @throws InputError as `instrument` and `observe`, and what `feeds` throws
 */
export async function observeRanges(
  host: RuntimeHost,
  workspace: Workspace,
  observed: InstrumentedModel,
  request: RangesRequest,
): Promise<ReadonlyMap<Value, RangeState>> {
  const { values, feeds, threads = 1, signal, onProgress } = request;
  const { model } = observed;
  const ranges = new Map<Value, RangeState>();
  const first = await firstOf(feeds());
  if (!first) return ranges;
  const sizes = assumedSizes(model, new Map([...first].map(([name, { dims }]) => [name, dims])), undefined);
  const facts = createFacts(model, { assumedSizes: sizes });
  const groups = inGroups([...new Set(values)], facts);
  for (const [index, group] of groups.entries()) {
    const reduce = model.opsets.has('') ? group.filter((value) => isReducible(facts, value)) : [];
    const { path, names, reductions } = await instrument(observed, group, workspace, { reduce });
    const specs = group.map((value): RangeSpec => {
      const name = names.get(value) ?? value.name;
      const reduced = reductions.get(value);
      return { kind: 'range', values: reduced ? [name, ...reduced] : [name] };
    });
    const states = await observe(host, { teacher: path }, specs, feeds(), {
      session: { threads },
      ...(signal ? { signal } : {}),
      onProgress: (samples) => onProgress?.({ samples, group: index + 1, groups: groups.length }),
    });
    group.forEach((value, at) => void ranges.set(value, states[at] as RangeState));
  }
  return ranges;
}

/** The runtime finds extrema ten times faster than we do, but not those of nothing. */
function isReducible(facts: ModelFacts, value: Value): boolean {
  const { dtype, shape } = facts.of(value);
  return dtype === 'float32' && shape !== undefined && shape.every((dim) => isAtLeast(dim, 1));
}

async function firstOf<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item;
  return undefined;
}

/** `values` in groups of which one sample's values take bounded memory, in their order. */
export function inGroups(values: readonly Value[], { scope }: ModelFacts): Value[][] {
  const groups: Value[][] = [];
  let bytes = Infinity;
  for (const value of values) {
    // Looked at as float32, whatever the type.
    const size = tensorBytes('float32', scope.dims(value)) ?? 0;
    if (bytes + size > GROUP_BYTES) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)?.push(value);
    bytes += size;
  }
  return groups;
}
