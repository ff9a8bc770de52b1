// How long a model takes by the widths of its groups, from profiles of the whole model at some widths: there each layer runs in
// the layout and beside the neighbours that it has, fused with what the runtime fuses. Times are kept in the latency table
// by layer signature (sizes in and out, kernel, stride, groups), so that equal runs decide alike. Per layer, t = a + b x + c y
// + d m (x, y: elements read and made; m: multiplications), a to d by least squares of relative errors, none negative: on
// widths that fill the blocks of the kernels time is linear in each width.
import type { ChannelGroup } from '../../analysis/channel-group.js';
import { createFacts, type ModelFacts } from '../../analysis/inference.js';
import { createRng } from '../../base/rng.js';
import { matrix } from '../../linalg/matrix.js';
import { dampedCholesky, solve } from '../../linalg/cholesky.js';
import type { Node } from '../../ir/node.js';
import { writeModel } from '../../onnx/write.js';
import { removeUnits } from '../../passes/prune/remove-units.js';
import { openLatencyTable, type LatencyTable } from '../../runtime/latency-table.js';
import { describeMachine } from '../../runtime/machine.js';
import { profileModel } from '../../runtime/profile.js';
import type { TensorMap } from '../../runtime/wire-tensor.js';
import { layerSignature } from '../layer-latency.js';
import { layerTimes } from '../layer-times.js';
import { assumedSizes } from '../model-facts.js';
import { benchFacts, type QuantizationBench } from '../quantization/bench.js';
import {
  axesOf,
  axisAt,
  axisWidths,
  branchWidths,
  CostSum,
  macAxes,
  type AxisWidth,
  type AxisWidths,
  type BranchWidth,
  type WidthCost,
} from './costs.js';

export interface LatencyCostOptions {
  /** Units that each group may keep, ascending; groups that are not in it keep all. */
  readonly levels: ReadonlyMap<ChannelGroup, readonly number[]>;
  /** What is fed. */
  readonly feeds: TensorMap;
  readonly threads: number;
  readonly seed: number;
  /** The user's table; default the one in the cache. */
  readonly latencyTable?: string | undefined;
  /** Of the cached table, for tests. */
  readonly folder?: string;
  /** Widths of the whole model that are timed; default 8. */
  readonly designs?: number;
  /** Milliseconds of one profile; default 400. */
  readonly budget?: number;
}

export interface LatencyCost {
  /** Microseconds of the kernels of one run. */
  readonly cost: WidthCost;
  /** Whole models that were profiled now; the others were in the table. */
  readonly profiled: number;
  /** Root mean square of predicted over found time of the models in the designs, minus 1; undefined where nothing is known. */
  readonly deviation: number | undefined;
  /** Layers of which the table (of another machine) knows nothing: they count by their work. */
  readonly unknown: number;
}

const DESIGNS = 8;
const BUDGET = 400;
/** Work per microsecond of a core, where nothing can be timed: multiplications, and elements read or made. */
const MACS_PER_US = 3e4;
const ELEMENTS_PER_US = 2.5e3;
/** What is fused into another layer costs nothing, but tables hold no zeros. */
const LEAST_US = 1e-3;
/** Times below are as rough as the clock. */
const CLOCK_US = 2;

/**
 * The time of the model by the widths of `groups`. It is as it was afterwards; what the table lacks is measured and saved
 * there. @throws what running and writing the model throw; InputError not-writable, not-readable, bad-report (the table)
 */
export async function latencyCost(
  bench: QuantizationBench,
  groups: readonly ChannelGroup[],
  options: LatencyCostOptions,
): Promise<LatencyCost> {
  const facts = benchFacts(bench);
  const layers = layersOf(bench, groups, facts);
  let times: ReadonlyMap<string, number> = new Map();
  const table = openLatencyTable({
    machine: describeMachine(),
    threads: options.threads,
    ...(options.latencyTable === undefined ? {} : { file: options.latencyTable }),
    ...(options.folder === undefined ? {} : { folder: options.folder }),
    measure: (signature) => Promise.resolve(Math.max(LEAST_US, times.get(signature) ?? 0)),
  });
  const rows: TimedLayer[] = [];
  let profiled = 0;
  const timed: Look = async (kept, signatures, design) => {
    const isKnown = [...signatures.values()].every((signature) => table.lookup(signature) !== undefined);
    if (!isKnown && table.origin === 'own') {
      times = await profiledTimes(bench, signatures, options);
      profiled++;
    }
    rows.push(...(await rowsOf(layers, { kept, signatures, table, design })));
  };
  try {
    for (const [design, widths] of designsOf(groups, options).entries()) {
      bench.onStage?.(`timing widths, ${design + 1} of ${options.designs ?? DESIGNS}`);
      await atWidths({ bench, groups, widths, design }, timed);
    }
  } finally {
    table.save();
  }
  return { ...fitted(groups, layers, rows), profiled };
}

/** What a node does at full width, and the axes that it grows with. */
interface Layer {
  readonly node: Node;
  /** At full width: layers of equal ones are fitted together. */
  readonly family: string;
  readonly parts: readonly Part[];
  /** That it goes with. */
  readonly branch: BranchWidth | undefined;
}

const PARTS = ['read', 'made', 'macs'] as const;

interface Part {
  readonly kind: (typeof PARTS)[number];
  readonly amount: number;
  readonly axes: readonly AxisWidth[];
}

function layersOf({ decoded }: QuantizationBench, groups: readonly ChannelGroup[], facts: ModelFacts): Layer[] {
  const widths = axisWidths(groups, facts);
  const branches = branchWidths(groups, facts);
  return decoded.model.graph.nodes().flatMap((node) => {
    const family = layerSignature(decoded.model, node, facts);
    return family === undefined
      ? []
      : [{ node, family, parts: partsOf(node, widths, facts), branch: branches.get(node) }];
  });
}

function partsOf(node: Node, widths: AxisWidths, facts: ModelFacts): Part[] {
  const elements = (kind: Part['kind'], values: Node['inputs']): Part[] =>
    values.flatMap((value) => {
      if (!value || value.constant) return [];
      const amount = facts.assumed(value)?.reduce((all, size) => all * size, 1) ?? 0;
      return [{ kind, amount, axes: axesOf(widths, value) }];
    });
  const macs: Part = { kind: 'macs', amount: facts.macs(node), axes: macAxes(node.inputs, node.output, widths) };
  return [...elements('read', node.inputs), ...elements('made', node.outputs), macs].filter(({ amount }) => amount > 0);
}

/** Units kept by group: all, the fewest, and some that the seed draws. Layers of branches that are gone tell no time. */
function designsOf(
  groups: readonly ChannelGroup[],
  { levels, seed, designs = DESIGNS }: LatencyCostOptions,
): number[][] {
  const rng = createRng(`${seed} designs`);
  const choices = groups.map((group) => (levels.get(group) ?? [group.width]).filter((kept) => kept > 0));
  return Array.from({ length: designs }, (_, at) =>
    choices.map((kept) => (at === 0 ? kept.at(-1) : at === 1 ? kept[0] : rng.pick(kept)) ?? 0),
  );
}

/** Is told what is really kept, and the signatures of all nodes. */
type Look = (kept: readonly number[], signatures: ReadonlyMap<Node, string>, design: number) => Promise<void>;

interface Design {
  readonly design: number;
  readonly bench: QuantizationBench;
  readonly groups: readonly ChannelGroup[];
  readonly widths: readonly number[];
}

/** Shows the model at these widths, and takes it back. */
async function atWidths({ bench, groups, widths, design }: Design, look: Look): Promise<void> {
  const { model } = bench.decoded;
  const mark = model.journal.mark();
  try {
    const removals = new Map(
      groups.flatMap((group, at) => {
        const kept = widths[at] ?? group.width;
        // Which units leave makes no difference to time.
        const units = Array.from({ length: group.width - kept }, (_, i) => kept + i);
        return units.length > 0 ? [[group, units] as const] : [];
      }),
    );
    const removed = new Set(removeUnits(model, benchFacts(bench), removals).removed);
    const kept = groups.map((group, at) => (removed.has(group) ? (widths[at] ?? group.width) : group.width));
    const facts = createFacts(model, { assumedSizes: assumedSizes(model, bench.shapes, undefined) });
    const signatures = new Map<Node, string>();
    for (const node of model.graph.nodes()) {
      const signature = layerSignature(model, node, facts);
      if (signature !== undefined) signatures.set(node, `in model ${signature}`);
    }
    await look(kept, signatures, design);
  } finally {
    model.journal.seek(mark);
  }
}

/** Microseconds by signature, the mean of the nodes that share one: what is fused into another costs nothing. */
async function profiledTimes(
  { decoded, host, workspace, signal }: QuantizationBench,
  signatures: ReadonlyMap<Node, string>,
  { feeds, threads, budget = BUDGET }: LatencyCostOptions,
): Promise<ReadonlyMap<string, number>> {
  const path = workspace.path('timed.onnx');
  await writeModel(decoded.document, decoded.model, path);
  const profile = await profileModel(host, path, feeds, { threads, signal, budget });
  await workspace.remove(path);
  const { of } = layerTimes(decoded.model, profile);
  const found = new Map<string, number[]>();
  for (const [node, signature] of signatures)
    found.set(signature, [...(found.get(signature) ?? []), of.get(node)?.us ?? 0]);
  return new Map([...found].map(([signature, all]) => [signature, all.reduce((sum, us) => sum + us, 0) / all.length]));
}

/** A layer at some widths. */
interface TimedLayer {
  readonly layer: Layer;
  readonly design: number;
  /** 1, and the amounts by the order of PARTS. */
  readonly amounts: readonly number[];
  readonly us: number;
}

interface DesignRow {
  readonly kept: readonly number[];
  readonly signatures: ReadonlyMap<Node, string>;
  readonly table: LatencyTable;
  readonly design: number;
}

async function rowsOf(layers: readonly Layer[], { kept, signatures, table, design }: DesignRow): Promise<TimedLayer[]> {
  const rows: TimedLayer[] = [];
  for (const layer of layers) {
    const signature = signatures.get(layer.node);
    const us = signature === undefined ? undefined : await table.measure(signature, () => new Uint8Array());
    if (us !== undefined) rows.push({ layer, design, amounts: amountsOf(layer, kept), us });
  }
  return rows;
}

function amountsOf({ parts }: Layer, kept: readonly number[]): number[] {
  const amounts = PARTS.map((kind) =>
    parts
      .filter((part) => part.kind === kind)
      .reduce(
        (sum, { amount, axes }) => sum + axes.reduce((left, axis) => left * (axisAt(axis, kept) / axis.size), amount),
        0,
      ),
  );
  return [1, ...amounts];
}

function fitted(
  groups: readonly ChannelGroup[],
  layers: readonly Layer[],
  rows: readonly TimedLayer[],
): Omit<LatencyCost, 'profiled'> {
  const sum = new CostSum(groups);
  const fits = new Map<string, readonly number[] | undefined>();
  const predicted = new Map<number, number>();
  const found = new Map<number, number>();
  const unknown = new Set<Layer>();
  for (const layer of layers) {
    const { family } = layer;
    if (!fits.has(family)) fits.set(family, fit(rows.filter((row) => row.layer.family === family)));
    const known = fits.get(family);
    if (!known) unknown.add(layer);
    const [constant = 0, ...rates] = known ?? [0, 1 / ELEMENTS_PER_US, 1 / ELEMENTS_PER_US, 1 / MACS_PER_US];
    sum.add(constant, [], layer.branch);
    for (const { kind, amount, axes } of layer.parts)
      sum.add((rates[PARTS.indexOf(kind)] ?? 0) * amount, axes, layer.branch);
  }
  for (const { layer, design, amounts, us } of rows) {
    const rates = fits.get(layer.family) ?? [];
    const time = amounts.reduce((all, amount, at) => all + amount * (rates[at] ?? 0), 0);
    predicted.set(design, (predicted.get(design) ?? 0) + time);
    found.set(design, (found.get(design) ?? 0) + us);
  }
  const errors = [...found].map(([design, us]) => ((predicted.get(design) ?? 0) / Math.max(us, CLOCK_US) - 1) ** 2);
  const deviation = errors.length > 0 ? Math.sqrt(errors.reduce((all, x) => all + x, 0) / errors.length) : undefined;
  return { cost: sum.total('latency'), deviation, unknown: unknown.size };
}

/** Rates none of which is negative, by trying every set of amounts: the best of those whose least squares has no negative one. */
function fit(rows: readonly TimedLayer[]): readonly number[] | undefined {
  if (rows.length === 0) return undefined;
  const size = PARTS.length + 1;
  let best: readonly number[] | undefined;
  let least = Infinity;
  for (let set = 1; set < 2 ** size; set++) {
    const used = Array.from({ length: size }, (_, at) => at).filter((at) => (set >> at) & 1);
    const rates = solved(rows, used);
    if (!rates || rates.some((rate) => !(rate >= 0))) continue;
    const all = Array.from({ length: size }, (_, at) => rates[used.indexOf(at)] ?? 0);
    const error = rows.reduce((sum, row) => sum + residual(row, all) ** 2, 0);
    // Of fits that differ by less than the clock tells, the one with fewest amounts comes first.
    if (error < least * (1 - 1e-6)) [best, least] = [all, error];
  }
  return best;
}

const weightOf = ({ us }: TimedLayer): number => 1 / Math.max(us, CLOCK_US);

function residual(row: TimedLayer, rates: readonly number[]): number {
  const time = row.amounts.reduce((sum, amount, at) => sum + amount * (rates[at] ?? 0), 0);
  return (time - row.us) * weightOf(row);
}

function solved(rows: readonly TimedLayer[], used: readonly number[]): number[] | undefined {
  const scales = used.map((at) => Math.max(1, ...rows.map(({ amounts }) => amounts[at] ?? 0)));
  const gram = matrix(used.length, used.length);
  const right = matrix(used.length, 1);
  for (const row of rows) {
    const numbers = used.map((at, i) => ((row.amounts[at] ?? 0) / (scales[i] ?? 1)) * weightOf(row));
    numbers.forEach((a, i) => {
      right.data[i] = (right.data[i] ?? 0) + a * row.us * weightOf(row);
      numbers.forEach((b, j) => (gram.data[i * used.length + j] = (gram.data[i * used.length + j] ?? 0) + a * b));
    });
  }
  const factor = dampedCholesky(gram, { damping: 1e-9 });
  if (!factor) return undefined;
  const { data } = solve(factor.lower, right);
  return used.map((_, i) => (data[i] ?? 0) / (scales[i] ?? 1));
}
