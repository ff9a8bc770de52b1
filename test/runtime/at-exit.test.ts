// What goes when the process ends: one listener, however much waits, and none once nothing does.
import { describe, expect, it } from 'vitest';
import { atExit } from '../../src/base/at-exit.js';

describe('atExit', () => {
  it('adds one listener for many, and takes it back with the last', () => {
    const before = process.listenerCount('exit');
    const stays = Array.from({ length: 20 }, () => atExit(() => undefined));
    expect(process.listenerCount('exit')).toBe(before + 1);
    for (const stay of stays) stay();
    expect(process.listenerCount('exit')).toBe(before);
  });

  it('calls what still waits when the process ends, the latest first', () => {
    const before = process.listeners('exit');
    const called: string[] = [];
    const stays = [atExit(() => called.push('first')), atExit(() => called.push('last'))];
    const gone = atExit(() => called.push('never'));
    gone();
    const added = process.listeners('exit').filter((listener) => !before.includes(listener));
    for (const listener of added) listener(0);
    expect(called).toEqual(['last', 'first']);
    for (const stay of stays) stay();
  });
});
