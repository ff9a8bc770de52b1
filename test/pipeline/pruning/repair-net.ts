// Nets given as text with units removed, and what repair makes of them on ONNX Runtime: what the tests of repair share.
import type { ChannelGroup } from '../../../src/analysis/channel-group.js';
import { findChannelGroups } from '../../../src/analysis/channels.js';
import { createRng } from '../../../src/base/rng.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { encodeModel } from '../../../src/onnx/encode.js';
import { decodeModel, type DecodedModel } from '../../../src/onnx/decode.js';
import { removeTracked, type KeptChannels } from '../../../src/pipeline/pruning/kept-channels.js';
import { benchFacts, type QuantizationBench } from '../../../src/pipeline/quantization/bench.js';
import type { Workspace } from '../../../src/pipeline/workspace.js';
import type { RuntimeHost } from '../../../src/runtime/host.js';
import type { TensorMap } from '../../../src/runtime/wire-tensor.js';
import { Tensor } from '../../../src/tensor/tensor.js';

export interface PlantedNet {
  readonly text: string;
  readonly dims: readonly number[];
  /** Units to remove by name of the group. */
  readonly units: Readonly<Record<string, readonly number[]>>;
}

export interface PlantedBench {
  readonly bench: QuantizationBench;
  readonly teacher: DecodedModel;
  readonly kept: KeptChannels;
}

const HEADER = `<ir_version: 8, opset_import: ["" : 17]>\n`;

export const decoded = (text: string): DecodedModel =>
  decodeModel(Buffer.concat(encodeModel(undefined, parseModel(HEADER + text))));

/** Sample number `at` of the nets' input `x`. */
export function sampleFeed(dims: readonly number[], at: number): TensorMap {
  const rng = createRng(`sample ${at}`);
  const numbers = Float32Array.from({ length: dims.reduce((all, dim) => all * dim, 1) }, () => rng.normal());
  return new Map([['x', Tensor.fromNumbers('float32', dims, numbers)]]);
}

/** The net with its units removed, on `samples` random inputs. */
export function plantedBench(
  { text, dims, units }: PlantedNet,
  { host, workspace, samples }: { readonly host: RuntimeHost; readonly workspace: Workspace; readonly samples: number },
): PlantedBench {
  const student = decoded(text);
  const bench: QuantizationBench = {
    decoded: student,
    host,
    workspace,
    samples,
    async *feeds(): AsyncGenerator<TensorMap> {
      for (let at = 0; at < samples; at++) yield Promise.resolve(sampleFeed(dims, at));
    },
    shapes: new Map([['x', dims]]),
    signal: new AbortController().signal,
  };
  const facts = benchFacts(bench);
  const groups = findChannelGroups(student.model, facts);
  const removals = new Map<ChannelGroup, readonly number[]>();
  for (const [name, list] of Object.entries(units)) {
    const group = groups.find((one) => one.name === name);
    if (!group) throw new Error(`no group ${name}: there are ${groups.map((one) => one.name).join(', ')}`);
    removals.set(group, list);
  }
  const { refused, kept } = removeTracked(student.model, facts, removals);
  if (refused.size > 0) throw new Error(`refused: ${[...refused.values()].map(({ code }) => code).join()}`);
  return { bench, teacher: decoded(text), kept };
}

/** Numbers of the outputs of a model on a sample that it was not repaired on. */
export async function answers(
  host: RuntimeHost,
  { model, document }: DecodedModel,
  dims: readonly number[],
  at = 1000,
): Promise<number[]> {
  const outputs = await host.run(Buffer.concat(encodeModel(document, model)), sampleFeed(dims, at));
  return [...outputs.values()].flatMap((tensor) => tensor.toNumbers());
}

/** The largest difference between two lists of numbers, over the largest of the first. */
export function apart(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) throw new Error(`${a.length} numbers and ${b.length}`);
  const scale = Math.max(...a.map(Math.abs));
  return Math.max(...a.map((x, i) => Math.abs(x - (b[i] ?? Number.NaN)))) / scale;
}

/** The index of the largest output. */
export async function topClass(
  host: RuntimeHost,
  { model, document }: DecodedModel,
  feeds: TensorMap,
): Promise<number> {
  const outputs = await host.run(Buffer.concat(encodeModel(document, model)), feeds);
  const numbers = [...outputs.values()][0]?.toNumbers() ?? [];
  return numbers.indexOf(Math.max(...numbers));
}
