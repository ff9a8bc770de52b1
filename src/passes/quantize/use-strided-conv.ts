// A Slice that takes every s-th position, with the Pad of channels behind it, as one 1x1 convolution of stride s: the
// shortcut of ResNets whose blocks change size without weights.
import { int } from '../../base/option.js';
import type { Facts } from '../../analysis/facts.js';
import { intsAttr } from '../../ir/attribute.js';
import { isStatic } from '../../ir/dim.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { Tensor } from '../../tensor/tensor.js';
import { graphOf, removeDead, replaceNode } from '../edit.js';
import { paddingOf } from '../padding.js';
import { defineLocalPass } from '../pass.js';
import { readSlice, TO_THE_END } from '../slice-range.js';
import { INT8_OPERATORS } from './int8-operators.js';

export const useStridedConv = defineLocalPass({
  name: 'use-strided-conv',
  category: 'quantize',
  exactness: 'rounding',
  needs: [],
  summary: 'Turn a strided Slice with a Pad of channels behind it into one 1x1 convolution',
  details: `\`Slice\` of every \`s\`-th position of the spatial axes, from the first to the last, and a \`Pad\` that puts channels of zeros before
or behind (ResNets halve a shortcut so, "option A" of He et al. 2016) is a 1x1 \`Conv\` of stride \`s\` whose weights are ones and
zeros. Its sums are the same numbers, infinities aside. In 8 bit the weight 1 is 127 times the scale 1/127, and input and output
share their scale, so that the integers are the same as well.

Measured on ONNX Runtime 1.30, 1 thread, AVX512-VNNI, whole blocks of two 3x3 convolutions, int8: 16 to 32 channels at 32x32 take
0.95 of the time, 32 to 64 at 16x16 0.98, 64 to 128 at 28x28 1.01, 128 to 256 at 28x28 1.03. A Slice without a Pad is as fast as
it is (1.01 to 1.02 as a convolution), and in float the convolution only costs. It is made only between layers that can run in
8 bit, which must be quantized afterwards.`,
  options: {
    'max-channels': int({ default: 32, min: 1, help: 'Most channels that are read: more cost more than they save' }),
  },
  declines: {
    channels: '{channels} channels are read: the convolution would take longer.',
    'channels-unknown': 'It is not known how many channels there are.',
    'float-neighbours': 'What stands before it or behind it cannot run in 8 bit.',
    'shared-output': 'The value between the Slice and the Pad is also read by others, or is an output of the graph.',
  },
  stats: { turned: 'strided slices with padding turned into convolutions' },
  roots: ['Pad'],
  rewrite(node, ctx) {
    const [added, ...slices] = chainAt(node, ctx.facts) ?? [];
    const first = slices.at(-1)?.node ?? node;
    const data = first.inputs[0];
    if (!added || slices.length === 0 || !data) return false;
    if (slices.some(({ node: slice }) => slice.output?.soleConsumer === undefined))
      return ctx.decline(node, 'shared-output');
    const channels = ctx.facts.of(data).shape?.[1];
    if (!isStatic(channels)) return ctx.decline(node, 'channels-unknown');
    if (channels > ctx.options['max-channels']) return ctx.decline(node, 'channels', { channels });
    if (!standsBetweenInt8(data, node)) return ctx.decline(node, 'float-neighbours');
    const strides = [0, 1].map((i) => slices.reduce((stride, { amounts }) => stride * (amounts[i] ?? 1), 1));
    replaceChain(node, data, { channels, added: added.amounts, strides });
    ctx.count('turned');
    return true;
  },
});

/** A node with its two numbers: channels put before and behind, or steps of the two spatial axes. */
interface Link {
  readonly node: Node;
  readonly amounts: readonly number[];
}

/** `pad` and the Slices before it, upwards; undefined when there is none of the right kind. */
function chainAt(pad: Node, facts: Facts): Link[] | undefined {
  const added = addedChannels(pad, facts);
  if (!added) return undefined;
  const chain: Link[] = [{ node: pad, amounts: added }];
  for (let node = pad.inputs[0]?.producer; node?.graph === pad.graph; node = node?.inputs[0]?.producer) {
    const amounts = node && strideOf(node, facts);
    if (!node || !amounts) break;
    chain.push({ node, amounts });
  }
  return chain;
}

function addedChannels(pad: Node, facts: Facts): readonly number[] | undefined {
  const padding = paddingOf(pad, facts);
  if (!padding || padding.mode !== 'constant' || padding.value !== 0 || facts.of(padding.data).dtype !== 'float32')
    return undefined;
  const { begins, ends } = padding;
  const isElsewhere = [...begins, ...ends].some((amount, i) => amount !== 0 && i % begins.length !== 1);
  const added = [begins[1] ?? 0, ends[1] ?? 0];
  return begins.length !== 4 || isElsewhere || added.some((amount) => amount < 0) ? undefined : added;
}

/** The steps of a Slice that takes both spatial axes of an image from the first position to the end. */
function strideOf(node: Node, facts: Facts): readonly number[] | undefined {
  const shape = node.is('Slice') && node.inputs[0] ? facts.of(node.inputs[0]).shape : undefined;
  const ranges = shape?.length === 4 ? readSlice(facts.site(node)) : undefined;
  if (!ranges) return undefined;
  const strides = [1, 1];
  for (const { axis, start, end, step } of ranges) {
    const at = (axis < 0 ? axis + 4 : axis) - 2;
    const size = shape?.[at + 2];
    const isToEnd = end >= TO_THE_END || (isStatic(size) && end >= size);
    if (at < 0 || start !== 0 || step < 1 || !isToEnd) return undefined;
    strides[at] = step;
  }
  return strides;
}

const ABSORBED: ReadonlySet<string> = new Set(['Relu', 'Clip']);
const runsInInt8 = ({ domain, opType }: Node): boolean =>
  domain === '' && (INT8_OPERATORS.has(opType) || ABSORBED.has(opType));

function standsBetweenInt8(data: Value, last: Node): boolean {
  const readers = last.output?.consumers() ?? [];
  return data.producer !== undefined && [data.producer, ...readers].every(runsInInt8) && readers.length > 0;
}

interface Selection {
  readonly channels: number;
  readonly added: readonly number[];
  readonly strides: readonly number[];
}

function replaceChain(pad: Node, data: Value, { channels, added: [before = 0, behind = 0], strides }: Selection): void {
  const { inputs, output } = pad;
  const outputs = before + channels + behind;
  const ones = new Float64Array(outputs * channels);
  for (let c = 0; c < channels; c++) ones[(before + c) * channels + c] = 1;
  const weight = graphOf(pad).addInitializer(
    Tensor.fromNumbers('float32', [outputs, channels, 1, 1], ones),
    `${output?.name ?? 'shortcut'}_weight`,
  );
  replaceNode(pad, { opType: 'Conv', inputs: [data, weight], attributes: { strides: intsAttr(strides) } });
  removeDead(inputs);
}
