// A pruned model that may be the result: made when it is asked for, and tidied up by the exact passes.
import { openModel } from '../../onnx/open.js';
import type { Loss } from '../evaluation/compare-answers.js';
import { assumedSizes, figuresOf } from '../model-facts.js';
import { tidied } from '../slimmed-start.js';
import type { GroupStart } from './group-rows.js';
import type { PrunedModel } from './make-pruned.js';
import type { KeepReason, PruneStep } from './outcome.js';
import type { PruneRun } from './prune-run.js';

export interface CandidateFile {
  readonly path: string;
  /** The steps in which units left. */
  readonly made: readonly PrunedModel[];
}

export interface Candidate {
  /** In words, as the journal and the report call it. */
  readonly name: string;
  /** Why groups that could lose units did not, by name of the group; where nothing is known of one, others were worth less. */
  readonly reasons: ReadonlyMap<string, KeepReason>;
  /** The model as it would be published. The same bytes every time. */
  file(): Promise<CandidateFile>;
}

/** A candidate whose steps `make` carries out: once, however often the file is asked for. */
export function candidateOf(
  run: PruneRun,
  { name, reasons = new Map() }: { readonly name: string; readonly reasons?: Candidate['reasons'] },
  make: () => Promise<readonly PrunedModel[]>,
): Candidate {
  let made: Promise<CandidateFile> | undefined;
  return { name, reasons, file: () => (made ??= make().then((steps) => tidy(run, steps))) };
}

/** The last of the steps, after the exact passes where the recipe has them. */
async function tidy(run: PruneRun, made: readonly PrunedModel[]): Promise<CandidateFile> {
  return { path: await tidied(run, made.at(-1)?.path ?? '', run.slimmed.path), made };
}

/** A candidate judged on the samples for selection, unless the journal knows. */
export async function judgeCandidate(
  run: PruneRun,
  candidate: Candidate,
  groups: readonly GroupStart[],
): Promise<PruneStep> {
  return run.journal.recall(`step ${candidate.name}`, async () => {
    const { path, made } = await candidate.file();
    run.request.onStage?.(`judging ${candidate.name}`);
    const { loss } = await run.scorers.select.score(path);
    return stepOf(run, { name: candidate.name, path, loss, units: unitsLeft(groups, made) });
  });
}

/** Units that are left of those that could leave. */
export function unitsLeft(groups: readonly GroupStart[], made: readonly Pick<PrunedModel, 'removed'>[]): number {
  const open = groups.filter(({ reason }) => reason === undefined).reduce((sum, { width }) => sum + width, 0);
  return made.reduce((left, { removed }) => [...removed.values()].reduce((sum, units) => sum - units, left), open);
}

/** What the model in `path` is, as a step of the run. */
export async function stepOf(
  { request, shapes }: PruneRun,
  {
    name,
    path,
    loss,
    units,
  }: { readonly name: string; readonly path: string; readonly loss: Loss; readonly units: number },
): Promise<PruneStep> {
  const { model } = await openModel(path, { keepOverridable: request.keepOverridable });
  const { cost } = figuresOf(model, assumedSizes(model, shapes, undefined));
  return { name, units, macs: cost.macs, parameters: cost.parameters, loss, latencyRatio: undefined };
}
