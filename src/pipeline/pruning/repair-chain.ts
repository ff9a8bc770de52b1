// The refit of a chain of layers as one: on what the model by now gives it, to what the original gives, all its factors together.
import { patchOf, type LayerRows } from '../../fit/clipped-refit.js';
import { refineBehind } from '../../fit/low-rank/behind-activation.js';
import { layerSizes } from '../../fit/patch-geometry.js';
import { readChain, writeChain, type PlacedChain } from '../../passes/factorize/placed-chain.js';
import type { RepairLayer } from './repair-plan.js';
import {
  PATCH_BYTES,
  sampledRows,
  type CloseOptions,
  type OpenRepair,
  type RepairedLayer,
  type RepairRows,
} from './repair-rows.js';

/** What is open on both sides: a layer that no activation reads. */
const UNBOUNDED = { low: -Infinity, high: Infinity };

interface Half extends LayerRows {
  readonly patches: Float32Array[];
  readonly targets: Float32Array[];
  readonly addends: Float32Array[] | undefined;
}

/** As `openRepair`. Where all rows would take too much memory, every nth of each half counts. */
export function openChainRepair(repaired: RepairLayer, placed: PlacedChain, rows: RepairRows): OpenRepair {
  const { layer, addend } = repaired;
  const newHalf = (): Half => ({ patches: [], targets: [], addends: addend && [] });
  const halves = { fit: newHalf(), held: newHalf() };
  const bytes = 4 * rows.targets.length * rows.sampling.positions * layerSizes(layer).patch;
  const every = Math.max(1, Math.ceil(bytes / (rows.patchBytes ?? PATCH_BYTES)));
  const seen = { fit: 0, held: 0 };
  return {
    add: (values, sample) => {
      for (const row of sampledRows(repaired, rows, { values, sample })) {
        if (seen[row.half]++ % every > 0) continue;
        const half = halves[row.half];
        half.patches.push(patchOf(layer, row.window, row.one, row.position));
        half.targets.push(row.target);
        if (row.addend) half.addends?.push(row.addend);
      }
      return Promise.resolve();
    },
    close: (options) => concludeChain(repaired, placed, halves, options),
  };
}

async function concludeChain(
  { name, node, layer, bounds }: RepairLayer,
  placed: PlacedChain,
  { fit, held }: { readonly fit: Half; readonly held: Half },
  { gemm }: CloseOptions,
): Promise<RepairedLayer> {
  const about = { name, opType: node.opType };
  const chain = readChain(placed);
  if (!chain) return { ...about, result: 'unsupported-bias' };
  const request = { layer, stored: placed.stored, chain, bounds: bounds ?? UNBOUNDED, fit, held, gemm };
  const found = await refineBehind(request);
  const { errorBefore, errorAfter } = found;
  if (!Number.isFinite(errorBefore)) return { ...about, result: 'not-finite' };
  const isBetter = errorAfter < errorBefore;
  if (isBetter) writeChain(placed, found.chain);
  const result = isBetter ? 'refitted' : 'no-better';
  return { ...about, result, errorBefore, errorAfter, at: bounds ? 'activation' : 'output' };
}
