// The pieces of a normalization: (x - mean) / sqrt(var + eps) over some axes, then a scale and a bias.
// Written as quotient or product with the inverse root, or as TensorFlow does: x k + (bias - mean k), k = scale / root.
import type { Facts } from '../analysis/facts.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { knownNumbers } from './constants.js';
import { exponentConstant, scalarConstant } from './expression.js';
import type { Pieces } from './pieces.js';

/** x, its mean and its variance. */
interface Moments {
  readonly x: Value;
  readonly rank: number;
  /** Axes that are averaged over, ascending. */
  readonly axes: readonly number[];
  readonly epsilon: number;
}

export interface Normalization extends Moments, Pieces {
  readonly scale: Value | undefined;
  readonly bias: Value | undefined;
  /** The last node, whose outputs the single operator takes over. */
  readonly last: Node;
}

/** Whether a value can be the scale or bias of the operator. */
export type Fits = (value: Value, moments: Moments) => boolean;

/** Operators that `normalizationAt` starts from: those that bring x and its mean together. */
export const NORMALIZATION_ROOTS: readonly string[] = ['Div', 'Mul', 'Add', 'Sub'];

/** The normalization that `node` completes but for a scale and a bias behind it. */
export function normalizationAt(node: Node, facts: Facts, fits: Fits): Normalization | undefined {
  if (node.is('Add') || node.is('Sub')) return sumAt(node, facts, fits);
  const core = node.is('Div') ? quotientAt(node, facts) : node.is('Mul') ? productAt(node, facts, fits) : undefined;
  if (core === undefined) return undefined;
  const fitting = (value: Value): boolean => fits(value, core);
  const scaling = core.scale ? undefined : affineStep(node, 'Mul', fitting);
  const biasing = affineStep(scaling?.node ?? node, 'Add', fitting);
  const last = biasing?.node ?? scaling?.node ?? node;
  const inner = [node, scaling?.node].filter((step): step is Node => step !== undefined && step !== last);
  return {
    ...core,
    scale: core.scale ?? scaling?.operand,
    bias: biasing?.operand,
    last,
    nodes: new Set([...core.nodes, ...inner]),
  };
}

type Core = Omit<Normalization, 'bias' | 'last'>;

/** (x - mean) / sqrt(var + eps). */
function quotientAt(node: Node, facts: Facts): Core | undefined {
  const [difference, divisor] = node.inputs;
  const root = divisor && squareRoot(divisor);
  return root && coreOf(difference, { ...root, scale: undefined }, facts);
}

/** (x - mean) k. */
function productAt(node: Node, facts: Facts, fits: Fits): Core | undefined {
  const [a, b] = node.inputs;
  for (const [difference, factor] of [
    [a, b],
    [b, a],
  ]) {
    const inverse = factor && scaledInverse(factor);
    const core = inverse && coreOf(difference, inverse, facts);
    if (core && (core.scale === undefined || fits(core.scale, core))) return core;
  }
  return undefined;
}

function coreOf(difference: Value | undefined, root: ScaledRoot, facts: Facts): Core | undefined {
  const centred = difference?.producer;
  const variance = varianceOf(root.inner, facts);
  const mean = variance && centred && meanTakenOff(centred, variance, facts);
  if (!variance || !centred || !mean) return undefined;
  return { ...variance, scale: root.scale, nodes: new Set([centred, mean, ...root.nodes, ...variance.nodes]) };
}

/** x k + (bias - mean k), or x k - mean k. */
function sumAt(node: Node, facts: Facts, fits: Fits): Normalization | undefined {
  const [a, b] = node.inputs;
  for (const [scaled, rest] of node.is('Sub')
    ? [[a, b]]
    : [
        [a, b],
        [b, a],
      ]) {
    const product = scaled?.producer;
    const shift = node.is('Sub') ? { mean: rest, bias: undefined, nodes: [] } : shiftOf(rest);
    const meanProduct = shift?.mean?.producer;
    if (!product?.is('Mul') || !shift || !meanProduct?.is('Mul')) continue;
    for (const side of [0, 1] as const) {
      const [x, factor] = [product.inputs[side], product.inputs[1 - side]];
      const inverse = factor && scaledInverse(factor);
      const variance = inverse && varianceOf(inverse.inner, facts);
      const mean = meanProduct.inputs.find((input) => input !== factor)?.producer;
      if (!inverse || !variance || variance.x !== x || !factor || !meanProduct.inputs.includes(factor)) continue;
      if (!mean || !isMeanOf(mean, variance, facts)) continue;
      if (![inverse.scale, shift.bias].every((value) => value === undefined || fits(value, variance))) continue;
      const nodes = [product, meanProduct, mean, ...shift.nodes, ...inverse.nodes, ...variance.nodes];
      return { ...variance, scale: inverse.scale, bias: shift.bias, last: node, nodes: new Set(nodes) };
    }
  }
  return undefined;
}

/** bias - mean k, or -(mean k). */
function shiftOf(
  value: Value | undefined,
): { readonly mean: Value | undefined; readonly bias: Value | undefined; readonly nodes: readonly Node[] } | undefined {
  const node = value?.producer;
  if (node?.is('Neg')) return { mean: node.inputs[0], bias: undefined, nodes: [node] };
  const bias = node?.is('Sub') ? node.inputs[0] : undefined;
  return node && bias && { mean: node.inputs[1], bias, nodes: [node] };
}

/** x / sqrt(mean(x^2) + eps), then a scale: a normalization that takes no mean off. */
export function rootMeanSquareAt(node: Node, facts: Facts, fits: Fits): Normalization | undefined {
  const [a, b] = node.inputs;
  const orders = node.is('Div')
    ? [[a, b]]
    : node.is('Mul')
      ? [
          [a, b],
          [b, a],
        ]
      : [];
  for (const [x, other] of orders) {
    const divisor = other && (node.is('Div') ? squareRoot(other) : scaledInverse(other));
    const square = divisor && meanOf(divisor.inner, facts);
    const inner = node.is('Mul') && other ? scaledInverse(other)?.scale : undefined;
    if (!x || !divisor || !square || squaredValue(square.operand) !== x) continue;
    if (inner && !fits(inner, { ...square, x })) continue;
    const scaling = inner ? undefined : affineStep(node, 'Mul', (value) => fits(value, { ...square, x }));
    const last = scaling?.node ?? node;
    const nodes = [...divisor.nodes, ...square.nodes, square.operand, ...(last === node ? [] : [node])];
    const { rank, axes, epsilon } = square;
    return { x, rank, axes, epsilon, scale: inner ?? scaling?.operand, bias: undefined, last, nodes: new Set(nodes) };
  }
  return undefined;
}

interface Root {
  /** What the root is taken of. */
  readonly inner: Value;
  readonly nodes: readonly Node[];
}

interface ScaledRoot extends Root {
  readonly scale: Value | undefined;
}

function squareRoot(value: Value): Root | undefined {
  const node = value.producer;
  const inner = node?.inputs[0];
  if (!node || !inner) return undefined;
  const roots = node.is('Sqrt') || (node.is('Pow') && scalarConstant(node.inputs[1]) === 0.5);
  return roots ? { inner, nodes: [node] } : undefined;
}

/** 1/sqrt(inner): Reciprocal of a root, 1 divided by it, or the power -1/2. */
function inverseSquareRoot(value: Value): Root | undefined {
  const node = value.producer;
  if (!node) return undefined;
  if (node.is('Pow') && scalarConstant(node.inputs[1]) === -0.5 && node.inputs[0])
    return { inner: node.inputs[0], nodes: [node] };
  const isInverse = node.is('Reciprocal') || (node.is('Div') && scalarConstant(node.inputs[0]) === 1);
  const divisor = isInverse ? node.inputs.at(-1) : undefined;
  const root = divisor && squareRoot(divisor);
  return root && { inner: root.inner, nodes: [node, ...root.nodes] };
}

/** The inverse root, by itself or times a scale. */
function scaledInverse(value: Value): ScaledRoot | undefined {
  const inverse = inverseSquareRoot(value);
  if (inverse) return { ...inverse, scale: undefined };
  const node = value.producer;
  const [a, b] = node?.is('Mul') ? node.inputs : [];
  for (const [factor, scale] of [
    [a, b],
    [b, a],
  ]) {
    const root = factor && inverseSquareRoot(factor);
    if (node && scale && root) return { inner: root.inner, nodes: [node, ...root.nodes], scale };
  }
  return undefined;
}

interface MeanAndEpsilon {
  /** What the mean is taken of. */
  readonly operand: Node;
  readonly rank: number;
  readonly axes: readonly number[];
  readonly epsilon: number;
  readonly nodes: readonly Node[];
}

/** mean(operand) + eps, with the axes kept. */
function meanOf(value: Value, facts: Facts): MeanAndEpsilon | undefined {
  const add = value.producer;
  if (!add?.is('Add')) return undefined;
  const epsilon = add.inputs.map(scalarConstant).find((number) => number !== undefined);
  const mean = add.inputs.find((input) => input?.constant === undefined)?.producer;
  const [averaged] = mean?.inputs ?? [];
  const rank = averaged && facts.of(averaged).shape?.length;
  const axes = mean && rank !== undefined ? meanAxes(mean, rank, facts) : undefined;
  if (epsilon === undefined || !(epsilon > 0) || !mean || !averaged?.producer || rank === undefined || !axes)
    return undefined;
  return { operand: averaged.producer, rank, axes, epsilon, nodes: [add, mean] };
}

/** mean((x - mean x)^2) + eps over the same axes. */
function varianceOf(value: Value, facts: Facts): (Moments & { readonly nodes: readonly Node[] }) | undefined {
  const square = meanOf(value, facts);
  const base = square && squaredValue(square.operand)?.producer;
  if (!square || !base) return undefined;
  const { rank, axes, epsilon } = square;
  // The sign of the difference is lost in the square.
  for (const x of base.inputs) {
    const moments = x && { x, rank, axes, epsilon };
    const inner = moments && meanTakenOff(base, moments, facts, 'either');
    if (inner) return { ...moments, nodes: [...square.nodes, square.operand, base, inner] };
  }
  return undefined;
}

/** The node that computes the mean, where `node` is x - mean (or mean - x, where that is asked for). */
function meanTakenOff(
  node: Node,
  moments: Moments,
  facts: Facts,
  order: 'x-first' | 'either' = 'x-first',
): Node | undefined {
  if (!node.is('Sub')) return undefined;
  const [a, b] = node.inputs;
  const mean = (a === moments.x ? b : order === 'either' && b === moments.x ? a : undefined)?.producer;
  return mean && isMeanOf(mean, moments, facts) ? mean : undefined;
}

function isMeanOf(node: Node, { x, rank, axes }: Moments, facts: Facts): boolean {
  const over = node.inputs[0] === x ? meanAxes(node, rank, facts) : undefined;
  return over?.length === axes.length && over.every((axis, i) => axis === axes[i]);
}

/** The axes of a ReduceMean that keeps them, ascending. */
function meanAxes(node: Node, rank: number, facts: Facts): number[] | undefined {
  if (!node.is('ReduceMean') || node.int('keepdims', 1) === 0) return undefined;
  const axes = node.ints('axes') ?? knownNumbers(facts, node.inputs[1]);
  return axes && axes.length > 0
    ? axes.map((axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b)
    : undefined;
}

function squaredValue(node: Node): Value | undefined {
  const [a, b] = node.inputs;
  if (node.is('Pow') && exponentConstant(b) === 2) return a;
  return node.is('Mul') && a === b ? a : undefined;
}

/** The sole reader of `node`'s output, when it is `opType` with another value that `fits`. */
function affineStep(
  node: Node,
  opType: 'Mul' | 'Add',
  fits: (value: Value) => boolean,
): { readonly node: Node; readonly operand: Value } | undefined {
  const next = node.output?.soleConsumer;
  if (!next?.is(opType) || next.graph !== node.graph) return undefined;
  const operand = next.inputs.find((input) => input !== node.output);
  return operand && fits(operand) ? { node: next, operand } : undefined;
}
