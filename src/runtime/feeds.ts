// Seeded random feeds for a list of inputs, and the sizes that stand for symbolic dimensions.
import { InputError } from '../base/errors.js';
import { createRng, type Rng } from '../base/rng.js';
import { DTYPES, type DType } from '../tensor/dtype.js';
import { elementCount, Tensor } from '../tensor/tensor.js';

export interface InputSpec {
  readonly name: string;
  readonly dtype: DType;
  /** Sizes or symbols; an empty symbol is a dimension without a name. */
  readonly dims: readonly (number | string)[];
}

/** Size per symbol, keyed by `symbolKey`. */
export type Sizes = Readonly<Record<string, number>>;

/**
 * What is drawn for floating-point inputs: standard normal, uniform in [0, 1), all zero, values at which activation
 * functions bend or saturate, a hundredth of standard normal, or uniform in [0, 255). `zeros` and `border` take the ends
 * of the range for the other types.
 */
export type FeedKind = 'normal' | 'uniform' | 'zeros' | 'border' | 'faint' | 'pixels';

/** A tensor, or one number for every element. */
export type FixedFeed = Tensor | { readonly fill: number };

export interface FeedRecipe {
  readonly seed: number | string;
  readonly kind: FeedKind;
  readonly sizes: Sizes;
  /** Inputs given by the user. */
  readonly fixed?: ReadonlyMap<string, FixedFeed>;
  /** Largest random number for integers of 16 bits and more, which are often indices; default 7. */
  readonly largestInt?: number;
}

const ELEMENT_LIMIT = 2 ** 28;
const LARGEST_INT = 7;
const BORDERS = [0, -0, 0.5, -0.5, 1, -1, 3, -3, 6, -6, 1e-6, -1e-6, 100, -100, 255, -255];

/** The symbol of a dimension; one without a name is told apart by its input and axis. */
export function symbolKey(spec: InputSpec, axis: number): string {
  const dim = spec.dims[axis];
  return typeof dim === 'string' && dim !== '' ? dim : `${spec.name}#${axis}`;
}

/**
 * Feeds for `specs`: the same recipe gives the same feeds, and each input has a stream of its own.
 * @throws InputError bad-feed when an input would have more than 2^28 elements, or a symbol has no size
 */
export function randomFeeds(specs: readonly InputSpec[], recipe: FeedRecipe): Map<string, Tensor> {
  const feeds = new Map<string, Tensor>();
  for (const spec of specs) {
    const fixed = recipe.fixed?.get(spec.name);
    if (fixed instanceof Tensor) {
      feeds.set(spec.name, fixed);
      continue;
    }
    const dims = spec.dims.map((dim, axis) =>
      typeof dim === 'number' ? dim : sizeOf(recipe.sizes, symbolKey(spec, axis), spec.name),
    );
    const count = elementCount(dims);
    if (count > ELEMENT_LIMIT) throw badFeed(spec.name, `an input of [${dims.join(', ')}] is too large to feed`);
    const rng = createRng(recipe.seed).fork(`${recipe.kind}/${spec.name}`);
    feeds.set(
      spec.name,
      fixed
        ? Tensor.fromNumbers(spec.dtype, dims, constant(count, fixed.fill))
        : draw(spec.dtype, dims, { rng, recipe }),
    );
  }
  return feeds;
}

function sizeOf(sizes: Sizes, symbol: string, input: string): number {
  const size = sizes[symbol];
  if (size === undefined)
    throw badFeed(input, `dimension "${symbol}" has no size`, 'give the shape: --input name:1x3x224x224');
  return size;
}

function badFeed(input: string, message: string, fix?: string): InputError {
  return new InputError('bad-feed', message, { at: { tensor: input }, ...(fix === undefined ? {} : { fix }) });
}

function constant(count: number, value: number): Float64Array {
  return new Float64Array(count).fill(value);
}

function draw(dtype: DType, dims: readonly number[], { rng, recipe }: { rng: Rng; recipe: FeedRecipe }): Tensor {
  const count = elementCount(dims);
  const { kind } = recipe;
  if (dtype === 'string') {
    const text = new TextEncoder();
    return new Tensor(
      'string',
      dims,
      Array.from({ length: count }, () => text.encode(kind === 'zeros' ? '' : String(rng.int(0, 9)))),
    );
  }
  const numbers = constant(count, 0);
  if (kind !== 'zeros') {
    const next = DTYPES[dtype].kind === 'float' ? FLOATS[kind] : intDrawer(dtype, recipe);
    for (let i = 0; i < count; i++) numbers[i] = next(rng);
  }
  return Tensor.fromNumbers(dtype, dims, numbers);
}

const FLOATS: Readonly<Record<Exclude<FeedKind, 'zeros'>, (rng: Rng) => number>> = {
  normal: (rng) => rng.normal(),
  uniform: (rng) => rng.uniform(),
  border: (rng) => rng.pick(BORDERS),
  faint: (rng) => rng.normal() / 100,
  pixels: (rng) => rng.uniform() * 255,
};

/** Bytes use their whole range (pixels, quantized values); wider integers stay small and non-negative. */
function intDrawer(dtype: DType, { kind, largestInt }: FeedRecipe): (rng: Rng) => number {
  const { bits, kind: type } = DTYPES[dtype];
  const wide = bits > 8;
  const low = !wide && type === 'int' ? -(2 ** (bits - 1)) : 0;
  const high = type === 'bool' ? 1 : wide ? (largestInt ?? LARGEST_INT) : low + 2 ** bits - 1;
  return kind === 'border' ? (rng) => rng.pick([low, high]) : (rng) => rng.int(low, high);
}

/**
 * Sizes of symbols that follow from shapes given for inputs.
 * @throws InputError bad-feed for an unknown input, a wrong rank, a size that differs from a fixed one, or two sizes for
 *   one symbol
 */
export function bindSizes(specs: readonly InputSpec[], shapes: ReadonlyMap<string, readonly number[]>): Sizes {
  const sizes: Record<string, number> = {};
  for (const [name, dims] of shapes) {
    const spec = specs.find((candidate) => candidate.name === name);
    if (!spec) {
      throw badFeed(
        name,
        `the model has no input "${name}"`,
        `its inputs: ${specs.map((known) => known.name).join(', ')}`,
      );
    }
    const wrong = (why: string): InputError => badFeed(name, `the shape [${dims.join(', ')}] does not fit: ${why}`);
    if (dims.length !== spec.dims.length) throw wrong(`the input has ${spec.dims.length} dimensions`);
    spec.dims.forEach((dim, axis) => {
      const size = dims[axis] ?? 0;
      if (typeof dim === 'number') {
        if (dim !== size) throw wrong(`dimension ${axis} is fixed to ${dim} in the model`);
        return;
      }
      const symbol = symbolKey(spec, axis);
      const known = Object.hasOwn(sizes, symbol) ? sizes[symbol] : size;
      if (known !== size) throw wrong(`dimension "${symbol}" is ${known} in another input`);
      sizes[symbol] = size;
    });
  }
  return sizes;
}
