// Repair of a pruned model without training: layer by layer from the input on, weights are refitted by least squares so that
// from what they now read they give what the original gave (Luo 2017 and He 2017 do so with features of the original; here
// the pruned model's own features are the inputs, so that errors do not add up). The bias takes up the mean of what went.
import { createFacts } from '../../analysis/inference.js';
import { InterruptError } from '../../base/errors.js';
import { layerSizes } from '../../fit/patch-geometry.js';
import { multiply, type Gemm } from '../../linalg/gemm.js';
import { holdHere, type Hold } from '../../linalg/tall.js';
import type { DecodedModel } from '../../onnx/decode.js';
import { runtimeGemm } from '../../runtime/gemm.js';
import type { RuntimeHost } from '../../runtime/host.js';
import { runtimeHold } from '../../runtime/tall.js';
import { assumedSizes } from '../model-facts.js';
import { benchFacts, type QuantizationBench } from '../quantization/bench.js';
import type { KeptChannels } from './kept-channels.js';
import { bytesOf, openRepair } from './repair-layer.js';
import type { RepairedLayer } from './repair-rows.js';
import {
  inParts,
  planRepair,
  valuesBehind,
  type RepairLayer,
  type RepairPlan,
  type RepairScope,
} from './repair-plan.js';
import type { PlacedChain } from '../../passes/factorize/placed-chain.js';
import { dropIdleBias } from '../../passes/linear-weights.js';
import { targetSource, type Sampling, type TargetSource } from './repair-targets.js';
import { studentStream, type StudentStream } from './student-stream.js';

export interface RepairOptions {
  /** Samples of the bench to use, from the first; default all. */
  readonly samples?: number;
  /** Output positions looked at per sample; by default so many that all samples together give 12 rows and more per weight of a filter. */
  readonly positions?: number;
  /** The ridge, as a part of the mean diagonal; by default the best of some on rows held out. */
  readonly lambda?: number;
  /** Layers that are refitted; default `all` behind the first change. */
  readonly layers?: RepairScope;
  /** Chains of the model, each of which is refitted as one layer. Default: none; their last layers are refitted alone. */
  readonly chains?: readonly PlacedChain[];
  readonly seed?: number;
  /** Bytes that values kept between layers may take. */
  readonly cacheBytes?: number;
  /** Bytes of patches that the refit of a chain may hold on to. */
  readonly patchBytes?: number;
  /** Aborting ends the repair; the model is then repaired in part. Default: the signal of the bench. */
  readonly signal?: AbortSignal;
  /** Default: that of the bench. */
  readonly onStage?: (text: string) => void;
}

export interface RepairOutcome {
  /** In the order of repair. */
  readonly layers: readonly RepairedLayer[];
  readonly refitted: number;
  readonly samples: number;
}

const CACHE_BYTES = 640 * 2 ** 20;
/** Sums of the layers that are gathered in one run. */
const SUMS_BYTES = 256 * 2 ** 20;

/**
 * Repairs the model of `bench` in place. `teacher`: the original, which is left as it is. `kept`: which of its channels the
 * model still has (`removeTracked`).
 * @throws InputError as `RuntimeHost.run`, and what the feeds throw; InterruptError
 */
export async function repairLayers(
  bench: QuantizationBench,
  teacher: DecodedModel,
  kept: KeptChannels,
  options: RepairOptions = {},
): Promise<RepairOutcome> {
  const { signal = bench.signal, onStage = bench.onStage } = options;
  const samples = Math.min(bench.samples, options.samples ?? bench.samples);
  const facts = benchFacts(bench);
  const teacherFacts = createFacts(teacher.model, {
    assumedSizes: assumedSizes(teacher.model, bench.shapes, undefined),
  });
  const { graph } = bench.decoded.model;
  const models = {
    student: { graph, facts },
    teacher: { graph: teacher.model.graph, facts: teacherFacts },
    kept,
    chains: options.chains,
  };
  const plan = planRepair(models, options.layers ?? 'all');
  const own = { ...bench, signal };
  const sampling = (layer: RepairLayer): Sampling => samplingOf(layer, samples, options);
  const run: RepairRun = {
    bench: own,
    plan,
    sampling,
    lambda: options.lambda,
    patchBytes: options.patchBytes,
    samples,
    gemm: gemmOf(bench.host, signal),
    hold: holdOf(bench.host, signal),
    targets: targetSource(own, { teacher, facts: teacherFacts, samples, sampling, layers: plan.levels.flat() }),
    stream: studentStream(own, { facts, samples, cacheBytes: options.cacheBytes ?? CACHE_BYTES }),
  };
  const repaired: RepairedLayer[] = [...plan.skipped].map(([node, result]) => ({
    name: node.label,
    opType: node.opType,
    result,
  }));
  for (let level = 0; level < plan.levels.length; level++) {
    onStage?.(`repairing layers, ${level + 1} of ${plan.levels.length}`);
    repaired.push(...(await repairLevel(run, level)));
  }
  for (const { node } of plan.levels.flat()) dropIdleBias(node);
  return { layers: repaired, refitted: repaired.filter(({ result }) => result === 'refitted').length, samples };
}

interface RepairRun {
  readonly bench: QuantizationBench;
  readonly plan: RepairPlan;
  readonly sampling: (layer: RepairLayer) => Sampling;
  readonly lambda: number | undefined;
  readonly patchBytes: number | undefined;
  readonly targets: TargetSource;
  readonly stream: StudentStream;
  readonly samples: number;
  readonly gemm: Gemm;
  readonly hold: Hold;
}

const FEWEST_ROWS = 1024;
const ROWS_PER_COLUMN = 12;
/** Positions of one sample are alike: of fewer samples more are looked at. */
const ENOUGH_SAMPLES = 1200;
const FEWEST_ROWS_PER_COLUMN = 1;
/** Rows times columns squared: some seconds of sums. Wide patches get fewer rows for it. */
const SUMS_BUDGET = 3e10;

/** Of a layer that stands for a block more rows are looked at: it has further to go. */
const MORE_ROWS = { layer: 1, block: 4 } as const;

function samplingOf(
  { layer, standsFor }: RepairLayer,
  samples: number,
  { positions, seed = 0 }: RepairOptions,
): Sampling {
  const columns = layerSizes(layer).patch + 1;
  const each = MORE_ROWS[standsFor] * ROWS_PER_COLUMN * Math.max(1, ENOUGH_SAMPLES / Math.max(1, samples));
  const ideal = Math.max(MORE_ROWS[standsFor] * FEWEST_ROWS, each * columns);
  const rows = Math.min(ideal, Math.max(FEWEST_ROWS_PER_COLUMN * columns, SUMS_BUDGET / columns ** 2));
  return { positions: positions ?? Math.ceil(rows / Math.max(1, samples)), seed };
}

/** Multiplications from which on the way to the runtime and back is worth it. */
const HEAVY = 2 ** 25;

function gemmOf(host: RuntimeHost, signal: AbortSignal): Gemm {
  const heavy = runtimeGemm(host, { signal });
  return async (a, b) => (a.rows * a.columns * b.columns < HEAVY ? multiply(a, b) : heavy(a, b));
}

function holdOf(host: RuntimeHost, signal: AbortSignal): Hold {
  const there = runtimeHold(host, { signal });
  return (columns, rows) => (rows * columns * columns < HEAVY ? holdHere : there)(columns, rows);
}

async function repairLevel(run: RepairRun, level: number): Promise<RepairedLayer[]> {
  const { bench, plan, targets, stream } = run;
  const sizeOf = (layer: RepairLayer): number => bytesOf(layer, run.sampling(layer).positions * run.samples);
  const parts = inParts(plan.levels[level] ?? [], sizeOf, SUMS_BYTES);
  const repaired: RepairedLayer[] = [];
  for (const [at, part] of parts.entries()) {
    const wanted = await targets.of(part);
    const { patchBytes, hold } = run;
    const open = part.map((layer, index) =>
      openRepair(layer, { targets: wanted[index] ?? [], sampling: run.sampling(layer), patchBytes, hold }),
    );
    const later = at === parts.length - 1 ? valuesBehind(bench.decoded.model.graph, plan, level) : undefined;
    const read = part.flatMap(({ input, addend }) => (addend ? [input, addend] : [input]));
    try {
      await stream.run([...new Set(read)], later, async (values, sample) => {
        if (bench.signal.aborted) throw new InterruptError('stopped');
        for (const one of open) await one.add(values, sample);
      });
      for (const one of open) repaired.push(await one.close({ lambda: run.lambda, gemm: run.gemm }));
    } finally {
      // After an interrupt there is nobody to tell.
      await Promise.allSettled(open.map((one) => one.release()));
    }
  }
  return repaired;
}
