// What each node that may run on integers costs there and in float, in microseconds: from profiles of both whole models,
// where each node runs in the layout and beside the neighbours that it has. What cannot be timed here counts by its work.
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { elementCount } from '../../tensor/tensor.js';
import { openLatencyTable } from '../../runtime/latency-table.js';
import { describeMachine } from '../../runtime/machine.js';
import { profileModel } from '../../runtime/profile.js';
import type { PlannedNode } from '../../passes/quantize/plan.js';
import { layerSignature } from '../layer-latency.js';
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

/** What timing needs of a run. */
export type MeasuredRun = Pick<QuantizationRun, 'bench' | 'preparation' | 'request'>;

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
  const measure = async (): Promise<LayerCosts> => timesOf(run, await make());
  const { latencyTable } = run.request;
  const found = await run.journal.recall('time per node', async () => [
    ...(latencyTable === undefined
      ? await measure()
      : await tabledCosts(run, latencyTable, { nodes: openNodes(run), place: 'whole', measure })),
  ]);
  return new Map(found);
}

const FORMS = ['int8', 'float'] as const;
const LEAST_US = 0.5;

/** What the table may lack. */
export interface TabledCosts {
  readonly nodes: readonly PlannedNode[];
  /** Times inside a whole model differ from those of a layer alone, and from those with the conversions in float. */
  readonly place: 'whole' | 'in place';
  readonly measure: () => Promise<LayerCosts>;
}

/** Nodes that may run on integers. */
const openNodes = ({ preparation, settled }: QuantizationRun): readonly PlannedNode[] =>
  preparation.plan.nodes.filter(({ node }) => !settled.has(node.label));

/** The times of the table in `file`; what it lacks is measured and saved there. A table of another machine stays as it is. */
export async function tabledCosts(
  run: MeasuredRun,
  file: string,
  { nodes, place, measure }: TabledCosts,
): Promise<LayerCosts> {
  const { bench, request } = run;
  let fresh: Promise<LayerCosts> | undefined;
  const entryOf = (form: (typeof FORMS)[number], signature: string): string => `${place} ${form} ${signature}`;
  const rows = asPrepared(run, () => {
    const facts = benchFacts(bench);
    return nodes.flatMap(({ node }) => {
      const signature = layerSignature(bench.decoded.model, node, facts);
      return signature === undefined ? [] : [{ label: node.label, signature }];
    });
  });
  // Of nodes that differ in nothing the first counts.
  const places = new Map(
    rows
      .toReversed()
      .flatMap(({ label, signature }) => FORMS.map((form) => [entryOf(form, signature), { label, form }])),
  );
  const table = openLatencyTable({
    machine: describeMachine(),
    threads: request.threads,
    file,
    measure: async (signature) => {
      const row = places.get(signature);
      const times = await (fresh ??= measure());
      // Profiles count whole microseconds; what is faster still is not free.
      return Math.max(LEAST_US, (row && times.get(row.label)?.[row.form]) ?? 0);
    },
  });
  const costs = new Map<string, LayerCost>();
  for (const { label, signature } of rows) {
    const [int8, float] = await Promise.all(
      FORMS.map((form) => table.measure(entryOf(form, signature), () => new Uint8Array())),
    );
    if (int8 !== undefined && float !== undefined) costs.set(label, { int8, float });
  }
  table.save();
  return costs;
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
  const prepared = new Map(run.preparation.plan.nodes.map((one) => [one.node.label, one]));
  return new Map(
    nodes.map((one, at) => {
      const before = prepared.get(one.node.label);
      return [one.node.label, { int8: int8[at] ?? 0, float: before ? timeOf(floatTimes, membersOf(before)) : 0 }];
    }),
  );
}

const membersOf = ({ node, activation, inner = [] }: PlannedNode): Node[] => [
  node,
  ...inner,
  ...(activation ? [activation] : []),
];

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
function asPrepared<T>({ bench, preparation }: MeasuredRun, look: () => T): T {
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
  return new Map(openNodes(run).map(({ node }) => [node.label, { int8: 0, float: work.get(node) ?? 0 }]));
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
