// A run whose result is timed as slower: the pass that did it is left out of the file and named in the report.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openModel } from '../../src/onnx/open.js';
import type { timePair } from '../../src/pipeline/measure.js';
import { presetPasses } from '../../src/pipeline/recipe.js';
import { slim, type SlimRequest } from '../../src/pipeline/slim.js';
import { buildSlimReport } from '../../src/report/build-slim-report.js';
import { plainText } from '../../src/report/span.js';
import { slimLines } from '../../src/report/terminal.js';
import { timedPair } from './timings.js';

const input = fileURLToPath(new URL('../../fixtures/mnist-bn-as-exported.onnx', import.meta.url));
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mcompress-speed-'));
});
afterAll(() => rm(folder, { recursive: true }));

const request = (output: string): SlimRequest => ({
  input: { path: input },
  output: join(folder, output),
  recipe: { freeze: {}, opset: undefined, passes: presetPasses('exact') },
  verify: 'end',
  measure: 'on',
  seed: 0,
  threads: 1,
  shapes: new Map(),
  feeds: [],
  keepOverridable: false,
  externalData: 'auto',
  signal: new AbortController().signal,
});

const operators = async (path: string): Promise<string[]> =>
  [...(await openModel(path)).model.graph.nodes()].map(({ opType }) => opType);

/** Says that models without BatchNormalization are slower than those with it. */
const mournsNormalization: typeof timePair = async (_host, { after }) =>
  timedPair((await operators(after)).includes('BatchNormalization') ? 'no-difference' : 'slower');

it('leaves out the pass that made the model slower', async () => {
  const asked = request('kept.onnx');
  const outcome = await slim(asked, { time: mournsNormalization });
  const report = buildSlimReport(asked, outcome, 0);
  await outcome.publish(join(folder, 'kept.onnx'));
  await outcome.dispose();
  const written = await operators(join(folder, 'kept.onnx'));
  expect(written).toContain('BatchNormalization');
  expect(written).not.toContain('Identity');
  expect(report.figures.nodes.after).toBe(written.length);
  expect(report.figures.nodes.after).toBeLessThan(report.figures.nodes.before);
  expect(outcome.checked.undone.map((u) => [u.rewrite.pass, u.check.reason])).toEqual([]);
  expect(report.verification.verdict).toBe('agrees');
  expect(outcome.rejected.map(({ pass }) => pass)).toEqual(['fold-batch-norm']);
  expect(report.passes.find(({ pass }) => pass === 'fold-batch-norm')).toMatchObject({ outcome: 'rejected', sites: 0 });
  const text = plainText(slimLines(report, { width: 120, verbosity: 0, reports: [] }));
  expect(text).toContain('fold-batch-norm was left out: the model runs 10 % slower with it');
});

it('returns the original when every rewrite makes it slower', async () => {
  const asked = request('original.onnx');
  const outcome = await slim(asked, {
    time: async (_host, { before, after }) =>
      timedPair((await readFile(after)).equals(await readFile(before)) ? 'no-difference' : 'slower'),
  });
  const report = buildSlimReport(asked, outcome, 0);
  await outcome.dispose();
  expect(report.output?.sha256).toBe(report.input.sha256);
  expect(report.figures.latency?.verdict).toBe('no-difference');
});
