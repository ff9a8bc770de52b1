// Random nets: units of every group alone, and of all together, against the masked original on ONNX Runtime.
// `npm run bench -- prune-correctness` checks more of them.
import { afterAll, describe, expect, it } from 'vitest';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { randomFeed } from '../../property/random-graphs.js';
import { checkRemoval } from './correctness.js';
import { randomChannels } from './random-channels.js';

const host = new RuntimeHost();

afterAll(() => host.dispose());

describe('removal of 30 % of the units', () => {
  const prunable: number[] = [];

  it.each(Array.from({ length: 30 }, (_, i) => `suite/${i}`))('keeps random net %s', async (seed) => {
    const graph = randomChannels(seed);
    const feeds = [randomFeed(graph, 0), randomFeed(graph, 1)];
    const result = await checkRemoval(graph.model, feeds, host, { share: 0.3, seed, limit: 1e-4 });
    prunable.push(result.prunable);
    expect(result.trials.filter(({ miss }) => miss !== undefined)).toEqual([]);
    expect([...result.refused]).toEqual([]);
  });

  it('had something to remove', () => {
    expect(prunable.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(30);
  });
});
