// Which samples a call of the library works on, and what reports say of them.
import { basename } from 'node:path';
import type { InputPort } from '../data/data-set.js';
import { openData, type OpenedData } from '../data/open-data.js';
import { parsePreprocess, type Preprocess } from '../data/preprocess.js';

export interface SampleOptions {
  /** A file or folder of samples, as `--data` takes it (docs/data.md). */
  readonly path: string;
  /** As `--preprocess` takes it: `imagenet`, `unit,size=64x64`. */
  readonly preprocess?: string;
  /** A file of labels. */
  readonly labels?: string;
}

/**
 * Opens the samples for a model with these inputs; `usual`: how they are prepared where the options are silent.
 * @throws InputError not-found, bad-data, bad-feed; UsageError bad-value, not-available
 */
export function openSamples(
  { path, preprocess, labels }: SampleOptions,
  inputs: readonly InputPort[],
  { signal, usual }: { readonly signal: AbortSignal; readonly usual?: Preprocess | undefined },
): Promise<OpenedData> {
  const prepared = preprocess === undefined ? usual : parsePreprocess(preprocess);
  return openData(path, { inputs, labels, preprocess: prepared, signal });
}

/** Where the samples of a report lie, and how they were prepared. */
export interface SampleFacts {
  readonly name: string;
  readonly preparation: readonly string[];
}

/** Samples that a run opens once it knows the inputs of its model. */
export interface SampleSource {
  /** Undefined: none are asked for. */
  readonly open: ((inputs: readonly InputPort[], signal: AbortSignal) => Promise<OpenedData>) | undefined;
  /** Undefined until they are opened. */
  facts(): SampleFacts | undefined;
}

/** A source that tells of what it opened. */
export function sampleSource(open: SampleSource['open']): SampleSource {
  let data: OpenedData | undefined;
  return {
    open: open && (async (inputs, signal) => (data = await open(inputs, signal))),
    facts: () => data && { name: basename(data.path), preparation: preparationText(data) },
  };
}

/** The samples of a call of the library, opened as `openSamples` does. */
export const samplesOf = (samples: SampleOptions | undefined, usual: Preprocess | undefined): SampleSource =>
  sampleSource(samples && ((inputs, signal) => openSamples(samples, inputs, { signal, usual })));

/** What was done to the samples, in words. */
export function preparationText({ kind, labelsFrom, preprocess }: OpenedData): string[] {
  return [
    `${kind}${labelsFrom === undefined ? ', no labels' : `, labels from ${labelsFrom}`}`,
    `pictures: --preprocess ${preprocess}`,
  ];
}
