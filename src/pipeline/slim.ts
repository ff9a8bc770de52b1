// One run over one model: read, rewrite under a check, encode, measure. The result lies in a private folder until the
// caller publishes it, so that gates can be looked at first.
import { basename, join } from 'node:path';
import { createFacts } from '../analysis/inference.js';
import type { Model } from '../ir/model.js';
import { decodeModel, type DecodedModel } from '../onnx/decode.js';
import { openModel } from '../onnx/open.js';
import { writeModel, type WrittenModel } from '../onnx/write.js';
import { InterruptError } from '../base/errors.js';
import { RuntimeHost } from '../runtime/host.js';
import { readFeedFlags, type UserFeeds } from '../runtime/user-feeds.js';
import { createEvaluator } from './evaluator.js';
import { freezeInputs, realInputs } from './freeze.js';
import { measurePair, type Measurement } from './measure.js';
import { precisionTolerance } from './precision.js';
import type { Recipe } from './recipe.js';
import { RewriteLog } from './rewrite-log.js';
import type { PassEnvironment } from './run-passes.js';
import { describeModel, sizesOf, type ModelFacts } from './model-facts.js';
import { writeReproducer } from './reproducer.js';
import { runChecked, type TransactionHooks, type TransactionResult, type Undone } from './transaction.js';
import { Reference, type CheckResult } from './verification.js';
import { Workspace } from './workspace.js';

export type Verify = 'off' | 'end' | 'each';

export interface SlimRequest {
  /** A file, or bytes that came from elsewhere. */
  readonly input: { readonly path: string } | { readonly bytes: Uint8Array; readonly name: string };
  /** Where the result will be published; undefined when nowhere (dry run, standard output). */
  readonly output: string | undefined;
  readonly recipe: Recipe;
  readonly verify: Verify;
  readonly measure: 'on' | 'off';
  readonly seed: number;
  readonly threads: number;
  /** Sizes of inputs for checking, costs and timing. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Values of `--feed`. */
  readonly feeds: readonly string[];
  readonly keepOverridable: boolean;
  readonly externalData: 'auto' | 'always';
  readonly signal: AbortSignal;
  /** Told what is being done. */
  readonly onStage?: (text: string) => void;
}

/** How the result was checked. `skipped`: not asked for. */
export interface Checked {
  readonly verdict: 'agrees' | 'mismatch-undone' | 'unverified' | 'skipped';
  readonly check: CheckResult | undefined;
  readonly reference: Reference | undefined;
  readonly tolerance: number | undefined;
  readonly undone: readonly (Undone & { readonly reproducer: string | undefined })[];
  readonly reason: string | undefined;
}

export interface SlimOutcome {
  readonly before: ModelFacts;
  readonly after: ModelFacts;
  readonly log: RewriteLog;
  readonly checked: Checked;
  readonly measurement: Measurement | undefined;
  /** The model file, and the file of external data when there is one, in the private folder. */
  readonly written: WrittenModel;
  readonly model: Model;
  /** Moves the result (or, under other names, the best that failed a gate) to `path`. */
  publish(path: string): Promise<void>;
  /** Removes what was not published. */
  dispose(): Promise<void>;
}

/**
 * Runs a recipe over one model.
 * @throws InputError (unreadable model, feeds that do not fit), InterruptError, InternalError
 */
export async function slim(request: SlimRequest): Promise<SlimOutcome> {
  const workspace = await Workspace.create(request.output);
  const host = new RuntimeHost();
  try {
    return await new Run(request, workspace, host).execute();
  } catch (error) {
    await workspace.dispose();
    throw request.signal.aborted && !(error instanceof InterruptError) ? new InterruptError('interrupted', { cause: error }) : error;
  } finally {
    await host.dispose();
  }
}

/** The state of one run. */
class Run {
  readonly #request: SlimRequest;
  readonly #workspace: Workspace;
  readonly #host: RuntimeHost;
  /** The candidate file that lies in the workspace, and the revision of the model it holds. */
  #written: { readonly revision: number; readonly file: WrittenModel } | undefined;
  readonly #reproducers = new Map<Undone, string>();

  constructor(request: SlimRequest, workspace: Workspace, host: RuntimeHost) {
    this.#request = request;
    this.#workspace = workspace;
    this.#host = host;
  }

  async execute(): Promise<SlimOutcome> {
    const { request, decoded, path } = { request: this.#request, ...await this.#read() };
    const { model } = decoded;
    freezeInputs(model, request.recipe.freeze);
    const feeds = this.#userFeeds(model);
    const reference = request.verify === 'off' && request.measure === 'off' ? undefined : await this.#gather(path, feeds);
    const sizes = sizesOf(model, request.shapes, reference);
    const before = await describeModel(model, sizes, path);
    const result = await this.#rewrite(decoded, reference, model);
    const written = await this.#write(decoded);
    const after = await describeModel(model, sizes, written.path);
    const measurement = await this.#measure(path, written.path, reference);
    const workspace = this.#workspace;
    return {
      before, after, log: result.log, checked: this.#checked(result, reference, model), measurement, written, model,
      publish: async (to) => {
        const data = written.dataPath === undefined ? [] : [{ from: written.dataPath, to: join(to, '..', basename(written.dataPath)) }];
        await workspace.publish([...data, { from: written.path, to }]);
      },
      dispose: () => workspace.dispose(),
    };
  }

  async #read(): Promise<{ decoded: DecodedModel; path: string }> {
    const { input, keepOverridable } = this.#request;
    this.#request.onStage?.('reading');
    if ('path' in input) return { decoded: await openModel(input.path, { keepOverridable }), path: input.path };
    const { writeFile } = await import('node:fs/promises');
    const path = this.#workspace.path('stdin.onnx');
    await writeFile(path, input.bytes);
    return { decoded: decodeModel(input.bytes, { keepOverridable, path: input.name }), path };
  }

  #userFeeds(model: Model): UserFeeds {
    const specs = realInputs(model).flatMap((input) => (input.type?.kind === 'tensor' && input.type.dtype
      ? [{ name: input.name, dtype: input.type.dtype, dims: (input.type.shape ?? []).map((dim) => dim ?? '') }] : []));
    return readFeedFlags(this.#request.feeds, specs);
  }

  async #gather(path: string, { fixed, samples }: UserFeeds): Promise<Reference> {
    const { seed, signal, shapes, recipe, onStage } = this.#request;
    onStage?.('running the original');
    const frozen = new Map([...Object.entries(recipe.freeze), ...shapes]);
    return Reference.gather(this.#host, path, { seed, signal, shapes: frozen, fixed, given: samples });
  }

  async #rewrite(decoded: DecodedModel, reference: Reference | undefined, model: Model): Promise<TransactionResult> {
    const { recipe, verify, seed, signal, onStage } = this.#request;
    const environment: PassEnvironment = {
      createFacts, evaluator: createEvaluator(this.#host, signal), seed, signal,
      onStage: (names, round) => onStage?.(names.length === 1 ? `${names[0]}, round ${round}` : `${names.length} passes, round ${round}`),
    };
    const hooks: TransactionHooks = {
      check: async (candidate, log) => {
        if (verify === 'off' || !reference || reference.obstacle) return undefined;
        onStage?.('checking');
        return reference.check((await this.#write(decoded)).path, precisionTolerance(candidate, log));
      },
      onDefect: async (broken, undone) => {
        const { output } = this.#request;
        if (output === undefined) return;
        const index = this.#reproducers.size + 1;
        this.#reproducers.set(undone, await writeReproducer(decoded.document, broken, undone, { output, index, seed }));
      },
    };
    if (verify !== 'each') return runChecked(model, recipe.passes, environment, hooks);
    return this.#checkEach(model, environment, hooks);
  }

  /** One pass at a time, each under its own check, until a round over all passes changes nothing. */
  async #checkEach(model: Model, environment: PassEnvironment, hooks: TransactionHooks): Promise<TransactionResult> {
    const log = new RewriteLog();
    const undone: Undone[] = [];
    let check: CheckResult | undefined;
    for (let revision = -1; revision !== model.revision;) {
      revision = model.revision;
      for (const pass of this.#request.recipe.passes) {
        const vetoes = new Set(undone.map(({ rewrite }) => `${rewrite.pass}@${rewrite.site}`));
        const start = model.revision;
        const result = await runChecked(model, [pass], { ...environment, vetoes }, hooks);
        log.absorb(result.log);
        undone.push(...result.undone);
        if (model.revision !== start || check === undefined) check = result.check;
      }
    }
    return { log, undone, check };
  }

  /** Writes the model as it stands into the workspace, unless it lies there. */
  async #write({ model, document }: DecodedModel): Promise<WrittenModel> {
    if (this.#written?.revision === model.revision) return this.#written.file;
    const { output, input } = this.#request;
    const name = basename(output ?? ('path' in input ? input.path : input.name));
    const file = await writeModel(document, model, this.#workspace.path(name), { externalData: this.#request.externalData });
    this.#written = { revision: model.revision, file };
    return file;
  }

  async #measure(before: string, after: string, reference: Reference | undefined): Promise<Measurement | undefined> {
    const [sample] = reference?.samples ?? [];
    if (this.#request.measure === 'off' || !sample) return undefined;
    const { threads, seed, signal, onStage } = this.#request;
    return measurePair(this.#host, { before, after }, sample.feeds, { threads, seed, signal, onStage: (name) => onStage?.(`measuring ${name}`) });
  }

  #checked({ undone, check, log }: TransactionResult, reference: Reference | undefined, model: Model): Checked {
    const tolerance = precisionTolerance(model, log);
    const common = {
      check, reference, tolerance: tolerance.mode === 'scale' ? tolerance.limit : 0,
      undone: undone.map((one) => ({ ...one, reproducer: this.#reproducers.get(one) })),
    };
    if (this.#request.verify === 'off') return { ...common, verdict: 'skipped', reason: 'checking was switched off' };
    const obstacle = reference?.obstacle;
    if (obstacle || check === undefined) return { ...common, verdict: 'unverified', reason: obstacle?.message ?? 'nothing could be compared' };
    if (!check.agrees) return { ...common, verdict: 'unverified', reason: `the original does not agree with itself: ${check.reason ?? ''}` };
    return { ...common, verdict: undone.length > 0 ? 'mismatch-undone' : 'agrees', reason: undone[0]?.check.reason };
  }
}
