// The start that DeepRebirth gives new layers (2018, section 3.3): Xavier's (Glorot 2010), uniform within sqrt(6 / (fan in + fan out)),
// biases zero. What was known of the block is thrown away, so that nothing but a training makes it good.
import { createRng } from '../../base/rng.js';
import type { Facts } from '../../analysis/facts.js';
import { layerSizes } from '../../fit/patch-geometry.js';
import type { Node } from '../../ir/node.js';
import { linearLayer } from '../../passes/linear-layer.js';
import { readLayer, writeLayer } from '../../passes/linear-weights.js';

/** Gives the layers random weights; those that are no layers with stored weights stay. */
export function xavierWeights(layers: readonly Node[], facts: Facts, seed: number): void {
  for (const node of layers) {
    const layer = linearLayer(node, facts);
    const stored = layer && readLayer(node, layer.outputs);
    if (!layer || !stored) continue;
    const { patch, taps, groups } = layerSizes(layer);
    const rng = createRng(`${seed}/${node.label}`);
    const reach = Math.sqrt(6 / (patch + (taps * layer.outputs) / groups));
    const weights = Float64Array.from(stored.weights, () => reach * (2 * rng.uniform() - 1));
    writeLayer(node, { weights, bias: new Float64Array(layer.outputs) });
  }
}
