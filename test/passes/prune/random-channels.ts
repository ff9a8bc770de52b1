// Seeded random nets for pruning: wider than those of test/property, mostly of nodes that channels pass through, and with
// a layer in front of most outputs, so that groups are not frozen by what the graph returns.
import { createRng } from '../../../src/base/rng.js';
import {
  concat,
  conditional,
  constantArithmetic,
  convNorm,
  duplicate,
  join,
  parallelConvs,
} from '../../property/branch-moves.js';
import { DYNAMIC_BATCH, GraphBuilder, type Tracked } from '../../property/graph-builder.js';
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
import type { RandomGraph } from '../../property/random-graphs.js';
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

type Move = (b: GraphBuilder) => unknown;

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

const TOTAL = MOVES.reduce((sum, [weight]) => sum + weight, 0);
const OPSETS = [9, 11, 12, 13, 14, 16, 17, 18, 20, 21];

/** The net of this seed. */
export function randomChannels(seed: number | string): RandomGraph {
  const rng = createRng(`channels/${seed}`);
  const b = new GraphBuilder(rng, { opset: rng.pick(OPSETS), spatial: rng.pick([1, 2, 2, 2, 2, 3]) });
  const isDynamic = b.chance(0.4);
  const batch = isDynamic ? DYNAMIC_BATCH : rng.int(1, 2);
  const sizes = Array.from({ length: b.spatial }, () => (b.spatial === 3 ? rng.int(3, 4) : rng.pick([4, 5, 6, 8])));
  const shape = [batch, rng.int(1, 3), ...sizes];
  const declared = shape.map((size, i) => (i === 0 && isDynamic ? 'N' : size));
  const input = b.graph.addInput('x', { kind: 'tensor', dtype: 'float32', shape: declared });
  conv(b, { value: input, shape }, { sameSize: rng.pick([1, 3]), channels: rng.int(3, 8) });
  if (b.pool.length === 0) b.pool.push({ value: input, shape });
  for (let moves = rng.int(3, 14); moves > 0; moves--) pickMove(b)(b);
  setOutputs(b, isDynamic);
  b.model.journal.commit();
  b.model.touched.clear();
  return {
    model: b.model,
    batches: !isDynamic ? [batch, batch] : b.isBatchFixed ? [DYNAMIC_BATCH, DYNAMIC_BATCH] : [1, 3],
  };
}

function pickMove({ rng }: GraphBuilder): Move {
  let left = rng.uniform() * TOTAL;
  for (const [weight, move] of MOVES) {
    left -= weight;
    if (left < 0) return move;
  }
  return wideConv;
}

/** Values that nothing reads, most of them behind a layer that reads them. */
function setOutputs(b: GraphBuilder, isDynamic: boolean): void {
  const leaves = b.pool.filter(({ value }) => value.isUnused);
  const chosen = leaves.map((leaf) => (b.chance(0.85) ? reader(b, leaf) : leaf));
  const computed = chosen.filter(({ value }) => value.producer !== undefined);
  const outputs = new Set(
    computed.length > 0 ? computed : [b.node('Relu', b.pool.slice(0, 1), b.pool[0]?.shape ?? [])],
  );
  for (const { value, shape } of outputs)
    b.graph.setType(value, {
      kind: 'tensor',
      dtype: 'float32',
      shape: shape.map((size) => (isDynamic && size % DYNAMIC_BATCH === 0 ? undefined : size)),
    });
  b.graph.setOutputs([...outputs].map(({ value }) => value));
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
