// Models on the way, timed in a second or two: what decides between blocks, and is measured again in the end.
import { mkdtemp } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { writeModel } from '../../onnx/write.js';
import { compareLatency } from '../../runtime/latency.js';
import type { Pair } from '../measure.js';
import type { QuantizationBench } from '../quantization/bench.js';
import { tidied } from '../slimmed-start.js';
import type { DeepenRun } from './deepen-run.js';

/** Milliseconds of one timing, and how narrow it has to be. */
const BUDGET = 1200;
const PRECISION = 0.01;

/** A file of the model as it stands, after the passes that go over what comes out, unchecked. @throws as `slim` */
export async function publishable(run: DeepenRun, { decoded }: QuantizationBench): Promise<string> {
  const { workspace, request } = run;
  const plain = join(await mkdtemp(workspace.path('rough-')), basename(run.base));
  await writeModel(decoded.document, decoded.model, plain);
  const quiet = { ...run, request: { ...request, onStage: () => undefined }, verify: 'off' as const };
  const path = await tidied(quiet, plain, plain);
  if (path !== plain) await workspace.remove(plain);
  return path;
}

/** Milliseconds of the first, and time of the second against it. @throws what timing throws */
export async function timesOf(
  { host, samples, request }: DeepenRun,
  { before, after }: Pair,
): Promise<{ readonly ms: number; readonly ratio: number }> {
  const { threads, seed, signal } = request;
  const options = { threads, seed, signal, budget: BUDGET, precision: PRECISION };
  const timing = await compareLatency(host, before, after, samples.first, options);
  await host.release();
  return { ms: timing.before.wall.p50, ratio: timing[timing.decidedBy].value };
}
