// What is done to each damaged file: read, check, infer, count, print, write; then one edit, written and read again.
import { InputError } from '../../src/base/errors.js';
import { nodeCosts } from '../../src/analysis/cost.js';
import { createFacts } from '../../src/analysis/inference.js';
import { peakActivations } from '../../src/analysis/liveness.js';
import { checkModel } from '../../src/ir/check.js';
import type { Model } from '../../src/ir/model.js';
import { printModel } from '../../src/ir/text/print.js';
import { decodeModel, type DecodedModel } from '../../src/onnx/decode.js';
import { encodeModel } from '../../src/onnx/encode.js';

/** `read`: the file is a model. `refused`: one clear error. `fault`: a defect of the reader or of what follows it. */
export type Outcome =
  | { readonly kind: 'read' }
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'fault'; readonly stage: string; readonly message: string };

/** Whatever the file, this returns; `folder` is where its external data stands. */
export function exercise(bytes: Buffer, folder: string): Outcome {
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
    return edited({ model, document }, folder) ?? { kind: 'read' };
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

/** An attribute more on the first node, a node more at the end: what is written then must be read as what was meant. */
function edited({ model, document }: DecodedModel, folder: string): Outcome | undefined {
  const { graph } = model;
  if (graph.first) graph.setAttribute(graph.first, 'added_by_fuzz', { kind: 'int', value: 7 });
  graph.addNode({ opType: 'Identity', inputs: [graph.inputs[0] ?? graph.outputs[0]], outputs: ['added_by_fuzz'] });
  const meant = printModel(model, { weights: 'brief' });
  const written = Buffer.concat(encodeModel(document, model, { externalData: 'keep' }));
  const read = printModel(decodeModel(written, { folder }).model, { weights: 'brief' });
  return read === meant
    ? undefined
    : fault('edit', `written and read again, the edited model is another\n${firstDifference(meant, read)}`);
}

function firstDifference(a: string, b: string): string {
  const [left, right] = [a.split('\n'), b.split('\n')];
  const at = left.findIndex((line, i) => line !== right[i]);
  return `  meant: ${left[at]?.slice(0, 300)}\n  read:  ${right[at]?.slice(0, 300)}`;
}
