// Nodes with hundreds of inputs are edited in place: what was read before, other nodes and the way back must not notice.
import { describe, expect, it } from 'vitest';
import { checkModel } from '../../src/ir/check.js';
import type { Model } from '../../src/ir/model.js';
import { parseModel } from '../../src/ir/text/parse.js';
import { printModel } from '../../src/ir/text/print.js';
import { decodeModel } from '../../src/onnx/decode.js';
import { encodeModel } from '../../src/onnx/encode.js';

const COUNT = 300;
const fullText = (model: Model): string => printModel(model, { weights: 'full' });
const bytesOf = (model: Model): Buffer => Buffer.concat(encodeModel(undefined, model));

function wideModel(): Model {
  const names = Array.from({ length: COUNT }, (_, i) => `t${i}`);
  return parseModel(
    `g (float[1,1] x) => (float[1,${COUNT}] y)
     { ${names.map((name) => `${name} = Tanh (x)`).join('\n')}
       y = Concat <axis = 1> (${names.join(', ')}) }`,
  );
}

describe('a node of 300 inputs', () => {
  it('takes edits of single slots, gives them back, and is written as it stands', () => {
    const bytes = bytesOf(wideModel());
    const { model, document } = decodeModel(bytes);
    const { graph } = model;
    const concat = graph.nodes().at(-1);
    const [first, second] = concat?.inputs ?? [];
    if (!concat || !first || !second) throw new Error('the model has no Concat');
    const before = fullText(model);
    const twin = graph.addNode({
      opType: 'Concat',
      inputs: concat.inputs,
      outputs: ['z'],
      attributes: concat.attributes,
    });
    for (const value of concat.inputs.slice(1)) if (value) graph.replaceUses(value, first);

    expect(new Set(concat.inputs)).toEqual(new Set([first]));
    expect(new Set(twin.inputs)).toEqual(new Set([first]));
    expect(first.slots.get(concat)).toBe(COUNT);
    expect(second.isUnused).toBe(true);
    expect(checkModel(model)).toEqual([]);
    const edited = fullText(model);
    expect(fullText(decodeModel(Buffer.concat(encodeModel(document, model))).model)).toBe(edited);

    const mark = model.journal.mark();
    model.journal.seek(0);
    expect(fullText(model)).toBe(before);
    expect(Buffer.concat(encodeModel(document, model))).toEqual(bytes);
    model.journal.seek(mark);
    expect(fullText(model)).toBe(edited);
  });

  it('shares its list with no other node', () => {
    const { graph } = wideModel();
    const concat = graph.nodes().at(-1);
    const [first] = concat?.inputs ?? [];
    if (!concat || !first) throw new Error('the model has no Concat');
    const twin = graph.addNode({
      opType: 'Concat',
      inputs: concat.inputs,
      outputs: ['z'],
      attributes: concat.attributes,
    });
    graph.setInput(twin, 7, first);
    expect(concat.inputs[7]?.name).toBe('t7');
    expect(checkModel(graph.model)).toEqual([]);
  });
});
