// Runs one ahead: in order, one more under way than the caller has, and errors where they belong.
import { expect, it } from 'vitest';
import { oneAhead } from '../../src/runtime/one-ahead.js';

async function* numbers(count: number, log: string[] = []): AsyncGenerator<number> {
  for (let at = 0; at < count; at++) {
    log.push(`read ${at}`);
    yield await Promise.resolve(at);
  }
}

it('gives all in order, and has begun the next when one is given', async () => {
  const log: string[] = [];
  const work = (at: number): Promise<number> => {
    log.push(`begin ${at}`);
    return Promise.resolve(10 * at);
  };
  for await (const result of oneAhead(numbers(3, log), work)) log.push(`got ${result}`);
  expect(log).toEqual([
    ...['read 0', 'begin 0', 'read 1', 'begin 1', 'got 0', 'read 2', 'begin 2'],
    ...['got 10', 'got 20'],
  ]);
});

it('gives nothing for nothing', async () => {
  const got: number[] = [];
  for await (const one of oneAhead(numbers(0), (at) => Promise.resolve(at))) got.push(one);
  expect(got).toEqual([]);
});

it('throws where the turn of what failed comes, and leaves alone what nobody waits for', async () => {
  const got: number[] = [];
  const work = (at: number): Promise<number> =>
    at === 1 ? Promise.reject(new RangeError('one')) : Promise.resolve(at);
  const all = async (): Promise<void> => {
    for await (const one of oneAhead(numbers(3), work)) got.push(one);
  };
  await expect(all()).rejects.toThrow(RangeError);
  expect(got).toEqual([0]);
  // Stopped at the first: the failure of the second is nobody's.
  for await (const one of oneAhead(numbers(3), work)) {
    expect(one).toBe(0);
    break;
  }
});
