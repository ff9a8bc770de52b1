// High-bias absorption (Nagel et al. 2019, section 4.1.3). Where the channels of a layer are never below c[c] >= 0, what the
// activation behind it gives is x itself there, so that c may be taken off its bias and given to the next layer:
// b1' = b1 - c, b2' = b2 + sum_k W2 c. The range of the activations shrinks by c. Exact where x >= c; minima that come from
// data hold for that data.
import type { Facts } from '../analysis/facts.js';
import { repeated } from './affine-path.js';
import type { ChannelLink } from './channel-links.js';
import { isUnpadded, windowGeometry } from './conv-geometry.js';
import { isRefusal, refuse, type Refusal } from './plan.js';
import { scaledInputs, scaledOutputs, setLayerWeights, tensorLayerOf, type TensorLayer } from './tensor-layer.js';

export type AbsorptionCode = 'no-bias' | 'padded' | 'between' | 'out-of-range';

/**
 * Moves what the outputs of the producer of `link` have at least, where that is positive, into the bias of its consumer.
 * `minima`: smallest value per output channel of the producer, before any activation. Returns the number of channels, or
 * why the link stays as it is: a consumer that pads or is transposed (its border would see other sums), a node in between
 * that takes no shift, a layer that has no bias or no place for one.
 */
export function absorbHighBias(
  link: ChannelLink,
  minima: Float64Array,
  facts: Facts,
): { readonly absorbed: number } | Refusal<AbsorptionCode> {
  const shift = minima.map((x) => (Number.isFinite(x) ? Math.max(0, x) : 0));
  const absorbed = shift.reduce((count, c) => count + (c > 0 ? 1 : 0), 0);
  if (absorbed === 0) return { absorbed };
  const producer = tensorLayerOf(link.producer.node, facts);
  const consumer = tensorLayerOf(link.consumer.node, facts);
  if (!producer || isRefusal(producer) || !consumer || isRefusal(consumer)) return refuse('out-of-range');
  if (!producer.bias) return refuse('no-bias');
  if (!seesShiftEverywhere(consumer, facts)) return refuse('padded');
  const scale = new Float64Array(link.channels).fill(1);
  const edits = link.cross({ scale, shift }, 'positive');
  if (!edits) return refuse('between');
  const rows = scaledOutputs(producer, { scale, shift: shift.map((c) => -c) });
  const columns = scaledInputs(consumer, repeated({ scale, shift }, link.repeat));
  if (!rows || !columns) return refuse('out-of-range');
  for (const edit of edits) edit();
  setLayerWeights(producer, rows);
  setLayerWeights(consumer, columns);
  return { absorbed };
}

/** Every output of the layer reads all of its weights: nothing is padded, and nothing is spread over a larger map. */
function seesShiftEverywhere({ op, node }: TensorLayer, facts: Facts): boolean {
  if (op === 'ConvTranspose') return false;
  const geometry = op === 'Conv' ? windowGeometry(node, facts) : undefined;
  return op !== 'Conv' || (geometry !== undefined && isUnpadded(geometry));
}
