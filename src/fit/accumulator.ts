// What reduces a stream of values to a small state. Accumulators run in the process that holds the values (the child of
// src/runtime), so their specs and states are plain data: they cross process borders, are merged and saved.

/** One value of one batch, as float32, row-major. */
export interface StreamedValue {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

/** Values of one batch by name. Where two models run side by side, `teacher/NAME` and `student/NAME`. */
export type StreamedBatch = ReadonlyMap<string, StreamedValue>;

/** What to compute; `kind` names the entry in the registry (accumulators.ts). */
export interface AccumulatorSpec {
  readonly kind: string;
  /** Names of the values that it reads, see `StreamedBatch`. */
  readonly values: readonly string[];
}

export interface Accumulator<State = unknown> {
  /** Takes one batch in. The arrays are only valid during the call. */
  add(batch: StreamedBatch): void;
  /** Plain data (numbers, typed arrays, arrays, objects): can be cloned to another process. */
  state(): State;
}

/** An entry of the registry. */
export interface AccumulatorKind<Spec extends AccumulatorSpec = AccumulatorSpec, State = unknown> {
  readonly kind: Spec['kind'];
  create(spec: Spec): Accumulator<State>;
  /** The state after the samples of both: exact, so that shards of parallel jobs give what one job gives. */
  merge(a: State, b: State): State;
}
