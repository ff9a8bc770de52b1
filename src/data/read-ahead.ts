// Work done ahead of its reader, in order, with a bound on how much is under way.
import { InterruptError } from '../base/errors.js';

/**
 * Results of `start(0..count-1)` in order; at most `depth` are under way or wait for the reader at any time.
 * @throws InterruptError when `signal` aborts
 */
export async function* readAhead<T>(
  count: number,
  start: (index: number) => Promise<T>,
  { depth, signal }: { readonly depth: number; readonly signal: AbortSignal | undefined },
): AsyncGenerator<T> {
  const waiting: Promise<T>[] = [];
  let next = 0;
  const fill = (): void => {
    while (next < count && waiting.length < depth) {
      const result = start(next++);
      // Handled when its turn comes; until then a rejection must not count as unhandled.
      result.catch(() => undefined);
      waiting.push(result);
    }
  };
  try {
    for (;;) {
      if (signal?.aborted) throw new InterruptError('stopped');
      fill();
      const first = waiting[0];
      if (first === undefined) return;
      const result = await first;
      void waiting.shift();
      yield result;
    }
  } finally {
    await Promise.allSettled(waiting);
  }
}
