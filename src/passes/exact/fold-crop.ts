// A Slice that crops the output of ConvTranspose is more padding of it: pads of a transposed convolution cut its output.
import type { Facts } from '../../analysis/facts.js';
import { intsAttr, type Attribute } from '../../ir/attribute.js';
import { isStatic } from '../../ir/dim.js';
import type { Node } from '../../ir/node.js';
import { removeDead, replaceNode } from '../edit.js';
import { defineLocalPass } from '../pass.js';

export const foldCrop = defineLocalPass({
  name: 'fold-crop',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Fold a Slice that crops the borders of a ConvTranspose into its padding',
  details: `The pads of ConvTranspose cut its full output of \`s (H - 1) + ke\` positions, so a Slice along spatial axes with step 1 behind it adds
to them: \`begin + start\`, and at the end what is missing from the full size. Positions beyond the full size (\`output_padding\`) hold the
bias only; a crop that keeps some of them is declined.`,
  options: {},
  declines: {
    'shared-output': 'The output of the ConvTranspose is also read by others, or is an output of the graph.',
    sizes: 'The sizes of the data or of the crop, or the padding of the ConvTranspose, are not known.',
    beyond: 'The crop keeps positions beyond the full output of the ConvTranspose.',
  },
  stats: { folded: 'crops folded into ConvTranspose' },
  roots: ['Slice'],
  rewrite(node, ctx) {
    const conv = node.inputs[0]?.producer;
    if (!node.is('Slice') || !conv?.is('ConvTranspose') || conv.graph !== node.graph) return false;
    const crop = cropOf(node, ctx.facts);
    if (crop === 'other') return false;
    if (node.inputs[0]?.soleConsumer !== node) return ctx.decline(node, 'shared-output');
    const pads = crop && croppedPads(conv, crop, ctx.facts);
    if (!pads) return ctx.decline(node, 'sizes');
    if (pads.some((pad) => pad < 0)) return ctx.decline(node, 'beyond');
    const { inputs } = node;
    const attributes = new Map<string, Attribute>(conv.attributes);
    for (const name of ['auto_pad', 'output_shape', 'output_padding']) attributes.delete(name);
    attributes.set('pads', intsAttr(pads));
    replaceNode(node, { opType: 'ConvTranspose', name: conv.name, inputs: conv.inputs, attributes });
    removeDead(inputs);
    ctx.count('folded');
    return true;
  },
});

interface Crop {
  /** Positions dropped in front, and kept, per spatial axis. */
  readonly starts: readonly number[];
  readonly sizes: readonly number[];
}

/** A Slice along spatial axes with step 1; `other` when it is none, undefined when that is not known. */
function cropOf(node: Node, facts: Facts): Crop | 'other' | undefined {
  const list = (name: string, index: number): readonly number[] | undefined => {
    const value = node.inputs[index];
    const data = value && facts.of(value).data;
    return node.ints(name) ?? (data?.every(isStatic) ? (data as readonly number[]) : undefined);
  };
  const before = node.inputs[0] && facts.of(node.inputs[0]).shape;
  const after = node.output && facts.of(node.output).shape;
  const starts = list('starts', 1);
  if (!before || !after || !starts || after.length !== before.length) return undefined;
  const axes = list('axes', 3) ?? (node.inputs[3] === undefined ? starts.map((_, i) => i) : undefined);
  const steps = list('steps', 4) ?? (node.inputs[4] === undefined ? starts.map(() => 1) : undefined);
  if (!axes || !steps) return undefined;
  const positions = axes.map((axis) => (axis < 0 ? axis + before.length : axis));
  if (positions.some((at) => at < 2) || steps.some((step) => step !== 1)) return 'other';
  const first = before.map(() => 0);
  for (const [i, at] of positions.entries()) {
    const size = before[at];
    const start = starts[i] ?? 0;
    if (!isStatic(size)) return undefined;
    first[at] = Math.min(Math.max(start < 0 ? start + size : start, 0), size);
  }
  const sizes = after.slice(2);
  // The runtime has no ConvTranspose with an empty result.
  if (sizes.includes(0)) return 'other';
  return sizes.every(isStatic) ? { starts: first.slice(2), sizes: sizes as readonly number[] } : undefined;
}

/** The pads that leave what the crop leaves of the full output; negative where it keeps more than there is. */
function croppedPads(conv: Node, { starts, sizes }: Crop, facts: Facts): number[] | undefined {
  const data = conv.inputs[0] && facts.of(conv.inputs[0]).shape?.slice(2);
  const kernel = conv.ints('kernel_shape') ?? conv.inputs[1]?.constant?.dims.slice(2);
  const result = conv.output && facts.of(conv.output).shape?.slice(2);
  if (!data?.every(isStatic) || !result?.every(isStatic) || kernel?.length !== data.length) return undefined;
  const [strides, dilations] = [conv.ints('strides') ?? [], conv.ints('dilations') ?? []];
  const full = kernel.map(
    (k, i) => (strides[i] ?? 1) * (((data[i] ?? 1) as number) - 1) + (k - 1) * (dilations[i] ?? 1) + 1,
  );
  const own = beginPads(conv, full.every((size, i) => size <= ((result[i] ?? 0) as number)) ? 'whole' : 'cut');
  if (own === undefined) return undefined;
  const begins = starts.map((start, i) => start + (own[i] ?? 0));
  return [...begins, ...full.map((size, i) => size - (begins[i] ?? 0) - (sizes[i] ?? 0))];
}

/**
 * Where the output begins in the full one, per axis. With an output shape the padding is what is missing from the full size,
 * and only where nothing is missing is it sure where it goes. Undefined where auto_pad decides.
 */
function beginPads(conv: Node, shape: 'whole' | 'cut'): readonly number[] | undefined {
  const mode = conv.string('auto_pad', 'NOTSET');
  if (conv.attribute('output_shape') !== undefined) return shape === 'whole' ? [] : undefined;
  if (mode === 'VALID') return [];
  return mode === 'NOTSET' || mode === '' ? (conv.ints('pads') ?? []) : undefined;
}
