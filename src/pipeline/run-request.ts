// What every run that writes a model is asked, whatever it does to it: what to read, where to write, with what means.
import { basename } from 'node:path';
import type { InputPort } from '../data/data-set.js';
import type { OpenedData } from '../data/open-data.js';
import type { Compression } from './model-facts.js';
import type { Recipe } from './recipe.js';

export interface RunRequest {
  /** A file, or bytes that came from elsewhere. */
  readonly input: { readonly path: string } | { readonly bytes: Uint8Array; readonly name: string };
  /** Where the result will be published; undefined when nowhere (dry run, standard output). */
  readonly output: string | undefined;
  readonly recipe: Recipe;
  readonly measure: 'on' | 'off';
  /** Whether file sizes after gzip are wanted; default `measure`. */
  readonly compression?: Compression;
  readonly seed: number;
  readonly threads: number;
  readonly keepOverridable: boolean;
  readonly externalData: 'auto' | 'always';
  /** Whether the output may replace the input or a file of its weights; default `refuse`. */
  readonly overwrite?: 'refuse' | 'force';
  readonly signal: AbortSignal;
  /** Told what is being done. */
  readonly onStage?: (text: string) => void;
}

/** A run that looks at samples and is long enough to be cut off. Its recipe holds the passes that run before. */
export interface SampledRunRequest extends RunRequest {
  /** Opens the data for the inputs of the model; undefined: none is looked at (data-free). */
  readonly openData: ((inputs: readonly InputPort[], signal: AbortSignal) => Promise<OpenedData>) | undefined;
  /** Where the journal lies, so that an interrupted run goes on; undefined: none is kept. */
  readonly journal: string | undefined;
  /** Latencies per layer from an earlier run (`profile --latency-table`), as they decide between layers. */
  readonly latencyTable?: string;
  /** Sizes that `--input` gives to inputs, by name ('' for the only one); they hold for samples, costs and timing. */
  readonly shapes?: ReadonlyMap<string, readonly number[]>;
  /** A model file that losses are counted against; default: the input itself, which times are measured against all the same. */
  readonly against?: string;
  /** Samples for choices on the way, behind those for fits; default: a quarter of what is left, and no more than 1000. */
  readonly selected?: number;
  /** Models that a search for a loss chooses among, from the least change to the most; default: some fifty. */
  readonly searchPoints?: number;
  /** Milliseconds that one timing may take; default: 12 000 for runs, 5000 for loads (src/runtime/latency.ts, load-time.ts). */
  readonly timingMs?: number;
  /** On the clock of `performance.now`: from then on nothing further is looked at, and what is known decides. */
  readonly until?: number;
}

/** The file name of the result: that of the output, else that of the input. */
export const resultName = ({ output, input }: Pick<RunRequest, 'output' | 'input'>): string =>
  basename(output ?? inputName(input));

/** What messages call the input. */
export const inputName = (input: RunRequest['input']): string => ('path' in input ? input.path : input.name);
