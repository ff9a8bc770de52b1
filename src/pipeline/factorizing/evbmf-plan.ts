// Ranks as the weights alone suggest them: of each unfolding as many as are more than noise (EVBMF), and of the chains the nearest
// that are not below.
import { layerSizes, weightRows, type LinearLayer } from '../../fit/patch-geometry.js';
import { matrix, transpose, type Matrix } from '../../linalg/matrix.js';
import { multiply } from '../../linalg/gemm.js';
import { symmetricEigen } from '../../linalg/eigen.js';
import { evbmf } from '../../linalg/evbmf.js';
import { openBench } from '../pruning/prune-run.js';
import { benchFacts } from '../quantization/bench.js';
import { cheapest } from '../trading/choose.js';
import type { ChainPlan, PricedLayer } from './priced-chain.js';
import type { FactorizeRun } from './factorize-run.js';
import { findSites, type LayerSite } from './layer-sites.js';

/** By number of output channels, and of input channels, that are more than noise. */
interface NoiseRanks {
  readonly outputs: number;
  readonly inputs: number;
}

/** Per layer the cheapest chain whose ranks are all at least those that EVBMF finds. */
export async function evbmfPlan(run: FactorizeRun, priced: readonly PricedLayer[]): Promise<ChainPlan> {
  const bench = await openBench(run, run.base);
  const { sites } = findSites(bench.decoded.model.graph, benchFacts(bench), run.request.settings);
  const known = new Map(sites.map((site) => [site.name, site]));
  const ranks = new Map(priced.map(({ name }) => [name, ranksOf(known.get(name))]));
  return cheapest(priced, run.aim, ({ scheme, ranks: own }, { name }) => {
    const found = ranks.get(name);
    if (!found || Math.min(found.inputs, found.outputs) < 1) return false;
    const wanted = scheme === 'tucker-2' ? [found.inputs, found.outputs] : own.map(() => found.outputs);
    return own.every((rank, at) => rank >= (wanted[at] ?? 0));
  });
}

function ranksOf(site: LayerSite | undefined): NoiseRanks | undefined {
  if (!site) return undefined;
  const { layer, stored } = site;
  const { patch } = layerSizes(layer);
  const rows = matrix(layer.outputs, patch, weightRows(layer, stored.weights));
  const outputs = rankOf(rows);
  const inputs = rankOf(byInputs(layer, rows));
  return outputs === undefined || inputs === undefined ? undefined : { outputs, inputs };
}

/** The unfolding along the input channels: inputs x (outputs x taps). */
function byInputs(layer: LinearLayer, rows: Matrix): Matrix {
  const { inputs, taps } = layerSizes(layer);
  const unfolded = matrix(inputs, rows.rows * taps);
  for (let o = 0; o < rows.rows; o++)
    for (let c = 0; c < inputs; c++)
      for (let t = 0; t < taps; t++)
        unfolded.data[(c * rows.rows + o) * taps + t] = rows.data[o * rows.columns + c * taps + t] ?? 0;
  return unfolded;
}

function rankOf(unfolded: Matrix): number | undefined {
  const gram =
    unfolded.rows <= unfolded.columns
      ? multiply(unfolded, transpose(unfolded))
      : multiply(transpose(unfolded), unfolded);
  const values = symmetricEigen(gram)?.values.map((value) => Math.sqrt(Math.max(0, value)));
  return values && evbmf(values, unfolded.rows, unfolded.columns).rank;
}
