// A pool with a point kernel only picks every s-th position: it is the stride of a neighbouring convolution.
import type { Facts } from '../../analysis/facts.js';
import { intsAttr, type Attribute } from '../../ir/attribute.js';
import type { Node } from '../../ir/node.js';
import { isPointKernel, isUnpadded, windowGeometry, type WindowGeometry } from '../conv-geometry.js';
import { graphOf, removeNode, replaceNode } from '../edit.js';
import { defineLocalPass } from '../pass.js';

export const foldStridedPool = defineLocalPass({
  name: 'fold-strided-pool',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Fold a pool with a 1x1 kernel into the stride of the convolution before or behind it',
  details: `A MaxPool or AveragePool with kernel 1 and stride \`s\` picks every \`s\`-th position. Behind a convolution it multiplies the
stride, \`s1 s\`, and the positions that nobody reads are no longer computed; the output size agrees, as
floor(floor(a/b)/c) = floor(a/(bc)). In front of an unpadded point convolution it does the same.`,
  options: {},
  declines: {
    'shared-output': 'The value between the two is also read by others, or is an output of the graph.',
    'ceil-mode': 'With ceil_mode the pool may take one position more.',
  },
  stats: { folded: 'pools folded into the stride of a convolution' },
  roots: ['MaxPool', 'AveragePool'],
  rewrite(node, ctx) {
    const pool = pickingPool(node, ctx.facts);
    const data = node.inputs[0];
    if (!pool || !data || !node.output) return false;
    const producer = data.producer;
    const before =
      producer?.is('Conv') && producer.graph === node.graph ? windowGeometry(producer, ctx.facts) : undefined;
    const consumers = node.output.consumers();
    const behind =
      node.output.isGraphOutput || consumers.length === 0
        ? []
        : consumers.map((consumer) => pointConv(consumer, node, ctx.facts));
    const foldsBehind = behind.length > 0 && behind.every((geometry) => geometry !== undefined);
    if (!before && !foldsBehind) return false;
    if (node.int('ceil_mode', 0) !== 0) return ctx.decline(node, 'ceil-mode');
    if (producer && before && data.soleConsumer === node) {
      replaceNode(node, {
        opType: 'Conv',
        name: producer.name,
        inputs: producer.inputs,
        attributes: withStrides(producer, before, pool),
      });
      removeNode(producer);
    } else if (foldsBehind) {
      consumers.forEach((consumer, i) => {
        graphOf(consumer).setInput(consumer, 0, data);
        graphOf(consumer).setAttribute(consumer, 'strides', intsAttr(multiplied(behind[i], pool)));
      });
      removeNode(node);
    } else {
      return ctx.decline(node, 'shared-output');
    }
    ctx.count('folded');
    return true;
  },
});

function pickingPool(node: Node, facts: Facts): WindowGeometry | undefined {
  const indices = node.outputs[1];
  const geometry =
    node.domain === '' && (indices === undefined || indices.isUnused) ? windowGeometry(node, facts) : undefined;
  return geometry && isPointKernel(geometry) && isUnpadded(geometry) ? geometry : undefined;
}

function pointConv(consumer: Node, pool: Node, facts: Facts): WindowGeometry | undefined {
  const reads =
    consumer.is('Conv') &&
    consumer.graph === pool.graph &&
    consumer.inputs[0] === pool.output &&
    consumer.inputs.lastIndexOf(pool.output) === 0;
  const geometry = reads ? windowGeometry(consumer, facts) : undefined;
  return geometry && isPointKernel(geometry) && isUnpadded(geometry) ? geometry : undefined;
}

function multiplied(conv: WindowGeometry | undefined, pool: WindowGeometry): number[] {
  return pool.strides.map((stride, i) => stride * (conv?.strides[i] ?? 1));
}

function withStrides(conv: Node, geometry: WindowGeometry, pool: WindowGeometry): Map<string, Attribute> {
  const attributes = new Map(conv.attributes);
  attributes.delete('auto_pad');
  if (isUnpadded(geometry)) attributes.delete('pads');
  else attributes.set('pads', intsAttr([...geometry.begins, ...geometry.ends]));
  attributes.set('strides', intsAttr(multiplied(geometry, pool)));
  return attributes;
}
