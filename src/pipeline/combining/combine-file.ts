// A choice among all passes for one model: what was found to be the fastest within a loss, or to lose least within a budget, on samples
// that decided nothing. It lies in a private folder until the caller publishes it.
import { chooseResult } from './choose-result.js';
import { withCombineRun } from './combine-run.js';
import { concludeCombining } from './conclude.js';
import type { CombineOutcome, CombineRequest } from './outcome.js';
import { searchChanges } from './search.js';

/**
 * Changes one model in whatever ways pay. Whatever comes out runs, is not slower than the original, and loses no more than is allowed on
 * the samples that are reported; where nothing does, the original comes out.
 * @throws InputError unsupported (quantized already), bad-data, and what reading, slimming and running throw; UsageError
 *   would-overwrite, conflict, no-input, not-available; InterruptError
 */
export const combineFile = (request: CombineRequest): Promise<CombineOutcome> =>
  withCombineRun(request, async (run) => {
    const found = await searchChanges(run);
    return concludeCombining(run, found, await chooseResult(run, found));
  });
