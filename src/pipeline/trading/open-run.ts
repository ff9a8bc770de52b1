// The start of a run that trades accuracy for cost: the model is read, slimmed and looked at, the samples are split, the journal is opened.
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
import type { ConfiguredPass } from '../configured-pass.js';
import { formatPass } from '../recipe.js';
import { openRunJournal } from '../run-journal.js';
import { inputName } from '../run-request.js';
import { slimStart } from '../slimmed-start.js';
import { withRuntimeBeside } from '../with-runtime.js';
import type { Workspace } from '../workspace.js';
import { aimOf } from './budgets.js';
import { finishSlimmed } from './last-passes.js';
import type { TradeRequest, TradeRun } from './trade-run.js';

/** What the kind of a run says of itself. */
export interface TradeKind<Q extends TradeRequest> {
  readonly repair: 'on' | 'off';
  /** All settings that decide what comes out, as plain data. */
  readonly settings: unknown;
  /** Passes that go over whatever comes out, besides those of the recipe; where they do not make it faster they are left out. */
  readonly last?: readonly ConfiguredPass[];
  /** The request where there is nothing but weights to go by. */
  readonly dataFree: (request: Q) => Q;
}

/**
 * Opens a run, does `what` with it, and closes all that it opened. @throws InputError unsupported (quantized already), bad-data, and what
 * reading and slimming throw; UsageError conflict
 */
export async function withTradeRun<Q extends TradeRequest, T>(
  request: Q,
  kind: TradeKind<Q>,
  what: (run: TradeRun<Q>) => Promise<T>,
): Promise<T> {
  return withRuntimeBeside(request, async (host, workspace) => {
    const closing: Closing[] = [];
    try {
      return await what(await openRun({ request, host, workspace }, kind, closing));
    } finally {
      for (const close of closing.toReversed()) await close();
    }
  });
}

type Closing = () => Promise<void> | void;

interface Place<Q> {
  readonly request: Q;
  readonly host: RuntimeHost;
  readonly workspace: Workspace;
}

async function openRun<Q extends TradeRequest>(
  { request, host, workspace }: Place<Q>,
  kind: TradeKind<Q>,
  closing: Closing[],
): Promise<TradeRun<Q>> {
  const { settings, onStage, keepOverridable } = request;
  const timed = request.measure === 'on';
  if (settings.latency !== undefined && !timed)
    throw new UsageError('conflict', 'a budget of time needs timing on this machine', {
      fix: 'leave --no-profile out, or give another budget',
    });
  const original = await readOriginal(request, workspace);
  refuseQuantized(original.decoded.model, inputName(request.input));
  onStage?.('opening the data');
  const samples = await split({ request, host, workspace }, original);
  const shapes = new Map([...samples.first].map(([name, { dims }]) => [name, dims] as const));
  const { slimmed: start, warnings } = await slimStart(request, original, shapes);
  closing.push(() => start.dispose());
  const journal = await openRunJournal(request, { original, samples, settings: settingsOf(request, kind) });
  closing.push(() => journal.close());
  const scorer = (part: 'select' | 'report'): Scorer => {
    const made = new Scorer(
      host,
      request,
      { scoring: samples.data, part: samples[part] },
      request.against ?? original.path,
    );
    closing.push(() => made.dispose());
    return made;
  };
  const aim = aimOf(settings);
  const opened = { request, host, workspace, shapes, slimmed: start, samples, journal, timed };
  const { slimmed, last } = await finishSlimmed(opened, kind.last ?? []);
  const isRepaired = kind.repair === 'on' && !samples.dataFree;
  return {
    request: samples.dataFree ? kind.dataFree(request) : request,
    host,
    workspace,
    samples,
    original,
    slimmed,
    base: start.path,
    last,
    teacher: await openModel(start.path, { keepOverridable }),
    shapes,
    journal,
    recovery: isRepaired ? REFIT : NO_RECOVERY,
    scorers: { select: scorer('select'), report: scorer('report') },
    timed,
    aim: aim === 'latency' && !timed ? 'macs' : aim,
    warnings: [...warnings, ...(journal.note === undefined ? [] : [journal.note])],
  };
}

async function split(
  { request, host }: Place<TradeRequest>,
  { decoded: { model }, path }: Original,
): Promise<PruneSamples> {
  const { openData, signal } = request;
  if (!openData) return randomSamples(request, { host, model, path });
  const inputs = sizedInputs(model, fedShapes(request, model));
  return splitForPruning(request, await openData(inputs, signal), inputs);
}

/** All that decides what a run finds, besides model, data and machine. */
function settingsOf(request: TradeRequest, { settings: how }: Pick<TradeKind<TradeRequest>, 'settings'>): unknown {
  const { recipe, limit, measure, seed, threads, keepOverridable, latencyTable, shapes = [] } = request;
  return {
    recipe: [recipe.freeze, recipe.opset, recipe.passes.map(formatPass)],
    how,
    run: [limit, measure, seed, threads, keepOverridable, latencyTable, [...shapes]],
  };
}
