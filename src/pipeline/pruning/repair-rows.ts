// The rows that a layer is refitted by: what it reads at sampled positions, what it has to give there, and which of them judge.
import { invariant } from '../../base/errors.js';
import type { GatheredRow } from '../../fit/gathered-rows.js';
import { windowOf } from '../../fit/patch-moments.js';
import type { Gemm } from '../../linalg/gemm.js';
import type { Hold } from '../../linalg/tall.js';
import type { TensorMap } from '../../runtime/wire-tensor.js';
import type { RepairLayer, SkipCode } from './repair-plan.js';
import { rowsOf, sampledPositions, streamedTensor, type SampledRows, type Sampling } from './repair-targets.js';

/**
 * `refitted`: has new weights. `no-better`: on rows held out, no refit was better than the weights it had. `not-finite`:
 * values are infinite or no numbers, or there are no rows. `unsupported-bias`: the bias is not one number per output.
 */
export type RepairResult = 'refitted' | 'no-better' | 'not-finite' | 'unsupported-bias' | SkipCode;

export interface RepairedLayer {
  /** Name of the node, or of its output where it has none. */
  readonly name: string;
  readonly opType: string;
  readonly result: RepairResult;
  /**
   * Mean squared error of the output on rows held out, over the variance of the original's output, on what the layer reads
   * once the layers before it are repaired: with the weights it had, and with those it was given. Undefined where it was not
   * looked at.
   */
  readonly errorBefore?: number;
  readonly errorAfter?: number;
  /** Where errors are measured: behind the Relu or Clip that alone reads the layer, or at its output. */
  readonly at?: 'activation' | 'output';
  /** The ridge. */
  readonly lambda?: number;
}

/** A layer whose samples are being gathered. */
export interface OpenRepair {
  /** `values`: by name; the input of the layer is among them. */
  add(values: TensorMap, sample: number): Promise<void>;
  /** Writes new weights if they are better. */
  close(options: CloseOptions): Promise<RepairedLayer>;
  /** Gives back the memory of the rows, whatever has become of them. */
  release(): Promise<void>;
}

export interface CloseOptions {
  /** The ridge, if it is not to be looked for. */
  readonly lambda: number | undefined;
  readonly gemm: Gemm;
}

/** Patches of a layer that are held on to. */
export const PATCH_BYTES = 128 * 2 ** 20;

/** Of every eighth sample the rows are held out, of all layers; where there are few samples, of every eighth row. */
export const HELD_OUT = 8;
const FEW_SAMPLES = 16;

export interface RepairRows {
  /** Per sample, one row of numbers per sampled position. */
  readonly targets: readonly Float32Array[];
  readonly sampling: Sampling;
  /** Where rows are held, and products with them made. */
  readonly hold: Hold;
  /** Bytes of patches that are held on to; default 128 MiB. */
  readonly patchBytes?: number | undefined;
}

/** What the layer has to give at one position, and what is added to it. */
interface TargetRow {
  readonly target: Float32Array;
  readonly addend: Float32Array | undefined;
}

export interface SampledRow extends GatheredRow {
  /** What it counts for. */
  readonly half: 'fit' | 'held';
}

/** The rows of one sample; `values`: by name, the input of the layer (and its addend) among them. */
export function* sampledRows(
  repaired: RepairLayer,
  { targets, sampling }: Pick<RepairRows, 'targets' | 'sampling'>,
  { values, sample }: { readonly values: TensorMap; readonly sample: number },
): Generator<SampledRow> {
  const { layer, input } = repaired;
  const tensor = values.get(input.name);
  const wanted = targets[sample];
  invariant(tensor && wanted, `sample ${sample} has no values of ${input.name}`);
  const window = windowOf(layer, streamedTensor(tensor));
  const rowAt = targetRows(repaired, wanted, { values, sample, sampling });
  let row = 0;
  for (let one = 0; one < window.samples; one++) {
    for (const position of sampledPositions(window.positions, sample, sampling)) {
      const number = targets.length < FEW_SAMPLES ? row : sample;
      const half = number % HELD_OUT === HELD_OUT - 1 ? 'held' : 'fit';
      yield { half, window, sample: one, position, ...rowAt(row++) };
    }
  }
  invariant(row * layer.outputs === wanted.length, `${input.name} has other positions than in the original`);
}

/** By row: `wanted` is for the layer and its addend together. */
function targetRows(
  repaired: RepairLayer,
  wanted: Float32Array,
  place: Omit<SampledRows, 'kept'>,
): (row: number) => TargetRow {
  const { outputs } = repaired.layer;
  const kept = Array.from({ length: outputs }, (_, o) => o);
  const addends = repaired.addend && rowsOf(repaired, repaired.addend, { ...place, kept });
  const own = addends ? wanted.map((value, at) => value - (addends[at] ?? 0)) : wanted;
  return (row) => ({
    target: own.subarray(row * outputs, (row + 1) * outputs),
    addend: addends?.subarray(row * outputs, (row + 1) * outputs),
  });
}
