// "As good as before", checked: original and candidate run on ONNX Runtime, as they are written (no graph
// optimization), on the same feeds, and their outputs are compared.
import { AppError, InternalError, InterruptError } from '../base/errors.js';
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
  /** What went wrong, in words. */
  readonly reason: string | undefined;
}

/** The original with feeds it accepts, and what it answered. */
export class Reference {
  readonly search: FeedSearch;
  readonly #host: RuntimeHost;
  readonly #signal: AbortSignal;

  private constructor(host: RuntimeHost, search: FeedSearch, signal: AbortSignal) {
    this.#host = host;
    this.search = search;
    this.#signal = signal;
  }

  /** Runs the original on several seeded feeds, and those the user gave. @throws InputError bad-feed; InterruptError */
  static async gather(
    host: RuntimeHost,
    original: ModelSource,
    options: FeedSearchOptions & { readonly signal: AbortSignal },
  ): Promise<Reference> {
    return new Reference(host, await findFeeds(host, original, options), options.signal);
  }

  get samples(): readonly FeedSample[] {
    return this.search.verdict === 'found' ? this.search.samples : [];
  }

  /** Why nothing can be compared; undefined when something can. */
  get obstacle(): AppError | undefined {
    return this.search.verdict === 'found' ? undefined : this.search.error;
  }

  /** Runs the candidate on every sample. A candidate that does not load or run disagrees. @throws InterruptError; InternalError runtime-crashed */
  async check(candidate: ModelSource, tolerance: Tolerance): Promise<CheckResult> {
    const scales = outputScales(this.samples.map((sample) => sample.outputs));
    const byOutput = new Map<string, OutputAgreement[]>();
    for (const sample of this.samples) {
      try {
        const outputs = await this.#host.run(candidate, sample.feeds, {
          optimization: 'disabled',
          arena: 'off',
          signal: this.#signal,
        });
        for (const output of compareOutputs(sample.outputs, outputs, { tolerance, scales }).outputs)
          byOutput.set(output.name, [...(byOutput.get(output.name) ?? []), output]);
      } catch (error) {
        if (!(error instanceof AppError) || error instanceof InterruptError || error instanceof InternalError)
          throw error;
        return {
          agrees: false,
          worstRelative: Infinity,
          outputs: [],
          reason: `fails on "${sample.label}": ${error.message}`,
        };
      }
    }
    const outputs = [...byOutput.values()].flatMap((agreements) => worstOf(agreements) ?? []);
    const worst = worstOf(outputs);
    const agrees = outputs.every((output) => output.agrees);
    return {
      agrees,
      worstRelative: Math.max(0, ...outputs.map((output) => output.relativeError)),
      outputs,
      reason: agrees ? undefined : describe(worst),
    };
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
