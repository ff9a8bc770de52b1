// The refit of a chain of layers as one: on what the model by now gives it, to what the original gives, all its factors together.
import { GatheredRows } from '../../fit/gathered-rows.js';
import { refineBehind } from '../../fit/low-rank/behind-activation.js';
import { layerSizes } from '../../fit/patch-geometry.js';
import { readChain, writeChain, type PlacedChain } from '../../passes/factorize/placed-chain.js';
import type { RepairLayer } from './repair-plan.js';
import {
  HELD_OUT,
  PATCH_BYTES,
  sampledRows,
  type CloseOptions,
  type OpenRepair,
  type RepairedLayer,
  type RepairRows,
} from './repair-rows.js';

/** What is open on both sides: a layer that no activation reads. */
const UNBOUNDED = { low: -Infinity, high: Infinity };

/** As `openRepair`. Where all rows would take too much memory, every nth of each half counts. */
export function openChainRepair(repaired: RepairLayer, placed: PlacedChain, rows: RepairRows): OpenRepair {
  const { layer } = repaired;
  const { targets, sampling, hold, patchBytes = PATCH_BYTES } = rows;
  const count = targets.length * sampling.positions;
  const every = Math.max(1, Math.ceil((4 * count * layerSizes(layer).patch) / patchBytes));
  const newHalf = (part: number): GatheredRows =>
    new GatheredRows({ layer, hold, keep: 'rows', rows: (count * part) / every });
  const halves = { fit: newHalf(1), held: newHalf(1 / HELD_OUT) };
  const seen = { fit: 0, held: 0 };
  return {
    add: async (values, sample) => {
      for (const row of sampledRows(repaired, rows, { values, sample })) {
        if (seen[row.half]++ % every > 0) continue;
        const full = halves[row.half].add(row);
        if (full) await full;
      }
    },
    close: (options) => concludeChain(repaired, placed, halves, { ...options, hold }),
    release: async () => {
      await halves.fit.release();
      await halves.held.release();
    },
  };
}

async function concludeChain(
  { name, node, layer, bounds }: RepairLayer,
  placed: PlacedChain,
  halves: Readonly<Record<'fit' | 'held', GatheredRows>>,
  { gemm, hold }: CloseOptions & Pick<RepairRows, 'hold'>,
): Promise<RepairedLayer> {
  const about = { name, opType: node.opType };
  const chain = readChain(placed);
  if (!chain) return { ...about, result: 'unsupported-bias' };
  const [fit, held] = [await halves.fit.rows(), await halves.held.rows()];
  const request = { layer, stored: placed.stored, chain, bounds: bounds ?? UNBOUNDED, fit, held, gemm, hold };
  const found = await refineBehind(request);
  const { errorBefore, errorAfter } = found;
  if (!Number.isFinite(errorBefore)) return { ...about, result: 'not-finite' };
  const isBetter = errorAfter < errorBefore;
  if (isBetter) writeChain(placed, found.chain);
  const result = isBetter ? 'refitted' : 'no-better';
  return { ...about, result, errorBefore, errorAfter, at: bounds ? 'activation' : 'output' };
}
