// Requests to factorize, and runs of them: what the tests of factorization runs share.
import { factorizeFile } from '../../../src/pipeline/factorizing/factorize-file.js';
import type { FactorizeRequest } from '../../../src/pipeline/factorizing/outcome.js';
import { DEFAULT_FACTORIZING, type FactorizeSettings } from '../../../src/pipeline/factorizing/settings.js';
import { runAndPublish, usualRequest } from '../usual-request.js';

type Changes = Partial<Omit<FactorizeRequest, 'settings'>> & { readonly settings?: Partial<FactorizeSettings> };

/** A request that measures nothing. */
export const factorizeRequest = (
  path: string,
  output: string,
  { settings = {}, ...changes }: Changes = {},
): FactorizeRequest => ({
  ...usualRequest(path, output),
  settings: { ...DEFAULT_FACTORIZING, ...settings },
  ...changes,
});

export const finished = (request: FactorizeRequest) => runAndPublish(factorizeFile, request);
