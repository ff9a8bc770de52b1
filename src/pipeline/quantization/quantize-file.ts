// One quantization run over one model: the float model is made and calibrated, what runs on integers is chosen, and the
// result is proved, scored and timed against the original. It lies in a private folder until the caller publishes it.
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { openModel } from '../../onnx/open.js';
import { writeModel } from '../../onnx/write.js';
import { TARGETS } from '../../passes/quantize/target.js';
import type { RuntimeHost } from '../../runtime/host.js';
import { writeCalibration, type CalibrationCache } from '../calibration/cache.js';
import { CHECKED_SAMPLES } from '../calibration/calibrate-model.js';
import { checkNormalization } from '../calibration/normalization-check.js';
import { readOriginal, type Original } from '../original.js';
import { formatPass, refuseLast } from '../recipe.js';
import { openRunJournal } from '../run-journal.js';
import { inputName } from '../run-request.js';
import { withRuntimeBeside } from '../with-runtime.js';
import type { Workspace } from '../workspace.js';
import { instrument } from '../instrument.js';
import { firstFeeds, type QuantizationBench } from './bench.js';
import { ruledFloats } from './float-rules.js';
import { makeFloatModel, refuseQuantized, type FloatModel } from './float-model.js';
import type { Journal } from './journal.js';
import { concludeRun } from './conclude-run.js';
import type { QuantizeOutcome, QuantizeRequest } from './outcome.js';
import { OutputReference } from './output-error.js';
import { prepareQuantization } from './quantize.js';
import { refineRanges } from './refine-ranges.js';
import type { QuantizationRun } from './quantization-run.js';
import { Scorer } from './score-candidate.js';
import { readRanges } from './known-ranges.js';
import { chooseFloats, NOTHING_CHOSEN } from './search.js';
import { canTime } from './speed.js';
import { splitSamples, type SampleSplit } from './split-samples.js';

/**
 * Quantizes one model. Whatever comes out runs, and is not slower than the original where that can be measured.
 * @throws InputError unsupported (quantized already), bad-data, and what reading, slimming and running throw; UsageError
 *   would-overwrite; InterruptError
 */
export async function quantizeFile(request: QuantizeRequest): Promise<QuantizeOutcome> {
  return withRuntimeBeside(request, async (host, workspace) => {
    const quantizer = new Quantizer(request, workspace, host);
    try {
      return await quantizer.execute();
    } finally {
      await quantizer.close();
    }
  });
}

/** The state of one run: what has to be closed at its end. */
class Quantizer {
  readonly #request: QuantizeRequest;
  readonly #workspace: Workspace;
  readonly #host: RuntimeHost;
  readonly #warnings: string[] = [];
  readonly #closing: (() => Promise<void> | void)[] = [];

  constructor(request: QuantizeRequest, workspace: Workspace, host: RuntimeHost) {
    this.#request = request;
    this.#workspace = workspace;
    this.#host = host;
  }

  async execute(): Promise<QuantizeOutcome> {
    const request = this.#request;
    refuseLast(request.recipe, 'quantize');
    const original = await readOriginal(request, this.#workspace);
    const { model } = original.decoded;
    refuseQuantized(model, inputName(request.input));
    request.onStage?.('opening the data');
    const split = await splitSamples(request, { host: this.#host, model, path: original.path });
    const shapes = new Map([...split.first].map(([name, { dims }]) => [name, dims] as const));
    const cache = await this.#readCache(original, split);
    if (!split.dataFree) await this.#checkSamples(original, split);
    const float = await makeFloatModel(request, this.#host, { opset: model.opset, shapes });
    this.#closing.push(() => float.slimmed.dispose());
    this.#warnings.push(...float.warnings);
    const journal = await this.#openJournal(original, { split, cache });
    const prepared = await this.#prepare(original, { split, cache, float, journal, shapes });
    const ruled = await ruledFloats(prepared);
    const run = { ...prepared, ruled, settled: new Set([...prepared.asked, ...ruled.keys()]) };
    const scorer = new Scorer(this.#host, request, split, request.against ?? original.path);
    this.#closing.push(() => scorer.dispose());
    const choice = (await this.#isSound(run)) ? await chooseFloats(run, scorer) : NOTHING_CHOSEN;
    return concludeRun(run, { choice, scorer, original: original.decoded, slimmed: float.slimmed });
  }

  /** Ends what the run has opened, the last first. */
  async close(): Promise<void> {
    for (const close of this.#closing.toReversed()) await close();
  }

  /** Slimming folds the statistics that tell whether the samples are what the model was trained on. */
  async #checkSamples({ decoded, path }: Original, { feeds }: SampleSplit): Promise<void> {
    const { signal, threads, onStage } = this.#request;
    onStage?.('looking at the samples');
    const checked = { feeds: firstFeeds(feeds(), CHECKED_SAMPLES), signal, threads };
    const found = await checkNormalization(this.#host, this.#workspace, { ...decoded, path }, checked);
    await this.#host.release();
    if (found?.warning !== undefined) this.#warnings.push(found.warning);
  }

  async #readCache(original: Original, split: SampleSplit): Promise<CalibrationCache | undefined> {
    const { calibration: file, onStage } = this.#request;
    if (file === undefined) return undefined;
    onStage?.('reading the calibration cache');
    const { cache, warnings } = await readRanges(file, original, split);
    this.#warnings.push(...warnings);
    return cache;
  }

  async #openJournal(original: Original, { split, cache }: Pick<Made, 'split' | 'cache'>): Promise<Journal> {
    const settings = [settingsOf(this.#request), cache && writeCalibration(cache)];
    const journal = await openRunJournal(this.#request, { original, samples: split, settings });
    this.#closing.push(() => journal.close());
    if (journal.note !== undefined) this.#warnings.push(journal.note);
    return journal;
  }

  async #prepare(original: Original, { split, cache, float, journal, shapes }: Made): Promise<UnsettledRun> {
    const request = this.#request;
    const { signal, onStage, target: name, calibrators, equalize, rounding } = request;
    const bench: QuantizationBench = {
      decoded: float.decoded,
      host: this.#host,
      workspace: this.#workspace,
      feeds: split.feeds,
      samples: split.samples,
      shapes,
      signal,
      ...(onStage ? { onStage } : {}),
    };
    const target = TARGETS[name];
    const start = performance.now();
    const sources = {
      ...(cache ? { cache: { original: { ...original.decoded, path: original.path }, values: cache.values } } : {}),
      ...(request.journal === undefined ? {} : { journal }),
    };
    const prepared = await prepareQuantization(bench, { target, calibrators, equalize, rounding }, sources);
    const preparation = request.refineRanges === 'on' ? await refineRanges(bench, prepared) : prepared;
    const calibrationSeconds = (performance.now() - start) / 1000;
    const results = preparation.plan.nodes.flatMap(({ node, outputs: [last] }) =>
      last ? [[node, last] as const] : [],
    );
    const { document, model } = bench.decoded;
    model.journal.seek(preparation.mark);
    // Apart from the result, which may have any name.
    const working = await mkdtemp(this.#workspace.path('working-'));
    const teacher = join(working, 'float.onnx');
    await writeModel(document, model, teacher);
    const { path: values } = await instrument(
      bench.decoded,
      results.map(([, last]) => last),
      this.#workspace,
    );
    return {
      request,
      bench,
      preparation,
      calibrationSeconds,
      cache,
      journal,
      split,
      files: {
        original: original.path,
        slimmed: float.slimmed.path,
        teacher,
        values,
        trial: join(working, 'trial.onnx'),
      },
      names: new Map(results.map(([node, last]) => [node.label, last.name])),
      reference: await OutputReference.of(bench),
      asked: new Set(request.float),
      timed: request.measure === 'on' && canTime(target),
      warnings: this.#warnings,
      standing: { candidate: undefined },
    };
  }

  /** Whether there is something to quantize, and the model prepared for it still computes what it did. */
  async #isSound(run: QuantizationRun): Promise<boolean> {
    const { bench, preparation, files, journal, ruled, warnings } = run;
    const products = preparation.plan.nodes.filter(({ operator }) => operator.role === 'product');
    if (products.length > 0 && products.every(({ node }) => ruled.has(node.label))) {
      warnings.push('nothing was quantized: every layer that could be is slower on integers, or taken to be');
      return false;
    }
    if (products.length === 0) {
      warnings.push(
        'nothing was quantized: no node with constant weights has an integer kernel here; LSTM and MatMul take dynamic quantization',
      );
      return false;
    }
    const samples = Math.min(bench.samples, SOUND_SAMPLES);
    const noise = await journal.recall('noise of the prepared model', async () => {
      bench.decoded.model.journal.seek(preparation.mark);
      return (await OutputReference.of(bench, await openModel(files.slimmed))).noise({ samples });
    });
    if (noise <= SOUND_NOISE) return true;
    warnings.push(`nothing was quantized: the model prepared for integers computes something else (noise ${noise})`);
    return false;
  }
}

type UnsettledRun = Omit<QuantizationRun, 'ruled' | 'settled'>;

interface Made {
  readonly split: SampleSplit;
  readonly cache: CalibrationCache | undefined;
  readonly float: FloatModel;
  readonly journal: Journal;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
}

/** Rounding of float32 in another order of summation stays far below: 60 dB. */
const SOUND_NOISE = 1e-6;
const SOUND_SAMPLES = 4;

/** All that decides what a run finds, besides model, data and machine. */
function settingsOf(request: QuantizeRequest): unknown {
  const {
    recipe,
    target,
    calibrators,
    equalize,
    rounding,
    refineRanges: refine,
    correctBiases,
    float,
    maxDrop,
  } = request;
  const { measure, seed, threads, keepOverridable, shapes = new Map(), latencyTable } = request;
  return {
    recipe: [recipe.freeze, recipe.opset, recipe.passes.map(formatPass)],
    how: [target, calibrators, equalize, rounding, refine, correctBiases, [...float].sort(), maxDrop],
    run: [measure, seed, threads, keepOverridable, [...shapes], latencyTable],
  };
}
