// Axis facts of single nodes, by form and opset: which axes are tied (`-` carry, `x` contract, `>` make), by which indices
// of the first, which are offered for choice (`?`), and which stay.
import { describe, expect, it } from 'vitest';
import { createFacts } from '../../src/analysis/inference.js';
import { parseModel } from '../../src/ir/text/parse.js';
import type { AxisFacts, AxisRef, AxisTie } from '../../src/ops/axes.js';
import type { CostSite } from '../../src/ops/record.js';

const refText = ({ side, slot, axis }: AxisRef): string => `${side === 'input' ? 'i' : 'o'}${slot}.${axis}`;

const ARROWS = { carry: '-', contract: 'x', make: '>' } as const;

function tieText({ kind, from, to, map }: AxisTie, site: CostSite): string {
  const size = (to.side === 'input' ? site.input(to.slot) : site.output(to.slot))?.shape?.[to.axis];
  const indices = map && Array.from({ length: Number(size) }, (_, index) => map(index) ?? '_').join(' ');
  return `${refText(from)}${ARROWS[kind]}${refText(to)}${indices === undefined ? '' : `(${indices})`}`;
}

function factsText(facts: AxisFacts | undefined, site: CostSite): string {
  if (facts === undefined) return 'opaque';
  return [
    ...facts.ties.map((tie) => tieText(tie, site)),
    ...(facts.choices ?? []).map((list) => `?[${list.map((tie) => tieText(tie, site)).join(' ')}]`),
    ...(facts.untouched ?? []).map((ref) => `${refText(ref)} free`),
    ...(facts.frozen ?? []).map(
      ({ at, code, index }) => `${refText(at)}${index === undefined ? '' : `[${index}]`} ${code}`,
    ),
  ].join(', ');
}

/** Facts of the last node of the body. */
function axesOf(inputs: string, body: string, weights = '', opset = 17): string {
  const model = parseModel(`<ir_version: 8, opset_import: ["": ${opset}, "com.microsoft": 1]>
    g (${inputs}) => (float[A] y) ${weights === '' ? '' : `<${weights}>`} { ${body} }`);
  const facts = createFacts(model);
  const node = model.graph.last;
  if (node === undefined) throw new Error('no node');
  const site = facts.site(node);
  return factsText(facts.record(node)?.axes?.(site), site);
}

const image = 'float[2,4,6,6] x';
const all = (slot: number, rank = 4): string =>
  Array.from({ length: rank }, (_, axis) => `i${slot}.${axis}-o0.${axis}`).join(', ');

describe('several outputs', () => {
  it('a mask has the axes of the data', () => {
    expect(axesOf(image, 'y, m = Dropout (x)')).toBe(`${all(0)}, ${all(0).replaceAll('-o0', '-o1')}`);
  });

  it('positions of maxima are places in the whole tensor', () => {
    expect(axesOf(image, 'y = MaxPool <kernel_shape = [2, 2]> (x)')).toBe('i0.0-o0.0, i0.1-o0.1');
    expect(axesOf(image, 'y, i = MaxPool <kernel_shape = [2, 2]> (x)')).toBe('opaque');
  });

  it('running statistics are an output of training only', () => {
    const inputs = `${image}, float[4] a, float[4] b, float[4] c, float[4] d`;
    expect(axesOf(inputs, 'y = BatchNormalization (x, a, b, c, d)')).toBe(
      `${all(0)}, i1.0-o0.1, i2.0-o0.1, i3.0-o0.1, i4.0-o0.1`,
    );
    expect(axesOf(inputs, 'y, m, v = BatchNormalization <training_mode = 1> (x, a, b, c, d)')).toBe('opaque');
  });

  it('values and places of the largest keep all other axes', () => {
    expect(axesOf('float[2,5] x', 'y, i = TopK (x, k)', 'int64[1] k = {2}')).toBe('i0.0-o0.0, i0.0-o1.0');
  });
});

describe('operands', () => {
  it('are aligned at the last axis, or since an axis in early opsets', () => {
    expect(axesOf(`${image}, float[6] k`, 'y = Add (x, k)')).toBe(`${all(0)}, i1.0-o0.3`);
    expect(axesOf(`${image}, float[4] k`, 'y = Add <axis = 1, broadcast = 1> (x, k)', '', 6)).toBe(
      `${all(0)}, i1.0-o0.1`,
    );
    expect(axesOf(`${image}, float[4] k`, 'y = PRelu (x, k)', '', 6)).toBe(`${all(0)}, i1.0-o0.1`);
    expect(axesOf(`${image}, float[1,4,1,1] k`, 'y = Pow (x, k)')).toBe(`${all(0)}, i1.1-o0.1`);
    expect(axesOf('float[2,4] x, float[4] k', 'y = com.microsoft.FastGelu (x, k)')).toBe(`${all(0, 2)}, i1.0-o0.1`);
  });

  it('give their type only', () => {
    expect(axesOf('float[2,4] x, float[3] k', 'y = CastLike (x, k)')).toBe(`${all(0, 2)}, i1.0 free`);
  });
});

describe('layers', () => {
  it('of ONNX Runtime add a sum', () => {
    expect(
      axesOf(
        `${image}, float[1,2,6,6] z`,
        'y = com.microsoft.FusedConv (x, w, b, z)',
        'float[2,4,1,1] w = fill(1), float[2] b = fill(1)',
      ),
    ).toBe(`i0.0-o0.0, i2.0-o0.1, i3.1-o0.1, i3.2-o0.2, i3.3-o0.3, i0.1xi1.1, i1.0>o0.1`);
  });

  it('with offsets are followed where all channels share these', () => {
    const weights = 'float[2,4,1,1] w = fill(1)';
    const inputs = `${image}, float[1,2,6,6] f, float[1,4,6,6] h`;
    expect(axesOf(inputs, 'y = DeformConv (x, w, f)', weights, 19)).toBe('i0.0-o0.0, i0.1xi1.1, i1.0>o0.1');
    expect(axesOf(inputs, 'y = DeformConv <offset_group = 2> (x, w, h)', weights, 19)).toBe('opaque');
  });

  it('multiply operands of any rank, transposed or not', () => {
    expect(axesOf('float[3] x, float[3] w', 'y = MatMul (x, w)')).toBe('i0.0xi1.0');
    expect(axesOf('float[3] x, float[5,3,2] w', 'y = MatMul (x, w)')).toBe('i0.0xi1.1, i1.2>o0.1, i1.0-o0.0');
    expect(axesOf('float[5,2,3] x, float[3] w', 'y = MatMul (x, w)')).toBe('i0.2xi1.0, i0.1>o0.1, i0.0-o0.0');
    expect(axesOf('float[7,1,2,3] x, float[5,3,4] w', 'y = MatMul (x, w)')).toBe(
      'i0.3xi1.1, i0.2>o0.2, i1.2>o0.3, i0.0-o0.0, i1.0-o0.1',
    );
    expect(axesOf('float[3,2] x, float[4,3] w, float[1,4] c', 'y = Gemm <transA = 1, transB = 1> (x, w, c)')).toBe(
      'i0.0xi1.1, i0.1>o0.0, i1.0>o0.1, i2.1-o0.1',
    );
    const fused = (flags: string): string =>
      axesOf('float[5,3,2] x, float[5,4,3] w', `y = com.microsoft.FusedMatMul <${flags}> (x, w)`);
    expect(fused('transA = 1, transB = 1')).toBe('i0.1xi1.2, i0.2>o0.1, i1.1>o0.2, i0.0-o0.0, i1.0-o0.0');
    expect(fused('transA = 1, transB = 1, transBatchA = 1')).toBe('opaque');
  });

  it('sum over the letters that the result of an equation lacks', () => {
    expect(axesOf('float[2,3,4] x, float[2,4,5] w', 'y = Einsum <equation = "bij,bjk->bik"> (x, w)')).toBe(
      'i0.0-o0.0, i1.0-o0.0, i0.1>o0.1, i0.2xi1.1, i1.2>o0.2',
    );
    expect(axesOf('float[2,3] x', 'y = Einsum <equation = "ij->i"> (x)')).toBe('i0.0>o0.0');
    expect(axesOf('float[3,3] x', 'y = Einsum <equation = "ii->i"> (x)')).toBe('opaque');
    expect(axesOf('float[2,3] x', 'y = Einsum <equation = "...j->..."> (x)')).toBe('opaque');
  });
});

describe('axes that are dropped, kept, moved', () => {
  it('by reductions', () => {
    expect(axesOf(image, 'y = ReduceMean <axes = [2, 3], keepdims = 0> (x)')).toBe('i0.0-o0.0, i0.1-o0.1');
    expect(axesOf(image, 'y = ReduceSum <keepdims = 0> (x, a)', 'int64[2] a = {0, -1}')).toBe('i0.1-o0.0, i0.2-o0.1');
    expect(axesOf(`${image}, int64[1] a`, 'y = ReduceSum (x, a)')).toBe('opaque');
    expect(axesOf(image, 'y = ReduceMax (x)')).toBe('');
    expect(axesOf(image, 'y = ArgMax <axis = 2, keepdims = 0> (x)')).toBe('i0.0-o0.0, i0.1-o0.1, i0.3-o0.2');
  });

  it('by Softmax, all from its axis on until opset 13', () => {
    expect(axesOf(image, 'y = Softmax <axis = 2> (x)')).toBe('i0.0-o0.0, i0.1-o0.1, i0.3-o0.3');
    expect(axesOf(image, 'y = Softmax <axis = 2> (x)', '', 12)).toBe('i0.0-o0.0, i0.1-o0.1');
    expect(axesOf(image, 'y = LogSoftmax (x)', '', 12)).toBe('i0.0-o0.0');
  });

  it('by Transpose and its default', () => {
    expect(axesOf('float[2,3,4] x', 'y = Transpose <perm = [1, 2, 0]> (x)')).toBe('i0.1-o0.0, i0.2-o0.1, i0.0-o0.2');
    expect(axesOf('float[2,3] x', 'y = Transpose (x)')).toBe('i0.1-o0.0, i0.0-o0.1');
  });

  it('by sampling at positions', () => {
    expect(axesOf(`${image}, float[1,3,3,2] g`, 'y = GridSample (x, g)')).toBe('i0.0-o0.0, i0.1-o0.1');
    expect(axesOf(`${image}, float[5,4] r, int64[5] b`, 'y = RoiAlign (x, r, b)')).toBe('i0.1-o0.1');
    expect(axesOf('float[5,2,3] x, int64[2] s', 'y = ReverseSequence (x, s)')).toBe('i0.2-o0.2');
  });
});

describe('indices', () => {
  it('of parts, given as attribute or input', () => {
    const parts = 'i0.0-o0.0, i0.0-o1.0, i0.1-o0.1(0), i0.1-o1.1(1 2 3)';
    expect(axesOf('float[2,4] x', 'y, z = Split <axis = -1, split = [1, 3]> (x)', '', 11)).toBe(parts);
    expect(axesOf('float[2,4] x', 'y, z = Split <axis = 1> (x, s)', 'int64[2] s = {1, 3}')).toBe(parts);
    expect(axesOf('float[2,5] x', 'y, z = Split <axis = 1, num_outputs = 2> (x)', '', 18)).toBe(
      'i0.0-o0.0, i0.0-o1.0, i0.1-o0.1(0 1 2), i0.1-o1.1(3 4)',
    );
    expect(axesOf('float[2,4] x, int64[2] s', 'y, z = Split <axis = 1> (x, s)')).toBe(
      'i0.0-o0.0, i0.0-o1.0, i0.1 fixed-index',
    );
  });

  it('of a Concat', () => {
    expect(axesOf('float[2,2] a, float[2,3] b', 'y = Concat <axis = 1> (a, b)')).toBe(
      'i0.0-o0.0, i1.0-o0.0, o0.1-i0.1(0 1), o0.1-i1.1(2 3 4)',
    );
    expect(axesOf('float[2,2] a, float[2,C] b', 'y = Concat <axis = 1> (a, b)')).toBe(
      'i0.0-o0.0, i1.0-o0.0, o0.1 unknown-shape',
    );
  });

  it('of a Slice', () => {
    expect(axesOf('float[5,2] x', 'y = Slice <starts = [1], ends = [4], axes = [0]> (x)', '', 9)).toBe(
      'i0.1-o0.1, i0.0-o0.0(1 2 3)',
    );
    const stride = axesOf(
      'float[7] x',
      'y = Slice (x, s, e, a, k)',
      'int64[1] s = {-2}, int64[1] e = {-8}, int64[1] a = {0}, int64[1] k = {-3}',
    );
    // 5 and 2 are taken; 4 and 3 leave with 5, 1 and 0 with 2.
    expect(stride).toBe('i0.0-o0.0(5 2), i0.0-i0.0(2 2 2 5 5 5 6)');
  });

  it('of a Pad, which may crop', () => {
    expect(axesOf('float[4,2] x', 'y = Pad (x, p)', 'int64[4] p = {1, 0, -2, 0}')).toBe(
      'o0.0-i0.0(1 2 3 4), i0.1-o0.1',
    );
    expect(axesOf('float[4,2] x', 'y = Pad <mode = "reflect"> (x, p)', 'int64[4] p = {1, 0, 0, 0}')).toBe(
      'i0.1-o0.1, i0.0 fixed-index',
    );
    expect(axesOf('float[4,2] x', 'y = Pad <pads = [0, 1, 0, 1]> (x)', '', 2)).toBe('i0.0-o0.0, o0.1-i0.1(1 2)');
  });

  it('of a Gather: constants, data, one alone', () => {
    expect(axesOf('float[5,2] x', 'y = Gather (x, i)', 'int64[3] i = {4, 0, -1}')).toBe(
      'i0.1-o0.1, i0.0-o0.0(4 0 4), i1.0 free',
    );
    expect(axesOf('float[9,2] x, int64[1,3] i', 'y = Gather (x, i)')).toBe(
      'i0.1-o0.2, i1.0-o0.0, i1.1-o0.1, i0.0 fixed-index',
    );
    expect(axesOf('float[5,2] x', 'y = Gather <axis = 1> (x, i)', 'int64 i = {1}')).toBe(
      'i0.0-o0.0, i0.1 free, i0.1[1] fixed-index',
    );
  });
});

describe('views', () => {
  it('match sizes from the front', () => {
    const view = (from: string, to: string): string =>
      axesOf(`float[${from}] x`, 'y = Reshape (x, s)', `int64[${to.split(',').length}] s = {${to}}`);
    expect(view('2,3,4', '2,12')).toBe(
      'i0.0-o0.0, ?[i0.1-o0.1(0 0 0 0 1 1 1 1 2 2 2 2) i0.2-o0.1(0 1 2 3 0 1 2 3 0 1 2 3)]',
    );
    expect(view('2,6', '2,3,2')).toBe('i0.0-o0.0, ?[o0.2-i0.1(0 1 0 1 0 1) o0.1-i0.1(0 0 1 1 2 2)]');
    expect(view('2,1,3', '1,2,3,1')).toBe('i0.0-o0.1, i0.2-o0.2');
    expect(view('2,3,4', '2,4,3')).toBe('i0.0-o0.0');
    expect(view('N,3,4', '0,12')).toBe(
      'i0.0-o0.0, ?[i0.1-o0.1(0 0 0 0 1 1 1 1 2 2 2 2) i0.2-o0.1(0 1 2 3 0 1 2 3 0 1 2 3)]',
    );
    expect(view('N,3,H,W', '0,3,-1')).toMatch(/^i0\.0-o0\.0, i0\.1-o0\.1, \?\[/);
  });

  it('may have a computed target while one size of it is open', () => {
    const computed = (rest: string, more: string): string =>
      axesOf(
        'float[N,4,1,1] x, float[M] z',
        `d = Shape <start = 0, end = 1> (x) e = Shape (z) t = Concat <axis = 0> (${rest}) y = Reshape (x, t)`,
        `int64[1] c = {4}${more}`,
      );
    expect(computed('d, c', '')).toBe('i0.0-o0.0, i0.1-o0.1');
  });

  it('may squeeze the axes that are named only', () => {
    expect(axesOf('float[2,1,3] x', 'y = Squeeze (x, a)', 'int64[1] a = {1}')).toBe('i0.0-o0.0, i0.2-o0.1');
    expect(axesOf('float[2,1,3] x', 'y = Squeeze (x)')).toBe('opaque');
    expect(axesOf('float[2,3] x', 'y = Unsqueeze <axes = [0, 2]> (x)', '', 11)).toBe('i0.0-o0.1, i0.1-o0.3');
  });

  it('repeat what a new size asks for', () => {
    expect(axesOf('float[4,1] x', 'y = Expand (x, s)', 'int64[3] s = {2, 1, 3}')).toBe('i0.0-o0.1');
    const computed = axesOf('float[4,1] x, float[4,3] z', 's = Shape (z) y = Expand (x, s)');
    expect(computed).toBe('');
    expect(axesOf(image, 'y = Upsample (x, s)', 'float[4] s = {1, 1, 2, 2}', 9)).toBe('i0.0-o0.0, i0.1-o0.1');
    expect(axesOf(image, 'y = Resize <axes = [2, 3]> (x, , s)', 'float[2] s = {2, 2}', 18)).toBe(
      'i0.0-o0.0, i0.1-o0.1',
    );
    expect(
      axesOf(
        image,
        'y = Resize <coordinate_transformation_mode = "tf_crop_and_resize"> (x, r, s)',
        'float[8] r = {0, 0, 0, 0, 1, 1, 1, 1}, float[4] s = {1, 1, 2, 2}',
      ),
    ).toBe('');
  });

  it('tell sizes: those that somebody reads stay', () => {
    const read = (body: string, weights = ''): string => {
      const model = parseModel(`g (float[2,3,4] x) => (int64[A] y) ${weights} { s = Shape (x) ${body} }`);
      const facts = createFacts(model);
      const node = model.graph.first;
      if (node === undefined) throw new Error('no node');
      const site = facts.site(node);
      return factsText(facts.record(node)?.axes?.(site), site);
    };
    const free = 'i0.0 free, i0.1 free, i0.2 free';
    expect(read('y = Gather (s, i)', '<int64 i = {-1}>')).toBe(`${free}, i0.2 fixed-index`);
    expect(read('y = Identity (s)')).toBe(`${free}, i0.0 fixed-index, i0.1 fixed-index, i0.2 fixed-index`);
  });
});
