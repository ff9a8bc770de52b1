// Runs one ahead of whoever takes the results: while the caller works on one, the child process computes the next.

/**
 * What `work` gives for each of `all`, in order. The next one is read and worked on while the caller has the present one; whoever stops in
 * between does not wait for it. @throws what `all` and `work` throw
 */
export async function* oneAhead<T, R>(all: AsyncIterable<T>, work: (one: T) => Promise<R>): AsyncGenerator<R> {
  let running: Promise<R> | undefined;
  for await (const one of all) {
    const next = work(one);
    // Handled when its turn comes, if it does.
    next.catch(() => undefined);
    if (running) yield await running;
    running = next;
  }
  if (running) yield await running;
}
