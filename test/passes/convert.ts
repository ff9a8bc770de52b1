// Runs the conversion of the opset as the pipeline does.
import { createFacts } from '../../src/analysis/inference.js';
import type { Model } from '../../src/ir/model.js';
import { convertOpset } from '../../src/passes/opset/convert-opset.js';
import { configure } from '../../src/pipeline/configured-pass.js';
import type { RewriteLog } from '../../src/pipeline/rewrite-log.js';
import { runPasses } from '../../src/pipeline/run-passes.js';

/** Converts `model` in place. @throws InputError unsupported */
export async function toOpset(model: Model, version: number): Promise<RewriteLog> {
  const { signal } = new AbortController();
  return runPasses(model, [configure(convertOpset, { version })], {
    createFacts: (of) => createFacts(of),
    seed: 0,
    signal,
  });
}
