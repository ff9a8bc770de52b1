// Channel groups, worked out by hand: what stands or falls together through every kind of operator.
import { describe, expect, it } from 'vitest';
import { between, net } from './group-text.js';

describe('chains', () => {
  it('ties filters, biases, normalization, activation, pool and the columns that read them', () => {
    expect(
      net(
        `float[3,2,3,3] w = random(1), float[3] b = random(2), float[3] g = random(3), float[3] s = random(4),
         float[3] m = random(5), float[3] v = fill(1), float[4,3,1,1] w2 = random(6)`,
        `a = Conv (x, w, b) n = BatchNormalization (a, g, s, m, v) r = Relu (n)
         p = MaxPool <kernel_shape = [2, 2]> (r) y = Conv (p, w2)`,
      ),
    ).toEqual([
      'a 3: w.0 b.0 a.1 g.0 s.0 m.0 v.0 n.1 r.1 p.1 w2.1 | a | y/0.1',
      'y 4: w2.0 y.1 | y |  | graph-output y',
    ]);
  });

  it('ties the summands of a residual sum, and reads them wherever they are read', () => {
    expect(
      net(
        'float[3,2,1,1] w1 = random(1), float[5,3,1,1] w2 = random(2), float[3,5,1,1] w3 = random(3), float[1,3,1,1] w4 = random(4)',
        'a = Conv (x, w1) b = Conv (a, w2) c = Conv (b, w3) s = Add (c, a) y = Conv (s, w4)',
      ),
    ).toEqual(['a 3: w1.0 a.1 w2.1 w3.0 c.1 s.1 w4.1 | a c | b/0.1 y/0.1', 'b 5: w2.0 b.1 w3.1 | b | c/0.1']);
  });

  it('counts a constant along axis 1 with the channels, one along the last axis with the columns', () => {
    const read = (dims: string) => between(4, 'r = Mul (a, k)', 4, `float${dims} k = random(3)`);
    expect(read('[4,1,1]')).toEqual(['a 4: wa.0 a.1 k.0 r.1 wr.1 | a | y/0.1']);
    expect(read('[1,4,1,1]')).toEqual(['a 4: wa.0 a.1 k.1 r.1 wr.1 | a | y/0.1']);
    expect(read('[4]')).toEqual(['a 4: wa.0 a.1 r.1 wr.1 | a | y/0.1']);
    expect(read('[1]')).toEqual(['a 4: wa.0 a.1 r.1 wr.1 | a | y/0.1']);
  });

  it('follows slopes, bounds and a choice between two tensors', () => {
    expect(between(3, 'r = PRelu (a, k)', 3, 'float[3,1,1] k = random(3)')).toEqual([
      'a 3: wa.0 a.1 k.0 r.1 wr.1 | a | y/0.1',
    ]);
    expect(
      between(
        3,
        'c = Clip (a, z, z) m = Greater (c, a) r = Where (m, a, k)',
        3,
        'float z = {0}, float[3,1,1] k = random(3)',
      ),
    ).toEqual(['a 3: wa.0 a.1 c.1 m.1 k.0 r.1 wr.1 | a | y/0.1']);
  });

  it('takes squeeze-and-excitation as one more branch', () => {
    expect(
      net(
        `float[4,2,1,1] w1 = random(1), float[2,4,1,1] w2 = random(2), float[4,2,1,1] w3 = random(3), float[1,4,1,1] w4 = random(4)`,
        `a = Conv (x, w1) p = GlobalAveragePool (a) q = Conv (p, w2) u = Relu (q) e = Conv (u, w3) h = HardSigmoid (e)
         s = Mul (a, h) y = Conv (s, w4)`,
      ),
    ).toEqual([
      'a 4: w1.0 a.1 p.1 w2.1 w3.0 e.1 h.1 s.1 w4.1 | a e | q/0.1 y/0.1',
      'q 2: w2.0 q.1 u.1 w3.1 | q | e/0.1',
    ]);
  });

  it('sees a layer used twice as one: its filters make both', () => {
    expect(
      net(
        'float[3,2,1,1] w = random(1), float[1,3,1,1] u = random(2), float[1,3,1,1] v = random(3)',
        'a = Conv (x, w) h = Neg (x) b = Conv (h, w) c = Conv (a, u) d = Conv (b, v) y = Add (c, d)',
      ),
    ).toEqual(['a 3: w.0 a.1 b.1 u.1 v.1 | a b | c/0.1 d/0.1']);
  });

  it('takes weights that nodes compute from constants as weights', () => {
    expect(
      net(
        'float[2,3] w = random(1), float[3,1] u = random(2)',
        't = Transpose <perm = [1, 0]> (w) a = Gemm <transB = 1> (x, t) y = MatMul (a, u)',
        { input: 'float[1,2] x', output: 'float[N,M] y' },
      ),
    ).toEqual(['a 3: w.1 t.0 a.1 u.0 | a | y/0.1']);
  });
});

describe('groups of a convolution', () => {
  it('takes a depthwise layer along, with its multiplier', () => {
    expect(
      net(
        'float[3,2,1,1] w = random(1), float[6,1,3,3] d = random(2), float[6] e = random(3), float[1,6,1,1] u = random(4)',
        'a = Conv (x, w) b = Conv <group = 3> (a, d, e) y = Conv (b, u)',
      ),
    ).toEqual(['a 3: w.0 a.1 d.0(0 1, 2 3, 4 5) e.0(0 1, 2 3, 4 5) b.1(0 1, 2 3, 4 5) u.1(0 1, 2 3, 4 5) | a | y/0.1']);
  });

  it('takes the same channels from every group', () => {
    expect(
      net(
        'float[4,2,1,1] w = random(1), float[6,2,3,3] d = random(2), float[1,6,1,1] u = random(3)',
        'a = Conv (x, w) b = Conv <group = 2> (a, d) y = Conv (b, u)',
      ),
    ).toEqual([
      'a 2: w.0(0 2, 1 3) a.1(0 2, 1 3) d.1 | a | b/0.1',
      'b 3: d.0(0 3, 1 4, 2 5) b.1(0 3, 1 4, 2 5) u.1(0 3, 1 4, 2 5) | b | y/0.1',
    ]);
  });

  it('follows a channel shuffle into the next grouped layer', () => {
    // Channel c = 4 q + i becomes 2 i + q: filters 0 and 4 stand at 0 and 1. The next layer reads 0 to 3 and 4 to 7.
    const lines = net(
      'float[8,2,1,1] w = random(1), float[2,4,1,1] d = random(3), int64[5] in = {1, 2, 4, 4, 4}, int64[4] out = {1, 8, 4, 4}',
      `a = Conv (x, w) r = Reshape (a, in) t = Transpose <perm = [0, 2, 1, 3, 4]> (r) s = Reshape (t, out)
       y = Conv <group = 2> (s, d)`,
    );
    expect(lines[0]).toBe(
      'a 2: w.0(0 2 4 6, 1 3 5 7) a.1(0 2 4 6, 1 3 5 7) r.2(0 2, 1 3) t.1(0 2, 1 3) ' +
        's.1(0 1 4 5, 2 3 6 7) d.1(0 1, 2 3) | a | y/0.1',
    );
  });

  it('reads rows and makes columns of a transposed one', () => {
    expect(
      net(
        'float[3,2,1,1] w = random(1), float[3,5,2,2] t = random(2), float[5] b = random(3), float[1,5,1,1] u = random(4)',
        'a = Conv (x, w) c = ConvTranspose (a, t, b) y = Conv (c, u)',
      ),
    ).toEqual(['a 3: w.0 a.1 t.0 | a | c/0.1', 'c 5: t.1 b.0 c.1 u.1 | c | y/0.1']);
    expect(
      net(
        'float[4,2,1,1] w = random(1), float[4,3,2,2] t = random(2), float[1,6,1,1] u = random(4)',
        'a = Conv (x, w) c = ConvTranspose <group = 2> (a, t) y = Conv (c, u)',
      ),
    ).toEqual([
      'a 2: w.0(0 2, 1 3) a.1(0 2, 1 3) t.0(0 2, 1 3) | a | c/0.1',
      'c 3: t.1 c.1(0 3, 1 4, 2 5) u.1(0 3, 1 4, 2 5) | c | y/0.1',
    ]);
    expect(
      net(
        'float[2,2,1,1] w = random(1), float[2,2,2,2] t = random(2), float[1,4,1,1] u = random(4)',
        'a = Conv (x, w) c = ConvTranspose <group = 2> (a, t) y = Conv (c, u)',
      ),
    ).toEqual(['a 2: w.0 a.1 t.0 c.1(0 1, 2 3) u.1(0 1, 2 3) | a | y/0.1']);
  });
});

describe('parts and wholes', () => {
  const two = 'float[2,2,1,1] w1 = random(1), float[3,2,1,1] w2 = random(2)';

  it('keeps the parts of a Concat apart, and finds them again after a Split elsewhere', () => {
    expect(
      net(
        `${two}, float[1,4,1,1] w3 = random(3), float[1,1,1,1] w4 = random(4), int64[2] parts = {4, 1}`,
        `a = Conv (x, w1) b = Conv (x, w2) c = Concat <axis = 1> (a, b) p, q = Split <axis = 1> (c, parts)
         d = Conv (p, w3) e = Conv (q, w4) y = Add (d, e)`,
      ),
    ).toEqual([
      'a 2: w1.0 a.1 c.1 p.1 w3.1 | a | d/0.1',
      'b 2: w2.0 b.1 c.1(2, 3) p.1(2, 3) w3.1(2, 3) | b | d/0.1',
      'b#2 1: w2.0(2) b.1(2) c.1(4) | b |  | fixed-index Split -> p',
    ]);
  });

  it('numbers the parts of one layer that go different ways', () => {
    expect(
      net(
        'float[4,2,1,1] w1 = random(1), float[1,2,1,1] w3 = random(3), float[1,2,1,1] w4 = random(4)',
        `a = Conv (x, w1) p, q = Split <axis = 1, num_outputs = 2> (a) d = Conv (p, w3) e = Conv (q, w4) y = Add (d, e)`,
      ),
    ).toEqual(['a 2: w1.0 a.1 p.1 w3.1 | a | d/0.1', 'a#2 2: w1.0(2, 3) a.1(2, 3) q.1 w4.1 | a | e/0.1']);
  });

  it('follows a range, a stride with what it passes over, and a range backwards', () => {
    const cut = (bounds: string, read: number) =>
      between(
        6,
        'r = Slice (a, s, e, axes, step) z = Conv (a, wz)',
        read,
        `${bounds}, int64[1] axes = {1}, float[1,6,1,1] wz = random(9)`,
      );
    expect(cut('int64[1] s = {1}, int64[1] e = {4}, int64[1] step = {1}', 3)).toEqual([
      'a 3: wa.0(0, 4, 5) a.1(0, 4, 5) wz.1(0, 4, 5) | a | z/0.1',
      'a#2 3: wa.0(1, 2, 3) a.1(1, 2, 3) r.1 wz.1(1, 2, 3) wr.1 | a | z/0.1 y/0.1',
    ]);
    expect(cut('int64[1] s = {1}, int64[1] e = {6}, int64[1] step = {2}', 3)).toEqual([
      'a 1: wa.0 a.1 wz.1 | a | z/0.1',
      'a#2 3: wa.0(1 2, 3 4, 5) a.1(1 2, 3 4, 5) r.1 wz.1(1 2, 3 4, 5) wr.1 | a | z/0.1 y/0.1',
    ]);
    expect(cut('int64[1] s = {-1}, int64[1] e = {2}, int64[1] step = {-2}', 2)).toEqual([
      'a 2: wa.0 a.1 wz.1 | a | z/0.1',
      'a#2 2: wa.0(2 3, 4 5) a.1(2 3, 4 5) r.1(1, 0) wz.1(2 3, 4 5) wr.1(1, 0) | a | z/0.1 y/0.1',
    ]);
  });

  it('freezes one channel taken alone, and all where bounds are computed', () => {
    const alone = between(
      3,
      'r = Slice (a, s, e, axes) z = Conv (a, wz)',
      1,
      'int64[1] s = {1}, int64[1] e = {2}, int64[1] axes = {1}, float[1,3,1,1] wz = random(9)',
    );
    expect(alone).toEqual([
      'a 2: wa.0(0, 2) a.1(0, 2) wz.1(0, 2) | a | z/0.1',
      'a#2 1: wa.0(1) a.1(1) wz.1(1) | a | z/0.1 | fixed-index Slice -> r',
    ]);
    const computed = net(
      'float[4,2,1,1] wa = random(1), float[1,4,1,1] wr = random(2), int64[1] s = {0}, int64[1] axes = {1}, int64 zero = {0}',
      `d = Shape <start = 1, end = 2> (x) e = Add (d, d) a = Conv (x, wa) r = Slice (a, s, e, axes) y = Conv (r, wr)`,
    );
    expect(computed).toEqual(['a 4: wa.0 a.1 | a |  | fixed-index Slice -> r']);
  });

  it('follows indices, also where one is taken twice, and freezes an index that stands alone', () => {
    expect(between(3, 'r = Gather <axis = 1> (a, i)', 4, 'int64[4] i = {2, -3, 1, 2}')).toEqual([
      'a 3: wa.0 a.1 r.1(1, 2, 0 3) wr.1(1, 2, 0 3) | a | y/0.1',
    ]);
    const alone = between(
      3,
      'h = Gather <axis = 1> (a, i) u = Unsqueeze (h, axes) r = Add (a, u)',
      3,
      'int64 i = {1}, int64[1] axes = {1}',
    );
    expect(alone).toEqual([
      'a 2: wa.0(0, 2) a.1(0, 2) r.1(0, 2) wr.1(0, 2) | a | y/0.1',
      'a#2 1: wa.0(1) a.1(1) r.1(1) wr.1(1) | a | y/0.1 | fixed-index Gather -> h',
    ]);
    const byData = net(
      'float[3,2,1,1] wa = random(1), float[1,2,1,1] wr = random(2)',
      'a = Conv (x, wa) r = Gather <axis = 1> (a, i) y = Conv (r, wr)',
      { input: 'float[1,2,4,4] x, int64[2] i' },
    );
    expect(byData[0]).toBe('a 3: wa.0 a.1 | a |  | fixed-index Gather -> r');
  });

  it('adds padded channels to the group that they are summed with (shortcuts of ResNets on CIFAR)', () => {
    expect(
      net(
        'float[2,2,1,1] w1 = random(1), float[4,2,1,1] w2 = random(2), float[1,4,1,1] w3 = random(3), int64[8] pads = {0, 1, 0, 0, 0, 1, 0, 0}',
        'a = Conv (x, w1) p = Pad (a, pads) b = Conv (a, w2) s = Add (p, b) y = Conv (s, w3)',
      ),
    ).toEqual([
      'a 2: w1.0 a.1 p.1(1, 2) w2.0(1, 2) w2.1 b.1(1, 2) s.1(1, 2) w3.1(1, 2) | a b | b/0.1 y/0.1',
      'b 2: p.1(0, 3) w2.0(0, 3) b.1(0, 3) s.1(0, 3) w3.1(0, 3) | b | y/0.1',
    ]);
    expect(between(3, 'r = Pad <mode = "reflect"> (a, p)', 4, 'int64[8] p = {0, 1, 0, 0, 0, 0, 0, 0}')).toEqual([
      'a 3: wa.0 a.1 | a |  | fixed-index Pad -> r',
    ]);
    expect(between(3, 'r = Pad <mode = "edge"> (a, p)', 3, 'int64[8] p = {0, 0, 1, 1, 0, 0, 1, 1}')).toEqual([
      'a 3: wa.0 a.1 r.1 wr.1 | a | y/0.1',
    ]);
  });
});

describe('views and layouts', () => {
  it('spreads a channel over the positions that Flatten puts beside it', () => {
    expect(
      net(
        'float[2,2,1,1] w = random(1), float[1,8] u = random(2)',
        'a = Conv (x, w) p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (a) f = Flatten (p) y = Gemm <transB = 1> (f, u)',
        { output: 'float[N,M] y' },
      ),
    ).toEqual(['a 2: w.0 a.1 p.1 f.1(0 1 2 3, 4 5 6 7) u.1(0 1 2 3, 4 5 6 7) | a | y/0.1']);
  });

  it('takes the channels, not the positions, of a tensor that was transposed before', () => {
    expect(
      net(
        'float[2,2,3,3] w = random(1), float[8,1] u = random(2), int64[2] target = {1, 8}',
        'a = Conv (x, w) t = Transpose <perm = [0, 2, 3, 1]> (a) f = Reshape (t, target) y = MatMul (f, u)',
        { output: 'float[N,M] y' },
      ),
    ).toEqual(['a 2: w.0 a.1 t.3 f.1(0 2 4 6, 1 3 5 7) u.0(0 2 4 6, 1 3 5 7) | a | y/0.1']);
  });

  it('follows an island in another layout', () => {
    expect(
      between(
        3,
        't = Transpose <perm = [0, 2, 3, 1]> (a) m = Mul (t, k) r = Transpose <perm = [0, 3, 1, 2]> (m)',
        3,
        'float[3] k = random(3)',
      ),
    ).toEqual(['a 3: wa.0 a.1 t.3 k.0 m.3 r.1 wr.1 | a | y/0.1']);
  });

  it('follows squeezed and unsqueezed tensors, and not a Squeeze that depends on sizes', () => {
    const pooled = (squeeze: string, more: string) =>
      net(
        `float[3,2,1,1] w = random(1), float[1,3,1,1] u = random(2), int64[2] axes = {2, 3}${more}`,
        `a = Conv (x, w) p = GlobalAveragePool (a) ${squeeze} q = Unsqueeze (s, axes) y = Conv (q, u)`,
      );
    expect(pooled('s = Squeeze (p, axes)', '')).toEqual(['a 3: w.0 a.1 p.1 s.1 q.1 u.1 | a | y/0.1']);
    expect(
      net(
        'float[3,2,1,1] w = random(1), float[3,1] u = random(2)',
        'a = Conv (x, w) p = GlobalAveragePool (a) s = Squeeze (p) y = MatMul (s, u)',
        { output: 'float[N] y' },
      ),
    ).toEqual(['a 3: w.0 a.1 p.1 | a |  | opaque-operator Squeeze -> s']);
  });

  it('takes a decoder from a vector to maps', () => {
    expect(
      net(
        'float[2,12] w = random(1), float[1,3,1,1] u = random(2), int64[4] target = {0, 3, 2, 2}',
        'a = MatMul (x, w) r = Reshape (a, target) y = Conv (r, u)',
        { input: 'float[1,2] x' },
      ),
    ).toEqual(['a 3: w.1(0 1 2 3, 4 5 6 7, 8 9 10 11) a.1(0 1 2 3, 4 5 6 7, 8 9 10 11) r.1 u.1 | a | y/0.1']);
  });

  it('freezes axes that are cut and joined at once', () => {
    expect(
      net(
        'float[3,2,1,1] w = random(1), float[1,4,1,1] u = random(2), int64[4] target = {1, 4, 3, 4}',
        'a = Conv (x, w) r = Reshape (a, target) y = Conv (r, u)',
      ),
    ).toEqual(['a 3: w.0 a.1 | a |  | mixes-channels Reshape -> r']);
  });

  it('moves blocks between channels and positions', () => {
    expect(between(8, 'r = DepthToSpace <blocksize = 2> (a)', 2)).toEqual([
      'a 2: wa.0(0 2 4 6, 1 3 5 7) a.1(0 2 4 6, 1 3 5 7) r.1 wr.1 | a | y/0.1',
    ]);
    expect(between(8, 'r = DepthToSpace <blocksize = 2, mode = "CRD"> (a)', 2)).toEqual([
      'a 2: wa.0(0 1 2 3, 4 5 6 7) a.1(0 1 2 3, 4 5 6 7) r.1 wr.1 | a | y/0.1',
    ]);
    expect(between(2, 'r = SpaceToDepth <blocksize = 2> (a)', 8)).toEqual([
      'a 2: wa.0 a.1 r.1(0 2 4 6, 1 3 5 7) wr.1(0 2 4 6, 1 3 5 7) | a | y/0.1',
    ]);
  });

  it('follows channels through Resize, Tile and Expand where these leave them as they are', () => {
    expect(between(3, 'r = Resize (a, , k)', 3, 'float[4] k = {1, 1, 2, 2}')).toEqual([
      'a 3: wa.0 a.1 r.1 wr.1 | a | y/0.1',
    ]);
    expect(between(3, 'r = Resize (a, , , k)', 3, 'int64[4] k = {1, 3, 8, 8}')).toEqual([
      'a 3: wa.0 a.1 r.1 wr.1 | a | y/0.1',
    ]);
    expect(between(3, 'r = Resize (a, , k)', 6, 'float[4] k = {1, 2, 1, 1}')[0]).toBe(
      'a 3: wa.0 a.1 | a |  | mixes-channels Resize -> r',
    );
    expect(between(3, 'r = Tile (a, k)', 3, 'int64[4] k = {1, 1, 2, 1}')).toEqual([
      'a 3: wa.0 a.1 r.1 wr.1 | a | y/0.1',
    ]);
    expect(between(3, 'r = Tile (a, k)', 6, 'int64[4] k = {1, 2, 1, 1}')[0]).toContain('mixes-channels Tile -> r');
    expect(between(3, 'r = Expand (a, k)', 3, 'int64[4] k = {2, 3, 1, 1}')).toEqual([
      'a 3: wa.0 a.1 r.1 wr.1 | a | y/0.1',
    ]);
  });
});

describe('products', () => {
  it('ties both operands of a product of data, and reads both', () => {
    // Attention without Softmax: queries and keys share the depth, values have their own.
    expect(
      net(
        'float[4,3] q = random(1), float[4,3] k = random(2), float[4,5] v = random(3), float[5,2] o = random(4)',
        `a = MatMul (x, q) b = MatMul (x, k) t = Transpose <perm = [0, 2, 1]> (b) s = MatMul (a, t)
         c = MatMul (x, v) u = MatMul (s, c) y = MatMul (u, o)`,
        { input: 'float[1,6,4] x', output: 'float[N,M,O] y' },
      ),
    ).toEqual([
      'a 3: q.1 a.2 k.1 b.2 t.1 | a b | s/0.2 s/1.1',
      'c 5: v.1 c.2 u.2 o.0 | c | y/0.2',
      'y 2: o.1 y.2 | y |  | graph-output y',
    ]);
  });

  it('cuts every head alike', () => {
    const lines = net(
      'float[4,6] q = random(1), float[6,2] o = random(4), int64[4] heads = {1, 5, 2, 3}, int64[3] joined = {1, 5, 6}',
      `a = MatMul (x, q) h = Reshape (a, heads) t = Transpose <perm = [0, 2, 1, 3]> (h) n = Softmax <axis = 2> (t)
       u = Transpose <perm = [0, 2, 1, 3]> (n) j = Reshape (u, joined) y = MatMul (j, o)`,
      { input: 'float[1,5,4] x', output: 'float[N,M,O] y' },
    );
    expect(lines[0]).toBe(
      'a 3: q.1(0 3, 1 4, 2 5) a.2(0 3, 1 4, 2 5) h.3 t.3 n.3 u.3 j.2(0 3, 1 4, 2 5) o.0(0 3, 1 4, 2 5) | a | y/0.2',
    );
  });

  it('knows the sides of Gemm and Einsum', () => {
    expect(
      net(
        'float[3,2] w = random(1), float[3] b = random(2), float[3,4] u = random(3), float[4,1] v = random(4)',
        `a = Gemm <transB = 1> (x, w, b) t = Transpose (a) c = Gemm <transA = 1> (t, u) y = Einsum <equation = "nk,ko->no"> (c, v)`,
        { input: 'float[1,2] x', output: 'float[N,M] y' },
      ),
    ).toEqual(['a 3: w.0 b.0 a.1 t.0 u.0 | a | c/0.0', 'c 4: u.1 c.1 v.0 | c | y/0.1']);
  });
});
