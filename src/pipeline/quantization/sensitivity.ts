// What each layer on integers does to the outputs: the noise with only this layer on integers, and how much less there is
// with only it in float. A few calibration samples tell.
import type { Node } from '../../ir/node.js';
import type { Candidate } from './candidate.js';
import { nodeNoise } from './node-rows.js';
import { applyQuantization } from './quantize.js';
import type { QuantizationRun } from './quantization-run.js';

/** Noise over signal of the outputs. */
export interface Sensitivity {
  /** With only this layer on integers. */
  readonly alone: number;
  /** Less noise with only this layer in float, than with none; undefined where it was not measured. */
  readonly removed: number | undefined;
}

const SAMPLES = 8;
/** Layers that are measured; of more, those whose own results are noisiest. */
const MOST_ALONE = 96;
const MOST_REMOVED = 24;

/**
 * Sensitivity of `layers`, those with weights that may run on integers, by label; those that were not measured are missing.
 * `make` gives the candidate with all of them on integers. The model stands in another form afterwards.
 */
export async function measureSensitivity(
  run: QuantizationRun,
  layers: readonly Node[],
  make: () => Promise<Candidate>,
): Promise<ReadonlyMap<string, Sensitivity>> {
  const { settled, journal, request } = run;
  const labels =
    layers.length <= MOST_ALONE ? layers.map(({ label }) => label) : await noisiestFirst(run, layers, make);
  const noiseWith = (float: readonly string[], step: string, stage: string): Promise<number> =>
    journal.recall(step, () => {
      request.onStage?.(stage);
      return noiseOf(run, new Set([...settled, ...float]));
    });
  const measured = labels.slice(0, MOST_ALONE);
  const alone = new Map<string, number>();
  for (const [at, label] of measured.entries()) {
    const stage = `measuring sensitivity, ${at + 1} of ${measured.length}`;
    const others = labels.filter((other) => other !== label);
    alone.set(label, await noiseWith(others, `noise with only ${label} on integers`, stage));
  }
  const all = await noiseWith([], 'noise with all on integers', 'measuring sensitivity');
  const removed = new Map<string, number>();
  const noisiest = [...alone].sort(([, a], [, b]) => b - a).slice(0, MOST_REMOVED);
  for (const [at, [label]] of noisiest.entries()) {
    const stage = `measuring what float saves, ${at + 1} of ${noisiest.length}`;
    removed.set(label, all - (await noiseWith([label], `noise with only ${label} in float`, stage)));
  }
  return new Map([...alone].map(([label, noise]) => [label, { alone: noise, removed: removed.get(label) }]));
}

/** A first guess that costs one look: the layers with the noisiest results. */
async function noisiestFirst(
  run: QuantizationRun,
  layers: readonly Node[],
  make: () => Promise<Candidate>,
): Promise<string[]> {
  const noise = await run.journal.recall('signal to noise of nodes', async () => {
    const { applied } = await make();
    return [...(await nodeNoise(run, applied.plan.nodes))].map(([{ label }, db]) => [label, db] as const);
  });
  const found = new Map(noise);
  const of = ({ label }: Node): number => found.get(label) ?? Infinity;
  return layers.toSorted((a, b) => (of(a) === of(b) ? 0 : of(a) - of(b))).map(({ label }) => label);
}

/** Noise that goes when a layer returns to float: the mean of both views, where both are there. */
export function noiseRemoved({ alone, removed }: Sensitivity): number {
  return removed === undefined ? alone : (alone + Math.max(0, removed)) / 2;
}

/** Biases are not corrected here: it takes longer than all else, and hides the layers that need it. */
async function noiseOf(run: QuantizationRun, float: ReadonlySet<string>): Promise<number> {
  const { bench, preparation, reference, standing } = run;
  standing.candidate = undefined;
  applyQuantization(bench, preparation, float);
  return reference.noise({ samples: Math.min(bench.samples, SAMPLES) });
}
