// The refit of one layer: sums over the samples that it sees, and new weights where they are better.
import { invariant } from '../../base/errors.js';
import { refitHeldOut, type HeldOutRefit } from '../../fit/held-out-refit.js';
import { layerSums } from '../../fit/layer-sums.js';
import { layerSizes } from '../../fit/patch-geometry.js';
import { windowOf } from '../../fit/patch-moments.js';
import { packedLength } from '../../linalg/matrix.js';
import type { TensorMap } from '../../runtime/wire-tensor.js';
import type { RepairLayer, SkipCode } from './repair-plan.js';
import { sampledPositions, streamedTensor, type Sampling } from './repair-targets.js';
import { readLayer, writeLayer } from './repair-weights.js';

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
   * once the layers before it are repaired: with the weights it had, and with those it was given (as found without the rows
   * held out). Undefined where it was not looked at.
   */
  readonly errorBefore?: number;
  readonly errorAfter?: number;
  /** The ridge. */
  readonly lambda?: number;
}

/** A layer whose samples are being gathered. */
export interface OpenRepair {
  /** `values`: by name; the input of the layer is among them. */
  add(values: TensorMap, sample: number): void;
  /** Writes new weights if they are better. `lambda`: the ridge, if it is not to be looked for. */
  close(lambda: number | undefined): RepairedLayer;
}

/** Of every fourth sample the rows are held out; where there are few samples, every fourth row. */
const HELD_OUT = 4;
const FEW_SAMPLES = 8;

/** Bytes of the sums of a layer. */
export function sumsBytes({ layer }: RepairLayer): number {
  const { groups, outputs, patch } = layerSizes(layer);
  return 16 * groups * (packedLength(patch + 1) + (patch + 2) * outputs);
}

/** `targets`: per sample, one row of numbers per sampled position. */
export function openRepair(repaired: RepairLayer, targets: readonly Float32Array[], sampling: Sampling): OpenRepair {
  const { name, node, layer, input } = repaired;
  const [fit, held] = [layerSums(layer), layerSums(layer)];
  return {
    add: (values, sample) => {
      const tensor = values.get(input.name);
      const rows = targets[sample];
      invariant(tensor && rows, `sample ${sample} has no values of ${input.name}`);
      const window = windowOf(layer, streamedTensor(tensor));
      let row = 0;
      for (let one = 0; one < window.samples; one++) {
        for (const position of sampledPositions(window.positions, sample, sampling)) {
          const number = targets.length < FEW_SAMPLES ? row : sample;
          const sums = number % HELD_OUT === HELD_OUT - 1 ? held : fit;
          sums.add(window, one, position, rows, row++ * layer.outputs);
        }
      }
      invariant(row * layer.outputs === rows.length, `${input.name} has other positions than in the original`);
    },
    close: (lambda) => {
      const about = { name, opType: node.opType };
      const old = readLayer(node, layer.outputs);
      if (!old) return { ...about, result: 'unsupported-bias' };
      const found = refitHeldOut(layer, old, { fit: fit.moments(), held: held.moments() }, lambda);
      if (!found) return { ...about, result: 'not-finite' };
      if (found.layer) writeLayer(node, found.layer);
      return { ...about, result: found.layer ? 'refitted' : 'no-better', ...figuresOf(found) };
    },
  };
}

const figuresOf = ({ errorBefore, errorAfter, lambda }: HeldOutRefit) => ({ errorBefore, errorAfter, lambda });
