// What units leave from: the slimmed model, its linear streams turned so that what is of least use to their readers lies in
// channels of its own. What comes out is turned once more, so that no channel is much louder than others: integers have one
// scale for all channels of a value.
import { mkdtemp } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { findChannelGroups } from '../../analysis/channels.js';
import { matrix, type Matrix } from '../../linalg/matrix.js';
import { openModel } from '../../onnx/open.js';
import { writeModel } from '../../onnx/write.js';
import { linearStream, rotateStream } from '../../passes/prune/rotate-stream.js';
import { benchFacts, type QuantizationBench } from '../quantization/bench.js';
import { openBench, type PruneRun } from './prune-run.js';
import { rotateStreams } from './rotate-streams.js';

/** Covariances of a few hundred samples at many positions are as good as those of all. */
const SAMPLES = 256;

/**
 * The run with its linear streams turned; as it is where there are none. Only for what looks at outputs of readers: other scores
 * speak of the channels as they were given.
 * @throws what running and writing the model throw
 */
export async function turnStreams(run: PruneRun): Promise<PruneRun> {
  const { request, samples, score, slimmed, workspace } = run;
  const { schedule, repair } = request.settings;
  if (score !== 'obs' || schedule === 'dropnet' || repair !== 'on' || samples.dataFree) return run;
  const bench = await openBench(run, slimmed.path);
  const { decoded } = bench;
  const groups = findChannelGroups(decoded.model, benchFacts(bench));
  request.onStage?.('turning linear streams');
  const turned = await rotateStreams(bench, groups, {
    seed: request.seed,
    samples: Math.min(SAMPLES, samples.samples),
  });
  if (turned.length === 0) return run;
  const path = join(await mkdtemp(workspace.path('turned-')), basename(slimmed.path));
  await writeModel(decoded.document, decoded.model, path);
  const teacher = await openModel(path, { keepOverridable: request.keepOverridable });
  return { ...run, start: { path, turned }, teacher };
}

/** Turns these streams of the model of the bench so that their channels are about equally loud. */
export function evenStreams(bench: QuantizationBench, turned: readonly string[]): void {
  if (turned.length === 0) return;
  const facts = benchFacts(bench);
  for (const group of findChannelGroups(bench.decoded.model, facts)) {
    const stream = turned.includes(group.name) ? linearStream(group, facts) : undefined;
    const basis = hartley(group.width);
    if (stream) rotateStream(stream, { forward: basis, back: basis });
  }
}

/** cas(2 pi i j / n) / sqrt(n): symmetric and its own inverse; the first, loudest channel goes to all in equal parts. */
function hartley(n: number): Matrix {
  const result = matrix(n, n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const angle = (2 * Math.PI * ((i * j) % n)) / n;
      result.data[i * n + j] = (Math.cos(angle) + Math.sin(angle)) / Math.sqrt(n);
    }
  }
  return result;
}
