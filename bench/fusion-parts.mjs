// Parts that the cases of fusion-rules.mjs are built from. A build gets a QdqNet (test/pipeline/qdq-net.ts) and a quantized
// input of 16 channels, and returns the outputs.

export const U8 = { scale: 0.02, zero: 128 };
export const POSITIVE = { scale: 0.02, zero: 0 };
export const OTHER = { scale: 0.03, zero: 100 };
export const S8 = { scale: 0.02, zero: 0, type: 'int8' };
export const S8_POSITIVE = { scale: 0.02, zero: -128, type: 'int8' };
export const PLAIN = [16, 16];

/** Conv, then `nodes`, then Q/DQ with `after`. */
export const behindConv =
  (nodes, after = U8, conv = {}) =>
  (net, x) =>
    net.qdq(nodes(net, net.conv(x, PLAIN, conv)), after);
/** Q/DQ, `nodes`, Q/DQ, with convolutions on both sides. */
export const between =
  (nodes, after = U8, before = U8) =>
  (net, x) => {
    const first = net.qdq(net.conv(x, PLAIN), before);
    const middle = net.qdq(nodes(net, first), after);
    return net.qdq(net.conv(middle, [nodes.channels ?? 16, 16]));
  };
export const widened = (nodes, channels) => Object.assign(nodes, { channels });
export const unary =
  (opType, attributes, ...constants) =>
  (net, x) =>
    net.one(opType, [x, ...constants.map((make) => make(net))], attributes);
export const constant =
  (...spec) =>
  (net) =>
    net.tensor(...spec);
export const int64 = (...numbers) => constant('int64', [numbers.length], numbers);
export const clip = (low, high) => unary('Clip', {}, constant('float32', [], low), constant('float32', [], high));
export const window = { kernel_shape: [2, 2], strides: [2, 2] };
export const relu = unary('Relu');

/** A layer that is to stay in float; one weight is far from the others, so that one scale for all hurts. */
export const outlier = (net, dims) => {
  const size = dims.reduce((a, b) => a * b, 1);
  return net.tensor(
    'float32',
    dims,
    Array.from({ length: size }, (_, i) => (i === 0 ? 8 : ((i * 37) % 101) / 500 - 0.1)),
  );
};
export const floatConv = (net, x, opType = 'Conv') =>
  net.one(opType, [x, outlier(net, [16, 16, 3, 3])], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] });
export const floatGemm = (net, x) => net.one('Gemm', [net.qdq(net.one('Flatten', [x])), outlier(net, [1024, 10])]);

/** Two convolutions added; `middle`: what stands between each and the sum. */
export const residual =
  (middle, last, after = U8) =>
  (net, x) => {
    const [a, b] = [0, 1].map(() => middle(net, net.conv(x, PLAIN)));
    return net.qdq(last(net, net.one('Add', [a, b])), after);
  };
export const quantized = (net, value) => net.qdq(value);
export const same = (_net, value) => value;

export const pair =
  (opType, second, after = U8) =>
  (net, x) => {
    const a = net.qdq(net.conv(x, PLAIN));
    return net.qdq(net.one(opType, [a, second(net, x)]), after);
  };

export const concat =
  (parameters, after, attributes = { axis: 1 }) =>
  (net, x) => {
    const parts = parameters.map((given) => (given ? net.qdq(net.conv(x, PLAIN), given) : net.conv(x, PLAIN)));
    const joined = net.one('Concat', parts, attributes);
    return after ? net.qdq(joined, after) : joined;
  };

/** GlobalAveragePool, Flatten, then the classifier; `ends`: with Q/DQ or in float. */
export const classifier =
  ({ opType = 'Gemm', transB = 1, axis, bias = 'integer', end = 'quantized', flat = 'quantized', beta, add } = {}) =>
  (net, x) => {
    const pooled = net.qdq(net.one('GlobalAveragePool', [net.qdq(net.conv(x, PLAIN))]));
    const flattened = net.one('Flatten', [pooled]);
    const features = flat === 'quantized' ? net.qdq(flattened) : flattened;
    const weights = net.weights(
      transB === 1 && opType === 'Gemm' ? [10, 16] : [16, 10],
      axis === undefined ? {} : { axis },
    );
    let y;
    if (opType === 'Gemm') {
      const inputs = [features, weights, net.bias(features, weights, 10, bias)];
      y = net.one('Gemm', inputs, { transB, ...(beta === undefined ? {} : { beta: { float: beta } }) });
    } else {
      y = net.one('MatMul', [features, weights]);
      if (add === 'behind Q') y = net.qdq(y);
      if (add)
        y = net.one('Add', [y, add === 'float' ? net.random('float32', [10]) : net.qdq(net.random('float32', [10]))]);
    }
    return end === 'quantized' ? net.qdq(y) : y;
  };
