// Models with a convolution named `layer`, and around it what takes the order of its channels, or does not.
import type { Model } from '../../../src/ir/model.js';
import { parseModel } from '../../../src/ir/text/parse.js';

export interface Around {
  readonly body: string;
  readonly constants: string;
  readonly x?: string;
  readonly y?: string;
}

/** The model, with random weights. */
export const parsed = ({ body, constants, x = 'float[2,8,5,6] x', y = 'float[A,B,C,D] y' }: Around): Model =>
  parseModel(`<ir_version: 8, opset_import: ["" : 17]>
g (${x}) => (${y})
<${constants}>
{
${body}
}`);

/** A convolution from 8 to 32 channels, one from 32 to 64, and one from 64 to 8. */
export const PARAMETERS = `float[32,8,1,1] w0 = random(1), float[32] b0 = random(2), float[64,32,1,1] w = random(3), float[64] b = random(4),
  float[8,64,1,1] w9 = random(5)`;

export const CHAIN: Around = {
  body: `h0 = Conv (x, w0, b0)
 h1 = BatchNormalization (h0, s, t, m, v)
 h = Relu (h1)
 [layer] a = Conv (h, w, b)
 r = Clip (a, zero, six)
 d = Conv <group = 64, pads = [1, 1, 1, 1]> (r, w1, b1)
 p = PRelu (d, slope)
 q = MaxPool <kernel_shape = [2, 2]> (p)
 y = Conv (q, w9)`,
  constants: `${PARAMETERS}, float[32] s = random(6), float[32] t = random(7), float[32] m = random(8), float[32] v = uniform(0.5, 2, 9),
  float[64,1,3,3] w1 = random(10), float[64] b1 = random(11), float[64,1,1] slope = random(12), float zero = {0}, float six = {6}`,
};

export const RESIDUAL: Around = {
  body: `h = Conv (x, w0, b0)
 [layer] a = Conv (h, w, b)
 r = Relu (a)
 [second] k = Conv (r, w1)
 z = Add (h, k)
 l = Conv (z, w2)
 z2 = Add (z, l)
 g = GlobalAveragePool (z2)
 f = Flatten (g)
 y = Gemm (f, w3, b3)`,
  constants: `${PARAMETERS}, float[32,64,1,1] w1 = random(6), float[32,32,1,1] w2 = random(8),
  float[32,5] w3 = random(9), float[5] b3 = random(10)`,
  y: 'float[A,B] y',
};

export const CONCAT: Around = {
  body: `u = Conv (x, wu)
 ru = Relu (u)
 o = Conv (x, wo)
 h = Concat <axis = 1> (ru, o)
 [layer] a = Conv <pads = [1, 1, 1, 1]> (h, w, b)
 c = Sigmoid (a)
 e, f = Split <axis = 1> (c, sizes)
 e1 = Conv (e, we)
 f1 = Conv (f, wf)
 y = Add (e1, f1)`,
  constants: `float[8,8,1,1] wu = random(1), float[24,8,1,1] wo = random(2), float[64,32,3,3] w = random(3), float[64] b = random(4),
  float[8,40,1,1] we = random(5), float[8,24,1,1] wf = random(6), int64[2] sizes = {40, 24}`,
};

export const EDGES: Around = {
  body: `[layer] a = Conv <pads = [1, 1, 1, 1]> (x, w, b)
 r = Relu (a)
 c = Sigmoid (r)
 k = Conv (x, w1)
 y = Mul (c, k)
 n = Neg (r)`,
  constants: `float[32,32,3,3] w = random(3), float[32] b = random(4), float[32,32,1,1] w1 = random(5)`,
  x: 'float[2,32,5,6] x',
  y: 'float[A,B,C,D] y, float[E,F,G,H] n',
};

export const WINDOW: Around = {
  body: `h = Conv (x, w0, b0)
 [layer] a = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (h, w)
 r = Relu (a)
 y = Conv (r, w9)
 y2 = Conv <pads = [1, 1, 1, 1]> (r, w8)`,
  constants: `${PARAMETERS.replace('w = random(3)', 'w1x1 = random(3)')}, float[64,32,3,3] w = random(20), float[4,64,3,3] w8 = random(21)`,
  y: 'float[A,B,C,D] y, float[A,E,C,D] y2',
};

/** What goes in and what comes out are the same channels, added. */
export const SELF: Around = {
  body: `h = Conv (x, w0, b0)
 [layer] a = Conv <pads = [1, 1, 1, 1]> (h, w32)
 r = Relu (a)
 z = Add (h, r)
 y = Conv (z, w8)`,
  constants: `${PARAMETERS}, float[32,32,3,3] w32 = random(6), float[8,32,1,1] w8 = random(7)`,
};
