// Peak memory of graphs with QuantizeLinear and DequantizeLinear, worked by hand: integers where an integer kernel takes the conversions in,
// floats where there is none.
import { describe, expect, it } from 'vitest';
import { createFacts } from '../../src/analysis/inference.js';
import { peakActivations } from '../../src/analysis/liveness.js';
import { parseModel } from '../../src/ir/text/parse.js';

/** 16 floats in, `body` on them as uint8 `q`; scale s, zero point z. */
const peak = (body: string, outputs = 'uint8[1,4,2,2] y', weights = ''): number => {
  const model = parseModel(`<ir_version: 8, opset_import: ["" : 17]>
    g (float[1,4,2,2] x) => (${outputs}) <float s = {0.5}, uint8 z = {0}, int8 t = {0}${weights}> {
    q = QuantizeLinear (x, s, z)
    ${body}
  }`);
  return peakActivations(model, createFacts(model)).bytes;
};

/** The input, which belongs to the caller. */
const INPUT = 64;

const WEIGHTS = ', int8[4,4,1,1] v = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}';

describe('between conversions', () => {
  it('a convolution makes integers, and its weights are no activations', () => {
    const body =
      'd = DequantizeLinear (q, s, z) w = DequantizeLinear (v, s, t) c = Conv (d, w) y = QuantizeLinear (c, s, z)';
    expect(peak(body, undefined, WEIGHTS)).toBe(INPUT + 16 + 16);
  });

  it('an activation behind it is part of it', () => {
    const body =
      'd = DequantizeLinear (q, s, z) w = DequantizeLinear (v, s, t) c = Conv (d, w) r = Relu (c) y = QuantizeLinear (r, s, z)';
    expect(peak(body, undefined, WEIGHTS)).toBe(INPUT + 16 + 16);
  });

  it('what two kernels read stays until the second has read it', () => {
    // At the sum: q, which both read, the result of the pool, and that of the sum.
    const body = `d = DequantizeLinear (q, s, z) p = GlobalAveragePool (d) a = QuantizeLinear (p, s, z) e = DequantizeLinear (a, s, z)
      m = Add (d, e) y = QuantizeLinear (m, s, z)`;
    expect(peak(body)).toBe(INPUT + 16 + 4 + 16);
  });
});

describe('floats are made', () => {
  it('for an operator without an integer kernel', () => {
    // Its input and its result, side by side.
    const body = 'd = DequantizeLinear (q, s, z) n = LRN <size = 3> (d) y = QuantizeLinear (n, s, z)';
    expect(peak(body)).toBe(INPUT + 64 + 64);
  });

  it('where the weights are floats', () => {
    const floats = ', float[4,4,1,1] w = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}';
    const body = 'd = DequantizeLinear (q, s, z) c = Conv (d, w) y = QuantizeLinear (c, s, z)';
    expect(peak(body, undefined, floats)).toBe(INPUT + 64 + 64);
  });

  it('where the result is read as floats, too', () => {
    const body =
      'd = DequantizeLinear (q, s, z) w = DequantizeLinear (v, s, t) c = Conv (d, w) y = QuantizeLinear (c, s, z) f = Softmax (c)';
    expect(peak(body, 'uint8[1,4,2,2] y, float[1,4,2,2] f', WEIGHTS)).toBe(INPUT + 64 + 16 + 64);
  });
});
