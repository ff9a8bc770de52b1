// A chain that stands in a model for a layer: what it stands for, and its weights read and written there.
import { invariant } from '../../base/errors.js';
import type { Factor, Factorization } from '../../fit/low-rank/factors.js';
import type { StoredLayer } from '../../fit/held-out-refit.js';
import { storedWeights, weightRows, type LinearLayer } from '../../fit/patch-geometry.js';
import type { Node } from '../../ir/node.js';
import { readLayer, writeLayer, writeWeights } from '../linear-weights.js';

export interface PlacedChain {
  /** The layer that the chain stands for, and its weights. */
  readonly layer: LinearLayer;
  readonly stored: StoredLayer;
  /** As it was put there. */
  readonly chain: Factorization;
  /** One for each layer of the chain, in the order of the data. */
  readonly nodes: readonly Node[];
}

/** The chain with the weights that it has by now; undefined where they are no longer those of a chain. */
export function readChain({ chain, nodes }: PlacedChain): Factorization | undefined {
  const factors: Factor[] = [];
  for (const [at, { layer, bias }] of chain.factors.entries()) {
    const node = nodes[at];
    const stored = node && readLayer(node, layer.outputs);
    if (!node || !stored) return undefined;
    const weights = inLayout(layer, stored.weights, { from: layoutOf(node, layer), to: layer });
    const isLast = at === nodes.length - 1;
    factors.push(isLast || bias ? { layer, weights, bias: Float64Array.from(stored.bias) } : { layer, weights });
  }
  return { ...chain, factors };
}

/** Writes weights, and the bias of the last layer; a product has a place for it (`withBias`). */
export function writeChain({ nodes }: PlacedChain, { factors }: Factorization): void {
  for (const [at, { layer, weights, bias }] of factors.entries()) {
    const node = nodes[at];
    invariant(node, 'a chain has as many layers as nodes');
    const numbers = inLayout(layer, weights, { from: layer, to: layoutOf(node, layer) });
    if (bias) writeLayer(node, { weights: numbers, bias });
    else writeWeights(node, numbers);
  }
}

/** The layer as the node stores it: products hold weights input by output. */
function layoutOf(node: Node, layer: LinearLayer): LinearLayer {
  if (layer.kind !== 'rows') return layer;
  return { ...layer, weights: node.int('transB', 0) === 1 ? 'output-input' : 'input-output' };
}

interface Layouts {
  readonly from: LinearLayer;
  readonly to: LinearLayer;
}

function inLayout(layer: LinearLayer, weights: ArrayLike<number>, { from, to }: Layouts): Float64Array {
  return layer.kind === 'rows' ? storedWeights(to, weightRows(from, weights)) : Float64Array.from(weights);
}
