// Before all tests: says so when dist does not belong to the sources. `npm test` builds first, plain `vitest` does not, and
// the tests that start the built program or the runtime's worker process would then test the old code.
import { isBuilt } from '../scripts/prepare.mjs';

export function setup() {
  if (!isBuilt())
    console.warn(
      'dist does not belong to the sources as they are: run "npm run build" before trusting tests that start the program.',
    );
}
