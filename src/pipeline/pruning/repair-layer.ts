// The refit of one layer: sums over the samples that it sees, and new weights where they are better.
import { invariant } from '../../base/errors.js';
import { patchOf, refitBehind, type Bounds } from '../../fit/clipped-refit.js';
import { refitHeldOut } from '../../fit/held-out-refit.js';
import { layerSums, type LayerSums } from '../../fit/layer-sums.js';
import { layerSizes, type LinearLayer } from '../../fit/patch-geometry.js';
import { productSums, type ProductSums } from '../../fit/product-sums.js';
import { windowOf, type Window } from '../../fit/patch-moments.js';
import type { Gemm } from '../../linalg/gemm.js';
import { packedLength } from '../../linalg/matrix.js';
import type { TensorMap } from '../../runtime/wire-tensor.js';
import type { RepairLayer, SkipCode } from './repair-plan.js';
import { rowsOf, sampledPositions, streamedTensor, type SampledRows, type Sampling } from './repair-targets.js';
import { readLayer, writeLayer } from '../../passes/linear-weights.js';

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
  add(values: TensorMap, sample: number, gemm: Gemm): Promise<void>;
  /** Writes new weights if they are better. */
  close(options: CloseOptions): Promise<RepairedLayer>;
}

export interface CloseOptions {
  /** The ridge, if it is not to be looked for. */
  readonly lambda: number | undefined;
  readonly gemm: Gemm;
}

/** Of every eighth sample the rows are held out, of all layers; where there are few samples, of every eighth row. */
const HELD_OUT = 8;
const FEW_SAMPLES = 16;
/** Columns from which on products are worth their way. */
const WIDE = 192;
/** Patches of a layer that are held on to, for a fit that knows of the activation. */
const PATCH_BYTES = 128 * 2 ** 20;

/** Bytes of the sums of a layer, and of its patches if they are held on to. */
export function bytesOf({ layer, bounds }: RepairLayer, rows: number): number {
  const { groups, outputs, patch } = layerSizes(layer);
  const sums = 16 * groups * (packedLength(patch + 1) + (patch + 2) * outputs);
  return sums + (bounds ? Math.min(PATCH_BYTES, 4 * rows * groups * patch) : 0);
}

/** The rows of one half: those that are fitted, or those that judge. */
interface Half {
  readonly sums: RowSums;
  readonly patches: Float32Array[];
  readonly targets: Float32Array[];
  readonly addends: Float32Array[] | undefined;
}

/** Of wide patches by products; narrow ones are summed as they come. */
type RowSums =
  { readonly kind: 'products'; readonly of: ProductSums } | { readonly kind: 'rows'; readonly of: LayerSums };

const sumsOf = (layer: LinearLayer): RowSums =>
  layerSizes(layer).patch < WIDE
    ? { kind: 'rows', of: layerSums(layer) }
    : { kind: 'products', of: productSums(layer) };

const newHalf = ({ layer, addend }: RepairLayer): Half => ({
  sums: sumsOf(layer),
  patches: [],
  targets: [],
  addends: addend && [],
});

/** `targets`: per sample, one row of numbers per sampled position. */
export function openRepair(repaired: RepairLayer, targets: readonly Float32Array[], sampling: Sampling): OpenRepair {
  const { layer, input, bounds } = repaired;
  const halves = { fit: newHalf(repaired), held: newHalf(repaired) };
  const rowBytes = 4 * layerSizes(layer).groups * layerSizes(layer).patch;
  const keepsPatches = bounds !== undefined && targets.length * sampling.positions * rowBytes <= PATCH_BYTES;
  const add = (half: Half, window: Window, place: { one: number; position: number }, row: TargetRow): void => {
    const { sums } = half;
    if (sums.kind === 'rows') sums.of.add(window, place.one, place.position, row.target, 0);
    if (sums.kind === 'rows' && !keepsPatches) return;
    const patch = patchOf(layer, window, place.one, place.position);
    if (sums.kind === 'products') sums.of.add(patch, row.target);
    if (!keepsPatches) return;
    half.patches.push(patch);
    half.targets.push(row.target);
    if (row.addend) half.addends?.push(row.addend);
  };
  return {
    add: async (values, sample, gemm) => {
      const tensor = values.get(input.name);
      const wanted = targets[sample];
      invariant(tensor && wanted, `sample ${sample} has no values of ${input.name}`);
      const window = windowOf(layer, streamedTensor(tensor));
      const rowAt = targetRows(repaired, wanted, { values, sample, sampling });
      let row = 0;
      for (let one = 0; one < window.samples; one++) {
        for (const position of sampledPositions(window.positions, sample, sampling)) {
          const number = targets.length < FEW_SAMPLES ? row : sample;
          const half = number % HELD_OUT === HELD_OUT - 1 ? halves.held : halves.fit;
          add(half, window, { one, position }, rowAt(row++));
        }
      }
      invariant(row * layer.outputs === wanted.length, `${input.name} has other positions than in the original`);
      await settle(halves, gemm, 'enough');
    },
    close: (options) => concludeRepair(repaired, halves, keepsPatches ? bounds : undefined, options),
  };
}

/** What the layer has to give at one position, and what is added to it. */
interface TargetRow {
  readonly target: Float32Array;
  readonly addend: Float32Array | undefined;
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

type Halves = Readonly<Record<'fit' | 'held', Half>>;

async function settle({ fit, held }: Halves, gemm: Gemm, which: 'enough' | 'all'): Promise<void> {
  for (const { sums } of [fit, held]) if (sums.kind === 'products') await sums.of.settle(gemm, which);
}

async function concludeRepair(
  { name, node, layer }: RepairLayer,
  { fit, held }: Halves,
  bounds: Bounds | undefined,
  { lambda, gemm }: CloseOptions,
): Promise<RepairedLayer> {
  const about = { name, opType: node.opType };
  const old = readLayer(node, layer.outputs);
  if (!old) return { ...about, result: 'unsupported-bias' };
  await settle({ fit, held }, gemm, 'all');
  const moments = { fit: fit.sums.of.moments(), held: held.sums.of.moments() };
  const plain = refitHeldOut(layer, old, moments, lambda);
  if (!plain) return { ...about, result: 'not-finite' };
  const found = bounds
    ? await refitBehind({ layer, old, plain, bounds, gemm }, { fit, held, moments: moments.fit })
    : plain;
  if (found.layer) writeLayer(node, found.layer);
  const { errorBefore, errorAfter } = found;
  const result = found.layer ? 'refitted' : 'no-better';
  return { ...about, result, errorBefore, errorAfter, lambda: plain.lambda, at: bounds ? 'activation' : 'output' };
}
