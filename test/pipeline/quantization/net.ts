// A small net with random weights, samples for it, and a request to quantize it: what the tests of quantization runs share.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRng } from '../../../src/base/rng.js';
import type { OpenedData } from '../../../src/data/open-data.js';
import { intsAttr } from '../../../src/ir/attribute.js';
import { Model } from '../../../src/ir/model.js';
import type { Value } from '../../../src/ir/value.js';
import { encodeModel } from '../../../src/onnx/encode.js';
import type { QuantizeRequest } from '../../../src/pipeline/quantization/outcome.js';
import { presetPasses } from '../../../src/pipeline/recipe.js';
import { Tensor } from '../../../src/tensor/tensor.js';
import { fakeData, sampleOf } from '../evaluation/fake-data.js';

const SIZE = 24;
const CHANNELS = 16;

/**
 * Five convolutions with a residual, as a file in `folder`: x [1,3,24,24] to y [1,4,24,24]. The weights of `c3` have a few
 * outliers, so that 8 bits are too few for it. `spread` makes the first channel of `c1` so much larger, and what `c2` and `c4` make
 * of it so much smaller: one range for all channels leaves nothing of the others.
 */
export function writeNet(folder: string, { spread = 1 }: { readonly spread?: number } = {}): string {
  const model = new Model({ graphName: 'net', opsets: new Map([['', 17]]), irVersion: 8 });
  const { graph } = model;
  const rng = createRng('weights');
  const conv = (name: string, input: Value | undefined, inputs: number, outputs: number): Value | undefined => {
    const weights = Array.from({ length: outputs * inputs * 9 }, (_, i) => {
      const outlier = name === 'c3' && i % 31 === 0 ? 60 : 1;
      const isWide = (name === 'c1' && i < inputs * 9) || (/^c[24]$/.test(name) && i % (inputs * 9) < 9);
      const factor = !isWide ? 1 : name === 'c1' ? spread : 1 / spread;
      return (rng.normal() * outlier * factor) / Math.sqrt(inputs * 9);
    });
    const w = graph.addInitializer(Tensor.fromNumbers('float32', [outputs, inputs, 3, 3], weights), `${name}_w`);
    const bias = Array.from({ length: outputs }, () => rng.normal() * 0.1);
    const b = graph.addInitializer(Tensor.fromNumbers('float32', [outputs], bias), `${name}_b`);
    const attributes = { pads: intsAttr([1, 1, 1, 1]) };
    return graph.addNode({ opType: 'Conv', name, inputs: [input, w, b], outputs: [`${name}_y`], attributes }).output;
  };
  const relu = (name: string, input: Value | undefined): Value | undefined =>
    graph.addNode({ opType: 'Relu', name, inputs: [input], outputs: [`${name}_y`] }).output;
  const x = graph.addInput('x', { kind: 'tensor', dtype: 'float32', shape: [1, 3, SIZE, SIZE] });
  const first = relu('r1', conv('c1', x, 3, CHANNELS));
  const second = relu('r2', conv('c2', first, CHANNELS, CHANNELS));
  const third = conv('c3', second, CHANNELS, CHANNELS);
  const sum = graph.addNode({ opType: 'Add', name: 'add', inputs: [first, third], outputs: ['sum'] }).output;
  const fourth = relu('r4', conv('c4', relu('r3', sum), CHANNELS, CHANNELS));
  const y = conv('c5', fourth, CHANNELS, 4);
  if (!y) throw new TypeError('no output');
  graph.setType(y, { kind: 'tensor', dtype: 'float32', shape: [1, 4, SIZE, SIZE] });
  graph.setOutputs([y]);
  const path = join(folder, 'net.onnx');
  writeFileSync(path, Buffer.concat(encodeModel(undefined, model)));
  return path;
}

/** `count` samples of the net, without labels. */
export function netData(count: number): OpenedData {
  const samples = Array.from({ length: count }, (_, at) => {
    const rng = createRng(`sample ${at}`);
    const numbers = Float32Array.from({ length: 3 * SIZE * SIZE }, () => rng.normal());
    return sampleOf(`sample ${at}`, undefined, 'x', [1, 3, SIZE, SIZE], numbers);
  });
  return opened(fakeData(samples));
}

/** As `openData` gives it. */
export function opened(data: ReturnType<typeof fakeData>): OpenedData {
  return { ...data, kind: 'fake', labelsFrom: undefined, preprocess: 'raw', expectClasses: () => undefined };
}

/** A request that measures nothing and calibrates with 20 of 60 samples. */
export function requestFor(path: string, changes: Partial<QuantizeRequest> = {}): QuantizeRequest {
  return {
    input: { path },
    output: path.replace(/\.onnx$/, '.int8.onnx'),
    recipe: { freeze: {}, opset: undefined, passes: presetPasses('exact') },
    target: 'x64-vnni',
    calibrators: ['min-max', 'mse'],
    equalize: 'on',
    rounding: 'second-order',
    refineRanges: 'on',
    correctBiases: 'on',
    openData: () => Promise.resolve(netData(60)),
    calibrationSamples: 20,
    float: [],
    maxDrop: undefined,
    journal: undefined,
    measure: 'off',
    seed: 0,
    threads: 1,
    keepOverridable: false,
    externalData: 'auto',
    signal: new AbortController().signal,
    ...changes,
  };
}
