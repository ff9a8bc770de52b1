// The pieces of a normalization: (x - mean) / sqrt(var + eps) over some axes, then a scale and a bias that are constants.
import type { Facts } from '../analysis/facts.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import type { Tensor } from '../tensor/tensor.js';
import { knownNumbers } from './constants.js';
import { areOwned, scalarConstant } from './expression.js';

export interface Normalization {
  readonly x: Value;
  readonly rank: number;
  /** Axes that are averaged over, ascending. */
  readonly axes: readonly number[];
  readonly epsilon: number;
  readonly scale: Tensor | undefined;
  readonly bias: Tensor | undefined;
  /** The last node, whose outputs the single operator takes over. */
  readonly last: Node;
  /** All nodes but the last. */
  readonly nodes: ReadonlySet<Node>;
}

/** The normalization whose division (or multiplication by the inverse) is `node`. */
export function normalizationAt(
  node: Node,
  facts: Facts,
  fits: (tensor: Tensor) => boolean,
): Normalization | undefined {
  const core = coreAt(node, facts);
  if (core === undefined) return undefined;
  const nodes = new Set(core.nodes);
  const scaling = constantStep(node, 'Mul', fits);
  const biasing = constantStep(scaling?.node ?? node, 'Add', fits);
  const last = biasing?.node ?? scaling?.node ?? node;
  for (const inner of [node, scaling?.node]) if (inner && inner !== last) nodes.add(inner);
  return { ...core, scale: scaling?.tensor, bias: biasing?.tensor, last, nodes };
}

/** Nothing outside reads a value between the first and the last node. */
export function isOwnedNormalization({ nodes, last }: Normalization): boolean {
  return areOwned(nodes, last);
}

type Core = Omit<Normalization, 'scale' | 'bias' | 'last'>;

function coreAt(node: Node, facts: Facts): Core | undefined {
  const sides =
    node.inputs.length === 2
      ? ([
          [0, 1],
          [1, 0],
        ] as const)
      : [];
  for (const [left, right] of node.opType === 'Div' ? sides.slice(0, 1) : sides) {
    const [difference, divisor] = [node.inputs[left], node.inputs[right]];
    const root = divisor && (node.opType === 'Div' ? squareRoot(divisor) : inverseSquareRoot(divisor));
    const centred = difference?.producer;
    const deviation = root && centred?.is('Sub') ? deviationOf(centred, facts) : undefined;
    const variance = root && deviation ? varianceOf(root.inner, deviation, facts) : undefined;
    if (root && centred && deviation && variance && variance.epsilon > 0) {
      return {
        x: deviation.x,
        rank: deviation.rank,
        axes: deviation.axes,
        epsilon: variance.epsilon,
        nodes: new Set([centred, deviation.mean, ...root.nodes, ...variance.nodes]),
      };
    }
  }
  return undefined;
}

interface Root {
  /** What the root is taken of. */
  readonly inner: Value;
  readonly nodes: readonly Node[];
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
  const divisor = node.is('Reciprocal')
    ? node.inputs[0]
    : node.is('Div') && scalarConstant(node.inputs[0]) === 1
      ? node.inputs[1]
      : undefined;
  const root = divisor && squareRoot(divisor);
  return root && { inner: root.inner, nodes: [node, ...root.nodes] };
}

interface Deviation {
  readonly x: Value;
  readonly mean: Node;
  readonly axes: readonly number[];
  readonly rank: number;
}

/** x - mean(x), with the axes kept. */
function deviationOf(node: Node, facts: Facts): Deviation | undefined {
  const [x, meanValue] = node.inputs;
  const mean = meanValue?.producer;
  const rank = x && facts.of(x).shape?.length;
  const axes = mean && rank !== undefined ? meanAxes(mean, rank, facts) : undefined;
  return x && mean && axes && rank !== undefined && mean.inputs[0] === x ? { x, mean, axes, rank } : undefined;
}

function meanAxes(node: Node, rank: number, facts: Facts): number[] | undefined {
  if (!node.is('ReduceMean') || node.int('keepdims', 1) === 0) return undefined;
  const axes = node.ints('axes') ?? knownNumbers(facts, node.inputs[1]);
  return axes && axes.length > 0
    ? axes.map((axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b)
    : undefined;
}

/** mean((x - mean x)^2) + eps over the same axes. */
function varianceOf(
  value: Value,
  deviation: Deviation,
  facts: Facts,
): { readonly epsilon: number; readonly nodes: readonly Node[] } | undefined {
  const add = value.producer;
  if (!add?.is('Add')) return undefined;
  const epsilon = add.inputs.map(scalarConstant).find((number) => number !== undefined);
  const mean = add.inputs.find((input) => input?.constant === undefined)?.producer;
  const axes = mean && meanAxes(mean, deviation.rank, facts);
  const square = mean?.inputs[0]?.producer;
  const base = square && squaredValue(square)?.producer;
  const sameAxes = axes?.length === deviation.axes.length && axes.every((axis, i) => axis === deviation.axes[i]);
  if (epsilon === undefined || !mean || !square || !base?.is('Sub') || !sameAxes) return undefined;
  const again = deviationOf(base, facts);
  return again?.x === deviation.x && again.axes.every((axis, i) => axis === deviation.axes[i])
    ? { epsilon, nodes: [add, mean, square, base, again.mean] }
    : undefined;
}

function squaredValue(node: Node): Value | undefined {
  const [a, b] = node.inputs;
  if (node.is('Pow') && scalarConstant(b) === 2) return a;
  return node.is('Mul') && a === b ? a : undefined;
}

/** The sole reader of `node`'s output, when it is `opType` with a constant that `fits`. */
function constantStep(
  node: Node,
  opType: 'Mul' | 'Add',
  fits: (tensor: Tensor) => boolean,
): { readonly node: Node; readonly tensor: Tensor } | undefined {
  const next = node.output?.soleConsumer;
  const tensor =
    next?.is(opType) && next.graph === node.graph
      ? next.inputs.find((input) => input !== node.output)?.constant
      : undefined;
  return next && tensor && fits(tensor) ? { node: next, tensor } : undefined;
}
