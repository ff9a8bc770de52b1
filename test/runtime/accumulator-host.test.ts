// The thread of accumulators when it dies; what it does while it lives is tested with observing.
import { expect, it } from 'vitest';
import { AccumulatorDefect, AccumulatorHost } from '../../src/runtime/accumulator-host.js';

it('fails all that wait when the thread ends, and starts another', async () => {
  // Beside the sources there is no compiled thread.
  const host = new AccumulatorHost();
  const ask = async (): Promise<unknown> => host.ask({ kind: 'end', observer: 'a' }).catch((error: unknown) => error);
  for (const error of await Promise.all([ask(), ask()])) expect(error).toBeInstanceOf(AccumulatorDefect);
  expect(await ask()).toBeInstanceOf(AccumulatorDefect);
});
