// One choice of units that leave, carried out: removed under a check, the rest repaired, and written.
import { mkdtemp } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ChannelGroup } from '../../analysis/channel-group.js';
import { writeModel } from '../../onnx/write.js';
import type { Removals, RemovalRefusal } from '../../passes/prune/remove-units-cuts.js';
import type { QuantizationBench } from '../quantization/bench.js';
import type { KeptChannels } from './kept-channels.js';
import type { PruneRun } from './prune-run.js';
import { removeChecked } from './removal-check.js';
import { evenStreams } from './turn-streams.js';

/** What became of groups in one step, by name. */
export interface PrunedModel {
  readonly path: string;
  readonly kept: KeptChannels;
  /** Units that left. */
  readonly removed: ReadonlyMap<string, number>;
  readonly refused: ReadonlyMap<string, RemovalRefusal>;
  readonly defects: ReadonlyMap<string, string>;
  readonly removalError: number | undefined;
  readonly refitted: number;
  /** By label of a layer: what is lost of its outputs. */
  readonly errors: ReadonlyMap<string, number>;
}

/**
 * Removes the units from the model of `bench` and mends it; the model is left as it comes out, and its file lies in the
 * workspace. `before`: what was left of the slimmed model until now.
 * @throws what removing, repairing and running throw
 */
export async function makePruned(
  run: PruneRun,
  bench: QuantizationBench,
  removals: Removals,
  before: KeptChannels,
): Promise<PrunedModel> {
  const { request, slimmed, recovery, workspace } = run;
  request.onStage?.('removing channels');
  const removal = await removeChecked(bench, removals, before);
  request.onStage?.('repairing');
  const { layers, errors } = await recovery.recover({
    bench,
    teacher: run.teacher,
    kept: removal.kept,
    seed: request.seed,
  });
  evenStreams(bench, run.start.turned);
  const path = join(await mkdtemp(workspace.path('pruned-')), basename(slimmed.path));
  await writeModel(bench.decoded.document, bench.decoded.model, path);
  const named = <V>(found: ReadonlyMap<ChannelGroup, V>): Map<string, V> =>
    new Map([...found].map(([group, value]) => [group.name, value]));
  return {
    path,
    kept: removal.kept,
    removed: new Map(removal.removed.map((group) => [group.name, new Set(removals.get(group)).size])),
    refused: named(removal.refused),
    defects: named(removal.defects),
    removalError: removal.error,
    refitted: layers,
    errors,
  };
}
