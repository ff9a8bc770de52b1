// The values of a model that changes from its inputs on, level by level: what is computed once from the part that stays as it
// is now is kept for each sample, so that all levels together cost little more than one run of the model.
import { tensorBytes } from '../../analysis/cost.js';
import type { ModelFacts } from '../../analysis/inference.js';
import type { Value } from '../../ir/value.js';
import type { TensorMap } from '../../runtime/wire-tensor.js';
import { firstFeeds, type QuantizationBench } from '../quantization/bench.js';
import { runSegment, writeSegment } from './segment.js';

export interface StudentStream {
  /**
   * Computes `wanted` for each sample, in order. `later`: values that no longer change and that all later calls can build
   * on; they are kept where there is room for them. Without it, what is kept stays as it is.
   */
  run(wanted: readonly Value[], later: readonly Value[] | undefined, visit: Visit): Promise<void>;
}

/** Values by name. */
export type Visit = (values: TensorMap, sample: number) => Promise<void>;

export interface StreamOptions {
  readonly facts: ModelFacts;
  readonly samples: number;
  /** Bytes that kept values may take, of all samples. */
  readonly cacheBytes: number;
}

/** Nothing is kept at first: the first call runs from the inputs of the model. */
export function studentStream(bench: QuantizationBench, options: StreamOptions): StudentStream {
  let kept: readonly Value[] = [];
  let cache: TensorMap[] = [];
  return {
    run: async (wanted, later, visit) => {
      const keeps = later !== undefined && fits(later, bench, options);
      const next: TensorMap[] = [];
      const missing = [...new Set([...wanted, ...(keeps ? later : [])])].filter((value) => !kept.includes(value));
      let sample = 0;
      for await (const values of valuesOf(missing, { bench, options, kept, cache })) {
        await visit(picked(values, wanted), sample);
        if (keeps) {
          next.push(picked(values, later));
          // Both at once would take twice the room.
          cache[sample] = new Map();
        }
        sample++;
      }
      if (!keeps) return;
      kept = later;
      cache = next;
    },
  };
}

function fits(values: readonly Value[], { decoded }: QuantizationBench, options: StreamOptions): boolean {
  const { facts, samples, cacheBytes } = options;
  // What subgraphs read is not looked up.
  if (decoded.model.graph.nodes().some((node) => node.subgraphs().length > 0)) return false;
  const bytes = values.map((value) => tensorBytes(facts.of(value).dtype ?? 'float32', facts.scope.dims(value)));
  return bytes.reduce<number>((sum, size) => sum + (size ?? Infinity), 0) * samples <= cacheBytes;
}

interface Known {
  readonly bench: QuantizationBench;
  readonly options: StreamOptions;
  readonly kept: readonly Value[];
  readonly cache: readonly TensorMap[];
}

/** For each sample, what is kept of it and what is missing. */
async function* valuesOf(missing: readonly Value[], known: Known): AsyncGenerator<TensorMap> {
  const { bench, options, kept } = known;
  const computed = missing.filter(({ producer }) => producer);
  const readsInputs = computed.length < missing.length;
  if (computed.length === 0) {
    yield* samplesOf(known, readsInputs ? 'with' : 'without');
    return;
  }
  const { decoded, workspace, host, signal } = bench;
  const segment = await writeSegment(decoded, { from: kept, to: computed }, { facts: options.facts, workspace });
  const names = new Set(kept.map(({ name }) => name));
  const needsInputs = readsInputs || [...segment.inputs.keys()].some((name) => !names.has(name));
  const samples = samplesOf(known, needsInputs ? 'with' : 'without');
  for await (const { sample, outputs } of runSegment(host, segment, samples, signal))
    yield new Map([...sample, ...outputs]);
  await workspace.remove(segment.path);
}

/** What is kept of each sample, with the inputs of the model or without. */
async function* samplesOf({ bench, options, cache }: Known, inputs: 'with' | 'without'): AsyncGenerator<TensorMap> {
  if (inputs === 'without') {
    yield* cache;
    return;
  }
  let at = 0;
  for await (const feed of firstFeeds(bench.feeds(), options.samples)) yield new Map([...feed, ...(cache[at++] ?? [])]);
}

function picked(values: TensorMap, wanted: readonly Value[]): TensorMap {
  return new Map(
    wanted.flatMap(({ name }) => {
      const tensor = values.get(name);
      return tensor ? [[name, tensor] as const] : [];
    }),
  );
}
