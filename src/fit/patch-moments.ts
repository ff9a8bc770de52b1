// Second moments of what a linear layer sees, and of that against what it should give: the normal equations of every
// refit and the Hessian of weight rounding. One set of sums per group; a trailing constant 1 stands for the bias.
import { invariant } from '../base/errors.js';
import { createRng } from '../base/rng.js';
import { packedLength } from '../linalg/matrix.js';
import type { Accumulator, AccumulatorKind, AccumulatorSpec, StreamedValue } from './accumulator.js';
import { streamedValue } from './channel-runs.js';
import {
  layerSizes,
  outputLayout,
  outputSizes,
  tapOffsets,
  type LinearLayer,
  type ValueLayout,
} from './patch-geometry.js';
import { mergeMoments, RankUpdate, type Moments } from './rank-update.js';

export interface PatchMomentsSpec extends AccumulatorSpec {
  readonly kind: 'patch-moments';
  /** The layer's input, and where a fit is wanted the output it should give (`student/x`, `teacher/y`). */
  readonly values: readonly [string] | readonly [string, string];
  readonly layer: LinearLayer;
  /** Output positions sampled per sample; all where there are fewer. */
  readonly positions: number;
  readonly seed: number;
  /** Input channels that are taken together; each run of them is summed alone. The channels of a group by default. */
  readonly together?: number;
}

/** One entry per group; where channels are not all taken together, one per run of channels, group by group. */
export interface PatchMoments {
  readonly parts: readonly Moments[];
}

export interface MomentsPlan {
  /** Samples that will be streamed. */
  readonly samples: number;
  readonly seed?: number;
  /** Numbers of a patch up to which all channels are taken together; default 4608 (512 channels of 3 x 3: 85 MB). */
  readonly largestPatch?: number;
}

/** A fit solves for a number per column: fewer rows than these and it follows their noise. */
const ROWS_PER_COLUMN = 6;
const FEWEST_ROWS = 1024;
/** Rounding does with less (damping makes up for it), and time grows with rows x columns^2. */
const ENOUGH_TO_ROUND = 4096;
const LARGEST_PATCH = 4608;
const BUFFER_BYTES = 2 ** 23;
const MOST_WAITING = 128;

/**
 * How to gather the moments of a layer: positions such that all samples together give some 6 rows per column, without a
 * target no more than 4096 or one per column. Patches larger than the plan allows are summed in runs of channels where
 * there is no target (correlations between the runs are left out); undefined where there is one, since a fit needs them
 * all.
 */
export function patchMomentsSpec(
  layer: LinearLayer,
  values: PatchMomentsSpec['values'],
  plan: MomentsPlan,
): PatchMomentsSpec | undefined {
  const { patch, taps, inputs } = layerSizes(layer);
  const most = Math.max(1, Math.floor((plan.largestPatch ?? LARGEST_PATCH) / taps));
  if (most < inputs && values.length === 2) return undefined;
  const together = Math.min(inputs, most);
  const columns = (together < inputs ? together * taps : patch) + 1;
  const ideal = Math.max(FEWEST_ROWS, ROWS_PER_COLUMN * columns);
  const rows = values.length === 2 ? ideal : Math.min(ideal, Math.max(ENOUGH_TO_ROUND, columns));
  const positions = Math.ceil(rows / Math.max(1, plan.samples));
  const runs = together < inputs ? { together } : {};
  return { kind: 'patch-moments', values, layer, positions, seed: plan.seed ?? 0, ...runs };
}

/** Bytes of the state. */
export function momentBytes(spec: PatchMomentsSpec): number {
  const { outputs } = layerSizes(spec.layer);
  return partsOf(spec).reduce(
    (sum, { columns }) => sum + 8 * (packedLength(columns) + (spec.values.length - 1) * (columns + 1) * outputs),
    0,
  );
}

interface Part {
  readonly group: number;
  /** First channel of the layer's input, and how many. */
  readonly from: number;
  readonly channels: number;
  readonly columns: number;
}

function partsOf({ layer, together }: PatchMomentsSpec): Part[] {
  const { groups, inputs, taps } = layerSizes(layer);
  const step = together ?? inputs;
  const parts: Part[] = [];
  for (let group = 0; group < groups; group++) {
    for (let from = 0; from < inputs; from += step) {
      const channels = Math.min(step, inputs - from);
      parts.push({ group, from: group * inputs + from, channels, columns: channels * taps + 1 });
    }
  }
  return parts;
}

function createPatchMoments(spec: PatchMomentsSpec): Accumulator<PatchMoments> {
  const parts = partsOf(spec);
  const sizes = layerSizes(spec.layer);
  const outputs = spec.values.length === 2 ? sizes.outputs : 0;
  const width = parts.reduce((sum, { columns }) => sum + columns + outputs + 6, 0);
  const depth = Math.max(8, Math.min(MOST_WAITING, Math.floor(BUFFER_BYTES / 8 / width)));
  const updates = parts.map(({ columns }) => new RankUpdate(columns, outputs, depth));
  const taps = new Int32Array(sizes.taps);

  const addPosition = (window: Window, target: Target | undefined, sample: number, position: number): void => {
    window.seek(position, taps);
    for (const [i, update] of updates.entries()) {
      const part = parts[i] as Part;
      update.addWindow(
        window.data,
        sample * window.batch + part.from * window.channel,
        part.channels,
        window.channel,
        taps,
      );
      if (target) {
        const { batch, channel, position: pitch } = target.layout;
        const base = sample * batch + part.group * outputs * channel + position * pitch;
        update.addTargets(target.data, base, channel);
      }
      update.next();
    }
  };
  return {
    add: (batch) => {
      const window = windowOf(spec.layer, streamedValue(batch, spec.values[0]));
      const target =
        spec.values[1] === undefined ? undefined : targetOf(spec.layer, streamedValue(batch, spec.values[1]));
      const fits =
        !target || (target.layout.samples === window.samples && target.layout.positions === window.positions);
      invariant(fits, `"${spec.values[1]}" does not have the positions of an output of the layer`);
      for (let sample = 0; sample < window.samples; sample++) {
        const seed = `${spec.seed}/${contentHash(window.data, sample * window.batch, window.batch)}`;
        for (const position of samplePositions(window.positions, spec.positions, seed))
          addPosition(window, target, sample, position);
      }
    },
    state: () => ({ parts: updates.map((update) => update.moments()) }),
  };
}

/** The input of a layer in one batch. Element: sample * batch + channel index * channel + taps[t]. */
export interface Window {
  readonly data: Float32Array;
  readonly samples: number;
  readonly positions: number;
  readonly batch: number;
  readonly channel: number;
  /** Writes where the taps of output `position` read. */
  seek(position: number, taps: Int32Array): void;
}

interface Target {
  readonly data: Float32Array;
  readonly layout: ValueLayout;
}

/** The patches of a value that the layer reads: how many, and where each begins. */
export function windowOf(layer: LinearLayer, { data, dims }: StreamedValue): Window {
  if (layer.kind === 'rows') {
    const { samples, positions, batch, channel, position } = outputLayout(layer, dims);
    invariant(dims.at(-1) === layer.inputs, `the last axis of [${dims.join(',')}] is not ${layer.inputs}`);
    return { data, samples, positions, batch, channel, seek: (at, taps) => void taps.fill(at * position) };
  }
  const [samples = 1, channels = 1, ...input] = dims;
  const isInput = channels === layer.inputs && input.length === layer.kernel.length;
  invariant(isInput, `[${dims.join(',')}] is no input of a layer of ${layer.inputs} channels`);
  const output = outputSizes(layer, input);
  const positions = output.reduce((all, size) => all * Math.max(0, size), 1);
  const channel = input.reduce((all, size) => all * size, 1);
  const seek: Window['seek'] = (position, taps) => tapOffsets(layer, input, output, position, taps);
  return { data, samples, positions, batch: channels * channel, channel, seek };
}

function targetOf(layer: LinearLayer, { data, dims }: StreamedValue): Target {
  const channels = layer.kind === 'rows' ? dims.at(-1) : dims[1];
  invariant(channels === layer.outputs, `[${dims.join(',')}] is no output of a layer of ${layer.outputs} outputs`);
  return { data, layout: outputLayout(layer, dims) };
}

/** `count` of `all` positions, one out of each of `count` equal runs; all where there are no more. */
export function* samplePositions(all: number, count: number, seed: string): Generator<number> {
  if (count >= all) {
    for (let position = 0; position < all; position++) yield position;
    return;
  }
  const rng = createRng(seed);
  for (let i = 0; i < count; i++) yield Math.min(all - 1, Math.floor(((i + rng.uniform()) * all) / count));
}

const HASHED_NUMBERS = 64;

/**
 * FNV-1a over some numbers of a sample. The sampled positions depend on the sample and not on when it comes, so that
 * shards of a job see what the whole job sees.
 */
function contentHash(data: Float32Array, from: number, length: number): number {
  const bits = new Uint32Array(data.buffer, data.byteOffset + from * 4, length);
  const step = Math.max(1, Math.floor(length / HASHED_NUMBERS));
  let hash = 0x811c9dc5;
  for (let i = 0; i < length; i += step) hash = Math.imul(hash ^ (bits[i] as number), 0x01000193);
  return hash >>> 0;
}

export const PATCH_MOMENTS: AccumulatorKind<PatchMomentsSpec, PatchMoments> = {
  kind: 'patch-moments',
  create: createPatchMoments,
  merge: (a, b) => ({ parts: a.parts.map((part, i) => mergeMoments(part, b.parts[i] ?? part)) }),
};
