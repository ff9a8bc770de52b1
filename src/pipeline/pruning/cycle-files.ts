// The models of DropNet's cycles as files: beside the journal where there is one, so that a run that goes on finds the last
// ones; one that is missing is made again.
import { createHash } from 'node:crypto';
import { copyFile, readFile, rename, rm } from 'node:fs/promises';
import { findChannelGroups } from '../../analysis/channels.js';
import { benchFacts } from '../quantization/bench.js';
import { allChannels, type KeptChannels } from './kept-channels.js';
import { makePruned, type PrunedModel } from './make-pruned.js';
import { openBench, type PruneRun } from './prune-run.js';

/** A pruned model as plain data, and what makes it out of the one before. */
export interface PlainModel {
  /** SHA-256 of the file. */
  readonly digest: string;
  /** Units that leave, by name of the group. */
  readonly removals: readonly (readonly [string, readonly number[]])[];
  readonly kept: readonly (readonly [string, readonly (readonly [number, readonly number[]])[]])[];
  readonly removed: readonly (readonly [string, number])[];
  readonly refused: readonly (readonly [string, { readonly code: string; readonly at: string }])[];
  readonly defects: readonly (readonly [string, string])[];
  readonly removalError: number | null;
  readonly refitted: number;
  readonly errors: readonly (readonly [string, number])[];
}

/** Files of earlier cycles that stay. */
const KEPT_FILES = 3;

export class CycleFiles {
  readonly #run: PruneRun;

  constructor(run: PruneRun) {
    this.#run = run;
  }

  /** Keeps the model of cycle `number`, and its description for the journal. */
  async put(number: number, made: PrunedModel, removals: PlainModel['removals']): Promise<PlainModel> {
    const path = this.#pathOf(number);
    await copyFile(made.path, `${path}.new`);
    await rename(`${path}.new`, path);
    await rm(this.#pathOf(number - KEPT_FILES), { force: true });
    return {
      digest: (await digestOf(path)) ?? '',
      removals,
      kept: [...made.kept].map(([name, axes]) => [name, [...axes]] as const),
      removed: [...made.removed],
      refused: [...made.refused],
      defects: [...made.defects],
      removalError: made.removalError ?? null,
      refitted: made.refitted,
      errors: [...made.errors],
    };
  }

  /** The file of the last of `models`, the first of which came out of the slimmed model; that model itself where there is none. */
  async get(models: readonly PlainModel[]): Promise<string> {
    const last = models.at(-1);
    if (!last) return this.#run.slimmed.path;
    const path = this.#pathOf(models.length);
    if ((await digestOf(path)) === last.digest) return path;
    const before = models.slice(0, -1);
    const made = await makeCycle(this.#run, await this.get(before), { removals: last.removals, before: before.at(-1) });
    await this.put(models.length, made, last.removals);
    return path;
  }

  /** All steps up to the last of `models`. */
  async made(models: readonly PlainModel[]): Promise<PrunedModel[]> {
    const path = await this.get(models);
    return models.map((model) => fromPlain(model, path));
  }

  #pathOf(number: number): string {
    const { request, workspace } = this.#run;
    return cyclePath(request.journal ?? workspace.path('run'), number);
  }
}

const cyclePath = (journal: string, number: number): string => `${journal}.cycle-${number}.onnx`;

/** Removes the files of `cycles` cycles beside the journal. */
export async function dropCycleFiles(journal: string | undefined, cycles: number): Promise<void> {
  if (journal === undefined) return;
  for (let number = 1; number <= cycles; number++) await rm(cyclePath(journal, number), { force: true });
}

async function digestOf(path: string): Promise<string | undefined> {
  try {
    return createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
  } catch {
    return undefined;
  }
}

/** Removes units from the model in `path`, the last of `before`. */
export async function makeCycle(
  run: PruneRun,
  path: string,
  { removals, before }: { readonly removals: PlainModel['removals']; readonly before: PlainModel | undefined },
): Promise<PrunedModel> {
  const bench = await openBench(run, path);
  const groups = new Map(findChannelGroups(bench.decoded.model, benchFacts(bench)).map((group) => [group.name, group]));
  const known = removals.flatMap(([name, units]) => {
    const group = groups.get(name);
    return group ? [[group, units] as const] : [];
  });
  return makePruned(run, bench, new Map(known), before ? keptOf(before) : allChannels());
}

const keptOf = ({ kept }: PlainModel): KeptChannels => new Map(kept.map(([name, axes]) => [name, new Map(axes)]));

function fromPlain(model: PlainModel, path: string): PrunedModel {
  return {
    path,
    kept: keptOf(model),
    removed: new Map(model.removed),
    refused: new Map(model.refused) as PrunedModel['refused'],
    defects: new Map(model.defects),
    removalError: model.removalError ?? undefined,
    refitted: model.refitted,
    errors: new Map(model.errors),
  };
}
