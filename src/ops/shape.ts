// Operators that keep the elements and change the dims (Reshape and its like), repeat them (Expand, Tile), reorder them
// (Transpose), or tell the dims (Shape, Size).
import {
  boundsOf,
  divideExactly,
  floorDivDims,
  isStatic,
  mulDims,
  productOf,
  sameDim,
  staticDims,
  type Dim,
} from '../ir/dim.js';
import type { AxisFacts, AxisFreeze } from './axes.js';
import { axisNumbers, broadcastTies, carried, inputAxis, outputAxis, sameAxes, tie } from './axis-ties.js';
import { broadcastShapes } from './broadcast.js';
import { buildData, elementAt, offsetOf, type Data } from './data.js';
import { constantTensor } from './generate.js';
import {
  axesOf,
  axisOf,
  dtypeOf,
  intsOf,
  lengthOf,
  numbersOf,
  shapeOf,
  unknownDims,
  withoutAxes,
  type Dims,
} from './inputs.js';
import { defineOp, type CostSite, type OpRecord, type OpSite, type OpTraits, type ValueInfo } from './record.js';
import { reshapeAxes, viewAxes } from './view-axes.js';

const always = (): boolean => true;
/** Moves elements without looking at them. */
const MOVES: OpTraits = { layer: 'plumbing', positivelyHomogeneous: always };
const VIEWS: OpTraits = { ...MOVES, alias: true };

/** The same elements under another shape. */
function viewed(site: OpSite, shape: Dims | undefined): ValueInfo[] {
  const input = site.input(0);
  return [{ dtype: input?.dtype, shape, data: staticDims(shape) && input?.data }];
}

/** product(above) / product(below), which the runtime checks to be whole: equal factors are cancelled first. */
function quotient(above: Dims, below: Dims): Dim | undefined {
  const left = [...above];
  const over: Dim[] = [];
  for (const dim of below) {
    const at = left.findIndex((candidate) => sameDim(candidate, dim));
    if (at < 0) over.push(dim);
    else left.splice(at, 1);
  }
  const [numerator, denominator] = [productOf(left), productOf(over)];
  if (isStatic(numerator) && isStatic(denominator))
    return denominator !== 0 && numerator % denominator === 0 ? numerator / denominator : undefined;
  return divideExactly(numerator, denominator) ?? floorDivDims(numerator, denominator);
}

/** The dims that the `target` of a Reshape stands for: 0 copies (unless `allowzero`), one -1 takes what is left. */
function resolveReshape(site: OpSite, input: Dims | undefined, target: Dims): Dims {
  const copies = site.node.int('allowzero', 0) === 0;
  const copied = target.map((dim, axis): Dim | undefined => (dim === 0 && copies ? input?.[axis] : dim));
  const rest = copied.filter((dim) => dim !== -1);
  const known = rest.every((dim) => dim !== undefined) ? rest : undefined;
  const inferred = input && known && quotient(input, known);
  return copied.map((dim) => (dim === undefined ? undefined : dim === -1 ? inferred : dim) ?? site.unknownDim());
}

const reshape = defineOp({
  opType: 'Reshape',
  traits: VIEWS,
  axes: reshapeAxes,
  infer: (site) => {
    const target = site.node.ints('shape') ?? site.input(1)?.data;
    const rank = lengthOf(site, 1);
    if (target === undefined) return viewed(site, rank === undefined ? undefined : unknownDims(site, rank));
    return viewed(site, resolveReshape(site, shapeOf(site, 0), target));
  },
});

function squeezedShape(site: OpSite): Dims | undefined {
  const input = shapeOf(site, 0);
  const given = intsOf(site, 'axes', 1);
  if (input === undefined) return undefined;
  if (given === undefined) {
    const count = lengthOf(site, 1);
    return count === undefined ? undefined : unknownDims(site, input.length - count);
  }
  if (given !== 'absent') {
    const axes = axesOf(given, input.length);
    return axes && withoutAxes(input, axes);
  }
  return input.every((dim) => isStatic(dim) || boundsOf(dim).low > 1) ? input.filter((dim) => dim !== 1) : undefined;
}

function unsqueezedShape(site: OpSite): Dims | undefined {
  const input = shapeOf(site, 0);
  const given = intsOf(site, 'axes', 1);
  if (input === undefined || given === 'absent') return undefined;
  if (given === undefined) {
    const count = lengthOf(site, 1);
    return count === undefined ? undefined : unknownDims(site, input.length + count);
  }
  const axes = axesOf(given, input.length + given.length);
  if (axes === undefined) return undefined;
  const shape = [...input];
  for (const axis of axes) shape.splice(axis, 0, 1);
  return shape;
}

/** [product of the axes before `axis`, product of the others]. */
function flattenedShape(site: OpSite): Dims | undefined {
  const input = shapeOf(site, 0);
  const given = site.node.int('axis', 1);
  const axis = input && given < 0 ? given + input.length : given;
  return input && axis >= 0 && axis <= input.length
    ? [productOf(input.slice(0, axis)), productOf(input.slice(axis))]
    : undefined;
}

/** Without axes, a Squeeze would also take an axis that pruning brings down to size 1. */
function squeezeAxes(site: CostSite): AxisFacts | undefined {
  return intsOf(site, 'axes', 1) === 'absent' ? undefined : viewAxes(site);
}

const transpose = defineOp({
  opType: 'Transpose',
  traits: MOVES,
  axes: (site) => {
    const rank = shapeOf(site, 0)?.length ?? 0;
    const perm = site.node.ints('perm') ?? axisNumbers(rank).reverse();
    return { ties: perm.map((axis, to) => carried(0, axis, to)) };
  },
  infer: (site) => {
    const input = site.input(0);
    const source = input?.shape;
    const perm = site.node.ints('perm') ?? source?.map((_, i) => source.length - 1 - i);
    if (source === undefined || perm === undefined || perm.length !== source.length) return [{ dtype: input?.dtype }];
    const shape = perm.map((axis) => source[axis]);
    if (!shape.every((dim) => dim !== undefined)) return [{ dtype: input?.dtype }];
    return [{ dtype: input?.dtype, shape, data: input?.data && transposedData(input.data, source, shape, perm) }];
  },
});

function transposedData(data: Data, source: Dims, shape: Dims, perm: readonly number[]): Data | undefined {
  const dims = staticDims(source);
  return (
    dims &&
    buildData(shape, (index) => {
      const from = dims.map(() => 0);
      perm.forEach((axis, i) => {
        from[axis] = index[i] ?? 0;
      });
      return data[offsetOf(from, dims)];
    })
  );
}

/** What has its size already is followed; what is repeated stays. */
function expandAxes(site: CostSite): AxisFacts | undefined {
  const target = site.input(1)?.data;
  const rank = site.output(0)?.shape?.length ?? 0;
  const isWritable = site.constant(1) !== undefined;
  const ties = broadcastTies(site, 0).filter(({ to }) => {
    const asked = target?.[to.axis - rank + (target?.length ?? 0)];
    return isWritable || asked === 1 || (target !== undefined && asked === undefined);
  });
  return { ties };
}

const expand = defineOp({
  opType: 'Expand',
  traits: MOVES,
  axes: expandAxes,
  infer: (site) => {
    const input = site.input(0);
    const target = site.input(1)?.data;
    const length = lengthOf(site, 1);
    const dtype = input?.dtype;
    if (target === undefined)
      return [
        {
          dtype,
          shape:
            input?.shape && length !== undefined ? unknownDims(site, Math.max(input.shape.length, length)) : undefined,
        },
      ];
    const shape = broadcastShapes(site, [input?.shape, target]);
    return [{ dtype, shape, data: input?.data && buildData(shape, (index) => elementAt(input, index)) }];
  },
});

const tile = defineOp({
  opType: 'Tile',
  traits: MOVES,
  axes: (site) => {
    const repeats = site.opset < 6 ? undefined : site.input(1)?.data;
    const kept = repeats?.flatMap((count, axis) => (count === 1 ? [axis] : []));
    return kept && { ties: kept.map((axis) => carried(0, axis, axis)) };
  },
  infer: (site) => {
    const input = site.input(0);
    const repeats = site.input(1)?.data;
    const source = input?.shape;
    const dtype = input?.dtype;
    if (source === undefined || site.opset < 6) return [{ dtype }];
    if (repeats?.length !== source.length) return [{ dtype, shape: unknownDims(site, source.length) }];
    const shape = source.map((dim, axis) => mulDims(dim, repeats[axis] ?? 1));
    const dims = staticDims(source);
    const data = input?.data;
    return [
      {
        dtype,
        shape,
        data:
          data &&
          dims &&
          buildData(
            shape,
            (index) =>
              data[
                offsetOf(
                  index.map((at, axis) => at % (dims[axis] ?? 1)),
                  dims,
                )
              ],
          ),
      },
    ];
  },
});

/** Dims from `start` to `end` (opset 15), both clamped. */
const shape = defineOp({
  opType: 'Shape',
  traits: { layer: 'plumbing', dimsOnly: true },
  axes: (site) => {
    const rank = shapeOf(site, 0)?.length ?? 0;
    const frozen = readDims(site, rank).map((axis): AxisFreeze => ({ at: inputAxis(0, axis), code: 'fixed-index' }));
    return { ties: [], frozen, untouched: axisNumbers(rank).map((axis) => inputAxis(0, axis)) };
  },
  infer: (site) => {
    const input = shapeOf(site, 0);
    if (input === undefined) return [{ dtype: 'int64', shape: [site.unknownDim()] }];
    const dims = shownDims(site, input);
    return [{ dtype: 'int64', shape: [dims.length], data: dims }];
  },
});

/** What attributes of a Shape leave of one entry per axis. */
function shownDims<T>({ node }: OpSite, axes: readonly T[]): readonly T[] {
  return axes.slice(node.int('start', 0), node.attribute('end') ? node.int('end', 0) : undefined);
}

/** Axes whose sizes somebody takes from a Shape: those that all its readers pick by constant index, else all it gives. */
function readDims(site: CostSite, rank: number): readonly number[] {
  const shown = shownDims(site, axisNumbers(rank));
  const { output } = site.node;
  if (output === undefined || output.isGraphOutput) return shown;
  const picked = output.consumers().map((reader) => {
    const [data, indices] = reader.inputs;
    const isPick = reader.is('Gather') && data === output && indices !== output;
    const tensor = indices?.constant ?? (indices?.producer && constantTensor(indices.producer));
    return isPick ? tensor?.toNumbers().map((index) => shown.at(index)) : undefined;
  });
  return picked.every((list) => list !== undefined) ? picked.flat().filter((axis) => axis !== undefined) : shown;
}

const size = defineOp({
  opType: 'Size',
  traits: { layer: 'plumbing', dimsOnly: true },
  infer: (site) => {
    const input = shapeOf(site, 0);
    return [{ dtype: 'int64', shape: [], data: input && [productOf(input)] }];
  },
});

/** Blocks of b x b positions and channels, exchanged: [N, C, H, W] to [N, C/b^2, H b, W b] or back. */
function blockMove(
  opType: string,
  axes: NonNullable<OpRecord['axes']>,
  move: (channels: Dim, side: Dim, block: number) => readonly [Dim, Dim],
): OpRecord {
  return defineOp({
    opType,
    traits: MOVES,
    axes,
    infer: (site) => {
      const [batch, channels, height, width, more] = shapeOf(site, 0) ?? [];
      const block = site.node.int('blocksize', 0);
      if (
        batch === undefined ||
        channels === undefined ||
        height === undefined ||
        width === undefined ||
        more !== undefined ||
        block < 1
      )
        return [{ dtype: dtypeOf(site, 0) }];
      const [depth, high] = move(channels, height, block);
      return [{ dtype: dtypeOf(site, 0), shape: [batch, depth, high, move(channels, width, block)[1]] }];
    },
  });
}

const within = (index: number, period: Dim | undefined): number | undefined =>
  isStatic(period) && period > 0 ? index % period : undefined;

/** Channels of the result are the inner ones of [b, b, C] (DCR), or the outer ones of [C, b, b] (CRD). */
function depthToSpaceAxes(site: CostSite): AxisFacts {
  const channels = site.output(0)?.shape?.[1];
  const block = site.node.int('blocksize', 0) ** 2;
  const isInner = site.node.string('mode', 'DCR') === 'DCR';
  const map = (index: number): number | undefined => (isInner ? within(index, channels) : Math.floor(index / block));
  return { ties: [carried(0, 0, 0), tie('carry', outputAxis(0, 1), inputAxis(0, 1), map)] };
}

/** [b, b, C]: positions outside, channels inside. */
function spaceToDepthAxes(site: CostSite): AxisFacts {
  const channels = shapeOf(site, 0)?.[1];
  return { ties: [carried(0, 0, 0), carried(0, 1, 1, (index) => within(index, channels))] };
}

const reverseSequence = defineOp({
  opType: 'ReverseSequence',
  traits: MOVES,
  axes: (site) => {
    const ties = sameAxes(site, [site.node.int('time_axis', 0), site.node.int('batch_axis', 1)]);
    return ties && { ties };
  },
  infer: (site) => [{ dtype: dtypeOf(site, 0), shape: shapeOf(site, 0) }],
});

/** Crops or pads the axes to given sizes. */
const centerCropPad = defineOp({
  opType: 'CenterCropPad',
  traits: MOVES,
  infer: (site) => {
    const input = shapeOf(site, 0);
    const target = numbersOf(site, 1);
    const axes =
      input && (site.node.ints('axes') ?? input.map((_, axis) => axis)).map((axis) => axisOf(axis, input.length));
    return [
      {
        dtype: dtypeOf(site, 0),
        shape: input?.map((dim, axis) =>
          axes?.includes(axis) ? (target?.[axes.indexOf(axis)] ?? site.unknownDim()) : dim,
        ),
      },
    ];
  },
});

export const SHAPES: readonly OpRecord[] = [
  reshape,
  defineOp({ opType: 'Squeeze', traits: VIEWS, axes: squeezeAxes, infer: (site) => viewed(site, squeezedShape(site)) }),
  defineOp({
    opType: 'Unsqueeze',
    traits: VIEWS,
    axes: viewAxes,
    infer: (site) => viewed(site, unsqueezedShape(site)),
  }),
  defineOp({ opType: 'Flatten', traits: VIEWS, axes: viewAxes, infer: (site) => viewed(site, flattenedShape(site)) }),
  transpose,
  expand,
  tile,
  shape,
  size,
  blockMove('DepthToSpace', depthToSpaceAxes, (channels, side, block) => [
    floorDivDims(channels, block * block),
    mulDims(side, block),
  ]),
  blockMove('SpaceToDepth', spaceToDepthAxes, (channels, side, block) => [
    mulDims(channels, block * block),
    floorDivDims(side, block),
  ]),
  reverseSequence,
  centerCropPad,
];
