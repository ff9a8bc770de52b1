// A convolutional net of any size for the memory bench: Conv (without bias), BatchNormalization and Relu in a row, then
// GlobalAveragePool and a dense layer. Weights are random, made while they are written, so that no size needs room.
import { Model, Tensor, writeModel } from '../dist/index.js';

const OPSET = 17;
const IR_VERSION = 8;
const PIECE = 1 << 20;

/** Float32 values uniform in ±`reach`, computed on reading. */
function randomTensor(dims, seed, reach) {
  const size = dims.reduce((product, dim) => product * dim, 1);
  function* pieces() {
    let state = (seed * 2654435761 + 1) | 0 || 1;
    for (let done = 0; done < size; done += PIECE) {
      const values = new Float32Array(Math.min(PIECE, size - done));
      for (let i = 0; i < values.length; i++) {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        values[i] = (state / 2147483648) * reach;
      }
      yield new Uint8Array(values.buffer);
    }
  }
  return new Tensor('float32', dims, { byteLength: 4 * size, pieces, read: () => Buffer.concat([...pieces()]) });
}

const filled = (count, value) => Tensor.fromNumbers('float32', [count], new Float64Array(count).fill(value));

/**
 * Writes a net of about `bytes` to `path`: layers of `channels` channels with 3x3 kernels on a `side` x `side` input.
 * `externalData` as for `writeModel`.
 */
export async function writeSyntheticNet(path, { bytes, channels, side, externalData = 'never' }) {
  const model = new Model({ graphName: 'net', opsets: new Map([['', OPSET]]), irVersion: IR_VERSION });
  const { graph } = model;
  const type = (shape) => ({ kind: 'tensor', dtype: 'float32', shape });
  const layers = Math.round(bytes / (4 * 9 * channels * channels));
  let value = graph.addInput('image', type([1, channels, side, side]));
  const apply = (opType, inputs, attributes = {}) => {
    const node = graph.addNode({ opType, inputs, attributes: new Map(Object.entries(attributes)), outputs: [opType] });
    [value] = node.outputs;
  };
  for (let layer = 0; layer < layers; layer++) {
    const reach = Math.sqrt(6 / (9 * channels));
    const weight = graph.addInitializer(randomTensor([channels, channels, 3, 3], layer + 1, reach), `w${layer}`);
    const statistics = [1.1, 0.1, 0, 1].map((number, i) =>
      graph.addInitializer(filled(channels, number), `n${layer}_${i}`),
    );
    apply('Conv', [value, weight], { pads: { kind: 'ints', value: [1, 1, 1, 1] } });
    apply('BatchNormalization', [value, ...statistics]);
    apply('Relu', [value]);
  }
  apply('GlobalAveragePool', [value]);
  apply('Flatten', [value]);
  apply('MatMul', [value, graph.addInitializer(randomTensor([channels, 10], layers + 1, 0.1), 'classes')]);
  graph.setType(value, type([1, 10]));
  graph.setOutputs([value]);
  return writeModel(undefined, model, path, { externalData });
}
