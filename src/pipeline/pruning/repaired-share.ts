// What of a group's error is left in the end. Its price is measured with its own readers refitted; the repair refits all layers
// behind them as well, and each makes up for a part. Layers near the output have none behind them: without this, they look
// too cheap beside layers at the input.
import type { ChannelGroup } from '../../analysis/channel-group.js';
import type { Facts } from '../../analysis/facts.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { linearLayer } from '../../passes/linear-layer.js';

/**
 * What one more layer makes up for, as 1 / (1 + MADE_UP layers). Measured: a quarter of the units of one group gone, everything behind
 * refitted, noise of the outputs on held-out samples over that with the readers refitted alone. ResNet-20: 0.87, 0.78, 0.66, 0.61
 * and 0.49 with 3, 5, 9, 11 and 15 layers behind (docs/adr/0009-blocks-and-bases.md).
 */
const MADE_UP = 0.05;
/** More layers do not make up for more: 0.3 to 0.7, and 0.57 on average, with 12 to 24 layers behind in SqueezeNet 1.1. */
const LEAST_LEFT = 0.5;

/** Part of the error of a group that is left when all layers behind its readers are refitted; above 0, 1 where there are none. */
export function repairedShare(group: ChannelGroup, facts: Facts): number {
  const readers = new Set(group.readers.map(({ node }) => node));
  const behind = nodesBehind([...readers]).filter((node) => !readers.has(node) && linearLayer(node, facts));
  return Math.max(LEAST_LEFT, 1 / (1 + MADE_UP * behind.length));
}

function nodesBehind(nodes: readonly Node[]): Node[] {
  const found = new Set<Node>();
  const open: Value[] = nodes.flatMap(({ outputs }) => outputs.filter((value) => value !== undefined));
  for (let value = open.pop(); value; value = open.pop()) {
    for (const node of value.consumers()) {
      if (found.has(node)) continue;
      found.add(node);
      open.push(...node.outputs.filter((made) => made !== undefined));
    }
  }
  return [...found];
}
