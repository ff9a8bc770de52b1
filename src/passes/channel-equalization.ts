// Cross-layer equalization. The outputs of a layer may be divided by T[c] when the columns of the next are multiplied by it.
// Data-free (Nagel et al., Data-Free Quantization through Weight Equalization and Bias Correction, 2019): T makes the ranges
// of a channel equal in all layers that touch it, r' = (r_0 r_1 ... r_n)^(1/(n+1)); two dense layers give the square root of
// that paper, a depthwise one in between the cube root.
import type { Facts } from '../analysis/facts.js';
import type { Node } from '../ir/node.js';
import { repeated } from './affine-path.js';
import type { ChannelLink } from './channel-links.js';
import { isRefusal } from './plan.js';
import {
  forEachFilter,
  scaledInputs,
  scaledOutputs,
  setLayerWeights,
  tensorLayerOf,
  type TensorLayer,
} from './tensor-layer.js';

/** What divides the channels of a link: one number per channel of its producer. */
export type LinkFactors = ReadonlyMap<ChannelLink, Float64Array>;

/** Sweeps over all chains, at most, and the largest change of a logarithm at which they end. */
const MAX_SWEEPS = 300;
const CONVERGED = 1e-4;

/** Weights of a layer with the factors that its rows and columns have so far. */
interface LayerState {
  readonly layer: TensorLayer;
  readonly rows: Float64Array;
  readonly columns: Float64Array;
  /** Largest magnitude over kernel positions, in the order of `forEachFilter`. */
  readonly peaks: Float64Array;
}

/** Links whose channels run through depthwise layers from one to the next. */
type Chain = readonly ChannelLink[];

/**
 * Factors that equalize the ranges of weights over all `links`. Channels whose ranges differ by more than `maxRatio` are left
 * alone, as those that are dead in one of the layers.
 */
export function weightEqualization(links: readonly ChannelLink[], maxRatio: number): LinkFactors {
  const factors = new Map(links.map((link) => [link, new Float64Array(link.channels).fill(1)]));
  const states = new Map<Node, LayerState>();
  for (const { producer, consumer } of links)
    for (const layer of [producer, consumer]) if (!states.has(layer.node)) states.set(layer.node, stateOf(layer));
  const chains = chainsOf(links);
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    let change = 0;
    for (const chain of chains) change = Math.max(change, equalizeChain(chain, { states, factors, maxRatio }));
    if (change < CONVERGED) break;
  }
  return factors;
}

/** Chains of links from dense layer to dense layer; depthwise layers in between belong to both of their links. */
function chainsOf(links: readonly ChannelLink[]): readonly Chain[] {
  const next = new Map(links.map((link) => [link.producer.node, link]));
  const passesOn = ({ consumer, repeat }: ChannelLink): boolean => isDepthwise(consumer) && repeat === 1;
  const continues = new Set(links.filter(passesOn).map(({ consumer }) => consumer.node));
  const chains: Chain[] = [];
  for (const start of links) {
    if (continues.has(start.producer.node)) continue;
    const chain = [start];
    for (let last = start; passesOn(last);) {
      const link = next.get(last.consumer.node);
      if (!link) break;
      chain.push(link);
      last = link;
    }
    chains.push(chain);
  }
  return chains;
}

/** One filter per channel, and one channel per filter. */
function isDepthwise({ layout }: TensorLayer): boolean {
  return layout.groups > 1 && layout.groups === layout.inputs && layout.inputs === layout.outputs;
}

interface Solving {
  readonly states: ReadonlyMap<Node, LayerState>;
  readonly factors: LinkFactors;
  readonly maxRatio: number;
}

/** Makes the ranges of every channel equal along the chain; returns the largest change of the logarithm of a factor. */
function equalizeChain(chain: Chain, { states, factors, maxRatio }: Solving): number {
  const stateAt = (layer: TensorLayer): LayerState => states.get(layer.node) ?? stateOf(layer);
  const [first] = chain;
  const last = chain.at(-1);
  if (!first || !last) return 0;
  const ranges = [
    rangesOf(stateAt(first.producer), 'outputs'),
    ...chain.slice(1).map(({ producer }) => rangesOf(stateAt(producer), 'outputs')),
    blockRanges(rangesOf(stateAt(last.consumer), 'inputs'), last.repeat),
  ];
  let change = 0;
  for (let c = 0; c < first.channels; c++) {
    const own = ranges.map((numbers) => numbers[c] ?? 0);
    const smallest = Math.min(...own);
    if (!(smallest > 0 && Math.max(...own) <= maxRatio * smallest)) continue;
    const target = Math.exp(own.reduce((sum, r) => sum + Math.log(r), 0) / own.length);
    let product = 1;
    for (const [j, link] of chain.entries()) {
      product *= (own[j] ?? 1) / target;
      divideChannel(link, { c, by: product }, { states, factors, maxRatio });
      change = Math.max(change, Math.abs(Math.log(product)));
    }
  }
  return change;
}

/** Divides what the producer gives in channel `c` by a factor, and multiplies the columns that read it. */
function divideChannel(
  link: ChannelLink,
  { c, by }: { readonly c: number; readonly by: number },
  { states, factors }: Solving,
): void {
  const { producer, consumer, repeat } = link;
  const scale = (numbers: Float64Array | undefined, at: number, factor: number): void => {
    if (numbers) numbers[at] = (numbers[at] ?? 1) * factor;
  };
  scale(factors.get(link), c, by);
  scale(states.get(producer.node)?.rows, c, 1 / by);
  for (let i = c * repeat; i < (c + 1) * repeat; i++) scale(states.get(consumer.node)?.columns, i, by);
}

function stateOf(layer: TensorLayer): LayerState {
  const { layout, weights } = layer;
  const numbers = weights.toFloat64();
  const peaks = new Float64Array(layout.outputs * layout.inputsPerGroup);
  let at = 0;
  forEachFilter(layout, (_, __, offset) => {
    let peak = 0;
    for (let k = offset; k < offset + layout.kernel; k++) peak = Math.max(peak, Math.abs(numbers[k] ?? 0));
    peaks[at++] = peak;
  });
  return {
    layer,
    peaks,
    rows: new Float64Array(layout.outputs).fill(1),
    columns: new Float64Array(layout.inputs).fill(1),
  };
}

/** Largest weight per output channel, or per input channel, with the factors so far. */
function rangesOf({ layer, rows, columns, peaks }: LayerState, side: 'inputs' | 'outputs'): Float64Array {
  const ranges = new Float64Array(layer.layout[side]);
  let at = 0;
  forEachFilter(layer.layout, (output, input) => {
    const range = (peaks[at++] ?? 0) * (rows[output] ?? 1) * (columns[input] ?? 1);
    const c = side === 'outputs' ? output : input;
    if (range > (ranges[c] ?? 0)) ranges[c] = range;
  });
  return ranges;
}

/** The largest of each `repeat` neighbours. */
function blockRanges(ranges: Float64Array, repeat: number): Float64Array {
  if (repeat === 1) return ranges;
  return Float64Array.from({ length: ranges.length / repeat }, (_, c) =>
    ranges.subarray(c * repeat, (c + 1) * repeat).reduce((a, b) => Math.max(a, b), 0),
  );
}

/** Factors closer to 1 than this change nothing that 8 bits could show. */
const NEGLIGIBLE = 1.01;

function isNoticeable(factors: Float64Array): boolean {
  return factors.some((t) => t > NEGLIGIBLE || t < 1 / NEGLIGIBLE);
}

/**
 * Divides the channels of every link by its factors; links with negligible ones stay. Every link keeps what the model computes by
 * itself, so one whose weights cannot hold the result stays too. Returns those that were changed, and those that failed.
 */
export function applyEqualization(
  factors: LinkFactors,
  facts: Facts,
): { readonly changed: readonly ChannelLink[]; readonly failed: readonly ChannelLink[] } {
  const noticeable = [...factors].filter(([, numbers]) => isNoticeable(numbers));
  const changed: ChannelLink[] = [];
  const failed: ChannelLink[] = [];
  for (const [link, numbers] of noticeable) (divideLink(link, numbers, facts) ? changed : failed).push(link);
  return { changed, failed };
}

function divideLink(link: ChannelLink, factors: Float64Array, facts: Facts): boolean {
  const producer = tensorLayerOf(link.producer.node, facts);
  const consumer = tensorLayerOf(link.consumer.node, facts);
  if (!producer || isRefusal(producer) || !consumer || isRefusal(consumer)) return false;
  const shift = new Float64Array(factors.length);
  const edits = link.cross({ scale: factors, shift });
  const spread = repeated({ scale: factors, shift }, link.repeat);
  const rows = scaledOutputs(producer, { scale: factors.map((t) => 1 / t), shift });
  const columns = scaledInputs(consumer, spread);
  if (!edits || !rows || !columns) return false;
  for (const edit of edits) edit();
  setLayerWeights(producer, rows);
  setLayerWeights(consumer, columns);
  return true;
}
