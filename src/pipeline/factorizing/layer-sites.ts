// The layers of a model that chains can stand for, with the sizes that costs are counted by, and why the others cannot.
import type { ModelFacts } from '../../analysis/inference.js';
import type { FactorScheme } from '../../fit/low-rank/factors.js';
import { schemesFor, type DeclineCode } from '../../fit/low-rank/scheme-rules.js';
import type { Graph } from '../../ir/graph.js';
import type { Node } from '../../ir/node.js';
import { factorSite, type FactorDecline, type FactorSite } from '../../passes/factorize/factor-site.js';
import { isRefusal } from '../../passes/plan.js';
import type { FactorizeSettings } from './settings.js';

export interface LayerSite extends FactorSite {
  /** Of the node, or of its output. */
  readonly name: string;
  /** Spatial sizes of the input; for rows: how many there are. */
  readonly sizes: readonly number[];
  /** Of the input; 1 for rows. */
  readonly batch: number;
  readonly schemes: readonly FactorScheme[];
}

/** `not-asked`: layers of this kind, or schemes that suit it, were not asked for. */
export type SiteDecline = FactorDecline | DeclineCode | 'unknown-size' | 'not-asked';

export interface DeclinedLayer {
  readonly node: Node;
  readonly name: string;
  readonly code: SiteDecline;
}

export interface FoundSites {
  /** In order of execution. */
  readonly sites: readonly LayerSite[];
  readonly declined: readonly DeclinedLayer[];
}

/** Schemes where nothing is asked for: CP needs many steps of descent for each rank, and is rarely the cheapest. */
const USUAL: readonly FactorScheme[] = ['svd', 'channel-svd', 'spatial-svd', 'tucker-2'];

const DENSE: ReadonlySet<string> = new Set(['Gemm', 'MatMul']);

/** All layers with weights of the main graph. */
export function findSites(
  graph: Graph,
  facts: ModelFacts,
  { schemes, layers }: Pick<FactorizeSettings, 'schemes' | 'layers'>,
): FoundSites {
  const asked = schemes.length > 0 ? schemes : USUAL;
  const sites: LayerSite[] = [];
  const declined: DeclinedLayer[] = [];
  for (const node of graph.nodes()) {
    const site = factorSite(node, facts);
    if (!site) continue;
    const isAsked = layers === 'all' || (layers === 'dense') === DENSE.has(node.opType);
    const found = !isAsked ? 'not-asked' : isRefusal(site) ? site.refused : siteOf(site, facts, asked);
    if (typeof found === 'string') declined.push({ node, name: node.label, code: found });
    else sites.push(found);
  }
  return { sites, declined };
}

function siteOf(site: FactorSite, facts: ModelFacts, asked: readonly FactorScheme[]): LayerSite | SiteDecline {
  const { offered, declined } = schemesFor(site.layer);
  const schemes = offered.filter((scheme) => asked.includes(scheme));
  if (offered.length === 0) return declined[0]?.code ?? 'not-asked';
  if (schemes.length === 0) return 'not-asked';
  const dims = facts.assumed(site.input);
  if (!dims) return 'unknown-size';
  const isRows = site.layer.kind === 'rows';
  const sizes = isRows ? dims.slice(0, -1) : dims.slice(2);
  return { ...site, name: site.node.label, sizes, batch: isRows ? 1 : (dims[0] ?? 1), schemes };
}
