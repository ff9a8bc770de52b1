// Rearranging tensors: against indexing by hand, for every element width, exact to the bit.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import { DTYPES, type DType } from '../../src/tensor/dtype.js';
import { elementCount, Tensor } from '../../src/tensor/tensor.js';
import { concatTensors, padTensor, permuteTensor, sliceTensor, tensorOf, viewOf } from '../../src/tensor/view.js';

const WHOLE_BYTES = (Object.keys(DTYPES) as DType[]).filter((dtype) => DTYPES[dtype].bits >= 8);

/** A tensor of random bits: NaN payloads and all. */
function randomBits(dtype: DType, dims: readonly number[], seed = 1): Tensor {
  const rng = createRng(seed);
  return new Tensor(
    dtype,
    dims,
    Uint8Array.from({ length: (elementCount(dims) * DTYPES[dtype].bits) / 8 }, () => rng.int(0, 255)),
  );
}

/** Element at `index` as hexadecimal. */
function element(tensor: Tensor, index: readonly number[]): string {
  const width = DTYPES[tensor.dtype].bits / 8;
  const at = index.reduce((flat, i, axis) => flat * (tensor.dims[axis] ?? 1) + i, 0);
  return Buffer.from(tensor.bytes().subarray(at * width, (at + 1) * width)).toString('hex');
}

function* indices(dims: readonly number[]): Generator<number[]> {
  for (let flat = 0; flat < elementCount(dims); flat++) {
    let rest = flat;
    yield dims.map((size, axis) => {
      const index = Math.floor(rest / elementCount(dims.slice(axis + 1))) % size;
      rest %= elementCount(dims.slice(axis));
      return index;
    });
  }
}

/** The elements of `tensor` are those of `source` at the index that `from` gives. */
function expectElements(
  tensor: Tensor,
  dims: readonly number[],
  source: Tensor,
  from: (index: number[]) => readonly number[],
): void {
  expect(tensor.dims).toEqual(dims);
  for (const index of indices(dims)) expect(element(tensor, index)).toBe(element(source, from(index)));
}

describe.each(WHOLE_BYTES)('rearranging %s', (dtype) => {
  const source = randomBits(dtype, [2, 3, 4]);

  it('permutes axes', () => {
    expectElements(permuteTensor(source, [2, 0, 1]), [4, 2, 3], source, ([i = 0, j = 0, k = 0]) => [j, k, i]);
    expect(permuteTensor(source, [0, 1, 2]).bytes()).toEqual(source.bytes());
    expect(permuteTensor(permuteTensor(source, [1, 2, 0]), [2, 0, 1]).bytes()).toEqual(source.bytes());
  });

  it('slices, with steps both ways', () => {
    expectElements(sliceTensor(source, { axis: 2, start: 1, count: 2 }), [2, 3, 2], source, ([i = 0, j = 0, k = 0]) => [
      i,
      j,
      k + 1,
    ]);
    expectElements(
      sliceTensor(source, { axis: 2, start: 0, count: 2, step: 3 }),
      [2, 3, 2],
      source,
      ([i = 0, j = 0, k = 0]) => [i, j, 3 * k],
    );
    expectElements(
      sliceTensor(source, { axis: 1, start: 2, count: 3, step: -1 }),
      [2, 3, 4],
      source,
      ([i = 0, j = 0, k = 0]) => [i, 2 - j, k],
    );
    expect(sliceTensor(source, { axis: 0, start: 0, count: 0 }).dims).toEqual([0, 3, 4]);
  });

  it('concatenates', () => {
    const other = randomBits(dtype, [2, 2, 4], 2);
    const joined = concatTensors([source, other], 1);
    expect(joined.dims).toEqual([2, 5, 4]);
    expect(sliceTensor(joined, { axis: 1, start: 0, count: 3 }).bytes()).toEqual(source.bytes());
    expect(sliceTensor(joined, { axis: 1, start: 3, count: 2 }).bytes()).toEqual(other.bytes());
  });

  it('pads', () => {
    const padded = padTensor(source, { before: [0, 1, 0], after: [1, 0, 2] });
    expect(padded.dims).toEqual([3, 4, 6]);
    const middle = [0, 1, 2].reduce(
      (tensor, axis) => sliceTensor(tensor, { axis, start: [0, 1, 0][axis] ?? 0, count: source.dims[axis] ?? 0 }),
      padded,
    );
    expect(middle.bytes()).toEqual(source.bytes());
    expect(padded.bytes().filter((byte) => byte !== 0).length).toBe(source.bytes().filter((byte) => byte !== 0).length);
  });
});

describe('rearranging', () => {
  const numbers = (dtype: DType, ...values: number[]): Tensor => Tensor.fromNumbers(dtype, [values.length], values);

  it('pads with a value of the type', () => {
    expect(padTensor(numbers('float16', 1, 2), { before: [1], after: [2], value: -1.5 }).toNumbers()).toEqual([
      -1.5, 1, 2, -1.5, -1.5,
    ]);
    expect(padTensor(numbers('int64', 7), { before: [1], after: [0], value: -1 }).toBigInts()).toEqual([-1n, 7n]);
  });

  it('reads tensors at odd offsets of a file', () => {
    const file = new Uint8Array(17);
    file.set(numbers('float64', 1.5, -2).bytes(), 1);
    const tensor = new Tensor('float64', [2], file.subarray(1, 17));
    expect(sliceTensor(tensor, { axis: 0, start: 1, count: 1 }).toNumbers()).toEqual([-2]);
  });

  it('handles scalars and axes of size 0', () => {
    expect(permuteTensor(Tensor.scalar('int32', 5), []).toNumbers()).toEqual([5]);
    expect(permuteTensor(Tensor.fromNumbers('float32', [0, 3], []), [1, 0]).dims).toEqual([3, 0]);
    expect(concatTensors([Tensor.fromNumbers('int8', [0], []), numbers('int8', 1)], 0).toNumbers()).toEqual([1]);
  });

  it('leaves lazy weights where they are until they are read', () => {
    let reads = 0;
    const bytes = numbers('float32', 1, 2, 3, 4).bytes();
    const lazy = new Tensor('float32', [2, 2], {
      byteLength: 16,
      read: () => {
        reads++;
        return bytes;
      },
    });
    const result = concatTensors([permuteTensor(lazy, [1, 0]), lazy], 0);
    expect([result.isLazy, reads]).toEqual([true, 0]);
    expect(result.toNumbers()).toEqual([1, 3, 2, 4, 1, 2, 3, 4]);
  });

  it('refuses what makes no sense', () => {
    const tensor = randomBits('float32', [2, 3]);
    expect(() => permuteTensor(tensor, [0, 0])).toThrow(/does not permute 2 axes/);
    expect(() => permuteTensor(tensor, [0])).toThrow(/does not permute/);
    expect(() => sliceTensor(tensor, { axis: 1, start: 2, count: 2 })).toThrow(/outside \[2,3\]/);
    expect(() => sliceTensor(tensor, { axis: 1, start: 1, count: 3, step: -1 })).toThrow(/outside/);
    expect(() => sliceTensor(tensor, { axis: 2, start: 0, count: 1 })).toThrow(/outside/);
    expect(() => concatTensors([tensor, randomBits('float32', [2, 3, 1])], 0)).toThrow(/does not follow/);
    expect(() => concatTensors([tensor, randomBits('int32', [2, 3])], 0)).toThrow(/does not follow/);
    expect(() => concatTensors([], 0)).toThrow(/nothing to concatenate/);
    expect(() => padTensor(tensor, { before: [0, -1], after: [0, 0] })).toThrow(/does not fit/);
    expect(() => permuteTensor(Tensor.fromNumbers('int4', [2], [1, 2]), [0])).toThrow(/int4 cannot be rearranged/);
  });
});

describe('number views', () => {
  it('index like the tensor and write back', () => {
    const tensor = Tensor.fromNumbers('float16', [2, 3], [1, 2, 3, 4, 5, 6]);
    const view = viewOf(tensor);
    expect(view.get(1, 2)).toBe(6);
    view.set(0, 1, 9.0001);
    expect(tensor.toNumbers()[1]).toBe(2);
    expect(tensorOf('float16', view.transpose(1, 0)).toNumbers()).toEqual([1, 4, 9, 5, 3, 6]);
    expect(tensorOf('float32', viewOf(Tensor.scalar('float32', 3))).toNumbers()).toEqual([3]);
  });
});

it('rearranges a tensor that lies at an odd place of a Buffer', () => {
  const file = Buffer.alloc(17);
  file.set(new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer), 1);
  const tensor = new Tensor('float32', [2, 2], file.subarray(1));
  expect(permuteTensor(tensor, [1, 0]).toNumbers()).toEqual([1, 3, 2, 4]);
});
