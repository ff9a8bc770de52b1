// Requests to factorize, and runs of them: what the tests of factorization runs share.
import { readFileSync } from 'node:fs';
import { factorizeFile } from '../../../src/pipeline/factorizing/factorize-file.js';
import type { FactorizeOutcome, FactorizeRequest } from '../../../src/pipeline/factorizing/outcome.js';
import { DEFAULT_FACTORIZING, type FactorizeSettings } from '../../../src/pipeline/factorizing/settings.js';
import { presetPasses } from '../../../src/pipeline/recipe.js';
import { digits } from '../pruning/run.js';

type Changes = Partial<Omit<FactorizeRequest, 'settings'>> & { readonly settings?: Partial<FactorizeSettings> };

/** A request that measures nothing. */
export function factorizeRequest(
  path: string,
  output: string,
  { settings = {}, ...changes }: Changes = {},
): FactorizeRequest {
  return {
    input: { path },
    output,
    recipe: { freeze: {}, opset: undefined, passes: presetPasses('exact') },
    settings: { ...DEFAULT_FACTORIZING, ...settings },
    openData: digits,
    journal: undefined,
    measure: 'off',
    seed: 0,
    threads: 1,
    keepOverridable: false,
    externalData: 'auto',
    signal: new AbortController().signal,
    ...changes,
  };
}

/** Runs and publishes. */
export async function finished(
  request: FactorizeRequest,
): Promise<{ readonly outcome: FactorizeOutcome; readonly bytes: Buffer }> {
  const outcome = await factorizeFile(request);
  try {
    const to = request.output ?? '';
    await outcome.publish(to);
    return { outcome, bytes: readFileSync(to) };
  } finally {
    await outcome.dispose();
  }
}
