// The refit of one layer: sums over the samples that it sees, and new weights where they are better.
import { patchOf, refitBehind, type Bounds } from '../../fit/clipped-refit.js';
import { refitHeldOut } from '../../fit/held-out-refit.js';
import { layerSums, type LayerSums } from '../../fit/layer-sums.js';
import { layerSizes, type LinearLayer } from '../../fit/patch-geometry.js';
import { productSums, type ProductSums } from '../../fit/product-sums.js';
import type { Gemm } from '../../linalg/gemm.js';
import { packedLength } from '../../linalg/matrix.js';
import { openChainRepair } from './repair-chain.js';
import type { RepairLayer } from './repair-plan.js';
import {
  PATCH_BYTES,
  sampledRows,
  type CloseOptions,
  type OpenRepair,
  type RepairedLayer,
  type RepairRows,
} from './repair-rows.js';
import { readLayer, writeLayer } from '../../passes/linear-weights.js';

/** Columns from which on products are worth their way. */
const WIDE = 192;
/** Sweeps of the refit in front of an activation. */
const SWEEPS = { layer: undefined, block: 20 } as const;

/** Bytes of the sums of a layer, and of its patches if they are held on to. */
export function bytesOf({ layer, bounds, chain }: RepairLayer, rows: number): number {
  const { groups, outputs, patch } = layerSizes(layer);
  if (chain) return Math.min(PATCH_BYTES, 4 * rows * patch);
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

/** A layer, or the chain that stands for it, before any sample was seen. */
export function openRepair(repaired: RepairLayer, rows: RepairRows): OpenRepair {
  return repaired.chain ? openChainRepair(repaired, repaired.chain, rows) : openLayerRepair(repaired, rows);
}

function openLayerRepair(repaired: RepairLayer, { targets, sampling }: RepairRows): OpenRepair {
  const { layer, bounds } = repaired;
  const halves = { fit: newHalf(repaired), held: newHalf(repaired) };
  const rowBytes = 4 * layerSizes(layer).groups * layerSizes(layer).patch;
  const keepsPatches = bounds !== undefined && targets.length * sampling.positions * rowBytes <= PATCH_BYTES;
  return {
    add: async (values, sample, gemm) => {
      for (const row of sampledRows(repaired, { targets, sampling }, { values, sample })) {
        const { sums, patches, targets: wanted, addends } = halves[row.half];
        if (sums.kind === 'rows') sums.of.add(row.window, row.one, row.position, row.target, 0);
        if (sums.kind === 'rows' && !keepsPatches) continue;
        const patch = patchOf(layer, row.window, row.one, row.position);
        if (sums.kind === 'products') sums.of.add(patch, row.target);
        if (!keepsPatches) continue;
        patches.push(patch);
        wanted.push(row.target);
        if (row.addend) addends?.push(row.addend);
      }
      await settle(halves, gemm, 'enough');
    },
    close: (options) => concludeRepair(repaired, halves, keepsPatches ? bounds : undefined, options),
  };
}

type Halves = Readonly<Record<'fit' | 'held', Half>>;

async function settle({ fit, held }: Halves, gemm: Gemm, which: 'enough' | 'all'): Promise<void> {
  for (const { sums } of [fit, held]) if (sums.kind === 'products') await sums.of.settle(gemm, which);
}

async function concludeRepair(
  { name, node, layer, standsFor }: RepairLayer,
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
    ? await refitBehind(
        { layer, old, plain, bounds, sweeps: SWEEPS[standsFor], gemm },
        { fit, held, moments: moments.fit },
      )
    : plain;
  if (found.layer) writeLayer(node, found.layer);
  const { errorBefore, errorAfter } = found;
  const result = found.layer ? 'refitted' : 'no-better';
  return { ...about, result, errorBefore, errorAfter, lambda: plain.lambda, at: bounds ? 'activation' : 'output' };
}
