// Chains that one convolution can learn to stand for (DeepRebirth 2018, section 3.1): a convolution and what follows it alone, of
// normalization, scale, activation and pooling.
import type { Facts } from '../../analysis/facts.js';
import type { StoredLayer } from '../../fit/held-out-refit.js';
import type { WindowLayer } from '../../fit/patch-geometry.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { affineOf } from '../channel-affine.js';
import { windowGeometry, type WindowGeometry } from '../conv-geometry.js';
import { linearLayer } from '../linear-layer.js';
import { readLayer } from '../linear-weights.js';
import { clippingOf } from '../value-range.js';

/** One node behind the convolution; `activation`: clips, and stays. `normalization`: LRN, or a scale and shift per channel. */
export type StreamlineLink =
  | { readonly kind: 'activation' | 'normalization'; readonly node: Node; readonly output: Value }
  | { readonly kind: 'pool'; readonly node: Node; readonly output: Value; readonly window: WindowGeometry };

export interface StreamlineSite {
  readonly conv: Node;
  readonly layer: WindowLayer;
  readonly stored: StoredLayer;
  readonly input: Value;
  /** In the order of the data; the last of them is a normalization or a pool, or an activation behind one. */
  readonly links: readonly StreamlineLink[];
}

const POOLS: ReadonlySet<string> = new Set(['MaxPool', 'AveragePool']);

/** The chain that begins at `node`; undefined where there is none: other nodes read what lies within, or nothing could go. */
export function streamlineAt(node: Node, facts: Facts): StreamlineSite | undefined {
  const layer = linearLayer(node, facts);
  const [input, weights] = node.inputs;
  const isOwn = node.opType === 'Conv' && weights?.constant?.dtype === 'float32' && weights.soleConsumer === node;
  if (!isOwn || !input || input.constant || layer?.kind !== 'conv') return undefined;
  const stored = readLayer(node, layer.outputs);
  const links = linksBehind(node, facts);
  const last = links.findLastIndex(({ kind }) => kind !== 'activation');
  if (!stored || last < 0) return undefined;
  const behind = links[last + 1]?.kind === 'activation' ? last + 2 : last + 1;
  return { conv: node, layer, stored, input, links: links.slice(0, behind) };
}

function linksBehind(conv: Node, facts: Facts): StreamlineLink[] {
  const links: StreamlineLink[] = [];
  for (let value = conv.output; value && !value.isGraphOutput; value = links.at(-1)?.output) {
    const next = value.soleConsumer;
    const link = next && next.graph === conv.graph ? linkOf(next, value, facts) : undefined;
    if (!link) break;
    links.push(link);
  }
  return links;
}

function linkOf(node: Node, value: Value, facts: Facts): StreamlineLink | undefined {
  const { output } = node;
  if (!output || node.domain !== '' || node.outputs.length > 1) return undefined;
  if (clippingOf(node, facts)?.source === value) return { kind: 'activation', node, output };
  if (node.inputs[0] !== value) return undefined;
  if (node.opType === 'LRN' || affineOf(node)) return { kind: 'normalization', node, output };
  const window = POOLS.has(node.opType) ? windowGeometry(node, facts) : undefined;
  return window && { kind: 'pool', node, output, window };
}
