// What layers have to give: values of the original at sampled positions of each sample, few numbers, taken for many layers in
// one run.
import { tensorBytes } from '../../analysis/cost.js';
import type { ModelFacts } from '../../analysis/inference.js';
import { invariant } from '../../base/errors.js';
import type { StreamedValue } from '../../fit/accumulator.js';
import { outputLayout } from '../../fit/patch-geometry.js';
import { samplePositions } from '../../fit/patch-moments.js';
import type { Value } from '../../ir/value.js';
import type { DecodedModel } from '../../onnx/decode.js';
import type { TensorMap } from '../../runtime/wire-tensor.js';
import type { Tensor } from '../../tensor/tensor.js';
import { firstFeeds, type QuantizationBench } from '../quantization/bench.js';
import { inParts, type RepairLayer } from './repair-plan.js';
import { runSegment, writeSegment } from './segment.js';

/** Positions of the output of a layer that are looked at, per sample. */
export interface Sampling {
  readonly positions: number;
  readonly seed: number;
}

/** The same positions of the same sample in the original and in what is left of it. */
export function sampledPositions(all: number, sample: number, { positions, seed }: Sampling): Iterable<number> {
  return samplePositions(all, positions, `${seed}/${sample}`);
}

export interface TargetSource {
  /**
   * For each of `layers`, per sample one row of numbers per sampled position. They are handed out once, in the order in
   * which the source knows the layers.
   */
  of(layers: readonly RepairLayer[]): Promise<readonly (readonly Float32Array[])[]>;
}

export interface TargetRequest {
  readonly teacher: DecodedModel;
  readonly facts: ModelFacts;
  readonly samples: number;
  readonly sampling: (layer: RepairLayer) => Sampling;
  /** In the order in which they will be asked for. */
  readonly layers: readonly RepairLayer[];
}

/** Targets that are taken in one run of the original, and the values that it gives per sample. */
const TARGET_BYTES = 192 * 2 ** 20;
const VALUE_BYTES = 96 * 2 ** 20;

/** Runs the original when targets are asked for that are not at hand, and takes those of the layers that come next too. */
export function targetSource(bench: QuantizationBench, request: TargetRequest): TargetSource {
  const { facts, samples, sampling, layers } = request;
  const valueBytes = ({ target }: RepairLayer): number => tensorBytes('float32', facts.scope.dims(target)) ?? 0;
  const rowBytes = (layer: RepairLayer): number => 4 * sampling(layer).positions * samples * layer.layer.outputs;
  // The larger of the two shares of what one run may take.
  const shareOf = (layer: RepairLayer): number =>
    Math.max(valueBytes(layer) / VALUE_BYTES, rowBytes(layer) / TARGET_BYTES);
  const runs = inParts(layers, shareOf, 1);
  const known = new Map<RepairLayer, readonly Float32Array[]>();
  return {
    of: async (asked) => {
      while (!asked.every((layer) => known.has(layer))) {
        const next = runs.shift();
        invariant(next, 'targets of a layer that is not known');
        for (const [layer, rows] of await runTeacher(bench, request, next)) known.set(layer, rows);
      }
      return asked.map((layer) => {
        const rows = known.get(layer) ?? [];
        known.delete(layer);
        return rows;
      });
    },
  };
}

async function runTeacher(
  { host, workspace, signal, feeds }: QuantizationBench,
  { teacher, facts, samples, sampling }: TargetRequest,
  layers: readonly RepairLayer[],
): Promise<ReadonlyMap<RepairLayer, readonly Float32Array[]>> {
  const found = new Map(layers.map((layer) => [layer, [] as Float32Array[]]));
  const to = [...new Set(layers.map(({ target }) => target))];
  const segment = await writeSegment(teacher, { from: [], to }, { facts, workspace });
  let sample = 0;
  for await (const { outputs } of runSegment(host, segment, firstFeeds(feeds(), samples), signal)) {
    for (const [layer, rows] of found)
      rows.push(rowsOf(layer, layer.target, { values: outputs, kept: layer.kept, sample, sampling: sampling(layer) }));
    sample++;
  }
  await workspace.remove(segment.path);
  return found;
}

export interface SampledRows {
  readonly values: TensorMap;
  /** Its channels that count. */
  readonly kept: readonly number[];
  readonly sample: number;
  readonly sampling: Sampling;
}

/** Of a value shaped as the output of the layer: one row per sampled position, one number per channel kept. */
export function rowsOf(
  { layer }: RepairLayer,
  { name }: Value,
  { values, kept, sample, sampling }: SampledRows,
): Float32Array {
  const tensor = values.get(name);
  invariant(tensor, `nobody has computed ${name}`);
  const { data, dims } = streamedTensor(tensor);
  const { samples, positions, batch, channel, position } = outputLayout(layer, dims);
  const rows = new Float32Array(samples * Math.min(positions, sampling.positions) * kept.length);
  let row = 0;
  for (let one = 0; one < samples; one++)
    for (const at of sampledPositions(positions, sample, sampling))
      for (const index of kept) rows[row++] = data[one * batch + index * channel + at * position] ?? 0;
  return rows;
}

/** As float32, whatever the type. */
export function streamedTensor(tensor: Tensor): StreamedValue {
  const { dtype, dims } = tensor;
  if (dtype !== 'float32') return { data: Float32Array.from(tensor.toFloat64()), dims };
  const bytes = tensor.bytes();
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return { data: new Float32Array(buffer, byteOffset, byteLength / 4), dims };
}
