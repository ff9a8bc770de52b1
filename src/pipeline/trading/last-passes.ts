// Passes that belong behind all that changes layers: they go over whatever comes out, the slimmed model too, where they pay on that.
import { openModel } from '../../onnx/open.js';
import { compareLatency } from '../../runtime/latency.js';
import type { ConfiguredPass } from '../configured-pass.js';
import { assumedSizes, digestFiles, figuresOf } from '../model-facts.js';
import { formatPass } from '../recipe.js';
import type { SampledRunRequest } from '../run-request.js';
import type { SlimOutcome } from '../slim.js';
import { isLast, tidied } from '../slimmed-start.js';
import type { TradeRun } from './trade-run.js';

/** The slimmed model as it would be published, and the passes that made it so. */
export interface Finished {
  readonly slimmed: SlimOutcome;
  readonly last: readonly ConfiguredPass[];
}

/** What finishing needs of a run. */
type FinishRun = Pick<TradeRun, 'host' | 'workspace' | 'shapes' | 'slimmed' | 'samples' | 'journal' | 'timed'> & {
  readonly request: SampledRunRequest;
};

/** Those of the recipe stay; of `more` only what makes the model faster (untimed: all). @throws as `slim` */
export async function finishSlimmed(run: FinishRun, more: readonly ConfiguredPass[]): Promise<Finished> {
  const asked = run.request.recipe.passes.filter(isLast);
  const others = more.filter(({ pass }) => asked.every((one) => one.pass.name !== pass.name));
  const plain = await finishedBy(run, asked);
  if (others.length === 0) return { slimmed: plain, last: asked };
  const all = [...asked, ...others];
  const finished = await finishedBy(run, all);
  const isKept = !run.timed || (await isFaster(run, { before: plain.path, after: finished.path, last: all }));
  return isKept ? { slimmed: finished, last: all } : { slimmed: plain, last: asked };
}

async function finishedBy(run: FinishRun, last: readonly ConfiguredPass[]): Promise<SlimOutcome> {
  const { slimmed, request, shapes } = run;
  if (last.length === 0) return slimmed;
  const path = await tidied({ ...run, last }, slimmed.path, slimmed.path);
  const { model } = await openModel(path, { keepOverridable: request.keepOverridable });
  const file = await digestFiles(path, 0, 'skip');
  const after = { ...slimmed.after, file, figures: figuresOf(model, assumedSizes(model, shapes, undefined)) };
  return { ...slimmed, path, after, model };
}

interface TimedFiles {
  readonly before: string;
  readonly after: string;
  readonly last: readonly ConfiguredPass[];
}

function isFaster(
  { host, request, samples, journal }: FinishRun,
  { before, after, last }: TimedFiles,
): Promise<boolean> {
  return journal.recall(`time with ${last.map(formatPass).join(', ')}`, async () => {
    const { threads, seed, signal } = request;
    const { verdict } = await compareLatency(host, before, after, samples.first, { threads, seed, signal });
    await host.release();
    return verdict === 'faster';
  });
}
