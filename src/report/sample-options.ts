// Which samples a call of the library works on, and what reports say of them.
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

/** What was done to the samples, in words. */
export function preparationText({ kind, labelsFrom, preprocess }: OpenedData): string[] {
  return [
    `${kind}${labelsFrom === undefined ? ', no labels' : `, labels from ${labelsFrom}`}`,
    `pictures: --preprocess ${preprocess}`,
  ];
}
