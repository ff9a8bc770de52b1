// Random graphs through all exact passes: same outputs on ONNX Runtime, nothing left to do for a second run, same bytes every
// time, and a way back. `npm run bench -- property 2000` checks more of them.
import { afterAll, describe, expect, it } from 'vitest';
import { RuntimeHost } from '../../src/runtime/host.js';
import { exploreGraph, reduceSeed } from './explore.js';

const host = new RuntimeHost();

afterAll(() => host.dispose());

describe('the exact passes', () => {
  it.each(Array.from({ length: 40 }, (_, i) => `suite/${i}`))('keep random graph %s', async (seed) => {
    const verdict = await exploreGraph(seed, host);
    expect(verdict.isUnrunnable).toBe(false);
    const reproducer = verdict.violations.length > 0 ? [await reduceSeed(seed, host)] : [];
    expect([...verdict.violations, ...reproducer]).toEqual([]);
  });
});
