// Peak activation memory of hand-worked graphs: bytes that live while each node runs.
import { describe, expect, it } from 'vitest';
import { createFacts } from '../../src/analysis/inference.js';
import { moments, peakActivations } from '../../src/analysis/liveness.js';
import { parseModel } from '../../src/ir/text/parse.js';

function peak(text: string): { readonly bytes: number; readonly at: string | undefined; readonly unknown: number } {
  const model = parseModel(text);
  const { bytes, at, unknown } = peakActivations(model, createFacts(model));
  return { bytes, at: at?.output?.name, unknown };
}

describe('a chain', () => {
  it('keeps the input, and two neighbours', () => {
    // x 4 + a 40 + b 40 while b is made; then y 4.
    const text =
      'g (float[1] x) => (float[1] y) <int64[1] t = {10}> { a = Expand (x, t) b = Softmax (a) y = ReduceMax <keepdims = 1, axes = [0]> (b) }';
    expect(peak(`<opset_import: ["" : 17]> ${text}`)).toEqual({ bytes: 84, at: 'b', unknown: 0 });
  });

  it('frees a value behind its last reader only', () => {
    // At y: x 40, a 40 (read again), c 40, y 40; b is gone.
    expect(
      peak('g (float[10] x) => (float[10] y) { a = Softmax (x) b = Softmax (a) c = Softmax (b) y = Add (a, c) }').bytes,
    ).toBe(160);
    expect(
      peak('g (float[10] x) => (float[10] y) { a = Softmax (x) b = Softmax (a) c = Softmax (b) y = Add (c, c) }').bytes,
    ).toBe(120);
  });

  it('keeps graph outputs until the end, and counts outputs that nobody reads where they are made', () => {
    expect(
      peak('g (float[10] x) => (float[10] a, float[10] y) { a = Softmax (x) b = Softmax (x) y = Softmax (b) }').bytes,
    ).toBe(160);
    expect(peak('g (float[10] x) => (float[10] y) { a = Softmax (x) y = Softmax (x) }').bytes).toBe(80);
  });

  it('does not count weights, nor Constant nodes', () => {
    // x 40, and one buffer for a and y.
    expect(
      peak(
        'g (float[10] x) => (float[10] y) <float[10] w = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0}> { c = Constant <value = float[1] {2}> () a = Mul (w, c) y = Add (x, a) }',
      ).bytes,
    ).toBe(80);
  });

  it('tells how many sizes it does not know', () => {
    expect(
      peak(
        '<opset_import: ["" : 17, "acme" : 1]> g (float[10] x) => (float[10] y) { a = acme.Mystery (x) y = Neg (x) }',
      ),
    ).toMatchObject({ bytes: 80, unknown: 1 });
  });
});

describe('moments', () => {
  it('name what is alive at each node, and the largest is the peak', () => {
    const text = 'g (float[10] x) => (float[10] y) { a = Softmax (x) b = Softmax (a) c = Relu (b) y = Add (a, c) }';
    const model = parseModel(text);
    const found = moments(model, createFacts(model)).map(({ node, buffers, inner }) => ({
      at: node.output?.name,
      alive: [...buffers].map(([{ name }, bytes]) => `${name} ${bytes}`),
      inner,
    }));
    expect(found).toEqual([
      { at: 'a', alive: ['x 40', 'a 40'], inner: 0 },
      { at: 'b', alive: ['x 40', 'a 40', 'b 40'], inner: 0 },
      { at: 'c', alive: ['x 40', 'a 40', 'b 40'], inner: 0 },
      { at: 'y', alive: ['x 40', 'a 40', 'b 40'], inner: 0 },
    ]);
    expect(peak(text).bytes).toBe(120);
  });

  it('of a node with graphs have what these need', () => {
    const text = `g (bool b, float[10] x) => (float[10] y) { a = Softmax (x) y = If (b) <then_branch = t () => (float[10] p) { p1 = Softmax (a) p = Softmax (p1) }, else_branch = e () => (float[10] q) { q = Softmax (a) }> }`;
    const model = parseModel(text);
    expect(moments(model, createFacts(model)).map(({ inner }) => inner)).toEqual([0, 80]);
  });
});

describe('views', () => {
  it('share the memory of what they view', () => {
    expect(
      peak(
        'g (float[10] x) => (float[10] y) <int64[2] t = {2, 5}, int64[1] u = {10}> { a = Softmax (x) b = Reshape (a, t) c = Reshape (b, u) y = Softmax (c) }',
      ).bytes,
    ).toBe(120);
  });

  it('keep it alive while any of them is read', () => {
    // At e: x 40, the buffer of a and b 40, d 40, e 40; b is read at the end.
    const text =
      'g (float[10] x) => (float[10] y) <int64[2] t = {2, 5}, int64[1] u = {10}> { a = Softmax (x) b = Reshape (a, t) d = Softmax (a) e = Softmax (d) f = Reshape (b, u) y = Sum (e, f) }';
    expect(peak(text)).toMatchObject({ bytes: 160, at: 'e' });
  });
});

describe('nodes with graphs', () => {
  it('add the peak of the dearest graph, and keep what it captures', () => {
    // While y runs: x 40, b 1, a 40 (captured), y 40, and inside p1 40 + p 40.
    const text = `g (bool b, float[10] x) => (float[10] y) { a = Softmax (x) y = If (b) <then_branch = t () => (float[10] p) { p1 = Softmax (a) p = Softmax (p1) }, else_branch = e () => (float[10] q) { q = Softmax (a) }> }`;
    expect(peak(text)).toMatchObject({ bytes: 121 + 80, at: 'y' });
  });

  it('of a local function: what its body needs beyond arguments and results', () => {
    const text = `<opset_import: ["" : 17, "loc" : 1]> g (float[10] x) => (float[10] y) { y = loc.Twice (x) }
      <domain: "loc", opset_import: ["" : 17]> Twice (a) => (d) { b = Softmax (a) c = Softmax (b) d = Softmax (c) }`;
    expect(peak(text)).toEqual({ bytes: 80 + 80, at: 'y', unknown: 0 });
  });
});

describe('elementwise nodes', () => {
  it('write over an input that ends with them', () => {
    // x 40, and one buffer for a, b and y.
    expect(peak('g (float[10] x) => (float[10] y) { a = Softmax (x) b = Relu (a) y = Exp (b) }').bytes).toBe(80);
    // A sum takes the side that is not read again: at y, x 40, a 40, b 40.
    expect(
      peak('g (float[10] x) => (float[10] a, float[10] y) { a = Softmax (x) b = Softmax (a) y = Add (a, b) }').bytes,
    ).toBe(120);
  });

  it('leave the inputs of the graph, and what is read again', () => {
    expect(peak('g (float[10] x) => (float[10] y) { y = Relu (x) }').bytes).toBe(80);
    // At c: x 40, a 40, b 40, which c takes over.
    const text = 'g (float[10] x) => (float[10] y) { a = Softmax (x) b = Relu (a) c = Exp (b) y = Add (a, c) }';
    expect(peak(text).bytes).toBe(120);
  });

  it('leave a buffer of another size, and one that a view still looks at', () => {
    const narrow =
      'g (float[10] x) => (float[10,10] y) <int64[2] t = {10, 1}> { a = Softmax (x) b = Reshape (a, t) y = Add (b, a) }';
    expect(peak(`<opset_import: ["" : 17]> ${narrow}`).bytes).toBe(40 + 40 + 400);
    const viewed =
      'g (float[10] x) => (float[10] y) <int64[1] t = {10}> { a = Softmax (x) b = Reshape (a, t) c = Exp (a) y = Add (b, c) }';
    expect(peak(`<opset_import: ["" : 17]> ${viewed}`).bytes).toBe(120);
  });

  it('within a branch leave what the graph around it made', () => {
    // While y runs: x 40, b 1, a 40, y 40, and inside p 40.
    const text = `g (bool b, float[10] x) => (float[10] y) { a = Softmax (x) y = If (b) <then_branch = t () => (float[10] p) { p = Exp (a) }, else_branch = e () => (float[10] q) { q = Exp (a) }> }`;
    expect(peak(text).bytes).toBe(161);
  });
});
