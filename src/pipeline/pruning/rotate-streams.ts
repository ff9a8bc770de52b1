// Linear streams of a model turned to the basis in which their channels can leave at the least cost, before units are scored.
import type { ChannelGroup } from '../../analysis/channel-group.js';
import type { Facts } from '../../analysis/facts.js';
import { covarianceOf, streamBasis } from '../../fit/stream-basis.js';
import { addProduct, blockOf, flipped, type Block } from '../../linalg/gemm.js';
import { matrix, type Matrix } from '../../linalg/matrix.js';
import { isRefusal } from '../../passes/plan.js';
import { linearStream, rotateStream, type LinearStream } from '../../passes/prune/rotate-stream.js';
import type { GroupEvidence } from '../../passes/prune/scores/score.js';
import { readerRows } from '../../passes/prune/scores/units.js';
import { benchFacts, type QuantizationBench } from '../quantization/bench.js';
import { observeGroups } from './observe-groups.js';

export interface RotateOptions {
  readonly seed: number;
  /** Samples of the bench to use, from the first; default all. */
  readonly samples?: number;
}

/** Time grows with the cube: eigenvectors of 1024 channels take 5 s. */
const WIDEST = 1024;

interface SeenStream {
  readonly stream: LinearStream;
  /** Mean over the values that readers read. */
  readonly covariance: Matrix;
}

/**
 * Turns every linear stream among the groups, in place: the model computes what it did, but for rounding. Afterwards channels
 * that are of little use at the readers have the higher numbers. Left alone: what is no linear stream, what is wider than
 * 1024, and what was observed at fewer positions than it has channels. The groups stay valid. Returns the names of those turned,
 * in their order.
 * @throws InputError as `observe`, and what the feeds throw
 */
export async function rotateStreams(
  bench: QuantizationBench,
  groups: readonly ChannelGroup[],
  options: RotateOptions,
): Promise<readonly string[]> {
  const facts = benchFacts(bench);
  const streams = groups.flatMap((group) => (isOfUse(group) ? (linearStream(group, facts) ?? []) : []));
  const byGroup = new Map(streams.map((stream) => [stream.group, stream]));
  const seen: SeenStream[] = [];
  for await (const evidence of observeGroups(bench, [...byGroup.keys()], {
    ...options,
    needs: new Set(['covariance']),
  })) {
    const stream = byGroup.get(evidence.group);
    const covariance = meanCovariance(evidence);
    if (stream && covariance) seen.push({ stream, covariance });
  }
  const turned = new Set<ChannelGroup>();
  // From the last: what a layer makes of a stream is weighed by what is made of that.
  for (const { stream, covariance } of seen.toReversed()) {
    const weight = readersWeight(stream.group, facts);
    const basis = weight && streamBasis(covariance, weight);
    if (!basis) continue;
    rotateStream(stream, basis);
    turned.add(stream.group);
  }
  return groups.filter((group) => turned.has(group)).map(({ name }) => name);
}

const isOfUse = ({ width }: ChannelGroup): boolean => width > 1 && width <= WIDEST;

/** Undefined where nothing was observed, or less than there are channels. */
function meanCovariance({ group: { width }, covariance }: GroupEvidence): Matrix | undefined {
  const mean = matrix(width, width);
  const all = [...covariance.values()];
  if (all.length === 0 || all.some(({ columns, rows }) => columns !== width + 1 || rows <= width)) return undefined;
  for (const moments of all)
    for (const [at, element] of covarianceOf(moments).data.entries())
      mean.data[at] = (mean.data[at] ?? 0) + element / all.length;
  return mean;
}

/** The sum of W^T W over all readers and the positions of their kernels; undefined where weights are not readable. */
function readersWeight(group: ChannelGroup, facts: Facts): Matrix | undefined {
  const weight = matrix(group.width, group.width);
  for (const reader of group.readers) {
    const read = readerRows(group, reader, facts);
    if (isRefusal(read)) return undefined;
    addSquare(weight, read.rows, read.taps);
  }
  return weight;
}

/** Adds W^T W for each of the positions of the kernel. `rows`: outputs x (channels of some taps each). */
function addSquare(weight: Matrix, { rows, columns, data }: Matrix, taps: number): void {
  for (let tap = 0; tap < taps; tap++) {
    const own = matrix(weight.rows, rows);
    for (let c = 0; c < weight.rows; c++)
      for (let o = 0; o < rows; o++) own.data[c * rows + o] = data[o * columns + c * taps + tap] ?? 0;
    addProduct(whole(weight), whole(own), flipped(whole(own)), 1);
  }
}

const whole = (source: Matrix): Block => blockOf(source, 0, source.rows, 0, source.columns);
