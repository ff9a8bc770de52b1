// The text form: what is printed parses to the same text, every construct of the syntax is read, errors name the place.
import { describe, expect, it } from 'vitest';
import { parseModel } from '../../src/ir/text/parse.js';
import { printModel } from '../../src/ir/text/print.js';
import type { Tensor } from '../../src/tensor/tensor.js';

const full = (text: string): string => printModel(parseModel(text), { weights: 'full' });
const brief = (text: string): string => printModel(parseModel(text), { weights: 'brief' });

/** Canonical text: printing gives it back letter by letter. */
const CANONICAL = `<ir_version: 9, opset_import: ["" : 19, "loc" : 1]>
main (float[N,3,"h w",?] x, bool cond, tensor[] any, other s, float[] r, int64[2] k = {3, -4}) => (float[N,4] y, float z)
<
  float[2] "conv/w:0" = {0.1, -inf},
  double sc = {0.1},
  float16[3] h = {1.5, nan, -0},
  int64[2] i = {9223372036854775807, -9007199254740993},
  uint64[1] u = {18446744073709551615},
  bool[2] b = {1, 0},
  int4[3] q = {-8, 7, 0},
  float8e4m3fn[2] f8 = {448, 0.015625},
  complex64[2] c = {1, 2, 3, 4.5},
  string[2] names = {"a\\"b\\\\", "ü\\n"},
  float[0] none = {},
  float[] sp = sparse,
  float[3] later = opaque,
  float[N,4,8,8] t
>
{
  [n1] t = Conv <strides = [1, 1], auto_pad = "SAME_UPPER", alpha = 1.0, scales = [1.5, 2.0], empty: ints = [], value = int64[2] {1, 2}> (x, "conv/w:0")
  "", ac = com.microsoft.Foo:v2 <names = ["a", "b"], ts = [float {1}, int64[1] {2}]> (t, "", k, b)
  ["my node"] "float" = "odd-domain".Relu (t, i, u, q)
  y = If (cond) <else_branch = "" () => (float[] e) {
    e = loc.Twice <by = 2> (t)
  }, then_branch = then () => (float[] a)
  <
    float[1] w2 = {1},
    float[2] inner
  >
  {
    inner = Add ("float", w2)
    a = Loop (i, cond, inner) <body = body (int64 n, bool go, float[] carried) => (bool go2, float[] carried2) {
      go2 = Identity (go)
      carried2 = Add (carried, t)
    }>
  }>
  z = Sum (sc, h, f8, c, names, none, sp, s, any, r, ac)
}
<domain: "loc", opset_import: ["" : 19]>
Twice <by, mode = "x", scale = 2.0> (a, "tensor") => (o)
<
  float[1] two = {2}
>
{
  v = Mul <axis: int = @by, p: sparse_tensor = opaque> (a, two)
  o = Add (v, "tensor")
}
<domain: "loc", overload: "other", opset_import: ["" : 19]>
Twice (a) => (o) {
  o = Add (a, a)
}
`;

describe('IR text', () => {
  it('prints what it parsed', () => {
    expect(full(CANONICAL)).toBe(CANONICAL);
  });

  it('builds the values, nodes and attributes the text says', () => {
    const { graph, functions, opset, irVersion } = parseModel(CANONICAL);
    expect([opset, irVersion]).toEqual([19, 9]);
    const [conv, foo] = graph.nodes();
    expect(conv?.name).toBe('n1');
    expect(conv?.ints('strides')).toEqual([1, 1]);
    expect(conv?.float('alpha', 0)).toBe(1);
    expect(conv?.floats('scales')).toEqual([1.5, 2]);
    expect(conv?.attribute('empty')).toEqual({ kind: 'ints', value: [] });
    expect(conv?.tensor('value')?.toNumbers()).toEqual([1, 2]);
    expect(conv?.inputs.map((value) => value?.name)).toEqual(['x', 'conv/w:0']);
    expect([foo?.domain, foo?.opType, foo?.overload]).toEqual(['com.microsoft', 'Foo', 'v2']);
    expect(foo?.inputs.map((value) => value?.name)).toEqual(['t', undefined, 'k', 'b']);
    expect(foo?.outputs.map((value) => value?.name)).toEqual([undefined, 'ac']);
    expect(graph.inputs.map((value) => value.type)).toEqual([
      { kind: 'tensor', dtype: 'float32', shape: ['N', 3, 'h w', undefined] },
      { kind: 'tensor', dtype: 'bool', shape: [] },
      { kind: 'tensor', dtype: undefined, shape: undefined },
      { kind: 'other' },
      { kind: 'tensor', dtype: 'float32', shape: undefined },
      { kind: 'tensor', dtype: 'int64', shape: [2] },
    ]);
    const constants = new Map([...graph.initializers].map((value) => [value.name, value.constant]));
    expect(constants.get('i')?.toBigInts()).toEqual([9223372036854775807n, -9007199254740993n]);
    expect(constants.get('u')?.toBigInts()).toEqual([18446744073709551615n]);
    expect(constants.get('q')?.toNumbers()).toEqual([-8, 7, 0]);
    expect(constants.get('h')?.toNumbers()).toEqual([1.5, Number.NaN, -0]);
    expect(constants.get('c')?.bytes()).toEqual(new Uint8Array(Float32Array.of(1, 2, 3, 4.5).buffer));
    expect(
      constants
        .get('names')
        ?.strings()
        .map((bytes) => Buffer.from(bytes).toString()),
    ).toEqual(['a"b\\', 'ü\n']);
    expect(
      functions.map((f) => [f.name, f.overload, f.attributeNames, [...(f.attributeDefaults ?? []).keys()]]),
    ).toEqual([
      ['Twice', '', ['by'], ['mode', 'scale']],
      ['Twice', 'other', [], []],
    ]);
    expect(functions[0]?.graph.first?.attribute('axis')).toEqual({ kind: 'reference', name: 'by', type: 2 });
  });

  it('links captured values to the graphs around', () => {
    const { graph } = parseModel(CANONICAL);
    const t = graph.first?.output;
    expect(t?.consumers().map((node) => node.opType)).toEqual(['Foo', 'Relu', 'Twice', 'Add']);
  });

  it('leaves an empty journal and untouched nodes', () => {
    const model = parseModel(CANONICAL);
    expect(model.journal.mark()).toBe(0);
    expect(model.touched.size).toBe(0);
  });

  it('reads the freer forms of the syntax', () => {
    const text = `g (x, float32[2] y) => (o) < float32[1] w = {+1} > { o = Add (x,,y,w) }`;
    expect(() => parseModel(text)).toThrow(/column 46: unexpected "\+"/);
    const model = parseModel(`# no header
      g (x, float32[2] y, c,) => (o) <double[1] w = {1e-1}, float t = {inf}> { # comment
        o = Add (x, , y, w, t,) <axis: int = 3, alpha: float = 1, v = float[1] named {2}>
      }`);
    expect(printModel(model, { weights: 'full' })).toBe(`<ir_version: 8, opset_import: ["" : 17]>
g (x, float[2] y, c) => (o)
<
  double[1] w = {0.1},
  float t = {inf}
>
{
  o = Add <axis = 3, alpha = 1.0, v = float[1] {2}> (x, "", y, w, t)
}
`);
  });

  it('lets initializers stand for inputs, declared in either place', () => {
    const model = parseModel(
      '<keep_overridable: 1> g (float[1] w, float[1] v = {2}) => (float[1] o) <float[1] w = {1}> { o = Add(w, v) }',
    );
    expect(model.graph.inputs.map((value) => value.initializer?.kind)).toEqual(['dense', 'dense']);
    expect(model.graph.inputs.map((value) => value.constant)).toEqual([undefined, undefined]);
    expect(brief(printModel(model, { weights: 'full' }))).toContain('keep_overridable: 1');
  });
});

describe('contents of tensors', () => {
  const contents = (type: string, text: string): Tensor => {
    const value = [...parseModel(`g () => (w) <${type} w = ${text}> { }`).graph.initializers][0];
    if (!value?.constant) throw new Error('no tensor');
    return value.constant;
  };

  it('are made by formulas, the same every time', () => {
    expect(contents('float[3]', 'fill(0.5)').toNumbers()).toEqual([0.5, 0.5, 0.5]);
    expect(contents('int64[4]', 'range(2, 3)').toNumbers()).toEqual([2, 5, 8, 11]);
    expect(contents('int64[3]', 'range()').toNumbers()).toEqual([0, 1, 2]);
    expect(contents('float[8,4]', 'random(7)').bytes()).toEqual(contents('float[8,4]', 'random(7)').bytes());
    expect(contents('float[8,4]', 'random(7)').bytes()).not.toEqual(contents('float[8,4]', 'random(8)').bytes());
    const uniform = contents('float[1000]', 'uniform(-2, 3, 1)').toNumbers();
    expect(Math.min(...uniform)).toBeGreaterThan(-2);
    expect(Math.min(...uniform)).toBeLessThan(-1.9);
    expect(Math.max(...uniform)).toBeGreaterThan(2.9);
    expect(Math.max(...uniform)).toBeLessThan(3);
  });

  it('of random(seed) have variance 1 / fan-in', () => {
    const numbers = contents('float[100,25,4]', 'random(1)').toNumbers();
    const variance = numbers.reduce((sum, x) => sum + x * x, 0) / numbers.length;
    expect(variance * 100).toBeGreaterThan(0.95);
    expect(variance * 100).toBeLessThan(1.05);
  });

  it('are shortened in brief text, which can be parsed but not computed with', () => {
    const text = brief('g () => (w) <float[17] w = range(), float[16] v = range()> { }');
    expect(text).toMatch(/float\[17\] w = \{\.\.\. 17 values, hash [0-9a-f]{8}\}/);
    expect(text).toContain('float[16] v = {0, 1, 2,');
    const tensor = [...parseModel(text).graph.initializers][0]?.constant;
    expect(tensor?.dims).toEqual([17]);
    expect(tensor?.isLazy).toBe(true);
    expect(() => tensor?.toFloat64()).toThrow(/left out/);
    expect(contents('float[2,2]', '_').isLazy).toBe(true);
  });

  it('differ in hash when they differ in one bit', () => {
    const line = (value: string): string =>
      /hash \w+/.exec(brief(`g () => (w) <float[20] w = fill(${value})> { }`))?.[0] ?? '';
    expect(line('1')).toBe(line('1'));
    expect(line('0')).not.toBe(line('-0'));
  });

  it('print as the shortest decimals that read back', () => {
    const values = [0.1, 1 / 3, 1e-45, 3.4028234663852886e38, 16777217, 5e-324, 123456.789];
    for (const dtype of ['float', 'double', 'float16', 'bfloat16']) {
      const text = full(`g () => (w) <${dtype}[${values.length}] w = {${values.join(', ')}}> { }`);
      expect(full(text)).toBe(text);
      expect(parseModel(text).graph.initializers.values().next().value?.constant?.bytes()).toEqual(
        contents(`${dtype}[${values.length}]`, `{${values.join(', ')}}`).bytes(),
      );
    }
    expect(full(`g () => (w) <float[3] w = {0.1, 0.3333333333333, 16777216}> { }`)).toContain(
      '{0.1, 0.33333334, 16777216}',
    );
  });
});

describe('errors in IR text', () => {
  it.each([
    ['', 'malformed', 'line 1, column 1: expected the name of the graph, found the end of the text'],
    ['g (float[N x) => () {}', 'malformed', 'line 1, column 12: expected "]", found "x"'],
    ['g (float[-1] x) => () {}', 'malformed', 'expected a dimension'],
    [
      'g () => (y) {\n  y = Relu(x)\n}',
      'missing-value',
      'line 2, column 12: "x" is read, and nothing before computes it',
    ],
    ['g (x) => (y) { a = Relu(x) }', 'missing-value', '"y" is read'],
    ['g (x) => () <float[1] t> { }', 'missing-value', '"t" is declared, and no node computes it'],
    ['g (x, x) => () { }', 'duplicate-name', '"x" is defined twice'],
    ['g (x) => () { x = Relu(x) }', 'duplicate-name', '"x" is defined twice'],
    ['g () => () <float[1] w = {1}, float[1] w = {1}> { }', 'duplicate-name', '"w" is defined twice'],
    ['g () => () <float[2] w = {1}> { }', 'malformed', 'expected 2 values, found 1'],
    ['g () => () <float[2] w = {1, a}> { }', 'malformed', 'expected a number, found "a"'],
    ['g () => () <int64[1] w = {1.5}> { }', 'malformed', 'expected a whole number'],
    ['g () => () <string[1] w = {1}> { }', 'malformed', 'expected a quoted string'],
    ['g () => () <float[N] w = {1}> { }', 'malformed', 'sizes for all dimensions'],
    ['g () => () <float[1] w = magic(1)> { }', 'malformed', 'one of random, uniform, fill, range'],
    ['g () => () <float[1] w = toString(1)> { }', 'malformed', 'expected contents'],
    ['g (x) => (y) { y = Relu <axes = []> (x) }', 'malformed', 'an empty list needs a type'],
    ['g (x) => (y) { y = Relu <a = [1, "b"]> (x) }', 'malformed', 'expected a number in a list of ints, found "b"'],
    ['g (x) => (y) { y = Relu <a = 1, a = 2> (x) }', 'duplicate-name', 'attribute "a" is given twice'],
    ['g (x) => (y) { y = Relu <a: int = 1.5> (x) }', 'malformed', 'expected a value of type int'],
    ['g (x) => (y) { y = Relu <a: pint = 1> (x) }', 'malformed', 'unknown attribute type "pint"'],
    ['g (x) => (y) { y = Relu <a = @b> (x) }', 'malformed', 'reference "a" needs a type'],
    ['g (x) => (y) { y = Relu (x)', 'malformed', 'found the end of the text'],
    ['g (x) => (y) { y = Relu (x) } trailing', 'malformed', 'expected "("'],
    ['<ir_version 8> g () => () { }', 'malformed', 'expected ":"'],
    ['g (x) => (y) { y = Re$lu (x) }', 'malformed', 'unexpected "$"'],
    ['g (seq(float x', 'malformed', 'expected ")"'],
    ['g (x) => (y) { y = Relu ("x) }', 'malformed', 'unexpected "\\""'],
  ])('%j: %s', (text, code, message) => {
    expect(() => parseModel(text)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });

  it('limits the nesting of graphs', () => {
    const nest = (depth: number): string =>
      depth === 0 ? '() => (o) { o = Relu(x) }' : `() => (o) { o = If (x) <b = g${nest(depth - 1)}> }`;
    expect(() => parseModel(`g (x) => (o) { o = If (x) <b = g${nest(20)}> }`)).not.toThrow();
    expect(() => parseModel(`g (x) => (o) { o = If (x) <b = g${nest(80)}> }`)).toThrow(/nested more than 64 deep/);
  });
});
