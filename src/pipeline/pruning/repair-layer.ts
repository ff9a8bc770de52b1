// The refit of one layer: sums over the samples that it sees, and new weights where they are better.
import { refitBehind, type Bounds } from '../../fit/clipped-refit.js';
import { GatheredRows } from '../../fit/gathered-rows.js';
import { refitHeldOut } from '../../fit/held-out-refit.js';
import { layerSizes } from '../../fit/patch-geometry.js';
import { packedLength } from '../../linalg/matrix.js';
import { openChainRepair } from './repair-chain.js';
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
import { readLayer, writeLayer } from '../../passes/linear-weights.js';

/** Sweeps of the refit in front of an activation. */
const SWEEPS = { layer: undefined, block: 20 } as const;

/** Bytes of the sums of a layer, and of its patches if they are held on to. */
export function bytesOf({ layer, bounds, chain }: RepairLayer, rows: number): number {
  const { groups, outputs, patch } = layerSizes(layer);
  if (chain) return Math.min(PATCH_BYTES, 4 * rows * patch);
  const sums = 16 * groups * (packedLength(patch + 1) + (patch + 2) * outputs);
  return sums + (bounds ? Math.min(PATCH_BYTES, 4 * rows * groups * patch) : 0);
}

/** A layer, or the chain that stands for it, before any sample was seen. */
export function openRepair(repaired: RepairLayer, rows: RepairRows): OpenRepair {
  return repaired.chain ? openChainRepair(repaired, repaired.chain, rows) : openLayerRepair(repaired, rows);
}

function openLayerRepair(repaired: RepairLayer, rows: RepairRows): OpenRepair {
  const { layer, bounds } = repaired;
  const { groups, patch } = layerSizes(layer);
  const { targets, sampling, hold } = rows;
  const count = targets.length * sampling.positions;
  const keeps = bounds !== undefined && 4 * count * groups * patch <= PATCH_BYTES;
  const options = { layer, hold, keep: keeps ? 'rows' : 'sums', rows: count } as const;
  const halves = { fit: new GatheredRows(options), held: new GatheredRows({ ...options, rows: count / HELD_OUT }) };
  return {
    add: async (values, sample) => {
      for (const row of sampledRows(repaired, rows, { values, sample })) {
        const full = halves[row.half].add(row);
        if (full) await full;
      }
    },
    close: (close) => concludeRepair(repaired, halves, keeps ? bounds : undefined, close),
    release: async () => {
      await halves.fit.release();
      await halves.held.release();
    },
  };
}

type Halves = Readonly<Record<'fit' | 'held', GatheredRows>>;

async function concludeRepair(
  { name, node, layer, standsFor }: RepairLayer,
  { fit, held }: Halves,
  bounds: Bounds | undefined,
  { lambda }: CloseOptions,
): Promise<RepairedLayer> {
  const about = { name, opType: node.opType };
  const old = readLayer(node, layer.outputs);
  if (!old) return { ...about, result: 'unsupported-bias' };
  const moments = { fit: await fit.moments(), held: await held.moments() };
  const plain = refitHeldOut(layer, old, moments, lambda);
  if (!plain) return { ...about, result: 'not-finite' };
  const found = bounds
    ? await refitBehind(
        { layer, old, plain, bounds, sweeps: SWEEPS[standsFor] },
        { fit: await fit.rows(), held: await held.rows(), moments: moments.fit },
      )
    : plain;
  if (found.layer) writeLayer(node, found.layer);
  const { errorBefore, errorAfter } = found;
  const result = found.layer ? 'refitted' : 'no-better';
  return { ...about, result, errorBefore, errorAfter, lambda: plain.lambda, at: bounds ? 'activation' : 'output' };
}
