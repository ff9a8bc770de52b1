// Which schemes suit which layer, how large their ranks can be, and the layers of their chains: sizes only, so that costs are
// known before anything is computed.
import { layerSizes, type LinearLayer, type WindowLayer } from '../patch-geometry.js';
import type { FactorScheme } from './factors.js';

/**
 * - `grouped`, `depthwise`, `transposed`: no scheme is offered for such layers;
 * - `no-kernel`: the kernel has one position, or the layer has rows: `svd` does it;
 * - `has-kernel`: `svd` is for one position;
 * - `one-axis`: the kernel is longer than 1 on one axis only;
 * - `one-channel`: a single input or output leaves nothing to factorize.
 */
export type DeclineCode =
  'grouped' | 'depthwise' | 'transposed' | 'no-kernel' | 'has-kernel' | 'one-axis' | 'one-channel';

export interface DeclinedScheme {
  readonly scheme: FactorScheme;
  readonly code: DeclineCode;
  readonly reason: string;
}

export interface SchemeChoice {
  readonly offered: readonly FactorScheme[];
  readonly declined: readonly DeclinedScheme[];
}

const SCHEMES: readonly FactorScheme[] = ['svd', 'channel-svd', 'spatial-svd', 'tucker-2', 'cp', 'tucker-cp'];

const REASONS: Readonly<Record<DeclineCode, string>> = {
  grouped: 'Convolutions with groups are left alone: each group is small already.',
  depthwise:
    'Depthwise convolutions are left alone: they have one input channel per output, so there is no rank to lower.',
  transposed: 'Transposed convolutions are left alone.',
  'no-kernel': 'The kernel has a single position: a truncated SVD does all that there is to do.',
  'has-kernel': 'The kernel has several positions: the schemes for kernels apply.',
  'one-axis': 'The kernel is longer than 1 along one axis only, so it cannot be split along its axes.',
  'one-channel': 'The layer has a single input or output channel: its rank is 1 already.',
};

/** The schemes for a layer, and why not the others. */
export function schemesFor(layer: LinearLayer): SchemeChoice {
  const offered: FactorScheme[] = [];
  const declined: DeclinedScheme[] = [];
  for (const scheme of SCHEMES) {
    const code = declineCode(layer, scheme);
    if (code) declined.push({ scheme, code, reason: REASONS[code] });
    else offered.push(scheme);
  }
  return { offered, declined };
}

function declineCode(layer: LinearLayer, scheme: FactorScheme): DeclineCode | undefined {
  if (layer.kind === 'conv-transpose') return 'transposed';
  if (layer.kind === 'conv' && layer.groups > 1) return layer.groups === layer.inputs ? 'depthwise' : 'grouped';
  if (layer.inputs === 1 || layer.outputs === 1) return 'one-channel';
  const hasKernel = layerSizes(layer).taps > 1;
  if (scheme === 'svd') return hasKernel ? 'has-kernel' : undefined;
  if (!hasKernel) return 'no-kernel';
  return scheme === 'spatial-svd' && splitAxis(layer) === undefined ? 'one-axis' : undefined;
}

/** The axis that `spatial-svd` parts from the others: the first along which the kernel is longer than 1, if another is too. */
export function splitAxis(layer: LinearLayer): number | undefined {
  const long = layer.kind === 'rows' ? [] : layer.kernel.flatMap((size, axis) => (size > 1 ? [axis] : []));
  return long.length > 1 ? long[0] : undefined;
}

/** Ranks at which a scheme gives the layer exactly (CP: at most these; what a kernel needs is not known beforehand). */
export function fullRanks(layer: LinearLayer, scheme: FactorScheme): number[] {
  const { inputs, outputs, taps, patch } = layerSizes(layer);
  const inner = Math.min(inputs, outputs * taps);
  const outer = Math.min(outputs, patch);
  const terms = Math.min(inner * outer, inner * taps, outer * taps);
  const along = layer.kind === 'rows' ? 1 : (layer.kernel[splitAxis(layer) ?? 0] ?? 1);
  const ranks: Readonly<Record<FactorScheme, number[]>> = {
    svd: [outer],
    'channel-svd': [outer],
    'spatial-svd': [Math.min(inputs * along, (outputs * taps) / along)],
    'tucker-2': [inner, outer],
    cp: [terms],
    'tucker-cp': [inner, terms, outer],
  };
  return ranks[scheme];
}

/** The layers of the chain with these ranks. */
export function chainLayers(layer: LinearLayer, scheme: FactorScheme, ranks: readonly number[]): LinearLayer[] {
  const [first = 1, second = 1, third = 1] = ranks;
  const { inputs, outputs } = layer;
  if (layer.kind === 'rows')
    return [
      { ...layer, outputs: first },
      { ...layer, inputs: first },
    ];
  const axes = layer.kernel.length;
  const across = (from: number, to: number): WindowLayer => pointwise(from, to, axes);
  const depthwise = (rank: number): WindowLayer => ({ ...layer, inputs: rank, outputs: rank, groups: rank });
  const apart = splitAxis(layer) ?? 0;
  const chains: Readonly<Record<FactorScheme, () => WindowLayer[]>> = {
    svd: () => [{ ...layer, outputs: first }, across(first, outputs)],
    'channel-svd': () => [{ ...layer, outputs: first }, across(first, outputs)],
    'spatial-svd': () => [
      onAxes({ ...layer, outputs: first }, (axis) => axis === apart),
      onAxes({ ...layer, inputs: first }, (axis) => axis !== apart),
    ],
    'tucker-2': () => [across(inputs, first), { ...layer, inputs: first, outputs: second }, across(second, outputs)],
    cp: () => [across(inputs, first), depthwise(first), across(first, outputs)],
    'tucker-cp': () => [
      ...(isMerged(inputs, first, second) ? [across(inputs, second)] : [across(inputs, first), across(first, second)]),
      depthwise(second),
      ...(isMerged(outputs, third, second)
        ? [across(second, outputs)]
        : [across(second, third), across(third, outputs)]),
    ],
  };
  return chains[scheme]();
}

/** Whether channels -> inner -> rank costs no less than channels -> rank: the two matrices are multiplied out then. */
export function isMerged(channels: number, inner: number, rank: number): boolean {
  return channels * inner + inner * rank >= channels * rank;
}

function pointwise(inputs: number, outputs: number, axes: number): WindowLayer {
  const all = (value: number): number[] => Array.from({ length: axes }, () => value);
  const [kernel, strides, dilations, begins, ends] = [all(1), all(1), all(1), all(0), all(0)];
  return { kind: 'conv', inputs, outputs, groups: 1, kernel, strides, dilations, begins, ends };
}

/** The layer with its kernel, strides, dilations and pads on these axes, nothing on the others. */
function onAxes(layer: WindowLayer, isKept: (axis: number) => boolean): WindowLayer {
  const only = (numbers: readonly number[], neutral: number): number[] =>
    numbers.map((value, axis) => (isKept(axis) ? value : neutral));
  return {
    ...layer,
    kernel: only(layer.kernel, 1),
    strides: only(layer.strides, 1),
    dilations: only(layer.dilations, 1),
    begins: only(layer.begins, 0),
    ends: only(layer.ends, 0),
  };
}
