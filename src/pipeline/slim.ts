// One run over one model: read, rewrite under a check, encode, measure. The result lies in a private folder until the
// caller publishes it, so that gates can be looked at first.
import { basename } from 'node:path';
import { createFacts } from '../analysis/inference.js';
import type { Mark } from '../ir/journal.js';
import type { Model } from '../ir/model.js';
import type { DecodedModel } from '../onnx/decode.js';
import { writeModel, type WrittenModel } from '../onnx/write.js';
import { AppError, InternalError } from '../base/errors.js';
import type { FeedKind } from '../runtime/feeds.js';
import type { RuntimeHost } from '../runtime/host.js';
import { readFeedFlags, type UserFeeds } from '../runtime/user-feeds.js';
import { findPass } from '../passes/registry.js';
import { configure, type ConfiguredPass } from './configured-pass.js';
import { createEvaluator } from './evaluator.js';
import { freezeInputs, shapesToFeed } from './freeze.js';
import { examinePair, timePair, type Measurement, type Pair, type TimedPair } from './measure.js';
import { precisionTolerance } from './precision.js';
import { refuseConflicts, type Recipe } from './recipe.js';
import { readOriginal } from './original.js';
import { resultName, type RunRequest } from './run-request.js';
import type { RewriteLog } from './rewrite-log.js';
import type { PassEnvironment } from './run-passes.js';
import { layerTimes, type LayerTimes } from './layer-times.js';
import { assumedSizes, digestFiles, figuresOf, inputSpecs, type FileDigest, type ModelFigures } from './model-facts.js';
import { Reproducers } from './reproducer.js';
import { keepFast, type Rejected } from './speed-gate.js';
import {
  runChecked,
  runCheckedEach,
  type TransactionHooks,
  type TransactionResult,
  type Undone,
} from './transaction.js';
import { failure, Reference, type CheckResult } from './verification.js';
import { withRuntimeBeside } from './with-runtime.js';
import type { Workspace } from './workspace.js';
import { externalBytes, modelPath, publishModel } from './written-model.js';

export type Verify = 'off' | 'end' | 'each';

export interface SlimRequest extends RunRequest {
  readonly verify: Verify;
  /** Sizes of inputs for checking, costs and timing. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Values of `--feed`. */
  readonly feeds: readonly string[];
}

/** How the result was checked. `skipped`: not asked for. */
export interface Checked {
  readonly verdict: 'agrees' | 'mismatch-undone' | 'unverified' | 'skipped';
  readonly check: CheckResult | undefined;
  readonly reference: Reference | undefined;
  readonly tolerance: number | undefined;
  readonly undone: readonly (Undone & { readonly reproducer: string | undefined })[];
  readonly reason: string | undefined;
  /** What makes the verdict less sure. */
  readonly warnings: readonly string[];
}

/** One of the two models of a run. */
export interface Side {
  readonly file: FileDigest;
  readonly figures: ModelFigures;
  /** Time per node; undefined when it was not profiled. */
  readonly times: LayerTimes | undefined;
}

export interface SlimOutcome {
  readonly before: Side;
  readonly after: Side;
  readonly log: RewriteLog;
  readonly checked: Checked;
  readonly measurement: Measurement | undefined;
  /** Passes left out because the model was slower with them. */
  readonly rejected: readonly Rejected[];
  readonly model: Model;
  /** The model file in the private folder. */
  readonly path: string;
  /** Moves the result (or, under other names, the best that failed a gate) to `path`. */
  publish(path: string): Promise<void>;
  /** Removes what was not published. */
  dispose(): Promise<void>;
}

/** What a run does with the outside; replaced in tests. */
export interface SlimPorts {
  readonly time: typeof timePair;
}

/**
 * Runs a recipe over one model.
 * @throws UsageError conflict; InputError (unreadable model, feeds that do not fit), InterruptError, InternalError
 */
export async function slim(request: SlimRequest, ports: SlimPorts = { time: timePair }): Promise<SlimOutcome> {
  return withRuntimeBeside(request, (host, workspace) => new Run(request, workspace, host, ports).execute());
}

const LOSSY_FEEDS: readonly FeedKind[] = ['normal', 'uniform', 'zeros'];

/** The state of one run. */
class Run {
  readonly #request: SlimRequest;
  readonly #workspace: Workspace;
  readonly #host: RuntimeHost;
  readonly #ports: SlimPorts;
  /** The candidate file that lies in the workspace, and the revision of the model it holds. */
  #written: { readonly revision: number; readonly file: WrittenModel } | undefined;
  readonly #reproducers: Reproducers;
  /** Rewrites found wrong so far: the speed gate runs passes again and again. */
  #undone: readonly Undone[] = [];
  readonly #warnings: string[] = [];

  constructor(request: SlimRequest, workspace: Workspace, host: RuntimeHost, ports: SlimPorts) {
    this.#request = request;
    this.#workspace = workspace;
    this.#host = host;
    this.#ports = ports;
    this.#reproducers = new Reproducers(request);
  }

  async execute(): Promise<SlimOutcome> {
    const request = this.#request;
    refuseConflicts(request.recipe.passes);
    const { decoded, path } = await readOriginal(request, this.#workspace);
    const { model, document } = decoded;
    // Compressing takes longer than rewriting and needs another core; whoever waits for it hears of a failure.
    const digestBefore = digestFiles(path, externalBytes(document), request.compression);
    digestBefore.catch(() => undefined);
    freezeInputs(model, request.recipe.freeze);
    const shapes = shapesToFeed(model, request.recipe.freeze, request.shapes);
    const feeds = readFeedFlags(request.feeds, inputSpecs(model));
    const reference =
      request.verify === 'off' && request.measure === 'off' ? undefined : await this.#gather(path, feeds, shapes);
    const sizes = assumedSizes(model, shapes, reference);
    const before = figuresOf(model, sizes);
    const start = model.journal.mark();
    if (request.measure === 'on') await digestBefore;
    const { result, measurement, rejected } = await this.#improve(decoded, path, reference);
    const written = await this.#write(decoded);
    const digestAfter = digestFiles(modelPath(written), written.externalBytes, request.compression);
    digestAfter.catch(() => undefined);
    const after = figuresOf(model, sizes);
    request.onStage?.('summing up');
    const timesAfter = measurement?.profiles && layerTimes(model, measurement.profiles.after);
    const end = model.journal.mark();
    model.journal.seek(start);
    const timesBefore = measurement?.profiles && layerTimes(model, measurement.profiles.before);
    model.journal.seek(end);
    const published = { workspace: this.#workspace, externalData: request.externalData };
    return {
      before: { file: await digestBefore, figures: before, times: timesBefore },
      after: { file: await digestAfter, figures: after, times: timesAfter },
      log: result.log,
      checked: this.#checked(result, reference, model),
      measurement,
      rejected,
      model,
      path: modelPath(written),
      publish: (to) => publishModel(written, to, { ...published, read: () => Promise.resolve(decoded) }),
      dispose: () => this.#workspace.dispose(),
    };
  }

  async #gather(
    path: string,
    { fixed, samples }: UserFeeds,
    shapes: ReadonlyMap<string, readonly number[]>,
  ): Promise<Reference> {
    const { seed, signal, verify, onStage, recipe } = this.#request;
    onStage?.('running the original');
    // Among border values, from 1e-6 to 255, there is nothing that 8 bits could tell apart.
    const isLossy = recipe.passes.some(({ pass }) => pass.tolerance !== undefined);
    const kinds: readonly FeedKind[] | undefined = verify === 'off' ? ['normal'] : isLossy ? LOSSY_FEEDS : undefined;
    const options = { seed, signal, shapes, fixed, given: samples };
    return Reference.gather(this.#host, path, kinds ? { ...options, kinds } : options);
  }

  /** Rewrites, checks and times; what made the model slower is left out. */
  async #improve(
    decoded: DecodedModel,
    path: string,
    reference: Reference | undefined,
  ): Promise<{ result: TransactionResult; measurement: Measurement | undefined; rejected: readonly Rejected[] }> {
    const { model } = decoded;
    const { recipe, measure, threads, seed, signal, onStage } = this.#request;
    const asked = opsetPasses(recipe);
    const passes = [...asked, ...recipe.passes];
    const kept = passes.filter((one) => asked.includes(one) || one.pass.objective === 'size');
    const start = model.journal.mark();
    const result = await this.#rewrite(decoded, passes, reference);
    const [sample] = reference?.samples ?? [];
    if (measure === 'off' || !sample) return { result, measurement: undefined, rejected: [] };
    const options = { threads, seed, signal, onStage: (name: string) => onStage?.(`measuring ${name}`) };
    const pair = async (): Promise<Pair> => ({ before: path, after: modelPath(await this.#write(decoded)) });
    const time = async (): Promise<TimedPair> => this.#ports.time(this.#host, await pair(), sample.feeds, options);
    const timed = await time().catch(failure);
    if (typeof timed === 'string') {
      this.#warnings.push(`nothing was measured: ${timed}`);
      return { result, measurement: undefined, rejected: [] };
    }
    const known = [timed];
    const gated = await keepFast(passes, kept, result, {
      apply: (some) => {
        model.journal.seek(start);
        model.names.forgetIssued();
        return this.#rewrite(decoded, some, reference);
      },
      time: async () => known.pop() ?? time(),
    });
    const details = await examinePair(this.#host, await pair(), sample.feeds, options);
    return { result: gated.result, rejected: gated.rejected, measurement: { ...gated.timing, ...details } };
  }

  async #rewrite(
    decoded: DecodedModel,
    passes: readonly ConfiguredPass[],
    reference: Reference | undefined,
  ): Promise<TransactionResult> {
    const { model } = decoded;
    const { verify, seed, signal, onStage } = this.#request;
    const environment: PassEnvironment = {
      createFacts,
      evaluator: createEvaluator(this.#host, signal),
      seed,
      signal,
      onStage: (names, round) =>
        onStage?.(names.length === 1 ? `${names[0]}, round ${round}` : `${names.length} passes, round ${round}`),
    };
    const hooks: TransactionHooks = {
      known: this.#undone,
      check: async (candidate, log) => {
        if (verify === 'off' || !reference || reference.obstacle) return undefined;
        onStage?.('checking');
        return reference.check(modelPath(await this.#write(decoded)), precisionTolerance(candidate, log));
      },
      onDefect: (broken, undone) => this.#reproducers.keepRewrite(decoded.document, broken, undone, passes),
    };
    const start = model.journal.mark();
    try {
      const result = await (verify === 'each' ? runCheckedEach : runChecked)(model, passes, environment, hooks);
      this.#undone = result.undone;
      return result;
    } catch (error) {
      throw await this.#asDefect(error, decoded, passes, start);
    }
  }

  /** An error that only a defect can explain, with a reproducer; other errors as they are. */
  async #asDefect(
    error: unknown,
    { model, document }: DecodedModel,
    passes: readonly ConfiguredPass[],
    start: Mark,
  ): Promise<unknown> {
    const isDefect = error instanceof InternalError ? error.code !== 'runtime-crashed' : !(error instanceof AppError);
    if (!isDefect || !(error instanceof Error)) return error;
    try {
      model.journal.seek(start);
      const folder = await this.#reproducers.keepFailure(document, model, error, passes);
      const fix = `please report it${folder === undefined ? '' : ` with the folder ${basename(folder)}`}`;
      const at = error instanceof InternalError ? error.at : {};
      const code = error instanceof InternalError ? error.code : 'unexpected';
      return new InternalError(code, error.message, { at, fix, cause: error });
    } catch {
      // A model that cannot be brought back tells less than the error itself.
      return error;
    }
  }

  /** Writes the model as it stands into the workspace, unless it lies there. */
  async #write({ model, document }: DecodedModel): Promise<WrittenModel> {
    if (this.#written?.revision === model.revision) return this.#written.file;
    const { externalData } = this.#request;
    const path = this.#workspace.path(resultName(this.#request));
    const file = await writeModel(document, model, path, { externalData });
    this.#written = { revision: model.revision, file };
    return file;
  }

  #checked({ undone, check, log }: TransactionResult, reference: Reference | undefined, model: Model): Checked {
    const tolerance = precisionTolerance(model, log);
    const common = {
      check,
      reference,
      tolerance: tolerance.mode === 'scale' ? tolerance.limit : 0,
      undone: undone.map((one) => ({ ...one, reproducer: this.#reproducers.folderOf(one) })),
      warnings: [...stuckWarnings(reference), ...this.#warnings],
    };
    if (this.#request.verify === 'off') return { ...common, verdict: 'skipped', reason: 'checking was switched off' };
    const obstacle = reference?.obstacle;
    if (obstacle || check === undefined)
      return { ...common, verdict: 'unverified', reason: obstacle?.message ?? 'nothing could be compared' };
    if (!check.agrees)
      return {
        ...common,
        verdict: 'unverified',
        reason: `the original does not agree with itself: ${check.reason ?? ''}`,
      };
    if (undone.length > 0) return { ...common, verdict: 'mismatch-undone', reason: undone[0]?.check.reason };
    if (check.unstable.length > 0) {
      const names = check.unstable.map((name) => `"${name}"`).join(', ');
      return { ...common, verdict: 'unverified', reason: `not the same in two runs of the original: output ${names}` };
    }
    return { ...common, verdict: 'agrees', reason: undefined };
  }
}

function stuckWarnings(reference: Reference | undefined): string[] {
  return (reference?.stuck ?? []).map(
    (name) => `output "${name}" stays constant or saturated whatever is fed: check with real inputs (--feed)`,
  );
}

/** The conversion of the operator set that a recipe asks for, ahead of everything else. */
function opsetPasses({ opset }: Recipe): ConfiguredPass[] {
  const pass = opset === undefined ? undefined : findPass('convert-opset');
  return pass ? [configure(pass, { version: opset })] : [];
}
