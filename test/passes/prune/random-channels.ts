// Seeded random nets for pruning: wider than those of test/property, mostly of nodes that channels pass through, and with
// a layer in front of most outputs, so that groups are not frozen by what the graph returns.
import {
  concat,
  conditional,
  constantArithmetic,
  convNorm,
  duplicate,
  join,
  parallelConvs,
} from '../../property/branch-moves.js';
import type { GraphBuilder, Tracked } from '../../property/graph-builder.js';
import { beginGraph, endGraph, makeMove, type Move, type RandomGraph } from '../../property/graph-frame.js';
import {
  activation,
  batchNorm,
  conv,
  convTranspose,
  dense,
  gate,
  globalPool,
  pool,
  softmax,
  tail,
} from '../../property/layer-moves.js';
import {
  channelShuffle,
  constantChain,
  noOp,
  pad,
  reshape,
  shapeChain,
  slice,
  squeeze,
  transpose,
  upsample,
} from '../../property/shape-moves.js';
import {
  blocks,
  channelsLast,
  concatChannels,
  depthwise,
  gatherChannels,
  instanceNorm,
  mixing,
  paddedShortcut,
  residual,
  resizeTo,
  rows,
  sliceChannels,
  splitChannels,
  spread,
  wideConv,
} from './channel-moves.js';

/** Moves with how often each is taken. */
const MOVES: readonly (readonly [number, Move])[] = [
  [16, wideConv],
  [5, residual],
  [5, depthwise],
  [3, paddedShortcut],
  [3, gatherChannels],
  [3, sliceChannels],
  [3, splitChannels],
  [4, concatChannels],
  [3, channelsLast],
  [2, instanceNorm],
  [2, spread],
  [1, resizeTo],
  [2, blocks],
  [3, rows],
  [1, mixing],
  [4, convNorm],
  [2, parallelConvs],
  [3, (b) => batchNorm(b)],
  [6, activation],
  [3, pool],
  [2, globalPool],
  [3, gate],
  [4, convTranspose],
  [3, constantArithmetic],
  [4, join],
  [1, concat],
  [1, pad],
  [2, transpose],
  [2, reshape],
  [1, squeeze],
  [2, noOp],
  [2, shapeChain],
  [1, constantChain],
  [1, slice],
  [1, upsample],
  [4, channelShuffle],
  [1, duplicate],
  [1, conditional],
  [2, dense],
  [1, softmax],
  [2, tail],
];

/** The net of this seed. */
export function randomChannels(seed: number | string): RandomGraph {
  const begun = beginGraph(`channels/${seed}`, { plane: [4, 5, 6, 8], volume: [3, 4], mostChannels: 3 });
  const { b, input } = begun;
  conv(b, input, { sameSize: b.rng.pick([1, 3]), channels: b.rng.int(3, 8) });
  if (b.pool.length === 0) b.pool.push(input);
  for (let moves = b.rng.int(3, 14); moves > 0; moves--) makeMove(b, MOVES);
  return endGraph(begun, outputsOf(b));
}

/** Values that nothing reads, most of them behind a layer that reads them. */
function outputsOf(b: GraphBuilder): ReadonlySet<Tracked> {
  const leaves = b.pool.filter(({ value }) => value.isUnused);
  const chosen = leaves.map((leaf) => (b.chance(0.85) ? reader(b, leaf) : leaf));
  const computed = chosen.filter(({ value }) => value.producer !== undefined);
  return new Set(computed.length > 0 ? computed : [b.node('Relu', b.pool.slice(0, 1), b.pool[0]?.shape ?? [])]);
}

/** A layer that sums over the channels of `x`, or over its last axis. */
function reader(b: GraphBuilder, x: Tracked): Tracked {
  if (b.isImage(x.shape)) return conv(b, x, { sameSize: 1, channels: 2 }) ?? x;
  const width = x.shape.at(-1) ?? 1;
  if (x.shape.length < 2 || width > 600) return x;
  return b.node(
    'MatMul',
    [x, b.constant([width, 2], b.normals([width, 2], 1 / Math.sqrt(width)))],
    [...x.shape.slice(0, -1), 2],
  );
}
