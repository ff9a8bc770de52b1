// Pairs of products that pass 16 bits, worked by hand: 255 x 128 = 32640 fits, 255 x 129 = 32895 does not.
import { expect, it } from 'vitest';
import { parseModel } from '../../../src/ir/text/parse.js';
import { saturatingShare } from '../../../src/pipeline/quantization/saturation.js';

function share(
  operator: string,
  weights: string,
  shapes: { readonly x: string; readonly y: string },
): number | undefined {
  const model = parseModel(`
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[${shapes.x}] x) => (float[${shapes.y}] y)
    <int8${weights}, float s = {0.1}>
    { w = DequantizeLinear (q, s)  y = ${operator} (x, w) }`);
  const node = model.graph.nodes().find((one) => !one.is('DequantizeLinear'));
  return node && saturatingShare(node);
}

const CONV = { x: 'N,3,4,4', y: 'N,2,4,4' };

it('adds neighbouring channels of one place of a Conv', () => {
  expect(share('Conv', '[2,3,1,1] q = {64, 64, 127, 65, 64, 0}', CONV)).toBe(0.5);
  // Signs against each other cancel; 127 and the -128 beside it never add up.
  expect(share('Conv', '[2,3,1,1] q = {127, -127, 0, -64, -64, -127}', CONV)).toBe(0);
  expect(share('Conv', '[2,3,1,1] q = {-65, -64, 0, 1, 127, 127}', CONV)).toBe(0.5);
});

it('takes places of the kernel one after the other: the last channel of one beside the first of the next', () => {
  const shapes = { x: 'N,1,4,4', y: 'N,1,4,3' };
  expect(share('Conv', '[1,1,1,2] q = {100, 100}', shapes)).toBe(1);
  const two = { x: 'N,2,4,4', y: 'N,1,4,3' };
  // Stored channel by channel: (100, 0), (0, 100). Added place by place: (100 + 0), (0 + 100).
  expect(share('Conv', '[1,2,1,2] q = {100, 0, 0, 100}', two)).toBe(0);
  expect(share('Conv', '[1,2,1,2] q = {100, 0, 100, 0}', two)).toBe(1);
});

it('reads Gemm and MatMul along the inner axis', () => {
  const shapes = { x: '1,2', y: '1,2' };
  expect(share('MatMul', '[2,2] q = {100, 100, 0, 0}', shapes)).toBe(0);
  expect(share('MatMul', '[2,2] q = {100, 0, 100, 0}', shapes)).toBe(0.5);
  expect(share('Gemm <transB = 1>', '[2,2] q = {100, 100, 0, 0}', shapes)).toBe(0.5);
});

it('says nothing of depthwise convolutions and of weights that are no int8', () => {
  expect(share('Conv <group = 2>', '[2,1,1,1] q = {127, 127}', { x: 'N,2,4,4', y: 'N,2,4,4' })).toBeUndefined();
  const model = parseModel(`
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[1,2] x) => (float[1,2] y) <float[2,2] w = {127, 127, 127, 127}> { y = MatMul (x, w) }`);
  const [node] = model.graph.nodes();
  expect(node && saturatingShare(node)).toBeUndefined();
});
