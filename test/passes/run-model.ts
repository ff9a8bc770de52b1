// Runs models on ONNX Runtime as they are written, makes feeds for them, and measures how far outputs are apart.
import { createRng } from '../../src/base/rng.js';
import type { Model } from '../../src/ir/model.js';
import { parseModel } from '../../src/ir/text/parse.js';
import type { Value } from '../../src/ir/value.js';
import { encodeModel } from '../../src/onnx/encode.js';
import type { RuntimeHost } from '../../src/runtime/host.js';
import { isFloat } from '../../src/tensor/dtype.js';
import { elementCount, sameTensor, Tensor } from '../../src/tensor/tensor.js';

export type Feeds = ReadonlyMap<string, Tensor>;

/** The outputs of `model`, without graph optimizations. @throws InputError when ONNX Runtime refuses it */
export async function runModel(host: RuntimeHost, model: Model, feeds: Feeds): Promise<Map<string, Tensor>> {
  return host.run(Buffer.concat(encodeModel(undefined, model)), feeds, { optimization: 'disabled' });
}

/** Sizes of symbolic dims by position (batch, channels, spatial), per feed. */
const SIZES: readonly (readonly [number, number, number])[] = [
  [2, 4, 8],
  [1, 4, 9],
  [3, 4, 7],
];

/**
 * Feed number `seed` for the inputs of `model` that have no initializer. `given`: lines `N = 4` for symbols, and
 * declarations of contents (`float[2] x = {1, 2}`) for inputs.
 */
export function feedsFor(model: Model, seed: number, given = ''): Map<string, Tensor> {
  const rng = createRng(`feeds/${seed}`);
  const lines = given
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const isSize = (line: string): boolean => /^\w+ *= *\d+$/.test(line);
  const sizes = new Map(
    lines
      .filter(isSize)
      .map((line) => line.split('='))
      .map(([name = '', size]) => [name.trim(), Number(size)]),
  );
  const contents = parseModel(`feeds () => () <${lines.filter((line) => !isSize(line)).join('\n')}> { }`).graph
    .initializers;
  const fixed = new Map(
    [...contents].flatMap((value) => (value.constant ? [[value.name, value.constant] as const] : [])),
  );
  const feeds = new Map<string, Tensor>();
  for (const input of model.graph.inputs) {
    const tensor = fixed.get(input.name);
    if (tensor) feeds.set(input.name, tensor);
    else if (!input.initializer)
      feeds.set(
        input.name,
        randomTensor(
          input,
          rng,
          (symbol, axis) => sizes.get(symbol) ?? SIZES[seed % SIZES.length]?.[Math.min(axis, 2)] ?? 1,
        ),
      );
  }
  return feeds;
}

function randomTensor(
  { name, type }: Value,
  rng: ReturnType<typeof createRng>,
  sizeOf: (symbol: string, axis: number) => number,
): Tensor {
  if (type?.kind !== 'tensor' || type.dtype === undefined || type.shape === undefined)
    throw new Error(`input "${name}" needs a type with a shape, or a line in the section "feeds"`);
  const { dtype } = type;
  const dims = type.shape.map((dim, axis) => (typeof dim === 'number' ? dim : sizeOf(dim ?? '', axis)));
  const element = (): number => (isFloat(dtype) ? rng.normal() : dtype === 'bool' ? rng.int(0, 1) : rng.int(0, 2));
  return Tensor.fromNumbers(dtype, dims, Array.from({ length: elementCount(dims) }, element));
}

/** What differs between two sets of outputs, as a sentence; undefined when they agree within `tolerance` of their scale. */
export function difference(expected: Feeds, actual: Feeds, tolerance: number): string | undefined {
  if ([...expected.keys()].join() !== [...actual.keys()].join())
    return `outputs ${[...actual.keys()].join()} instead of ${[...expected.keys()].join()}`;
  for (const [name, a] of expected) {
    const b = actual.get(name);
    if (!b || a.dtype !== b.dtype || a.dims.join() !== b.dims.join())
      return `${name} is ${b?.dtype}[${b?.dims.join()}] instead of ${a.dtype}[${a.dims.join()}]`;
    const error =
      a.dtype === 'string' || !isFloat(a.dtype) || tolerance === 0
        ? sameTensor(a, b)
          ? 0
          : Infinity
        : relativeError(a, b);
    if (error > tolerance) return `${name} differs by ${error} of its scale`;
  }
  return undefined;
}

/** Largest difference over the largest magnitude; Infinity where one is NaN or infinite and the other is not the same. */
export function relativeError(expected: Tensor, actual: Tensor): number {
  const [a, b] = [expected.toFloat64(), actual.toFloat64()];
  let scale = 0;
  let worst = 0;
  a.forEach((x, i) => {
    const y = b[i] ?? Number.NaN;
    if (Object.is(x, y) || x === y) scale = Number.isFinite(x) ? Math.max(scale, Math.abs(x)) : scale;
    else if (!Number.isFinite(x) || !Number.isFinite(y)) worst = Infinity;
    else {
      scale = Math.max(scale, Math.abs(x));
      worst = Math.max(worst, Math.abs(x - y));
    }
  });
  return worst === 0 ? 0 : worst / scale;
}
