// A model of some of its classes (Data-Driven Compression, arXiv 1911.12740): the last layer loses the filters of the others,
// samples of others are left out, and all that is measured is measured against the original restricted to the classes that
// stay. Scores of classes that stay are as before, probabilities are divided by their sum.
import { createHash } from 'node:crypto';
import { findChannelGroups } from '../../analysis/channels.js';
import type { ChannelGroup, GroupMember } from '../../analysis/channel-group.js';
import { createFacts, type ModelFacts } from '../../analysis/inference.js';
import { InputError, UsageError } from '../../base/errors.js';
import { suggestion } from '../../base/suggest.js';
import type { DataSet, Sample } from '../../data/data-set.js';
import type { Model } from '../../ir/model.js';
import type { Value } from '../../ir/value.js';
import { openModel } from '../../onnx/open.js';
import { writeModel } from '../../onnx/write.js';
import { removeUnits } from '../../passes/prune/remove-units.js';
import type { RuntimeHost } from '../../runtime/host.js';
import { decideTask, type ClassifyTask, type TaskRequest } from '../evaluation/output-task.js';
import { scoreModel } from '../evaluation/score-model.js';
import type { TensorMap } from '../../runtime/wire-tensor.js';
import { firstFeeds } from '../quantization/bench.js';
import type { Workspace } from '../workspace.js';
import type { Original } from '../original.js';

/** The classes that stay, and samples of them. */
export interface Subset {
  /** Index in the original by index in the result, ascending. */
  readonly kept: readonly number[];
  readonly names: readonly string[] | undefined;
  readonly of: number;
  readonly by: 'labels' | 'predictions';
  readonly data: DataSet;
}

/** The entry of a model's metadata that says which classes it has. */
export const CLASSES_KEY = 'mcompress.classes';

/**
 * The classes of `wanted` (names of the data, or indices of the model) and the samples of them: by label, else by what the
 * model predicts.
 * @throws UsageError bad-value for a class that is not there, or all of them; InputError unsupported for what is no classifier,
 *   bad-data without samples
 */
export async function chooseClasses(
  { host, path, data }: { readonly host: RuntimeHost; readonly path: string; readonly data: DataSet },
  wanted: readonly string[],
  request: Pick<TaskRequest, 'threads' | 'signal'> & { readonly onStage?: ((text: string) => void) | undefined },
): Promise<Subset> {
  const { threads, signal, onStage } = request;
  const running = { ...(threads === undefined ? {} : { threads }), ...(signal === undefined ? {} : { signal }) };
  const task = await decideTask(host, path, data, running);
  if (task.kind !== 'classify')
    throw new InputError('unsupported', `the model does not classify: ${task.why}`, {
      fix: 'leave --classes out; it cuts the scores of a classifier',
    });
  const kept = classIndices(wanted, task, data.classes);
  onStage?.(data.labelled ? 'reading labels' : 'predicting the classes of the samples');
  const classes = data.labelled
    ? await labelsOf(data, task)
    : await predictionsOf({ host, path, data }, { ...running, task });
  const place = new Map(kept.map((index, at) => [index, at]));
  const picks = new Map<string, number>();
  for (const [name, index] of classes) {
    const at = place.get(index);
    if (at !== undefined) picks.set(name, at);
  }
  if (picks.size === 0)
    throw new InputError('bad-data', 'no sample is of the classes that stay', { at: { file: data.path } });
  const all = data.classes;
  const names = all && kept.map((index) => all[index - task.labelOffset] ?? String(index));
  const by = data.labelled ? 'labels' : 'predictions';
  return { kept, names, of: task.classes, by, data: samplesOf(data, picks, { names, by }) };
}

/** Indices of the model, ascending, each once. */
function classIndices(
  wanted: readonly string[],
  { classes, labelOffset }: ClassifyTask,
  names: readonly string[] | undefined,
): number[] {
  const indices = wanted.map((text) => {
    const named = names?.indexOf(text) ?? -1;
    const index = named >= 0 ? named + labelOffset : /^\d+$/.test(text) ? Number(text) : -1;
    if (index < 0 || index >= classes)
      throw new UsageError('bad-value', `there is no class ${JSON.stringify(text)}`, {
        fix:
          (names && suggestion(text, names)) ??
          `give ${names ? 'names of the data, or ' : ''}indices from 0 to ${classes - 1}, with commas between`,
      });
    return index;
  });
  const distinct = [...new Set(indices)].toSorted((a, b) => a - b);
  if (distinct.length === 0 || distinct.length >= classes)
    throw new UsageError('bad-value', `--classes names ${distinct.length} of ${classes} classes`, {
      fix: 'name some of them, and not all',
    });
  return distinct;
}

async function labelsOf(data: DataSet, { labelOffset }: ClassifyTask): Promise<Map<string, number>> {
  const classes = new Map<string, number>();
  for await (const { name, label } of data.samples()) if (label !== undefined) classes.set(name, label + labelOffset);
  return classes;
}

async function predictionsOf(
  { host, path, data }: { readonly host: RuntimeHost; readonly path: string; readonly data: DataSet },
  options: Parameters<typeof scoreModel>[3],
): Promise<Map<string, number>> {
  const { samples } = await scoreModel(host, path, data, options);
  return new Map(samples.map(({ name, choice }) => [name, choice?.predicted ?? -1]));
}

/** The samples of `data` that are picked, labelled with their class in the result where labels are known. */
function samplesOf(
  data: DataSet,
  picks: ReadonlyMap<string, number>,
  { names, by }: Pick<Subset, 'names' | 'by'>,
): DataSet {
  return {
    path: data.path,
    size: picks.size,
    labelled: by === 'labels',
    classes: names,
    digest: async () =>
      createHash('sha256')
        .update(JSON.stringify([await data.digest(), [...picks].toSorted(([a], [b]) => (a < b ? -1 : 1))]))
        .digest('hex'),
    async *samples({ from = 0, to = Infinity, ...options } = {}) {
      let position = 0;
      for await (const sample of data.samples(options)) {
        const label = picks.get(sample.name);
        if (label === undefined) continue;
        if (position >= to) return;
        if (position++ >= from) yield { ...sample, label: by === 'labels' ? label : undefined } satisfies Sample;
      }
    },
    get skipped() {
      return data.skipped;
    },
    // One class after the other is what was asked for.
    warnings: () => [],
  };
}

/** What cutting a head needs of a run. */
export interface CutBench {
  readonly host: RuntimeHost;
  readonly workspace: Workspace;
  readonly feeds: AsyncIterable<TensorMap>;
  readonly keepOverridable: boolean;
  readonly signal: AbortSignal;
}

/**
 * The original with its head cut to `kept` of its classes, as a file of the workspace, held against the original on some
 * samples; the class map stands in its metadata.
 * @throws InputError unsupported where the head cannot be cut, or what comes out gives other scores
 */
export async function restrictModel(
  { path }: Original,
  { kept, names, of }: Pick<Subset, 'kept' | 'names' | 'of'>,
  bench: CutBench,
): Promise<Original> {
  const { workspace, keepOverridable } = bench;
  const { document, model } = await openModel(path, { keepOverridable });
  const cut = cutHead(model, createFacts(model), { kept, of });
  const restricted = workspace.path('restricted.onnx');
  const metadata = new Map([[CLASSES_KEY, JSON.stringify({ of, kept, ...(names ? { names } : {}) })]]);
  await writeModel(document, model, restricted, { metadata });
  await checkCut(bench, { before: path, after: restricted }, { ...cut, kept });
  return { decoded: await openModel(restricted, { keepOverridable }), path: restricted };
}

/** Operators behind the last layer that look at all scores at once: what they give for fewer, from what they gave for all. */
const NORMALIZING = {
  none: (scores: Float64Array): Float64Array => scores,
  Softmax: (scores: Float64Array): Float64Array => {
    const sum = scores.reduce((total, score) => total + score, 0);
    return scores.map((score) => score / sum);
  },
  LogSoftmax: (scores: Float64Array): Float64Array => {
    const sum = scores.reduce((total, score) => total + Math.exp(score), 0);
    return scores.map((score) => score - Math.log(sum));
  },
} as const;

const CHECKED_FEEDS = 3;
const LIMIT = 1e-4;

/** The scores that stay are as before; normalized ones are so after they are normalized anew. */
async function checkCut(
  { host, feeds, signal }: CutBench,
  { before, after }: { readonly before: string; readonly after: string },
  { output, normalized, kept }: HeadCut & { readonly kept: readonly number[] },
): Promise<void> {
  const options = { outputs: [output], optimization: 'disabled', arena: 'off', signal } as const;
  for await (const feed of firstFeeds(feeds, CHECKED_FEEDS)) {
    const rows = (await host.run(before, feed, options)).get(output)?.toFloat64() ?? new Float64Array();
    const cut = (await host.run(after, feed, options)).get(output)?.toFloat64() ?? new Float64Array();
    const expected = NORMALIZING[normalized](Float64Array.from(kept, (index) => rows[index] ?? 0));
    const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
    const isRight = kept.every((_, at) => Math.abs((expected[at] ?? 0) - (cut[at] ?? Infinity)) <= LIMIT * scale);
    if (!isRight) throw unsupported('what is left of it gives other scores');
  }
}

/** What became of the scores: the output that has them, and how the last layer's numbers become scores. */
export interface HeadCut {
  readonly output: string;
  readonly normalized: keyof typeof NORMALIZING;
}

/** Removes the scores of all classes but `kept` from the model. @throws InputError unsupported */
export function cutHead(
  model: Model,
  facts: ModelFacts,
  { kept, of }: { readonly kept: readonly number[]; readonly of: number },
): HeadCut {
  const { group: head, ...cut } = headGroup(model, facts, of);
  const stays = new Set(kept);
  const gone = Array.from({ length: of }, (_, index) => index).filter((index) => !stays.has(index));
  const { refused } = removeUnits(model, facts, new Map([[head, gone]]));
  const [refusal] = refused.values();
  if (refusal) throw unsupported(`${refusal.code} at ${refusal.at}`);
  return cut;
}

const unsupported = (why: string): InputError =>
  new InputError('unsupported', `the head of the model cannot be cut: ${why}`, { fix: 'leave --classes out' });

/** The scores as a group whose units are the classes in their order: through what normalizes them, to the layer that makes them. */
function headGroup(model: Model, facts: ModelFacts, classes: number): HeadCut & { readonly group: ChannelGroup } {
  const groups = findChannelGroups(model, facts);
  const each = Array.from({ length: classes }, (_, index) => [index]);
  const members: GroupMember[] = [];
  let normalized: HeadCut['normalized'] = 'none';
  const output = model.graph.outputs.find((value) => classAxis(value, facts, classes) !== undefined);
  for (let value: Value | undefined = output; value;) {
    const axis = classAxis(value, facts, classes);
    if (axis === undefined) throw unsupported(`${value.name} is no row of ${classes} scores`);
    const found = groups.find((group) => group.makers.length > 0 && memberAt(group, value, axis));
    const member = found && memberAt(found, value, axis);
    if (output && found && member) {
      const all = [...inOrder(found, member, classes), ...members];
      return { output: output.name, normalized, group: { ...found, members: all, frozen: undefined } };
    }
    const { producer }: Value = value;
    const { opType } = producer ?? {};
    if (!producer || normalized !== 'none' || (opType !== 'Softmax' && opType !== 'LogSoftmax'))
      throw unsupported(
        producer ? `${opType} ${producer.label} stands behind the last layer` : 'no layer makes the scores',
      );
    normalized = opType;
    members.unshift({ value, axis, indices: each });
    value = producer.inputs[0];
  }
  throw unsupported(`no output is a row of ${classes} scores`);
}

const memberAt = ({ members }: ChannelGroup, value: Value | undefined, axis: number): GroupMember | undefined =>
  members.find((member) => member.value === value && member.axis === axis);

/** The axis behind the first along which there are so many classes. */
function classAxis(value: Value, facts: ModelFacts, classes: number): number | undefined {
  const shape = facts.of(value).shape;
  const axis = shape?.findIndex((size, at) => at > 0 && size === classes) ?? -1;
  return axis > 0 ? axis : undefined;
}

/** The members of a group with its units in the order of the classes. @throws InputError unsupported */
function inOrder({ members, width }: ChannelGroup, scores: GroupMember, classes: number): GroupMember[] {
  const unitOf = new Map(scores.indices.flatMap((own, unit) => own.map((index) => [index, unit] as const)));
  if (width !== classes || unitOf.size !== classes) throw unsupported('classes do not stand by themselves');
  return members.map(({ value, axis, indices }) => ({
    value,
    axis,
    indices: Array.from({ length: classes }, (_, index) => indices[unitOf.get(index) ?? -1] ?? []),
  }));
}
