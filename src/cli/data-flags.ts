// `--data`, `--labels`, `--preprocess`, `--limit`: the data that a command line asks for.
import { UsageError } from '../base/errors.js';
import type { InputPort } from '../data/data-set.js';
import { openData, type OpenedData } from '../data/open-data.js';
import { parsePreprocess, type Preprocess } from '../data/preprocess.js';
import { wholeNumber, type FlagValues } from './parsed-flags.js';

/** What was asked for, before anything is opened. */
export interface DataRequest {
  /** File or folder, with the part behind `#`. */
  readonly path: string;
  readonly labels: string | undefined;
  readonly preprocess: Preprocess | undefined;
  /** Samples to use; undefined for all. */
  readonly limit: number | undefined;
}

/**
 * The request of the flags; undefined without `--data`. `--preprocess` wins over that of the recipe.
 * @throws UsageError bad-value, unknown-option; conflict for flags that need `--data`
 */
export function dataRequest(
  flags: FlagValues,
  recipe: { readonly preprocess?: Preprocess } = {},
): DataRequest | undefined {
  const { data, labels, limit } = flags;
  if (data === undefined) {
    const stray = (['labels', 'preprocess', 'limit'] as const).find((key) => flags[key] !== undefined);
    if (stray)
      throw new UsageError('conflict', `--${stray} needs --data`, { fix: 'say where the samples are: --data PATH' });
    return undefined;
  }
  return {
    path: data,
    labels,
    preprocess: flags.preprocess === undefined ? recipe.preprocess : parsePreprocess(flags.preprocess),
    limit: limit === undefined ? undefined : wholeNumber('limit', limit, 0, 1),
  };
}

/**
 * Refuses a run that has nothing to look at a model with, and one that wants a loss kept which it cannot measure.
 * @throws UsageError conflict, no-input
 */
export function refuseUnseen(
  flags: FlagValues,
  asked: DataRequest | undefined,
  { maxDrop }: { readonly maxDrop: number | undefined },
): void {
  const isFree = flags.weightsOnly === true || flags.dataFree === true;
  if (asked && isFree)
    throw new UsageError('conflict', '--data-free means: without --data', { fix: 'leave one of them out' });
  if (!asked && !isFree)
    throw new UsageError('no-input', 'there is nothing to look at the model with', {
      fix: 'say where some hundred typical samples are: --data PATH (docs/data.md); or judge by weights alone, at a loss: --data-free',
    });
  if (!asked && maxDrop !== undefined)
    throw new UsageError('conflict', '--max-drop needs --data: without samples no loss can be measured');
}

/**
 * The data of a request, for a model with these inputs (dims that the user fixed already filled in).
 * @throws InputError not-found, bad-data, bad-feed; UsageError bad-value, not-available
 */
export function openRequested(
  { path, labels, preprocess }: DataRequest,
  inputs: readonly InputPort[],
  signal?: AbortSignal,
): Promise<OpenedData> {
  return openData(path, { inputs, preprocess, labels, ...(signal ? { signal } : {}) });
}
