// What each node that may run on integers costs there and in float, in microseconds: from profiles of both whole models,
// where each node runs in the layout and beside the neighbours that it has. What cannot be timed here counts by its work.
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { elementCount } from '../../tensor/tensor.js';
import { profileModel } from '../../runtime/profile.js';
import type { PlannedNode } from '../../passes/quantize/plan.js';
import { layerTimes, type LayerTimes } from '../layer-times.js';
import { assumedSizes, figuresOf } from '../model-facts.js';
import { benchFacts } from './bench.js';
import type { Candidate } from './candidate.js';
import type { QuantizationRun } from './quantization-run.js';

/** Microseconds per run. */
export interface LayerCost {
  readonly int8: number;
  readonly float: number;
}

/** By label. */
export type LayerCosts = ReadonlyMap<string, LayerCost>;

/** Two neighbours, by label, and the time that a conversion between them takes. */
export interface Neighbours {
  readonly a: string;
  readonly b: string;
  readonly conversion: number;
}

/** Time of a conversion: of the kernel, and per element. Rough: what comes of it is timed as a whole model. */
const CONVERSION_US = 1;
const CONVERSION_US_PER_ELEMENT = 2e-4;
/** Work per microsecond of a core, where nothing can be timed: multiplications, and bytes moved. */
const MACS_PER_US = 3e4;
const BYTES_PER_US = 1e4;

/** The costs of the nodes that run on integers in the candidate that `make` gives, in whose form the model then stands. */
export async function layerCosts(run: QuantizationRun, make: () => Promise<Candidate>): Promise<LayerCosts> {
  if (!run.timed) return workOf(run);
  const found = await run.journal.recall('time per node', async () => [...(await timesOf(run, await make()))]);
  return new Map(found);
}

async function timesOf(run: QuantizationRun, { path, applied }: Candidate): Promise<LayerCosts> {
  const { bench, files, split, request } = run;
  const { threads, signal, onStage } = request;
  onStage?.('profiling float and int8');
  const floatProfile = await profileModel(bench.host, files.teacher, split.first, { threads, signal });
  const int8Profile = await profileModel(bench.host, path, split.first, { threads, signal });
  const int8Times = layerTimes(bench.decoded.model, int8Profile);
  const nodes = applied.plan.nodes;
  const int8 = nodes.map((one) => timeOf(int8Times, [...membersOf(one), ...conversionsOf(one)]));
  const floatTimes = asPrepared(run, () => layerTimes(bench.decoded.model, floatProfile));
  return new Map(
    nodes.map((one, at) => [one.node.label, { int8: int8[at] ?? 0, float: timeOf(floatTimes, membersOf(one)) }]),
  );
}

const membersOf = ({ node, activation }: PlannedNode): Node[] => (activation ? [node, activation] : [node]);

/** The conversions right around a node, as they stand in the model. */
function conversionsOf({ node, outputs }: PlannedNode): Node[] {
  const before = node.inputs.flatMap((value) => (value?.producer?.is('DequantizeLinear') ? [value.producer] : []));
  const source = before.flatMap(({ inputs: [integers] }) => integers?.producer ?? []);
  const isFirst = (quantize: Node): boolean => quantize.inputs[0]?.isInput === true;
  const behind = outputs.flatMap((value) => value.consumers().filter((reader) => reader.is('QuantizeLinear')));
  return [...before, ...source.filter((one) => one.is('QuantizeLinear') && isFirst(one)), ...behind];
}

function timeOf({ of }: LayerTimes, nodes: readonly Node[]): number {
  return nodes.reduce((sum, node) => sum + (of.get(node)?.us ?? 0), 0);
}

/** Takes the model back to how it was prepared for the time of `look`. */
function asPrepared<T>({ bench, preparation }: QuantizationRun, look: () => T): T {
  const { journal } = bench.decoded.model;
  const end = journal.mark();
  journal.seek(preparation.mark);
  try {
    return look();
  } finally {
    journal.seek(end);
  }
}

/** Costs by multiplications and bytes: on integers nothing, in float as much as there is to do. */
export function workOf(run: QuantizationRun): LayerCosts {
  const { decoded, shapes } = run.bench;
  const { layers } = asPrepared(run, () => figuresOf(decoded.model, assumedSizes(decoded.model, shapes, undefined)));
  const work = new Map(
    layers.map(({ node, macs = 0, bytesMoved = 0 }) => [node, macs / MACS_PER_US + bytesMoved / BYTES_PER_US]),
  );
  const nodes = run.preparation.plan.nodes.filter(({ node }) => !run.asked.has(node.label));
  return new Map(nodes.map(({ node }) => [node.label, { int8: 0, float: work.get(node) ?? 0 }]));
}

/** Which of `nodes` read what others of them give. */
export function neighboursOf({ bench }: QuantizationRun, nodes: readonly PlannedNode[]): Neighbours[] {
  const { scope } = benchFacts(bench);
  const conversion = (value: Value): number =>
    CONVERSION_US + CONVERSION_US_PER_ELEMENT * elementCount(scope.dims(value) ?? []);
  const producers = new Map<Value, string>();
  for (const { node, outputs } of nodes) for (const value of outputs) producers.set(value, node.label);
  return nodes.flatMap(({ node, inputs }) =>
    inputs.flatMap((value) => {
      const producer = producers.get(value);
      return producer === undefined ? [] : [{ a: producer, b: node.label, conversion: conversion(value) }];
    }),
  );
}
