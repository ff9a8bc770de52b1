// One pruning run over one model: it is slimmed and looked at on samples, channels leave as the settings say, what is left is
// repaired, and the result is scored and timed against the original. It lies in a private folder until the caller publishes it.
import { UsageError } from '../../base/errors.js';
import { openModel } from '../../onnx/open.js';
import type { RuntimeHost } from '../../runtime/host.js';
import { sizedInputs } from '../model-facts.js';
import { readOriginal, type Original } from '../original.js';
import { refuseQuantized } from '../quantization/float-model.js';
import type { Journal } from '../quantization/journal.js';
import { Scorer } from '../quantization/score-candidate.js';
import { canTime } from '../quantization/speed.js';
import { fedShapes } from '../quantization/split-samples.js';
import { formatPass, refuseLast } from '../recipe.js';
import { openRunJournal } from '../run-journal.js';
import { inputName } from '../run-request.js';
import type { SlimOutcome } from '../slim.js';
import { slimStart } from '../slimmed-start.js';
import { withRuntimeBeside } from '../with-runtime.js';
import type { Workspace } from '../workspace.js';
import { chooseClasses, restrictModel, type Subset } from './class-subset.js';
import { concludePruning } from './conclude.js';
import type { PruneOutcome, PruneRequest } from './outcome.js';
import type { PruneRun } from './prune-run.js';
import { NO_RECOVERY, REFIT } from './recovery.js';
import { pruneInCycles } from './dropnet.js';
import { pruneAtOnce } from './schedule.js';
import { scoreName } from './score-groups.js';
import { PRUNE_SETTINGS, type PruneSettings } from './settings.js';
import { randomSamples, splitForPruning, type PruneSamples } from './split-samples.js';
import { turnStreams } from './turn-streams.js';

/**
 * Prunes one model. Whatever comes out runs, and is not slower than the original where that can be measured, unless
 * fewer multiplications or parameters were asked for in so many words.
 * @throws InputError unsupported (quantized already), bad-data, and what reading, slimming and running throw; UsageError
 *   would-overwrite; InterruptError
 */
export async function pruneFile(request: PruneRequest): Promise<PruneOutcome> {
  return withRuntimeBeside(request, async (host, workspace) => {
    const pruner = new Pruner(request, workspace, host);
    try {
      return await pruner.execute();
    } finally {
      await pruner.close();
    }
  });
}

interface Split {
  readonly samples: PruneSamples;
  /** The classes that stay; undefined: all. */
  readonly subset: Subset | undefined;
}

/** The state of one run: what has to be closed at its end. */
class Pruner {
  readonly #request: PruneRequest;
  readonly #workspace: Workspace;
  readonly #host: RuntimeHost;
  readonly #warnings: string[] = [];
  readonly #closing: (() => Promise<void> | void)[] = [];

  constructor(request: PruneRequest, workspace: Workspace, host: RuntimeHost) {
    this.#request = request;
    this.#workspace = workspace;
    this.#host = host;
  }

  async execute(): Promise<PruneOutcome> {
    const request = this.#request;
    const timed = request.measure === 'on' && isHere(request.settings.target);
    if (request.settings.latency !== undefined && !timed)
      throw new UsageError('conflict', 'a budget of time needs timing on this machine', {
        fix: 'leave --no-profile and --target out, or give another budget',
      });
    refuseLast(request.recipe, 'prune');
    const original = await readOriginal(request, this.#workspace);
    refuseQuantized(original.decoded.model, inputName(request.input));
    request.onStage?.('opening the data');
    const { samples, subset } = await this.#split(original);
    const shapes = new Map([...samples.first].map(([name, { dims }]) => [name, dims] as const));
    const reference = subset ? await this.#restrict(original, subset, samples) : original;
    const slimmed = await this.#slim(reference, shapes);
    const journal = await this.#openJournal(original, samples);
    const scorer = (part: 'select' | 'report'): Scorer => {
      const made = new Scorer(
        this.#host,
        request,
        { scoring: samples.data, part: samples[part] },
        request.against ?? reference.path,
      );
      this.#closing.push(() => made.dispose());
      return made;
    };
    const run: PruneRun = {
      request,
      host: this.#host,
      workspace: this.#workspace,
      samples,
      original,
      reference,
      subset,
      slimmed,
      start: { path: slimmed.path, turned: [] },
      teacher: await openModel(slimmed.path, { keepOverridable: request.keepOverridable }),
      shapes,
      journal,
      score: scoreName(request.settings, samples.dataFree ? 'none' : 'given'),
      recovery: request.settings.repair === 'on' && !samples.dataFree ? REFIT : NO_RECOVERY,
      scorers: { select: scorer('select'), report: scorer('report') },
      timed,
      warnings: this.#warnings,
    };
    const prune = request.settings.schedule === 'dropnet' ? pruneInCycles : pruneAtOnce;
    return concludePruning(run, await prune(await turnStreams(run)));
  }

  /** Ends what the run has opened, the last first. */
  async close(): Promise<void> {
    for (const close of this.#closing.toReversed()) await close();
  }

  async #split({ decoded: { model }, path }: Original): Promise<Split> {
    const request = this.#request;
    const { settings, openData, threads, signal, onStage } = request;
    if (!openData) {
      if (settings.classes.length > 0)
        throw new UsageError('conflict', '--classes needs samples of the classes', {
          fix: 'say where they are: --data',
        });
      return { samples: await randomSamples(request, { host: this.#host, model, path }), subset: undefined };
    }
    const inputs = sizedInputs(model, fedShapes(request, model));
    const data = await openData(inputs, signal);
    if (settings.classes.length === 0)
      return { samples: await splitForPruning(request, data, inputs), subset: undefined };
    const subset = await chooseClasses({ host: this.#host, path, data }, settings.classes, {
      threads,
      signal,
      onStage,
    });
    return { samples: await splitForPruning(request, subset.data, inputs), subset };
  }

  #restrict(original: Original, subset: Subset, samples: PruneSamples): Promise<Original> {
    const { keepOverridable, signal, onStage } = this.#request;
    onStage?.('cutting the head');
    const bench = { host: this.#host, workspace: this.#workspace, feeds: samples.feeds(), keepOverridable, signal };
    return restrictModel(original, subset, bench);
  }

  async #slim(reference: Original, shapes: PruneRun['shapes']): Promise<SlimOutcome> {
    const { slimmed, warnings } = await slimStart(this.#request, reference, shapes);
    this.#closing.push(() => slimmed.dispose());
    this.#warnings.push(...warnings);
    return slimmed;
  }

  async #openJournal(original: Original, samples: PruneSamples): Promise<Journal> {
    const journal = await openRunJournal(this.#request, { original, samples, settings: settingsOf(this.#request) });
    this.#closing.push(() => journal.close());
    if (journal.note !== undefined) this.#warnings.push(journal.note);
    return journal;
  }
}

const isHere = (target: PruneSettings['target']): boolean => target === 'auto' || canTime({ name: target });

/** All that decides what a run finds, besides model, data and machine. */
function settingsOf(request: PruneRequest): unknown {
  const { recipe, settings, limit, measure, seed, threads, keepOverridable, latencyTable, shapes = [] } = request;
  return {
    recipe: [recipe.freeze, recipe.opset, recipe.passes.map(formatPass)],
    // What may be lost changes nothing that is found: a run with another limit goes on from the journal.
    how: PRUNE_SETTINGS.document({ ...settings, maxDrop: undefined }),
    run: [limit, measure, seed, threads, keepOverridable, latencyTable, [...shapes]],
  };
}
