// How random graphs begin and end, and how the moves between are drawn, whatever the moves are.
import { createRng } from '../../src/base/rng.js';
import type { Model } from '../../src/ir/model.js';
import { DYNAMIC_BATCH, GraphBuilder, type Tracked } from './graph-builder.js';

export interface RandomGraph {
  readonly model: Model;
  /** Batch sizes the graph runs with. */
  readonly batches: readonly number[];
}

/** Sizes that may be drawn. */
export interface InputSizes {
  /** Of each spatial axis: of two and fewer, and of three (the least and the most). */
  readonly plane: readonly number[];
  readonly volume: readonly [number, number];
  readonly mostChannels: number;
}

/** A graph with nothing but its input. */
export interface Begun {
  readonly b: GraphBuilder;
  readonly input: Tracked;
  readonly batch: number;
  readonly isDynamic: boolean;
}

const OPSETS = [9, 11, 12, 13, 14, 16, 17, 18, 20, 21];

export function beginGraph(seed: string, { plane, volume, mostChannels }: InputSizes): Begun {
  const rng = createRng(seed);
  const b = new GraphBuilder(rng, { opset: rng.pick(OPSETS), spatial: rng.pick([1, 2, 2, 2, 2, 3]) });
  const isDynamic = b.chance(0.4);
  const batch = isDynamic ? DYNAMIC_BATCH : rng.int(1, 2);
  const sizes = Array.from({ length: b.spatial }, () => (b.spatial === 3 ? rng.int(...volume) : rng.pick(plane)));
  const shape = [batch, rng.int(1, mostChannels), ...sizes];
  const declared = shape.map((size, i) => (i === 0 && isDynamic ? 'N' : size));
  const value = b.graph.addInput('x', { kind: 'tensor', dtype: 'float32', shape: declared });
  return { b, input: { value, shape }, batch, isDynamic };
}

export function endGraph({ b, batch, isDynamic }: Begun, outputs: ReadonlySet<Tracked>): RandomGraph {
  for (const { value, shape } of outputs)
    b.graph.setType(value, {
      kind: 'tensor',
      dtype: 'float32',
      shape: shape.map((size) => (isDynamic && size % DYNAMIC_BATCH === 0 ? undefined : size)),
    });
  b.graph.setOutputs([...outputs].map(({ value }) => value));
  b.model.journal.commit();
  b.model.touched.clear();
  return {
    model: b.model,
    batches: !isDynamic ? [batch, batch] : b.isBatchFixed ? [DYNAMIC_BATCH, DYNAMIC_BATCH] : [1, 3],
  };
}

export type Move = (b: GraphBuilder) => unknown;

/** Makes a move, drawn by how often each is to be taken. */
export function makeMove(b: GraphBuilder, moves: readonly (readonly [number, Move])[]): void {
  let left = b.rng.uniform() * moves.reduce((sum, [weight]) => sum + weight, 0);
  const [, move] = moves.find(([weight]) => (left -= weight) < 0) ?? moves[0] ?? [];
  move?.(b);
}
