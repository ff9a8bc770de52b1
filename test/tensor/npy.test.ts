// Files written by numpy 2 (numpy.save, savez, savez_compressed; the values are in each case) and damaged copies of them.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/base/errors.js';
import { createRng } from '../../src/base/rng.js';
import { readNpy, readNpz } from '../../src/tensor/npy.js';

const load = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(`numpy/${name}`, import.meta.url)));
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe('readNpy', () => {
  it('undoes Fortran order', () => {
    const tensor = readNpy(load('fortran.npy'), 'f');
    expect([tensor.dtype, tensor.dims, tensor.toNumbers()]).toEqual(['float32', [2, 3], [0, 1, 2, 3, 4, 5]]);
  });

  it('undoes big-endian order', () => {
    const tensor = readNpy(load('big-endian.npy'), 'f');
    expect([tensor.dtype, tensor.dims, tensor.toBigInts()]).toEqual(['int64', [3], [1n, -2n, 2n ** 40n]]);
  });

  it('reads a scalar and half precision', () => {
    const scalar = readNpy(load('scalar.npy'), 'f');
    expect([scalar.dtype, scalar.dims, scalar.scalar()]).toEqual(['float64', [], 2.5]);
    const half = readNpy(load('half.npy'), 'f');
    expect([half.dtype, half.dims, half.toNumbers()]).toEqual(['float16', [2, 1], [1.5, -2]]);
  });

  it('reads texts of both kinds', () => {
    expect(readNpy(load('unicode.npy'), 'f').strings().map(text)).toEqual(['grüße', '', 'ab']);
    expect(readNpy(load('bytes.npy'), 'f').strings().map(text)).toEqual(['abc', 'x']);
  });

  it.each([
    ['object.npy', /Python objects/],
    ['complex.npy', /c16 is not supported/],
    ['stored.npz', /not a numpy array/],
  ])('declines %s', (name, why) => {
    expect(() => readNpy(load(name), name)).toThrow(why);
  });

  it('declines an array larger than the limit before it reads it', () => {
    const huge = Uint8Array.from(
      Buffer.from(
        Buffer.from(load('half.npy')).toString('latin1').replace('(2, 1), }    ', '(99999, 99999)'),
        'latin1',
      ),
    );
    expect(() => readNpy(huge, 'huge')).toThrow(/more than/);
  });
});

describe('readNpz', () => {
  it('reads stored entries', () => {
    const arrays = readNpz(load('stored.npz'), 'f');
    expect([...arrays.keys()]).toEqual(['x', 'flag']);
    expect(arrays.get('x')?.toNumbers()).toEqual([0, 1, 2]);
    expect([arrays.get('flag')?.dtype, arrays.get('flag')?.scalar()]).toEqual(['bool', 1]);
  });

  it('reads deflated entries', () => {
    const arrays = readNpz(load('deflated.npz'), 'f');
    expect(arrays.get('x')?.dims).toEqual([2, 5]);
    expect(arrays.get('x')?.toNumbers()).toEqual(Array.from({ length: 10 }, () => 0));
    expect(arrays.get('y')?.toNumbers()).toEqual([7]);
  });

  it('answers every damaged file with bad-feed, and nothing else', () => {
    const rng = createRng(1);
    const errors: unknown[] = [];
    for (let i = 0; i < 2000; i++) {
      const bytes = load(rng.pick(['deflated.npz', 'stored.npz', 'fortran.npy', 'unicode.npy'])).slice();
      for (let k = rng.int(1, 4); k > 0; k--) bytes[rng.int(0, bytes.length - 1)] = rng.int(0, 255);
      const cut = rng.uniform() < 0.3 ? bytes.subarray(0, rng.int(0, bytes.length)) : bytes;
      for (const read of [readNpz, readNpy]) {
        try {
          read(cut, 'damaged');
        } catch (error) {
          errors.push(error);
        }
      }
    }
    expect(errors.filter((error) => !(error instanceof InputError && error.code === 'bad-feed'))).toEqual([]);
    expect(errors.length).toBeGreaterThan(2000);
  });
});
