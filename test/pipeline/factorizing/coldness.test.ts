// How much longer a layer takes within a model than alone, as far as it says something about its chains.
import { describe, expect, it } from 'vitest';
import { coldness } from '../../../src/pipeline/factorizing/planner.js';

describe('the coldness of a layer', () => {
  it.each([
    ['takes longer within the model', 58, 174, 3],
    ['takes less: what changes its layout is not needed there', 239, 161, 1],
    ['is measured very roughly', 1, 100, 4],
    ['was not timed alone', undefined, 10, 1],
    ['was not timed within', 10, undefined, 1],
  ])('%s', (_, alone, within, wanted) => {
    expect(coldness(alone, within)).toBe(wanted);
  });
});
