// One plan carried out: blocks replaced, and then every layer behind the first of them refitted, bottom to top.
import { mkdtemp } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { writeModel } from '../../onnx/write.js';
import type { BlockRule } from '../../passes/learned/block-rule.js';
import { NO_RECOVERY } from '../pruning/recovery.js';
import { openBench } from '../pruning/prune-run.js';
import { benchFacts } from '../quantization/bench.js';
import type { MadeModel } from '../trading/trade-run.js';
import { applyProposals } from './blocks.js';
import { proposalsOf, type BlockPlan } from './components.js';
import type { DeepenRun } from './deepen-run.js';
import { xavierWeights } from './xavier.js';

export interface DeepenedModel extends MadeModel {
  /** By label of a layer: what is lost of its outputs. */
  readonly errors: ReadonlyMap<string, number>;
}

/** Makes the model with these blocks replaced; its file lies in the workspace. @throws what running and writing the model throw */
export async function makeDeepened(
  run: DeepenRun,
  rules: readonly BlockRule[],
  plan: BlockPlan,
): Promise<DeepenedModel> {
  const { request, workspace, teacher } = run;
  const { settings, seed, onStage } = request;
  onStage?.('replacing blocks');
  const bench = await openBench(run, run.base);
  const { layers, kept, missed } = applyProposals(bench, rules, proposalsOf(plan));
  for (const name of missed) run.warnings.push(`${name} could not be done beside the others, and was left out`);
  const isRandom = settings.start === 'xavier';
  if (isRandom) xavierWeights(layers, benchFacts(bench), seed);
  onStage?.('repairing');
  const recovery = isRandom ? NO_RECOVERY : run.recovery;
  const recovered = await recovery.recover({ bench, teacher, kept, seed });
  const path = join(await mkdtemp(workspace.path('deepened-')), basename(run.base));
  await writeModel(bench.decoded.document, bench.decoded.model, path);
  return { path, refitted: recovered.layers, errors: recovered.errors };
}
