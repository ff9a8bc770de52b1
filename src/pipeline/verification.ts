// "As good as before", checked: original and candidate run on ONNX Runtime, as they are written (no graph
// optimization), on the same feeds, and their outputs are compared.
import { AppError, InputError, InternalError, InterruptError } from '../base/errors.js';
import { compareOutputs, outputScales, worstOf, type OutputAgreement, type Tolerance } from '../runtime/compare.js';
import { findFeeds, type FeedSample, type FeedSearch, type FeedSearchOptions } from '../runtime/find-feeds.js';
import type { RuntimeHost } from '../runtime/host.js';
import type { ModelSource } from '../runtime/model-source.js';

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

/** Runs as the model is written, without keeping memory. */
const RUN = { optimization: 'disabled', arena: 'off' } as const;

/** The original with feeds it accepts, and what it answered. */
export class Reference {
  readonly search: FeedSearch;
  readonly #host: RuntimeHost;
  readonly #original: ModelSource;
  readonly #signal: AbortSignal;
  readonly #scales: ReadonlyMap<string, number>;
  /** Found out at the first disagreement. */
  #unstable: ReadonlySet<string> | undefined;

  private constructor(host: RuntimeHost, original: ModelSource, search: FeedSearch, signal: AbortSignal) {
    this.#host = host;
    this.#original = original;
    this.search = search;
    this.#signal = signal;
    this.#scales = outputScales(this.samples.map((sample) => sample.outputs));
  }

  /** Runs the original on several seeded feeds, and those the user gave. @throws InputError bad-feed; InterruptError */
  static async gather(
    host: RuntimeHost,
    original: ModelSource,
    options: FeedSearchOptions & { readonly signal: AbortSignal },
  ): Promise<Reference> {
    return new Reference(host, original, await findFeeds(host, original, options), options.signal);
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
   * Runs the candidate on every sample. A candidate that does not load or run disagrees. Undefined when nothing can be
   * compared (`obstacle` says why). @throws InterruptError; InternalError runtime-crashed
   */
  async check(candidate: ModelSource, tolerance: Tolerance): Promise<CheckResult | undefined> {
    if (this.obstacle) return undefined;
    const byOutput = new Map<string, OutputAgreement[]>();
    for (const sample of this.samples) {
      try {
        for (const output of await this.#compare(candidate, sample, tolerance))
          byOutput.set(output.name, [...(byOutput.get(output.name) ?? []), output]);
      } catch (error) {
        if (!(error instanceof AppError) || error instanceof InterruptError || error instanceof InternalError)
          throw error;
        const reason = `fails on "${sample.label}": ${error.message}`;
        return { agrees: false, worstRelative: Infinity, outputs: [], unstable: [], reason };
      }
    }
    const all = [...byOutput.values()].flatMap((agreements) => worstOf(agreements) ?? []);
    if (all.some((output) => !output.agrees)) this.#unstable ??= await this.#findUnstable();
    if (this.obstacle) return undefined;
    const outputs = all.filter(({ name }) => !this.#unstable?.has(name));
    const agrees = outputs.every((output) => output.agrees);
    return {
      agrees,
      worstRelative: Math.max(0, ...outputs.map((output) => output.relativeError)),
      outputs,
      unstable: [...(this.#unstable ?? [])],
      reason: agrees ? undefined : describe(worstOf(outputs)),
    };
  }

  async #compare(model: ModelSource, sample: FeedSample, tolerance: Tolerance): Promise<readonly OutputAgreement[]> {
    const outputs = await this.#host.run(model, sample.feeds, { ...RUN, signal: this.#signal });
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
