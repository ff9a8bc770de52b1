// A part of a model as a model of its own: from values that are fed to values that are wanted, and what it gives for one
// sample after the other.
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { Facts } from '../../analysis/facts.js';
import { staticDims } from '../../ir/dim.js';
import type { Graph } from '../../ir/graph.js';
import type { Node } from '../../ir/node.js';
import type { Value, ValueType } from '../../ir/value.js';
import type { DecodedModel } from '../../onnx/decode.js';
import { writeModel } from '../../onnx/write.js';
import { usedOutputs } from '../../passes/constants.js';
import { removeNode } from '../../passes/edit.js';
import type { RuntimeHost } from '../../runtime/host.js';
import { oneAhead } from '../../runtime/one-ahead.js';
import type { TensorMap } from '../../runtime/wire-tensor.js';
import type { Workspace } from '../workspace.js';

export interface Segment {
  readonly path: string;
  /** What is to be fed: by the name in the model, the name in the segment. */
  readonly inputs: ReadonlyMap<string, string>;
}

/**
 * Writes the nodes between `from` and `to` as a model, and leaves `model` as it was. Inputs of the model that these nodes
 * read need not be among `from`.
 */
export async function writeSegment(
  { model, document }: DecodedModel,
  { from, to }: { readonly from: readonly Value[]; readonly to: readonly Value[] },
  { facts, workspace }: { readonly facts: Facts; readonly workspace: Workspace },
): Promise<Segment> {
  const { graph } = model;
  const path = join(await mkdtemp(workspace.path('segment-')), 'model.onnx');
  const mark = model.journal.mark();
  try {
    const computed = from.filter(({ producer }) => producer);
    const types = computed.map((value) => ({ name: model.uniqueName(value.name), type: fedType(value, facts) }));
    const fed = graph.addInputs(types);
    for (const [at, value] of computed.entries()) readInstead(graph, value, fed[at]);
    graph.setOutputs(to);
    dropUnneeded(graph);
    for (const input of graph.inputs) if (input.isUnused) graph.removeInput(input);
    const names = new Map(computed.map((value, at) => [fed[at]?.name, value.name]));
    const inputs = graph.inputs
      .filter(({ initializer }) => initializer === undefined)
      .map(({ name }) => [names.get(name) ?? name, name] as const);
    await writeModel(document, model, path);
    return { path, inputs: new Map(inputs) };
  } finally {
    model.journal.seek(mark);
  }
}

function fedType(value: Value, facts: Facts): ValueType {
  const { dtype, shape } = facts.of(value);
  return { kind: 'tensor', dtype, shape: staticDims(shape) ?? shape?.map(() => undefined) };
}

function readInstead(graph: Graph, value: Value, fed: Value | undefined): void {
  for (const node of value.consumers())
    node.inputs.forEach((input, slot) => {
      if (input === value) (node.graph ?? graph).setInput(node, slot, fed);
    });
}

/** Removes nodes that no output depends on: the runtime would compute them, and ask for their inputs. */
function dropUnneeded(graph: Graph): void {
  for (let node = graph.last; node !== undefined;) {
    const { previous }: Node = node;
    if (usedOutputs(node).length === 0) removeNode(node);
    node = previous;
  }
}

/** What was fed, by the names of the model, and what came out. */
export interface SegmentResult {
  readonly sample: TensorMap;
  readonly outputs: TensorMap;
}

/**
 * The outputs of a segment for each of `samples`, in order. The next sample is computed (in the child process) while the
 * caller works on the present one.
 * @throws what `RuntimeHost.run` throws and what `samples` throws
 */
export function runSegment(
  host: RuntimeHost,
  { path, inputs }: Segment,
  samples: AsyncIterable<TensorMap>,
  signal: AbortSignal,
): AsyncGenerator<SegmentResult> {
  const run = async (sample: TensorMap): Promise<SegmentResult> => {
    const feeds = [...inputs].flatMap(([name, fed]) => {
      const tensor = sample.get(name);
      return tensor ? [[fed, tensor] as const] : [];
    });
    return { sample, outputs: await host.run(path, new Map(feeds), { signal }) };
  };
  return oneAhead(samples, run);
}
