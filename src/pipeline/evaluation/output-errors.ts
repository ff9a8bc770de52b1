// Streams the outputs of a model, and those of a reference where there is one, into a few sums per output.
import type { TensorMap } from '../../runtime/wire-tensor.js';
import { isFloat } from '../../tensor/dtype.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { OutputError, OutputRange } from './answers.js';
import { relativeError } from './statistics.js';

/** Ranges of the outputs `names`, sample by sample. */
export function trackRanges(names: readonly string[]): { add(outputs: TensorMap): void; ranges(): OutputRange[] } {
  const states = new Map<
    string,
    { dims: readonly number[]; low: number; high: number; sum: number; count: number; nonFinite: number }
  >();
  return {
    add: (outputs) => {
      for (const name of names) {
        const tensor = outputs.get(name);
        if (!tensor || tensor.dtype === 'string') continue;
        const state = states.get(name) ?? {
          dims: tensor.dims,
          low: Infinity,
          high: -Infinity,
          sum: 0,
          count: 0,
          nonFinite: 0,
        };
        states.set(name, state);
        let isFinite = true;
        for (const value of tensor.toFloat64()) {
          if (!Number.isFinite(value)) {
            isFinite = false;
            continue;
          }
          if (value < state.low) state.low = value;
          if (value > state.high) state.high = value;
          state.sum += value;
          state.count += 1;
        }
        if (!isFinite) state.nonFinite += 1;
      }
    },
    ranges: () =>
      [...states].map(([name, { dims, low, high, sum, count, nonFinite }]) =>
        count === 0
          ? { name, dims, low: 0, high: 0, mean: 0, nonFinite }
          : { name, dims, low, high, mean: sum / count, nonFinite },
      ),
  };
}

interface ErrorState {
  readonly name: string;
  signal: number;
  noise: number;
  low: number;
  high: number;
  look: OutputError['look'];
  broken: number;
  worst: OutputError['worst'];
  readonly squares: number[];
}

/** Adds up how far outputs are from those of the reference; outputs are matched in order. */
export function trackErrors(names: readonly string[]): {
  add(sample: string, pairs: readonly (readonly [expected: Tensor | undefined, actual: Tensor | undefined])[]): void;
  errors(): OutputError[];
} {
  const states = names.map((name): ErrorState => ({
    name,
    signal: 0,
    noise: 0,
    low: Infinity,
    high: -Infinity,
    look: 'values',
    broken: 0,
    worst: undefined,
    squares: [],
  }));
  return {
    add: (sample, pairs) => {
      for (const [at, state] of states.entries()) {
        const [expected, actual] = pairs[at] ?? [];
        if (expected) addPair(state, sample, expected, actual);
      }
    },
    errors: () =>
      states
        .filter(({ squares }) => squares.length > 0)
        .map((state) => ({ ...state, ...(state.low > state.high ? { low: 0, high: 0 } : {}) })),
  };
}

function addPair(state: ErrorState, sample: string, expected: Tensor, actual: Tensor | undefined): void {
  const { signal, noise, isBroken } =
    expected.dtype === 'string' ? textDifference(expected, actual) : difference(state, expected, actual);
  if (state.squares.length === 0 && looksLikeImage(expected)) state.look = 'image';
  state.signal += signal;
  state.noise += noise;
  state.squares.push(noise / Math.max(1, expected.size));
  if (isBroken) state.broken += 1;
  const relative = relativeError({ signal, noise });
  if (!state.worst || relative > state.worst.relative) state.worst = { name: sample, relative };
}

interface Difference {
  readonly signal: number;
  readonly noise: number;
  readonly isBroken: boolean;
}

/** An element that is NaN or infinite in one of the two counts with the whole energy that the reference has there. */
function difference(state: ErrorState, expected: Tensor, actual: Tensor | undefined): Difference {
  const reference = expected.toFloat64();
  const fits = actual !== undefined && actual.dtype !== 'string' && actual.dims.join('x') === expected.dims.join('x');
  const candidate = fits ? actual.toFloat64() : undefined;
  let [signal, noise, isBroken] = [0, 0, !fits];
  for (let i = 0; i < reference.length; i++) {
    const [y, other] = [reference[i] ?? 0, candidate?.[i] ?? Number.NaN];
    if (!Number.isFinite(y)) {
      isBroken ||= !Object.is(y, other);
      continue;
    }
    if (y < state.low) state.low = y;
    if (y > state.high) state.high = y;
    signal += y * y;
    if (Number.isFinite(other)) noise += (y - other) ** 2;
    else {
      isBroken = true;
      noise += y * y;
    }
  }
  return { signal, noise, isBroken };
}

/** Of texts, each that differs is an error as large as a text. */
function textDifference(expected: Tensor, actual: Tensor | undefined): Difference {
  const others = actual?.dtype === 'string' && actual.size === expected.size ? actual.strings() : [];
  const differing = expected.strings().filter((text, at) => Buffer.compare(text, others[at] ?? new Uint8Array()) !== 0);
  return { signal: expected.size, noise: differing.length, isBroken: others.length !== expected.size };
}

const CHANNELS = new Set([1, 3, 4]);
const LEAST_SIDE = 16;

/** [1, 1|3|4, H, W] or [1, H, W, 1|3|4] with sides of at least 16, of real numbers or bytes. */
function looksLikeImage({ dtype, dims: [batch, a = 0, b = 0, c = 0, ...rest] }: Tensor): boolean {
  if (batch !== 1 || rest.length > 0 || !(isFloat(dtype) || dtype === 'uint8')) return false;
  const sides = (height: number, width: number): boolean => Math.min(height, width) >= LEAST_SIDE;
  return (CHANNELS.has(a) && sides(b, c)) || (CHANNELS.has(c) && sides(a, b));
}
