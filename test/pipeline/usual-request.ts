// What requests of runs over digits have alike in tests: nothing is measured, the exact preset runs before.
import { readFileSync } from 'node:fs';
import type { SampledRunOutcome } from '../../src/pipeline/run-outcome.js';
import type { SampledRunRequest } from '../../src/pipeline/run-request.js';
import { presetPasses } from '../../src/pipeline/recipe.js';
import { digits } from './pruning/run.js';

export const usualRequest = (path: string, output: string): SampledRunRequest => ({
  input: { path },
  output,
  recipe: { freeze: {}, opset: undefined, passes: presetPasses('exact') },
  openData: digits,
  journal: undefined,
  measure: 'off',
  seed: 0,
  threads: 1,
  keepOverridable: false,
  externalData: 'auto',
  signal: new AbortController().signal,
});

/** Runs and publishes. */
export async function runAndPublish<Q extends SampledRunRequest, O extends SampledRunOutcome>(
  run: (request: Q) => Promise<O>,
  request: Q,
): Promise<{ readonly outcome: O; readonly bytes: Buffer }> {
  const outcome = await run(request);
  try {
    const to = request.output ?? '';
    await outcome.publish(to);
    return { outcome, bytes: readFileSync(to) };
  } finally {
    await outcome.dispose();
  }
}
