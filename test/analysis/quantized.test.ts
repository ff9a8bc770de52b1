// Which models count as quantized, and what is said of them.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { quantizationOf } from '../../src/analysis/quantized.js';
import { parseModel } from '../../src/ir/text/parse.js';
import { openModel } from '../../src/onnx/open.js';
import { assetFolder } from '../onnx/model-files.js';

const of = (body: string, weights = '') =>
  quantizationOf(
    parseModel(
      `g (float[N,4] x) => (float[N,4] y) <float s = {0.1}, uint8 z = {128}, int8[4,4] w = fill(1) ${weights}> {${body}}`,
    ),
  );

describe('quantizationOf', () => {
  it('finds nothing in a float model', () => {
    expect(of('y = Relu (x)')).toBeUndefined();
  });

  it('counts pairs around float operators, and names the first', () => {
    const found = of('q = QuantizeLinear (x, s, z) d = DequantizeLinear (q, s, z) r = Relu (d) y = Identity (r)');
    expect(found?.form).toBe('qdq');
    expect(found?.nodes).toBe(2);
    expect(found?.first.opType).toBe('QuantizeLinear');
    expect(found?.what).toBe('the model is already quantized: 1 QuantizeLinear, 1 DequantizeLinear');
    expect(found?.fix).toContain('float model');
  });

  it('tells dynamic quantization from static, and weights alone from both', () => {
    const dynamic =
      'q, qs, qz = DynamicQuantizeLinear (x) i = MatMulInteger (q, w, qz) c = Cast <to = 1> (i) y = Mul (c, qs)';
    expect(of(dynamic)?.form).toBe('dynamic');
    expect(of('d = DequantizeLinear (w, s) y = MatMul (x, d)')?.form).toBe('weights');
    const static8 =
      'q = QuantizeLinear (x, s, z) p = QLinearMatMul (q, s, z, w, s, z, s, z) y = DequantizeLinear (p, s, z)';
    expect(of(static8)?.form).toBe('integer');
  });

  it('looks into subgraphs and functions', () => {
    const inner = quantizationOf(
      parseModel(
        `g (float[4] x, bool b) => (float[4] y) <float s = {0.1}, uint8 z = {128}> {
          y = If <then_branch = t () => (float[4] u) { q = QuantizeLinear (x, s, z) u = DequantizeLinear (q, s, z) },
                  else_branch = e () => (float[4] v) { v = Relu (x) }> (b)
        }`,
      ),
    );
    expect(inner?.nodes).toBe(2);
  });
});

const model = join(assetFolder, 'resnet8-cifar10-int8-qdq.onnx');

describe.skipIf(!existsSync(model))('resnet8-cifar10-int8-qdq', () => {
  it('is found quantized', async () => {
    const { model: quantized } = await openModel(model);
    const found = quantizationOf(quantized);
    expect(found?.form).toBe('qdq');
    expect(found?.operators[0]?.opType).toBe('DequantizeLinear');
    expect(found?.nodes).toBe(found?.operators.reduce((sum, { count }) => sum + count, 0));
  });
});
