// Requests to prune, and runs of them: what the tests of pruning runs share.
import { readFileSync } from 'node:fs';
import type { InputPort } from '../../../src/data/data-set.js';
import { openData, type OpenedData } from '../../../src/data/open-data.js';
import { parsePreprocess } from '../../../src/data/preprocess.js';
import type { PruneOutcome, PruneRequest } from '../../../src/pipeline/pruning/outcome.js';
import { pruneFile } from '../../../src/pipeline/pruning/prune-file.js';
import { DEFAULT_PRUNING, type PruneSettings } from '../../../src/pipeline/pruning/settings.js';
import { presetPasses } from '../../../src/pipeline/recipe.js';
import { fixture } from '../evaluation/fake-data.js';

export const MNIST = fixture('mnist-bn-as-exported.onnx');

/** MNIST's net with a quarter of the weights (fixtures/README.md): searches take a fraction of the time. */
export const THIN = fixture('digits-thin.onnx');

export const digits = (inputs: readonly InputPort[], signal: AbortSignal): Promise<OpenedData> =>
  openData(fixture('mnist-300/images-idx3-ubyte'), { inputs, preprocess: parsePreprocess('raw'), signal });

/** A request that measures nothing. */
export function pruneRequest(
  path: string,
  output: string,
  { settings = {}, ...changes }: Partial<Omit<PruneRequest, 'settings'>> & { settings?: Partial<PruneSettings> } = {},
): PruneRequest {
  return {
    input: { path },
    output,
    recipe: { freeze: {}, opset: undefined, passes: presetPasses('exact') },
    settings: { ...DEFAULT_PRUNING, widths: 'any', ...settings },
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

export interface Finished {
  readonly outcome: PruneOutcome;
  readonly bytes: Buffer;
}

/** Runs and publishes. */
export async function finished(request: PruneRequest): Promise<Finished> {
  const outcome = await pruneFile(request);
  try {
    const to = request.output ?? '';
    await outcome.publish(to);
    return { outcome, bytes: readFileSync(to) };
  } finally {
    await outcome.dispose();
  }
}
