// Seeded random CNN graphs that ONNX Runtime runs: layers, branches, no-ops, shape computations, shared weights,
// subgraphs, in 1, 2 or 3 spatial dimensions, with a fixed or dynamic batch.
import { createRng } from '../../src/base/rng.js';
import { Tensor } from '../../src/tensor/tensor.js';
import { localCall, loop, normalizationPieces } from './block-moves.js';
import {
  concat,
  conditional,
  constantArithmetic,
  convNorm,
  convPair,
  duplicate,
  join,
  parallelConvs,
  split,
} from './branch-moves.js';
import { cleanupSite } from './cleanup-moves.js';
import type { GraphBuilder, Tracked } from './graph-builder.js';
import { beginGraph, endGraph, makeMove, type Move, type RandomGraph } from './graph-frame.js';
import {
  activation,
  activationPieces,
  batchNorm,
  conv,
  convTranspose,
  dense,
  gate,
  globalPool,
  pool,
  softmax,
  tail,
} from './layer-moves.js';
import { writtenOut } from './piece-moves.js';
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
} from './shape-moves.js';
import { streamlineSite } from './streamline-moves.js';

/** Moves with how often each is taken. */
const MOVES: readonly (readonly [number, Move])[] = [
  [
    6,
    (b) => {
      const x = b.image();
      return x && conv(b, x);
    },
  ],
  [6, convNorm],
  [4, convPair],
  [4, parallelConvs],
  [2, (b) => batchNorm(b)],
  [5, activation],
  [3, activationPieces],
  [8, writtenOut],
  [4, pool],
  [2, globalPool],
  [1, gate],
  [1, convTranspose],
  [5, constantArithmetic],
  [10, streamlineSite],
  [10, cleanupSite],
  [3, join],
  [3, concat],
  [2, split],
  [2, pad],
  [3, transpose],
  [3, reshape],
  [1, squeeze],
  [4, noOp],
  [2, shapeChain],
  [1, constantChain],
  [1, slice],
  [1, upsample],
  [1, channelShuffle],
  [2, duplicate],
  [2, conditional],
  [1, loop],
  [1, localCall],
  [1, normalizationPieces],
  [3, dense],
  [1, softmax],
  [3, tail],
];

/** The graph of this seed. */
export function randomGraph(seed: number | string): RandomGraph {
  const begun = beginGraph(`graph/${seed}`, { plane: [5, 6, 8, 9], volume: [4, 5], mostChannels: 4 });
  const { b, input } = begun;
  b.pool.push(input);
  for (let moves = b.rng.int(2, 14); moves > 0; moves--) makeMove(b, MOVES);
  return endGraph(begun, outputsOf(b));
}

/** Ends of the graph, and sometimes values in the middle: those must survive. The rest may be dead. */
function outputsOf(b: GraphBuilder): ReadonlySet<Tracked> {
  const computed = b.pool.filter(({ value }) => value.producer !== undefined);
  if (computed.length === 0) computed.push(b.node('Relu', b.pool.slice(0, 1), b.pool[0]?.shape ?? []));
  // Most values that nothing reads are outputs, so that most nodes are needed.
  const leaves = computed.filter(({ value }) => value.isUnused && b.chance(0.75));
  return new Set([
    ...leaves,
    ...computed.slice(-1),
    ...(b.chance(0.4) ? [b.rng.pick(computed)] : []),
    ...(b.chance(0.2) ? [b.rng.pick(computed)] : []),
  ]);
}

/** Inputs for the graph: normal numbers; in feeds of odd number larger ones, half of them zero, to reach the bounds of clips. */
export function randomFeed(graph: RandomGraph, seed: number): Map<string, Tensor> {
  const rng = createRng(`feed/${seed}`);
  const batch = graph.batches[seed % graph.batches.length] ?? 1;
  const feeds = new Map<string, Tensor>();
  for (const { name, type } of graph.model.graph.inputs) {
    const dims =
      type?.kind === 'tensor' ? (type.shape ?? []).map((dim) => (typeof dim === 'number' ? dim : batch)) : [];
    const size = dims.reduce((product, dim) => product * dim, 1);
    feeds.set(
      name,
      Tensor.fromNumbers(
        'float32',
        dims,
        Array.from({ length: size }, () => (seed % 2 === 0 ? rng.normal() : rng.int(0, 1) * 4 * rng.normal())),
      ),
    );
  }
  return feeds;
}
