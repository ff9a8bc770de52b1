// One factorization run over one model: it is slimmed and looked at on samples, layers become chains as the settings say, what is
// there is repaired, and the result is scored and timed against the original. It lies in a private folder until the caller publishes
// it.
import { UsageError } from '../../base/errors.js';
import { openModel } from '../../onnx/open.js';
import type { RuntimeHost } from '../../runtime/host.js';
import { sizedInputs } from '../model-facts.js';
import { readOriginal, type Original } from '../original.js';
import { NO_RECOVERY, REFIT } from '../pruning/recovery.js';
import { randomSamples, splitForPruning, type PruneSamples } from '../pruning/split-samples.js';
import { refuseQuantized } from '../quantization/float-model.js';
import { Scorer } from '../quantization/score-candidate.js';
import { fedShapes } from '../quantization/split-samples.js';
import { formatPass, refuseLast } from '../recipe.js';
import { openRunJournal } from '../run-journal.js';
import { inputName } from '../run-request.js';
import { slimStart } from '../slimmed-start.js';
import { withRuntimeBeside } from '../with-runtime.js';
import type { Workspace } from '../workspace.js';
import { concludeFactorizing } from './conclude.js';
import type { FactorizeRun } from './factorize-run.js';
import { emptyCache } from './observe-layers.js';
import type { FactorizeOutcome, FactorizeRequest } from './outcome.js';
import { chooseFactorized } from './schedule.js';
import { aimOf, FACTORIZE_SETTINGS } from './settings.js';

/**
 * Factorizes one model. Whatever comes out runs, is not slower than the original where that can be measured (unless something else was
 * asked for in so many words), and is never a model that is surely broken.
 * @throws InputError unsupported (quantized already), bad-data, and what reading, slimming and running throw; UsageError
 *   would-overwrite, conflict; GateError where a budget cannot be reached; InterruptError
 */
export async function factorizeFile(request: FactorizeRequest): Promise<FactorizeOutcome> {
  return withRuntimeBeside(request, async (host, workspace) => {
    const closing: Closing[] = [];
    try {
      const run = await openRun({ request, host, workspace }, closing);
      return await concludeFactorizing(run, await chooseFactorized(run));
    } finally {
      for (const close of closing.toReversed()) await close();
    }
  });
}

type Closing = () => Promise<void> | void;

interface Place {
  readonly request: FactorizeRequest;
  readonly host: RuntimeHost;
  readonly workspace: Workspace;
}

async function openRun({ request, host, workspace }: Place, closing: Closing[]): Promise<FactorizeRun> {
  const { settings, onStage, keepOverridable } = request;
  const timed = request.measure === 'on';
  if (settings.latency !== undefined && !timed)
    throw new UsageError('conflict', 'a budget of time needs timing on this machine', {
      fix: 'leave --no-profile out, or give another budget',
    });
  refuseLast(request.recipe, 'factorize');
  const original = await readOriginal(request, workspace);
  refuseQuantized(original.decoded.model, inputName(request.input));
  onStage?.('opening the data');
  const samples = await split({ request, host, workspace }, original);
  const shapes = new Map([...samples.first].map(([name, { dims }]) => [name, dims] as const));
  const { slimmed, warnings } = await slimStart(request, original, shapes);
  closing.push(() => slimmed.dispose());
  const journal = await openRunJournal(request, { original, samples, settings: settingsOf(request) });
  closing.push(() => journal.close());
  const scorer = (part: 'select' | 'report'): Scorer => {
    const made = new Scorer(host, request, { scoring: samples.data, part: samples[part] }, original.path);
    closing.push(() => made.dispose());
    return made;
  };
  const aim = aimOf(settings);
  const isRepaired = settings.repair === 'on' && !samples.dataFree;
  return {
    // Without samples there is nothing but weights to go by.
    request: samples.dataFree ? { ...request, settings: { ...settings, metric: 'plain' } } : request,
    host,
    workspace,
    samples,
    original,
    slimmed,
    teacher: await openModel(slimmed.path, { keepOverridable }),
    shapes,
    journal,
    recovery: isRepaired ? REFIT : NO_RECOVERY,
    scorers: { select: scorer('select'), report: scorer('report') },
    cache: emptyCache(),
    timed,
    aim: aim === 'latency' && !timed ? 'macs' : aim,
    warnings: [...warnings, ...(journal.note === undefined ? [] : [journal.note])],
  };
}

async function split({ request, host }: Place, { decoded: { model }, path }: Original): Promise<PruneSamples> {
  const { openData, signal } = request;
  if (!openData) return randomSamples(request, { host, model, path });
  const inputs = sizedInputs(model, fedShapes(request, model));
  return splitForPruning(request, await openData(inputs, signal), inputs);
}

/** All that decides what a run finds, besides model, data and machine. */
function settingsOf(request: FactorizeRequest): unknown {
  const { recipe, settings, limit, measure, seed, threads, keepOverridable, latencyTable, shapes = [] } = request;
  return {
    recipe: [recipe.freeze, recipe.opset, recipe.passes.map(formatPass)],
    how: FACTORIZE_SETTINGS.document(settings),
    run: [limit, measure, seed, threads, keepOverridable, latencyTable, [...shapes]],
  };
}
