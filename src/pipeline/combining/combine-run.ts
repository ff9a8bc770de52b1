// What the steps of a choice among all passes share: the model and its data in three parts, the slimmed model, scorers, the time there is.
import { UsageError } from '../../base/errors.js';
import type { OpenedData } from '../../data/open-data.js';
import { findPass } from '../../passes/registry.js';
import type { RuntimeHost } from '../../runtime/host.js';
import { configure, type ConfiguredPass } from '../configured-pass.js';
import { sizedInputs } from '../model-facts.js';
import { readOriginal, type Original } from '../original.js';
import { chooseClasses, restrictModel, type Subset } from '../pruning/class-subset.js';
import { fittedOf, splitForPruning, type PruneSamples } from '../pruning/split-samples.js';
import { refuseQuantized } from '../quantization/float-model.js';
import type { Journal } from '../quantization/journal.js';
import { Scorer } from '../quantization/score-candidate.js';
import { countSamples, fedShapes } from '../quantization/split-samples.js';
import { formatPass } from '../recipe.js';
import { openRunJournal } from '../run-journal.js';
import { inputName } from '../run-request.js';
import type { SlimOutcome } from '../slim.js';
import { effortMs } from '../setting-table.js';
import { slimStart } from '../slimmed-start.js';
import { finishSlimmed } from '../trading/last-passes.js';
import { withRuntimeBeside } from '../with-runtime.js';
import type { Workspace } from '../workspace.js';
import type { CombineRequest } from './outcome.js';
import { COMBINE_SETTINGS } from './settings.js';

export interface CombineRun {
  readonly request: CombineRequest;
  readonly host: RuntimeHost;
  readonly workspace: Workspace;
  readonly original: Original;
  /** What losses are counted against: the original, restricted to the classes that stay. */
  readonly reference: Original;
  readonly subset: Subset | undefined;
  readonly data: OpenedData;
  readonly samples: PruneSamples;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** The reference, slimmed, as it would be published; and the file that changes go on from. */
  readonly slimmed: SlimOutcome;
  readonly base: string;
  /** Passes that go over whatever comes out. */
  readonly last: readonly ConfiguredPass[];
  readonly journal: Journal;
  /** Of choices on the way, and of what comes out. */
  readonly scorers: { readonly select: Scorer; readonly report: Scorer };
  /** On the clock of `performance.now`: when it began, and when nothing further is looked for. */
  readonly time: { readonly from: number; readonly to: number };
  readonly warnings: string[];
}

/** Samples for calibration and fits: every layer behind a change is fitted anew for every model that is looked at. */
const MOST_FITTED = 400;
/** Samples for choices on the way: half of those that do not fit, and no more. Several runs choose on them, one on top of the other. */
const MOST_SELECTED = 2000;

type Closing = () => Promise<void> | void;

/**
 * Opens a run, does `what` with it, and closes all that it opened. @throws InputError unsupported (quantized already), bad-data, and what
 * reading and slimming throw; UsageError conflict, no-input
 */
export async function withCombineRun<T>(request: CombineRequest, what: (run: CombineRun) => Promise<T>): Promise<T> {
  if (request.measure === 'off')
    throw new UsageError('conflict', 'choosing among all passes needs timing on this machine', {
      fix: 'leave --no-profile out',
    });
  return withRuntimeBeside(request, async (host, workspace) => {
    const closing: Closing[] = [];
    try {
      return await what(await openRun({ request, host, workspace }, closing));
    } finally {
      for (const close of closing.toReversed()) await close();
    }
  });
}

interface Place {
  readonly request: CombineRequest;
  readonly host: RuntimeHost;
  readonly workspace: Workspace;
}

async function openRun({ request, host, workspace }: Place, closing: Closing[]): Promise<CombineRun> {
  const from = performance.now();
  const place = { request, host, workspace };
  const original = await readOriginal(request, workspace);
  refuseQuantized(original.decoded.model, inputName(request.input));
  const { data, samples, subset } = await openSamples(place, original);
  const shapes = new Map([...samples.first].map(([name, { dims }]) => [name, dims] as const));
  const reference = subset ? await restrict(place, original, { subset, samples }) : original;
  const { slimmed: start, warnings } = await slimStart(request, reference, shapes);
  closing.push(() => start.dispose());
  const journal = await openRunJournal(request, { original, samples, settings: settingsOf(request) });
  closing.push(() => journal.close());
  const scorer = (part: 'select' | 'report'): Scorer => {
    const made = new Scorer(host, request, { scoring: samples.data, part: samples[part] }, reference.path);
    closing.push(() => made.dispose());
    return made;
  };
  const opened = { request, host, workspace, shapes, slimmed: start, samples, journal, timed: true };
  const { slimmed, last } = await finishSlimmed(opened, lastPasses());
  return {
    ...{ request, host, workspace, original, reference, subset, data, samples, shapes, slimmed, last, journal },
    base: start.path,
    scorers: { select: scorer('select'), report: scorer('report') },
    time: { from, to: from + effortMs(request.settings.effort) },
    warnings: [...warnings, ...(journal.note === undefined ? [] : [journal.note])],
  };
}

/** Tried at the end of everything, and left out where they do not make the model faster. */
function lastPasses(): readonly ConfiguredPass[] {
  const pass = findPass('expand-lrn');
  return pass ? [configure(pass)] : [];
}

interface OpenedSamples {
  readonly data: OpenedData;
  readonly samples: PruneSamples;
  readonly subset: Subset | undefined;
}

async function openSamples({ request, host }: Place, { decoded: { model }, path }: Original): Promise<OpenedSamples> {
  const { openData, settings, signal, threads, onStage } = request;
  if (!openData)
    throw new UsageError('no-input', 'there is nothing to choose by', {
      fix: 'say where some hundred typical samples are: --data PATH (docs/data.md)',
    });
  onStage?.('opening the data');
  const inputs = sizedInputs(model, fedShapes(request, model));
  const all = await openData(inputs, signal);
  const chosen = { host, path, data: all };
  const subset =
    settings.classes.length > 0
      ? await chooseClasses(chosen, settings.classes, { threads, signal, onStage })
      : undefined;
  const data: OpenedData = subset ? { ...all, ...subset.data } : all;
  const count = Math.min(request.limit ?? Infinity, data.size ?? (await countSamples(data, Infinity, signal)));
  const fitted = settings.samples ?? Math.min(MOST_FITTED, fittedOf(count, undefined));
  const selected = Math.min(MOST_SELECTED, Math.ceil(Math.max(0, count - fitted) / 2));
  const split = { ...request, selected, settings: { samples: fitted } };
  return { data, samples: await splitForPruning(split, data, inputs), subset };
}

function restrict(
  { request, host, workspace }: Place,
  original: Original,
  { subset, samples }: { readonly subset: Subset; readonly samples: PruneSamples },
): Promise<Original> {
  const { keepOverridable, signal, onStage } = request;
  onStage?.('cutting the head');
  return restrictModel(original, subset, { host, workspace, feeds: samples.feeds(), keepOverridable, signal });
}

/** All that decides what a run finds, besides model, data and machine. A run that goes on may have more time. */
function settingsOf(request: CombineRequest): unknown {
  const { recipe, settings, limit, seed, threads, keepOverridable, latencyTable, shapes = [] } = request;
  const { effort: _, ...how } = COMBINE_SETTINGS.document(settings);
  return {
    recipe: [recipe.freeze, recipe.opset, recipe.passes.map(formatPass)],
    how,
    run: [limit, seed, threads, keepOverridable, latencyTable, [...shapes]],
  };
}

/** Minutes and seconds that are left to look for something better: `4:05`. */
export function timeLeft({ time }: Pick<CombineRun, 'time'>): string {
  const seconds = Math.max(0, Math.round((time.to - performance.now()) / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
