// What has to go when the process ends early: folders, child processes. All of it hangs on one listener, since Node takes more than ten
// for a leak and says so to the user.

const waiting = new Set<() => void>();
const runAll = (): void => {
  for (const clear of [...waiting].toReversed()) clear();
};

/** Has `clear` called when the process ends, unless the function that is returned was called before. `clear` must be synchronous. */
export function atExit(clear: () => void): () => void {
  if (waiting.size === 0) process.once('exit', runAll);
  waiting.add(clear);
  return () => {
    waiting.delete(clear);
    if (waiting.size === 0) process.removeListener('exit', runAll);
  };
}
