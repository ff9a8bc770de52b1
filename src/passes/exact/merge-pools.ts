// A MaxPool of a MaxPool is one MaxPool with a wider window (methods, 1.1).
import type { Facts } from '../../analysis/facts.js';
import { intsAttr } from '../../ir/attribute.js';
import { addDims, isStatic, type Dim } from '../../ir/dim.js';
import type { Node } from '../../ir/node.js';
import { usedOutputs } from '../constants.js';
import { removeDead, replaceNode } from '../edit.js';
import { defineLocalPass } from '../pass.js';

/** A pool along one axis: window, stride, padding before and after. */
interface Window {
  readonly kernel: number;
  readonly stride: number;
  readonly begin: number;
  readonly end: number;
}

export const mergePools = defineLocalPass({
  name: 'merge-pools',
  category: 'exact',
  exactness: 'exact',
  needs: [],
  summary: 'Merge a MaxPool of a MaxPool when the wider window compares less',
  details: `Per axis, with windows k, strides s and paddings p of the first (1) and second (2): \`K = k1 + (k2 - 1) s1\`, \`S = s1 s2\`,
\`P = p1 + s1 p2\`. The windows of the second must see neither gaps of the first (s1 <= k1) nor, where the second pads, a
remainder that the first left out (\`(H + p1 + q1 - k1) mod s1 = 0\`). Neither may round its size up, dilate, or give
indices. One wide window compares K^2 numbers per result where the pair compared (k1 s2)^2 + k2^2, so the merge is made only
where that is less.`,
  options: {},
  declines: {
    shared: 'The MaxPool before it has other readers, so it would stay.',
    inexact: 'The two windows do not compose: gaps, a remainder at the border, rounding up, dilation or indices.',
    dearer: 'The merged window compares {merged} numbers per result, the pair {pair}.',
  },
  stats: { merged: 'MaxPools merged' },
  roots: ['MaxPool'],
  rewrite(node, ctx) {
    const before = node.inputs[0]?.producer;
    const source = before?.inputs[0];
    if (!node.is('MaxPool') || !before?.is('MaxPool') || !source) return false;
    const first = windowsOf(before);
    const second = windowsOf(node);
    if (!first || first.length !== second?.length) return ctx.decline(node, 'inexact');
    const sizes = sizesOf(before, first.length, ctx.facts);
    if (!first.every((window, i) => composes(window, second[i], sizes?.[i]))) return ctx.decline(node, 'inexact');
    if (before.output?.soleConsumer !== node) return ctx.decline(node, 'shared');
    const windows = first.map((window, i) => composed(window, second[i] ?? window));
    const merged = windows.reduce((product, { kernel }) => product * kernel, 1);
    const pair = pairCost(first, second);
    if (merged >= pair) return ctx.decline(node, 'dearer', { merged, pair });
    const { inputs } = node;
    replaceNode(node, { opType: 'MaxPool', inputs: [source], attributes: attributesOf(windows) });
    removeDead(inputs);
    ctx.count('merged');
    return true;
  },
});

function windowsOf(node: Node): readonly Window[] | undefined {
  const kernel = node.ints('kernel_shape');
  const autoPad = node.string('auto_pad', 'NOTSET');
  const isDilated = node.ints('dilations')?.some((dilation) => dilation !== 1) ?? false;
  const givesIndices = usedOutputs(node).some((value) => value !== node.output);
  if (!kernel || isDilated || givesIndices || node.int('ceil_mode', 0) !== 0 || !['NOTSET', 'VALID'].includes(autoPad))
    return undefined;
  const pads = autoPad === 'VALID' ? undefined : node.ints('pads');
  return kernel.map((size, i) => ({
    kernel: size,
    stride: node.ints('strides')?.[i] ?? 1,
    begin: pads?.[i] ?? 0,
    end: pads?.[i + kernel.length] ?? 0,
  }));
}

function sizesOf(node: Node, count: number, facts: Facts): readonly Dim[] | undefined {
  const shape = node.inputs[0] && facts.of(node.inputs[0]).shape;
  return shape?.length === count + 2 ? shape.slice(2) : undefined;
}

function composes(first: Window, second: Window | undefined, size: Dim | undefined): boolean {
  if (second === undefined || first.stride > first.kernel) return false;
  if (second.begin === 0 && second.end === 0) return true;
  const rest = size === undefined ? undefined : addDims(size, first.begin + first.end - first.kernel);
  return first.stride === 1 || (isStatic(rest) && rest % first.stride === 0);
}

function composed(first: Window, second: Window): Window {
  return {
    kernel: first.kernel + (second.kernel - 1) * first.stride,
    stride: first.stride * second.stride,
    begin: first.begin + first.stride * second.begin,
    end: first.end + first.stride * second.end,
  };
}

/** Comparisons per result of the pair: each stride of the second takes new windows of the first. */
function pairCost(first: readonly Window[], second: readonly Window[]): number {
  const inner = first.reduce((product, { kernel }, i) => product * kernel * (second[i]?.stride ?? 1), 1);
  return inner + second.reduce((product, { kernel }) => product * kernel, 1);
}

function attributesOf(windows: readonly Window[]): Record<string, ReturnType<typeof intsAttr>> {
  return {
    kernel_shape: intsAttr(windows.map(({ kernel }) => kernel)),
    pads: intsAttr([...windows.map(({ begin }) => begin), ...windows.map(({ end }) => end)]),
    strides: intsAttr(windows.map(({ stride }) => stride)),
  };
}
