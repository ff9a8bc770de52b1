// "As good as before", checked: original and candidate run on ONNX Runtime, as they are written (no graph
// optimization), on the same feeds, and their outputs are compared. Then once more as applications run them, since what
// the runtime's own optimizations do with a rewritten graph is no business of the user either.
import { AppError, InputError, InternalError, InterruptError } from '../base/errors.js';
import { compareOutputs, outputScales, worstOf, type OutputAgreement, type Tolerance } from '../runtime/compare.js';
import { findFeeds, type FeedSample, type FeedSearch, type FeedSearchOptions } from '../runtime/find-feeds.js';
import type { CallOptions, RuntimeHost } from '../runtime/host.js';
import type { ModelSource } from '../runtime/model-source.js';
import type { TensorMap } from '../runtime/wire-tensor.js';
import { isFloat } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';

/** How one candidate compares with the original. */
export interface CheckResult {
  readonly agrees: boolean;
  /** Largest error relative to the scale of its output; infinite when outputs cannot be compared. */
  readonly worstRelative: number;
  /** Worst of each output over the samples. */
  readonly outputs: readonly OutputAgreement[];
  /** Outputs left out of it: the original does not give the same twice. */
  readonly unstable: readonly string[];
  /** What went wrong, in words. */
  readonly reason: string | undefined;
}

/** As the model is written, without keeping memory. */
const AS_WRITTEN = { optimization: 'disabled', arena: 'off' } as const;
/** As applications run it. */
const OPTIMIZED = { optimization: 'all', arena: 'off' } as const;
type Mode = typeof AS_WRITTEN | typeof OPTIMIZED;

/** Largest error under optimizations; their own effect on the original, ten times over, where that is more. */
const OPTIMIZED_LIMIT = 0.02;
/** A candidate may take 20 times as long as all runs of the original did, and a minute. */
const PATIENCE = { factor: 20, milliseconds: 60_000 };

/** The original with feeds it accepts, and what it answered. */
export class Reference {
  readonly search: FeedSearch;
  readonly #host: RuntimeHost;
  readonly #original: ModelSource;
  readonly #signal: AbortSignal;
  readonly #timeout: number;
  readonly #scales: ReadonlyMap<string, number>;
  /** Found out at the first disagreement. */
  #unstable: ReadonlySet<string> | undefined;
  /** What the original answers to the first sample when it is optimized; undefined when it then fails. */
  #optimized: Promise<TensorMap | undefined> | undefined;

  private constructor(host: RuntimeHost, original: ModelSource, search: FeedSearch, call: Required<CallOptions>) {
    this.#host = host;
    this.#original = original;
    this.search = search;
    this.#signal = call.signal;
    this.#timeout = call.timeout;
    this.#scales = outputScales(this.samples.map((sample) => sample.outputs));
  }

  /** Runs the original on several seeded feeds, and those the user gave. @throws InputError bad-feed; InterruptError */
  static async gather(
    host: RuntimeHost,
    original: ModelSource,
    options: FeedSearchOptions & { readonly signal: AbortSignal },
  ): Promise<Reference> {
    const start = performance.now();
    const search = await findFeeds(host, original, options);
    const timeout = Math.ceil(PATIENCE.milliseconds + PATIENCE.factor * (performance.now() - start));
    return new Reference(host, original, search, { signal: options.signal, timeout });
  }

  get samples(): readonly FeedSample[] {
    return this.search.verdict === 'found' ? this.search.samples : [];
  }

  /** Why nothing can be compared; undefined when something can. */
  get obstacle(): AppError | undefined {
    if (this.search.verdict !== 'found') return this.search.error;
    const names = [...(this.samples[0]?.outputs.keys() ?? [])];
    return names.length > 0 && names.every((name) => this.#unstable?.has(name))
      ? new InputError('unsupported', 'the original gives other outputs every time: they are random')
      : undefined;
  }

  /** Outputs of which the feeds say little: constant or saturated on all of them. */
  get stuck(): readonly string[] {
    return this.search.verdict === 'found' ? this.search.stuck : [];
  }

  /**
   * Runs the candidate on every sample. A candidate that does not load, run or end disagrees. Undefined when nothing can
   * be compared (`obstacle` says why). @throws InterruptError
   */
  async check(candidate: ModelSource, tolerance: Tolerance): Promise<CheckResult | undefined> {
    if (this.obstacle) return undefined;
    const byOutput = new Map<string, OutputAgreement[]>();
    for (const sample of this.samples) {
      const found = await this.#compare(candidate, sample, tolerance).catch(failure);
      if (typeof found === 'string') return disagreement(`fails on "${sample.label}": ${found}`);
      for (const output of found) byOutput.set(output.name, [...(byOutput.get(output.name) ?? []), output]);
    }
    const all = [...byOutput.values()].flatMap((agreements) => worstOf(agreements) ?? []);
    if (all.some((output) => !output.agrees)) this.#unstable ??= await this.#findUnstable();
    if (this.obstacle) return undefined;
    const outputs = all.filter(({ name }) => !this.#unstable?.has(name));
    const isEqual = outputs.every((output) => output.agrees);
    const reason = isEqual ? await this.#optimizedFailure(candidate, tolerance) : describe(worstOf(outputs));
    return {
      agrees: reason === undefined,
      worstRelative: Math.max(0, ...outputs.map((output) => output.relativeError)),
      outputs,
      unstable: [...(this.#unstable ?? [])],
      reason,
    };
  }

  #run(model: ModelSource, sample: FeedSample, mode: Mode): Promise<Map<string, Tensor>> {
    return this.#host.run(model, sample.feeds, { ...mode, signal: this.#signal, timeout: this.#timeout });
  }

  async #compare(model: ModelSource, sample: FeedSample, tolerance: Tolerance): Promise<readonly OutputAgreement[]> {
    const outputs = await this.#run(model, sample, AS_WRITTEN);
    return compareOutputs(sample.outputs, outputs, { tolerance, scales: this.#scales }).outputs;
  }

  /** Outputs that the original itself, run again, does not give again. */
  async #findUnstable(): Promise<ReadonlySet<string>> {
    const unstable = new Set<string>();
    for (const sample of this.samples) {
      for (const { name, agrees } of await this.#compare(this.#original, sample, { mode: 'bits' }))
        if (!agrees) unstable.add(name);
    }
    return unstable;
  }

  /** What goes wrong with the candidate under the runtime's optimizations, and does not with the original. */
  async #optimizedFailure(candidate: ModelSource, tolerance: Tolerance): Promise<string | undefined> {
    const [sample] = this.samples;
    if (!sample) return undefined;
    // The sessions of the comparison have done their work: at no time are more than two models in memory.
    await this.#host.release();
    this.#optimized ??= this.#run(this.#original, sample, OPTIMIZED).catch((error: unknown) => {
      failure(error);
      return undefined;
    });
    const expected = await this.#optimized;
    if (!expected) return undefined;
    const actual = await this.#run(candidate, sample, OPTIMIZED).catch(failure);
    if (typeof actual === 'string') return `fails once ONNX Runtime optimizes it: ${actual}`;
    const worstFloat = (a: TensorMap, b: TensorMap, limit: number): OutputAgreement | undefined =>
      worstOf(
        compareOutputs(a, b, { tolerance: { mode: 'scale', limit }, scales: this.#scales }).outputs.filter(
          ({ name }) => isFloat(a.get(name)?.dtype ?? 'bool') && !this.#unstable?.has(name),
        ),
      );
    const own = worstFloat(sample.outputs, expected, Infinity)?.relativeError ?? 0;
    const allowed = tolerance.mode === 'scale' ? tolerance.limit : 0;
    const worst = worstFloat(expected, actual, Math.max(OPTIMIZED_LIMIT, 10 * own, allowed));
    return worst === undefined || worst.agrees ? undefined : `once ONNX Runtime optimizes it, ${describe(worst)}`;
  }
}

/** The words of an error that speaks against the model that was run. @throws any other error */
export function failure(error: unknown): string {
  const isCrash = error instanceof InternalError && error.code === 'runtime-crashed';
  if (!(error instanceof AppError) || error instanceof InterruptError || (error instanceof InternalError && !isCrash))
    throw error;
  return error.message;
}

function disagreement(reason: string): CheckResult {
  return { agrees: false, worstRelative: Infinity, outputs: [], unstable: [], reason };
}

const WORDS = {
  missing: 'is missing',
  unexpected: 'is new',
  dtype: 'has another element type',
  shape: 'has another shape',
  'special-values': 'has NaN or infinity in other places',
  values: 'has other values',
} as const;

function describe(worst: OutputAgreement | undefined): string {
  if (!worst) return 'no output could be compared';
  const size = worst.relativeError;
  const error = Number.isFinite(size) ? ` (error ${size.toExponential(1)} of its scale)` : '';
  return `output "${worst.name}" ${WORDS[worst.reason ?? 'values']}${error}`;
}
