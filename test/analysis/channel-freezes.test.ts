// What freezes channel groups, and what does not.
import { describe, expect, it } from 'vitest';
import { between, net } from './group-text.js';

describe('what freezes', () => {
  it('an operator that depends on all channels at once', () => {
    const kinds: [string, string][] = [
      ['r = LRN <size = 3> (a)', ''],
      ['r = Softmax <axis = 1> (a)', ''],
      ['r = GroupNormalization <num_groups = 1> (a, k, k)', 'float[3] k = random(3)'],
      ['r = LayerNormalization <axis = 1> (a, k)', 'float[3,4,4] k = random(3)'],
      ['m = ReduceMean <axes = [1]> (a) r = Sub (a, m)', ''],
      ['m = ArgMax <axis = 1> (a) c = Cast <to = 1> (m) r = Mul (a, c)', ''],
      ['r = CumSum (a, one)', 'int64 one = {1}'],
    ];
    const lines = kinds.map(([nodes, more]) => between(3, nodes, 3, more)[0]);
    expect(lines.filter((line) => !/^a 3: .* \| mixes-channels /.test(line ?? ''))).toEqual([]);
  });

  it('nothing, where other axes are mixed', () => {
    const kinds: [string, string][] = [
      ['r = Softmax <axis = 3> (a)', ''],
      ['r = InstanceNormalization (a, k, k)', 'float[3] k = random(3)'],
      ['r = ReduceMax <axes = [2, 3]> (a)', ''],
      ['r = LpNormalization <axis = 2> (a)', ''],
      ['r = MeanVarianceNormalization (a)', ''],
    ];
    const lines = kinds.map(([nodes, more]) => between(3, nodes, 3, more)[0]);
    expect(lines.filter((line) => !/^a 3: .* \| a \| y\/0\.1$/.test(line ?? ''))).toEqual([]);
  });

  it('an operator that nothing is known of, recurrent layers and quantized values', () => {
    expect(between(3, 'r = com.example.Fancy (a)')[0]).toBe('a 3: wa.0 a.1 | a |  | opaque-operator Fancy -> r');
    const quantized = between(
      3,
      'q = QuantizeLinear (a, s, z) r = DequantizeLinear (q, s, z)',
      3,
      'float s = {1}, uint8 z = {0}',
    );
    expect(quantized[0]).toBe('a 3: wa.0 a.1 | a |  | opaque-operator QuantizeLinear -> q');
    const recurrent = net(
      'float[2,3] w = random(1), float[1,16,3] k = random(2), float[1,16,4] u = random(3)',
      'a = MatMul (x, w) y = LSTM <hidden_size = 4> (a, k, u)',
      { input: 'float[5,1,2] x' },
    );
    expect(recurrent).toEqual(['a 3: w.1 a.2 | a |  | opaque-operator LSTM -> y']);
  });

  it('what the caller feeds or gets, and a size that is read', () => {
    const returned = net(
      'float[3,2,1,1] w = random(1), float[1,3,1,1] u = random(2)',
      'a = Conv (x, w) y = Conv (a, u)',
      { output: 'float[N,M,O,P] y, float[A,B,C,D] a' },
    );
    expect(returned).toEqual(['a 3: w.0 a.1 u.1 | a | y/0.1 | graph-output a']);
    expect(
      net(
        'float[2,2,1,1] w = random(1), float[1,2,1,1] u = random(2)',
        'a = Conv (x, w) s = Add (a, x) y = Conv (s, u)',
      ),
    ).toEqual(['a 2: x.1 w.0 w.1 a.1 s.1 u.1 | a | a/0.1 y/0.1 | graph-input x']);
  });

  it('a number of channels that somebody reads, and not the other sizes', () => {
    const sized = (index: number) =>
      between(3, `d = Shape (a) c = Gather (d, i) f = Cast <to = 1> (c) r = Div (a, f)`, 3, `int64 i = {${index}}`)[0];
    expect(sized(1)).toBe('a 3: wa.0 a.1 r.1 wr.1 | a | y/0.1 | fixed-index Shape -> d');
    expect(sized(-2)).toBe('a 3: wa.0 a.1 r.1 wr.1 | a | y/0.1');
  });

  it('a shape that is not known', () => {
    const lines = net(
      'float[3,2,1,1] w = random(1), float[1,3,1,1] u = random(2)',
      'a = Conv (x, w) f = com.example.Fancy (x) s = Add (a, f) y = Conv (s, u)',
    );
    expect(lines[0]).toBe('a 3: w.0 a.1 | a |  | unknown-shape f');
    const open = net(
      'float[3,2,1,1] w = random(1), float[1,3,1,1] u = random(2)',
      'a = Conv (x, w) s = Add (a, z) y = Conv (s, u)',
      { input: 'float[1,2,4,4] x, float[1,C,1,1] z' },
    );
    expect(open[0]).toBe('a 3: w.0 a.1 s.1 u.1 | a | y/0.1 | unknown-shape z');
  });

  it('what a subgraph captures or returns', () => {
    const lines = net(
      'float[3,2,1,1] w = random(1), float[1,3,1,1] u = random(2)',
      `a = Conv (x, w) b = If (c) <then_branch = t () => (float[1,3,4,4] k) { k = Neg (a) },
       else_branch = e () => (float[1,3,4,4] l) { l = Abs (x) }> y = Conv (a, u)`,
      { input: 'float[1,2,4,4] x, bool c' },
    );
    expect(lines[0]).toBe('a 3: w.0 a.1 u.1 | a | y/0.1 | subgraph If -> b');
  });

  it('the want of a layer that makes it or sums over it', () => {
    expect(
      net('float[3,1,1] k = random(1), float[1,3,1,1] u = random(2)', 's = Mul (x, k) y = Conv (s, u)', {
        input: 'float[1,1,4,4] x',
      }),
    ).toEqual(['s 3: k.0 s.1 u.1 |  | y/0.1 | no-maker s']);
    expect(
      net('float[3,2,1,1] w = random(1), float[1,2,1,1] u = random(2)', 'a = Conv (x, w) r = Relu (a) y = Conv (x, u)'),
    ).toEqual(['a 3: w.0 a.1 r.1 | a |  | no-reader a']);
  });
});
