// Never wrong: before anything is repaired, the model without the units is held against the model in which the same units
// read as zero. A group for which the two differ is given back: that is a defect of the removal, and is reported.
import { join } from 'node:path';
import { mkdtemp } from 'node:fs/promises';
import type { ChannelGroup } from '../../analysis/channel-group.js';
import { writeModel } from '../../onnx/write.js';
import { maskUnits } from '../../passes/prune/mask-units.js';
import type { Removals } from '../../passes/prune/remove-units-cuts.js';
import { removeUnits } from '../../passes/prune/remove-units.js';
import { compareOutputs, outputScales } from '../../runtime/compare.js';
import type { TensorMap } from '../../runtime/wire-tensor.js';
import { benchFacts, firstFeeds, type QuantizationBench } from '../quantization/bench.js';
import { failure } from '../verification.js';
import { removeTracked, type KeptChannels, type TrackedRemoval } from './kept-channels.js';

export interface CheckedRemoval extends TrackedRemoval {
  /** Groups that were given back, with what was wrong. */
  readonly defects: ReadonlyMap<ChannelGroup, string>;
  /** Worst error of what was removed, relative to the scale of the output; undefined when nothing was removed. */
  readonly error: number | undefined;
}

/** Largest error that rounding in another order explains, relative to the scale of an output. */
const LIMIT = 1e-4;
const CHECKED_FEEDS = 3;
/** As the models are written. */
const AS_WRITTEN = { optimization: 'disabled', arena: 'off' } as const;

/**
 * Removes units from the model of the bench, as `removeTracked`, but for groups without which the model computes something
 * else than the masked original.
 * @throws what `removeUnits` and running throw
 */
export async function removeChecked(
  bench: QuantizationBench,
  removals: Removals,
  before: KeptChannels,
): Promise<CheckedRemoval> {
  const defects = new Map<ChannelGroup, string>();
  let left: Removals = new Map([...removals].filter(([, units]) => units.length > 0));
  let error: number | undefined;
  while (left.size > 0) {
    const found = await difference(bench, left);
    error = found.error;
    if (found.what === undefined) break;
    const guilty = await guiltyGroups(bench, left);
    // None alone: then nothing tells which of them it is.
    for (const group of guilty.length > 0 ? guilty : left.keys()) defects.set(group, found.what);
    left = new Map([...left].filter(([group]) => !defects.has(group)));
    error = undefined;
  }
  const facts = benchFacts(bench);
  return { ...removeTracked(bench.decoded.model, facts, left, before), defects, error };
}

interface Difference {
  readonly error: number;
  /** In words; undefined where they agree. */
  readonly what: string | undefined;
}

/** The two models on the first samples; the model of the bench is as it was afterwards. */
async function difference(bench: QuantizationBench, removals: Removals): Promise<Difference> {
  const { model } = bench.decoded;
  const folder = await mkdtemp(bench.workspace.path('removal-'));
  const [pruned, masked] = [join(folder, 'pruned.onnx'), join(folder, 'masked.onnx')];
  const mark = model.journal.mark();
  try {
    const { removed } = removeUnits(model, benchFacts(bench), removals);
    await writeModel(bench.decoded.document, model, pruned);
    model.journal.seek(mark);
    maskUnits(benchFacts(bench), new Map([...removals].filter(([group]) => removed.includes(group))));
    await writeModel(bench.decoded.document, model, masked);
    return await compareFiles(bench, masked, pruned);
  } finally {
    model.journal.seek(mark);
    for (const path of [pruned, masked]) await bench.workspace.remove(path);
  }
}

async function compareFiles({ host, feeds, signal }: QuantizationBench, a: string, b: string): Promise<Difference> {
  const expected: TensorMap[] = [];
  const actual: TensorMap[] = [];
  for await (const feed of firstFeeds(feeds(), CHECKED_FEEDS)) {
    expected.push(await host.run(a, feed, { ...AS_WRITTEN, signal }));
    const found = await host.run(b, feed, { ...AS_WRITTEN, signal }).catch(failure);
    if (typeof found === 'string') return { error: Infinity, what: `it fails: ${found}` };
    actual.push(found);
  }
  const scales = outputScales(expected);
  let error = 0;
  let what: string | undefined;
  for (const [at, outputs] of expected.entries()) {
    const options = { tolerance: { mode: 'scale', limit: LIMIT }, scales } as const;
    const { worst, agrees } = compareOutputs(outputs, actual[at] ?? new Map(), options);
    error = Math.max(error, worst?.relativeError ?? 0);
    if (!agrees) what ??= `output "${worst?.name}" differs by ${worst?.relativeError.toExponential(1)} of its scale`;
  }
  return { error, what };
}

/** Groups that alone make a difference, found by halving. */
async function guiltyGroups(bench: QuantizationBench, removals: Removals): Promise<ChannelGroup[]> {
  const { what } = await difference(bench, removals);
  if (what === undefined) return [];
  const entries = [...removals];
  if (entries.length === 1) return [...removals.keys()];
  const half = entries.length >> 1;
  return [
    ...(await guiltyGroups(bench, new Map(entries.slice(0, half)))),
    ...(await guiltyGroups(bench, new Map(entries.slice(half)))),
  ];
}
