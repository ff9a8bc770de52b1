// Reading and writing an unchanged model gives the same bytes, as the very same memory; the IR it becomes is sound.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkModel } from '../../src/ir/check.js';
import { decodeModel } from '../../src/onnx/decode.js';
import { encodedSize, encodeModel } from '../../src/onnx/encode.js';
import { assets, fixtures, hasAssets } from './model-files.js';
import { bytesField, fixed32Field, floats, modelAround, onnx, smallModel, value, varintField } from './proto-bytes.js';

/** What reading and writing again gave, to be compared with `unchanged`. */
function roundTrip(bytes: Buffer, path?: string): object {
  const { model, document } = decodeModel(bytes, path === undefined ? {} : { path });
  const chunks = encodeModel(document, model, { externalData: 'keep' });
  return {
    problems: checkModel(model),
    buffers: chunks.map((chunk) => (chunk.buffer === bytes.buffer ? 'of the file' : 'copied')),
    bytes: Buffer.concat(chunks).equals(bytes) ? 'equal' : 'other',
    size: encodedSize(document, model, { externalData: 'keep' }),
  };
}

/** `bytes` as they are, in one piece, not copied. */
function unchanged(bytes: Buffer): object {
  return { problems: [], buffers: ['of the file'], bytes: 'equal', size: bytes.length };
}

describe('an unchanged model is written as it was read', () => {
  it.each(fixtures)('fixture %s', (_, path) => {
    const bytes = readFileSync(path);
    expect(roundTrip(bytes, path)).toEqual(unchanged(bytes));
  });

  it.skipIf(!hasAssets).each(hasAssets ? assets : [['(no assets)', '']])('asset %s', (_, path) => {
    const bytes = readFileSync(path);
    expect(roundTrip(bytes, path)).toEqual(unchanged(bytes));
  });

  it('with fields that come in any order, and none that we know of', () => {
    const node = Buffer.concat([
      varintField(77, 1),
      bytesField(2, 'y'),
      bytesField(9, bytesField(1, 'key'), bytesField(2, 'text')),
      bytesField(4, 'Relu'),
      fixed32Field(1000, 2),
      bytesField(10, bytesField(1, 'device')),
      bytesField(1, 'x'),
      bytesField(8, 'overload'),
      bytesField(5, bytesField(1, 'a'), varintField(3, 4), varintField(20, 2)),
    ]);
    const graph = Buffer.concat([
      bytesField(12, onnx.ValueInfoProto.encode(value('y')).finish(), bytesField(4, bytesField(1, 'k'))),
      bytesField(99, 'later'),
      bytesField(1, node),
      bytesField(16, bytesField(1, 'of the graph')),
      bytesField(11, onnx.ValueInfoProto.encode(value('x')).finish()),
      bytesField(2, 'g'),
    ]);
    const bytes = modelAround(graph, {
      after: [bytesField(26, bytesField(1, 'cpu'), varintField(2, 1)), varintField(300, 2 ** 40)],
    });
    expect(roundTrip(bytes)).toEqual(unchanged(bytes));
  });

  it('with names that are not UTF-8', () => {
    const name = Buffer.from([0x61, 0xff, 0x80]);
    const info = (text: Buffer): Buffer => bytesField(11, bytesField(1, text));
    const graph = Buffer.concat([
      bytesField(1, bytesField(4, 'Relu'), bytesField(1, name), bytesField(2, Buffer.from([0x62, 0xfe]))),
      info(name),
      bytesField(12, bytesField(1, Buffer.from([0x62, 0xfe]))),
    ]);
    const bytes = modelAround(graph);
    expect(roundTrip(bytes)).toEqual(unchanged(bytes));
    const { model, document } = decodeModel(bytes);
    const [relu] = model.graph.nodes();
    const [y] = model.graph.outputs;
    if (!relu || !y) throw new TypeError('the model lost its node');
    model.graph.addNode({ opType: 'Identity', inputs: [relu.inputs[0]], outputs: [y] });
    const written = Buffer.concat(encodeModel(document, model));
    const copy = onnx.ModelProto.decode(written).graph?.node?.[1];
    expect(copy?.opType).toBe('Identity');
    expect(written.indexOf(bytesField(1, name), written.indexOf('Identity') - 16)).toBeGreaterThan(0);
  });

  it('with numbers in more bytes than they need', () => {
    // `Add` at the end of a node, its length as a varint of two bytes.
    const padded = Buffer.from(smallModel().toString('latin1').replace('\x22\x03Neg', '\x22\x83\x00Neg'), 'latin1');
    const node = padded.indexOf('\x22\x83\x00Neg', 0, 'latin1');
    expect(node).toBeGreaterThan(0);
    // The node and the graph around it are one byte longer.
    const nodeStart = padded.lastIndexOf(0x0a, padded.indexOf('b\x12\x01y', 0, 'latin1') - 4);
    const graphStart = padded.indexOf(0x3a);
    padded[nodeStart + 1] = (padded[nodeStart + 1] ?? 0) + 1;
    padded[graphStart + 1] = (padded[graphStart + 1] ?? 0) + 1;
    expect(
      decodeModel(padded)
        .model.graph.nodes()
        .map((n) => n.opType),
    ).toEqual(['Relu', 'Add', 'Neg']);
    expect(roundTrip(padded)).toEqual(unchanged(padded));
  });

  it('with a graph that is split into two fields', () => {
    const first = onnx.GraphProto.encode({
      name: 'old',
      node: [{ opType: 'Relu', input: ['x'], output: ['y'] }],
      input: [value('x')],
    }).finish();
    const second = onnx.GraphProto.encode({
      name: 'new',
      output: [value('y')],
      initializer: [floats('w', [1])],
    }).finish();
    const bytes = modelAround(first, { after: [bytesField(7, second)] });
    expect(roundTrip(bytes)).toEqual(unchanged(bytes));
    const { model, document } = decodeModel(bytes);
    expect([
      model.graph.name,
      model.graph.nodeCount,
      model.graph.initializers.size,
      model.graph.outputs.length,
    ]).toEqual(['new', 1, 1, 1]);
    const [weight] = model.graph.initializers;
    if (weight) model.graph.removeInitializer(weight);
    const written = onnx.ModelProto.decode(Buffer.concat(encodeModel(document, model)));
    expect([written.graph?.name, written.graph?.node?.length, written.graph?.initializer?.length]).toEqual([
      'new',
      1,
      0,
    ]);
  });
});
