// What is wrong with a model is one error with a code and a place.
import { describe, expect, it } from 'vitest';
import { InputError, type ErrorPlace } from '../../src/base/errors.js';
import { decodeModel } from '../../src/onnx/decode.js';
import { bytesField, floats, modelAround, modelOf, onnx, smallModel, value, varintField } from './proto-bytes.js';

function refusal(bytes: Uint8Array): InputError {
  try {
    decodeModel(bytes, { path: 'm.onnx' });
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
  throw new TypeError('the model was accepted');
}

const relu = (name: string, input: string, output: string): object => ({
  name,
  opType: 'Relu',
  input: [input],
  output: [output],
});

describe('files that are no ONNX model', () => {
  it.each([
    ['', /is empty/, /^$/],
    ['version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n', /pointer of Git LFS/, /git lfs pull/],
    ['\x1c\x00\x00\x00TFL3\x14\x00\x20\x00', /TensorFlow Lite/, /tf2onnx/],
    ['\x28\x00\x00\x00ORTM\x00\x00', /ORT format/, /ONNX model/],
    ['PK\x03\x04\x14\x00', /zip archive/, /export/],
    ['\x89HDF\r\n\x1a\n', /HDF5/, /tf2onnx/],
    ['\x80\x02}q\x00', /pickle/, /export/],
    ['\x1f\x8b\x08\x00\x00', /compressed/, /unpack/],
    ['\x93NUMPY\x01\x00', /NumPy/, /^$/],
    ['<!DOCTYPE html><html><body>Not found</body></html>', /web page/, /fetch/],
    ['ir_version: 7\ngraph { name: "g" }\n', /text form/, /onnx\.save/],
    [
      '<ir_version: 7, opset_import: ["" : 17]>\nagraph (float[N] x) => (float[N] y) { y = Relu(x) }\n',
      /text form/,
      /onnx\.save/,
    ],
    ['{"model": 1, "layers": []}', /is text/, /^$/],
    ['\x00\x01\x02\x03\x04\x05\x06\x07\xff\xfe', /is not an ONNX model/, /^$/],
  ])('%j', (text, says, fix) => {
    const error = refusal(Buffer.from(text, 'latin1'));
    expect(error.code).toBe('not-onnx');
    expect(error.message).toMatch(says);
    expect(error.at.file).toBe('m.onnx');
    expect(error.fix ?? '').toMatch(fix);
  });

  it('a model cut off anywhere is called cut off or malformed, never a crash', () => {
    const bytes = smallModel();
    const codes = new Set(Array.from({ length: bytes.length - 1 }, (_, i) => refusal(bytes.subarray(0, i + 1)).code));
    expect([...codes].sort()).toEqual(['missing-field', 'truncated']);
    const error = refusal(bytes.subarray(0, bytes.length - 5));
    expect([error.code, error.message]).toEqual([
      'truncated',
      `in ModelProto, field 7 reaches to byte ${bytes.length}, but the data ends at byte ${bytes.length - 5}`,
    ]);
  });
});

const io = { input: [value('x')], output: [value('y')] };
const nested = (depth: number): Buffer => {
  let graph: Buffer = Buffer.alloc(0);
  for (let i = 0; i < depth; i++)
    graph = bytesField(
      1,
      bytesField(4, 'If'),
      bytesField(5, bytesField(1, 'then_branch'), varintField(20, 5), bytesField(6, graph)),
    );
  return modelAround(graph);
};
const functionOf = (name: string, ...calls: readonly string[]): Buffer =>
  bytesField(
    25,
    onnx.FunctionProto.encode({
      name,
      domain: 'local',
      input: ['p'],
      output: ['q'],
      opsetImport: [{ version: 17 }],
      node: calls.map((opType, i) => ({
        opType,
        domain: opType === 'Relu' ? '' : 'local',
        input: [i === 0 ? 'p' : `r${i}`],
        output: [i === calls.length - 1 ? 'q' : `r${i + 1}`],
      })),
    }).finish(),
  );

const CASES: readonly (readonly [string, Uint8Array, string, RegExp, ErrorPlace])[] = [
  ['without a graph', varintField(1, 8), 'missing-field', /no graph/, {}],
  ['without an IR version', modelAround(Buffer.alloc(0), { irVersion: 0 }), 'missing-field', /ir_version/, {}],
  ['without operator sets', Buffer.concat([varintField(1, 8), bytesField(7)]), 'missing-field', /opset_import/, {}],
  [
    'with a value that nothing defines',
    modelOf({ ...io, node: [relu('n', 'nowhere', 'y')] }),
    'missing-value',
    /the node reads "nowhere"/,
    { node: 'n', tensor: 'nowhere', graph: 'g' },
  ],
  [
    'with an output that nothing defines',
    modelOf(io),
    'missing-value',
    /the graph returns "y"/,
    { tensor: 'y', graph: 'g' },
  ],
  [
    'with a missing initializer',
    modelOf({ ...io, node: [{ opType: 'Conv', input: ['x', 'w'], output: ['y'] }] }),
    'missing-value',
    /"w"/,
    { node: '#0 (Conv)', tensor: 'w' },
  ],
  [
    'with a value computed twice',
    modelOf({ ...io, node: [relu('n', 'x', 'y'), relu('m', 'x', 'y')] }),
    'duplicate-name',
    /"y" is defined twice/,
    { graph: 'g' },
  ],
  [
    'with a value that is an input and computed',
    modelOf({ ...io, node: [relu('n', 'x', 'x')] }),
    'duplicate-name',
    /"x"/,
    {},
  ],
  ['with an input given twice', modelOf({ input: [value('x'), value('x')] }), 'duplicate-name', /"x"/, {}],
  [
    'with a weight given twice',
    modelOf({ initializer: [floats('w', [1]), floats('w', [2])] }),
    'duplicate-name',
    /"w"/,
    { graph: 'g' },
  ],
  [
    'with a weight listed twice as input',
    modelOf({ input: [value('w', 1, [1]), value('w', 1, [1])], initializer: [floats('w', [1])] }),
    'duplicate-name',
    /"w"/,
    {},
  ],
  [
    'with an attribute given twice',
    modelOf({
      ...io,
      node: [
        {
          ...relu('n', 'x', 'y'),
          attribute: [
            { name: 'a', i: 1, type: 2 },
            { name: 'a', i: 2, type: 2 },
          ],
        },
      ],
    }),
    'duplicate-name',
    /two attributes a/,
    { node: 'n' },
  ],
  [
    'with a node without operator',
    modelOf({ ...io, node: [{ input: ['x'], output: ['y'] }] }),
    'missing-field',
    /no operator type/,
    { node: '#0' },
  ],
  ['with an input without name', modelOf({ input: [{}] }), 'missing-field', /no name/, {}],
  [
    'with a weight without name',
    modelOf({ initializer: [{ dataType: 1, dims: [0] }] }),
    'missing-field',
    /no name/,
    { graph: 'g' },
  ],
  [
    'with an attribute without name',
    modelOf({ ...io, node: [{ ...relu('n', 'x', 'y'), attribute: [{ i: 1, type: 2 }] }] }),
    'missing-field',
    /no name/,
    { node: 'n' },
  ],
  [
    'with an attribute that says nothing',
    modelOf({ ...io, node: [{ ...relu('n', 'x', 'y'), attribute: [{ name: 'a' }] }] }),
    'missing-field',
    /attribute a has neither/,
    {},
  ],
  [
    'with a tensor attribute without tensor',
    modelOf({ ...io, node: [{ ...relu('n', 'x', 'y'), attribute: [{ name: 'a', type: 4 }] }] }),
    'missing-field',
    /attribute a has a type but no value/,
    {},
  ],
  [
    'with a bad tensor',
    modelOf({
      ...io,
      node: [relu('n', 'x', 'y')],
      initializer: [{ name: 'w', dims: [3], dataType: 1, rawData: new Uint8Array(4) }],
    }),
    'bad-tensor',
    /needs 12 bytes/,
    { tensor: 'w', graph: 'g' },
  ],
  [
    'with a bad tensor in an attribute',
    modelOf({
      node: [
        {
          name: 'c',
          opType: 'Constant',
          output: ['k'],
          attribute: [{ name: 'value', type: 4, t: { dims: [-1], dataType: 1 } }],
        },
      ],
    }),
    'bad-tensor',
    /negative/,
    { node: 'c' },
  ],
  [
    'with nodes in a circle',
    modelOf({ ...io, node: [relu('n', 'b', 'a'), relu('m', 'a', 'b'), relu('o', 'b', 'y')] }),
    'cyclic',
    /n -> m -> n|m -> n -> m/,
    { graph: 'g' },
  ],
  [
    'with a node that reads itself',
    modelOf({ ...io, node: [relu('n', 'y', 'y')] }),
    'cyclic',
    /n -> n/,
    { graph: 'g' },
  ],
  [
    'with a subgraph that returns what its own node computes',
    modelOf({
      input: [value('c', 9, [])],
      output: [value('y')],
      node: [
        {
          name: 'n',
          opType: 'If',
          input: ['c'],
          output: ['y'],
          attribute: [{ name: 'then_branch', type: 5, g: { name: 'b', output: [{ name: 'y' }] } }],
        },
      ],
    }),
    'cyclic',
    /n -> n/,
    { graph: 'g' },
  ],
  ['with graphs nested too deep', nested(60), 'too-deep', /more than 40 deep/, {}],
  ['with graphs nested absurdly deep', nested(4000), 'too-deep', /more than 40 deep/, {}],
  [
    'with a field of the wrong wire type',
    modelAround(varintField(1, 3)),
    'malformed',
    /in GraphProto, field 1 has wire type 0/,
    {},
  ],
  ['with a group', modelAround(Buffer.of(0x5b, 0x5c)), 'malformed', /wire type 3/, {}],
  [
    'with a function twice',
    smallModel({ after: [functionOf('f', 'Relu'), functionOf('f', 'Relu')] }),
    'duplicate-name',
    /function f is defined twice/,
    { graph: 'f' },
  ],
  [
    'with a function that calls itself',
    smallModel({ after: [functionOf('f', 'h'), functionOf('h', 'f')] }),
    'cyclic',
    /calls itself/,
    {},
  ],
  [
    'with functions that stand for a billion nodes',
    smallModel({
      after: Array.from({ length: 30 }, (_, i) =>
        functionOf(`f${i}`, ...(i === 29 ? ['Relu'] : [`f${i + 1}`, `f${i + 1}`])),
      ),
    }),
    'too-large',
    /more than 500000/,
    {},
  ],
  [
    'with a function without name',
    smallModel({ after: [bytesField(25, bytesField(4, 'x'))] }),
    'missing-field',
    /local function has no name/,
    {},
  ],
];

describe('a model', () => {
  it.each(CASES)('%s', (_, bytes, code, says, at) => {
    const error = refusal(bytes);
    expect(error.message).toMatch(says);
    expect(error.code).toBe(code);
    expect(error.at).toMatchObject({ file: 'm.onnx', ...at });
  });

  it('may call functions in a long chain', () => {
    const chain = Array.from({ length: 12_000 }, (_, i) => functionOf(`f${i}`, i === 11_999 ? 'Relu' : `f${i + 1}`));
    expect(decodeModel(smallModel({ after: chain })).model.functions).toHaveLength(12_000);
  });

  it('may have deep but sensible nesting', () => {
    expect(decodeModel(nested(30)).model.graphs()).toHaveLength(31);
  });
});
