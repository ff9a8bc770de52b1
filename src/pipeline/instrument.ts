// A copy of a model that returns values inside it too, for looking at them on ONNX Runtime.
import { mkdtemp } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { InputError } from '../base/errors.js';
import type { Graph } from '../ir/graph.js';
import type { Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import type { OnnxDocument } from '../onnx/document.js';
import { writeModel } from '../onnx/write.js';
import { usedOutputs } from '../passes/constants.js';
import { removeNode } from '../passes/edit.js';
import type { Workspace } from './workspace.js';

export interface InstrumentedModel {
  readonly model: Model;
  readonly document?: OnnxDocument | undefined;
  /** Where the model came from: the copy gets its name. */
  readonly path?: string;
}

export interface Instrumented {
  /** In the workspace; whoever asked for it removes it, or the workspace does. */
  readonly path: string;
  /** Under which name each value comes out (graph inputs: go in). */
  readonly names: ReadonlyMap<Value, string>;
}

export interface InstrumentOptions {
  /** `drop`: what only the model's own outputs need is left out, and they with it. Default `keep`. */
  readonly rest?: 'keep' | 'drop';
}

/**
 * Writes `model` with `values` as outputs besides its own, and leaves it as it was.
 * @throws InputError unsupported for a value that the main graph does not compute (it stands inside an If, a Loop or a
 *   function, or is a constant)
 */
export async function instrument(
  { model, document, path: original = 'model.onnx' }: InstrumentedModel,
  values: readonly Value[],
  workspace: Workspace,
  { rest = 'keep' }: InstrumentOptions = {},
): Promise<Instrumented> {
  for (const value of values) checkVisible(value, model);
  const known = new Set(model.graph.outputs);
  const added = [...new Set(values)].filter((value) => value.producer && !known.has(value));
  // Errors of the runtime name the file.
  const path = join(await mkdtemp(workspace.path('instrumented-')), basename(original));
  const mark = model.journal.mark();
  try {
    const isAsked = new Set(values);
    const own = model.graph.outputs.filter((value) => rest === 'keep' || isAsked.has(value));
    const outputs = [...own, ...added];
    // A graph without outputs is no graph.
    if (outputs.length > 0) model.graph.setOutputs(outputs);
    if (rest === 'drop') dropUnneeded(model.graph);
    await writeModel(document, model, path);
    return { path, names: new Map(values.map((value) => [value, value.name])) };
  } finally {
    model.journal.seek(mark);
  }
}

/** Removes nodes that no output depends on: the runtime would compute them. */
function dropUnneeded(graph: Graph): void {
  for (let node = graph.last; node !== undefined;) {
    const { previous }: Node = node;
    if (usedOutputs(node).length === 0) removeNode(node);
    node = previous;
  }
}

function checkVisible(value: Value, model: Model): void {
  if (value.graph === model.graph && (value.producer || value.isInput)) return;
  throw new InputError('unsupported', 'only values that the main graph computes can be looked at', {
    at: { tensor: value.name },
    fix: 'leave out values inside If, Loop, Scan and functions, and constants',
  });
}
