// What is done to each damaged file: read, check, infer, count, print, write; one edit, written and read again; and the
// exact passes (without a runtime to fold constants), written, read again, and rolled back.
import { InputError } from '../../src/base/errors.js';
import { nodeCosts } from '../../src/analysis/cost.js';
import { createFacts } from '../../src/analysis/inference.js';
import { peakActivations } from '../../src/analysis/liveness.js';
import { checkModel } from '../../src/ir/check.js';
import type { Model } from '../../src/ir/model.js';
import { printModel } from '../../src/ir/text/print.js';
import { decodeModel, type DecodedModel } from '../../src/onnx/decode.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { presetPasses } from '../../src/pipeline/recipe.js';
import { runPasses } from '../../src/pipeline/run-passes.js';

/** `read`: the file is a model. `refused`: one clear error. `fault`: a defect of the reader or of what follows it. */
export type Outcome =
  | { readonly kind: 'read' }
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'fault'; readonly stage: string; readonly message: string };

/** Whatever the file, this returns; `folder` is where its external data stands. */
export async function exercise(bytes: Buffer, folder: string): Promise<Outcome> {
  let stage = 'read';
  try {
    const { model, document } = decodeModel(bytes, { folder });
    stage = 'check';
    const problems = checkModel(model);
    if (problems.length > 0) return fault(stage, JSON.stringify(problems.slice(0, 3)));
    stage = 'infer';
    analyse(model);
    stage = 'print';
    printModel(model, { weights: 'brief' });
    stage = 'write';
    if (!Buffer.concat(encodeModel(document, model, { externalData: 'keep' })).equals(bytes))
      return fault(stage, 'the unchanged model is written with other bytes');
    stage = 'edit';
    edit(model);
    const lost = reread({ model, document }, folder);
    if (lost !== undefined) return fault(stage, lost);
    stage = 'slim';
    const trouble = await slimmed(decodeModel(bytes, { folder }), folder);
    return trouble === undefined ? { kind: 'read' } : fault(stage, trouble);
  } catch (error) {
    if (error instanceof InputError && stage === 'read')
      return error.message === '' ? fault(stage, 'no message') : { kind: 'refused', code: error.code };
    return fault(stage, error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
}

function fault(stage: string, message: string): Outcome {
  return { kind: 'fault', stage, message };
}

function analyse(model: Model): void {
  const facts = createFacts(model);
  for (const graph of model.graphs()) {
    for (const value of [...graph.inputs, ...graph.outputs, ...graph.initializers]) facts.of(value);
    for (const node of graph.nodes()) for (const value of node.outputs) if (value) facts.of(value);
  }
  nodeCosts(model, facts);
  peakActivations(model, facts);
}

/** An attribute more on the first node, a node more at the end. */
function edit({ graph }: Model): void {
  if (graph.first) graph.setAttribute(graph.first, 'added_by_fuzz', { kind: 'int', value: 7 });
  graph.addNode({ opType: 'Identity', inputs: [graph.inputs[0] ?? graph.outputs[0]], outputs: ['added_by_fuzz'] });
}

/** What is wrong when the model is written and read again; nothing when it is the same. */
function reread({ model, document }: DecodedModel, folder: string): string | undefined {
  const written = Buffer.concat(encodeModel(document, model, { externalData: 'keep' }));
  const [meant, read] = [model, decodeModel(written, { folder }).model].map(bodyText);
  return read === meant ? undefined : `written and read again, the model is another\n${firstDifference(meant, read)}`;
}

/** The text without its first line: weights that are no inputs any more may raise the IR version that is written there. */
function bodyText(model: Model): string {
  const text = printModel(model, { weights: 'brief' });
  return text.slice(text.indexOf('\n'));
}

/** What is wrong with the exact passes on this model. */
async function slimmed(decoded: DecodedModel, folder: string): Promise<string | undefined> {
  const { model } = decoded;
  const [mark, before] = [model.journal.mark(), bodyText(model)];
  await runPasses(model, presetPasses('exact'), {
    createFacts: (changed) => createFacts(changed),
    seed: 0,
    signal: new AbortController().signal,
  });
  const problems = checkModel(model);
  if (problems.length > 0) return JSON.stringify(problems.slice(0, 3));
  const lost = reread(decoded, folder);
  if (lost !== undefined) return lost;
  model.journal.seek(mark);
  return bodyText(model) === before ? undefined : 'rolled back, the model is another';
}

function firstDifference(a = '', b = ''): string {
  const [left, right] = [a.split('\n'), b.split('\n')];
  const at = left.findIndex((line, i) => line !== right[i]);
  return `  meant: ${left[at]?.slice(0, 300)}\n  read:  ${right[at]?.slice(0, 300)}`;
}
