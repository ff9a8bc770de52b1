// Models of a few convolutions, and what they give with activations left out and all padding in front: the same without activations, on data
// with zeros around. There every layer sees zeros of the data and none of its own.
import type { Model } from '../../../src/ir/model.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import type { RuntimeHost } from '../../../src/runtime/host.js';
import { Tensor } from '../../../src/tensor/tensor.js';
import { runModel } from '../run-model.js';

export interface Written {
  readonly channels?: number;
  readonly height?: number;
  readonly width?: number;
  readonly outputs?: string;
  readonly more?: string;
}

export const parsed = (
  body: string,
  { channels = 4, height = 12, width = 11, outputs = 'float[1,O,A,B] y', more = '' }: Written = {},
): Model =>
  parseModel(`<ir_version: 8, opset_import: ["" : 17]>
g (float[1,${channels},${height},${width}] x) => (${outputs})
<float[4,4,3,3] w = random(1), float[4] b = random(2), float[4,4,3,3] v = random(3), float[4] c = random(4), float[4,4,1,1] p = random(5),
 float[4,1,3,3] d = random(6), float[4,1,3,3] e = random(7), float zero = {0}, float six = {6}${more}>
{
${body}
}`);

/** Zeros around the data, far enough out that the border of the padded data does not come into play. */
function padded(x: Tensor, margin: number): Tensor {
  const [, channels = 0, height = 0, width = 0] = x.dims;
  const [tall, wide] = [height + 2 * margin, width + 2 * margin];
  const numbers = x.toNumbers();
  const out = new Float64Array(channels * tall * wide);
  for (let i = 0; i < numbers.length; i++) {
    const [channel, row, column] = [Math.floor(i / (height * width)), Math.floor(i / width) % height, i % width];
    out[(channel * tall + row + margin) * wide + column + margin] = numbers[i] ?? 0;
  }
  return Tensor.fromNumbers('float32', [1, channels, tall, wide], out);
}

/** The part of `y` that begins at `first` along both spatial axes. */
function cropped(y: Tensor, first: number, [height, width]: readonly [number, number]): Tensor {
  const [, channels = 0, tall = 0, wide = 0] = y.dims;
  const numbers = y.toNumbers();
  const out = Array.from({ length: channels * height * width }, (_, i) => {
    const [channel, row, column] = [Math.floor(i / (height * width)), Math.floor(i / width) % height, i % width];
    return numbers[(channel * tall + row + first) * wide + column + first] ?? 0;
  });
  return Tensor.fromNumbers('float32', [1, channels, height, width], out);
}

/** Without the activations that are called `r`, `r1`, ... */
const withoutActivations = (body: string): string =>
  body.replaceAll(/\b(r\d*) = (?:Relu|Clip|LeakyRelu)(?: <[^>]*>)? \((\w+)[^)]*\)/g, '$1 = Identity ($2)');

export interface LinearCase {
  /** Activations inside are called `r`, `r1`, ... */
  readonly body: string;
  readonly written: Written;
  /** Product of all strides. */
  readonly stride: number;
}

/** What the model gives for `x` without the activations inside, all padding in front; `sizes`: of its output. */
export async function linearOutput(
  host: RuntimeHost,
  { body, written, stride }: LinearCase,
  x: Tensor,
  sizes: readonly [number, number],
): Promise<Tensor> {
  const margin = 12 * stride;
  const { height = 12, width = 11 } = written;
  const around = { ...written, height: height + 2 * margin, width: width + 2 * margin };
  const outputs = await runModel(host, parsed(withoutActivations(body), around), new Map([['x', padded(x, margin)]]));
  const y = outputs.get('y');
  if (!y) throw new Error('the model has no output y');
  return cropped(y, margin / stride, sizes);
}
