// What a recipe says about pruning: read, refused, written shortest, and as text behind -p.
import { describe, expect, it } from 'vitest';
import {
  budgetOf,
  DEFAULT_PRUNING,
  PRUNE_SETTINGS,
  type PruneSettings,
} from '../../../src/pipeline/pruning/settings.js';
import { latencyLimit } from '../../../src/pipeline/setting-table.js';
import { partsOf } from '../../../src/pipeline/pruning/split-samples.js';

const fail = (what: string, fix: string): never => {
  throw new RangeError(`${what}; ${fix}`);
};

describe('settings', () => {
  it('are read and written as they are, defaults left out', () => {
    const json = { macs: '0.7x', maxDrop: 0.5, classes: ['cat', '3'], schedule: 'dropnet', kappa: 1 } as const;
    const settings = PRUNE_SETTINGS.read(json, fail);
    expect(settings).toEqual({ ...DEFAULT_PRUNING, ...json });
    expect(PRUNE_SETTINGS.document(settings)).toEqual(json);
    expect(PRUNE_SETTINGS.document(PRUNE_SETTINGS.read({}, fail))).toEqual({});
    expect(PRUNE_SETTINGS.read({ classes: [3, 5] }, fail).classes).toEqual(['3', '5']);
  });

  it.each([
    [{ ratio: 0 }, /ratio.*between 0 and 1/],
    [{ ratio: '0.3' }, /ratio/],
    [{ macs: '1.5x' }, /0.7x/],
    [{ macs: '0x' }, /0.7x/],
    [{ latency: '8' }, /8ms/],
    [{ latency: '0ms' }, /8ms/],
    [{ kappa: 1.1 }, /at most 1/],
    [{ samples: 1.5 }, /whole number/],
    [{ score: 'best' }, /one of auto, dropnet-minimum/],
    [{ ration: 0.3 }, /did you mean|ratio/],
    [{ ratio: 0.3, macs: '0.7x' }, /both say/],
    [{ memory: '0.7x', latency: '8ms' }, /both say/],
    [{ memory: '0.7x', schedule: 'dropnet' }, /met at once/],
    [[], /not an object/],
    [{ classes: 'cat' }, /list/],
  ])('that do not fit are refused: %j', (json, message) => {
    expect(() => PRUNE_SETTINGS.read(json, fail)).toThrow(message);
  });

  it('behind -p have hyphens, and lists a +', () => {
    expect(PRUNE_SETTINGS.parse('', fail)).toEqual(DEFAULT_PRUNING);
    expect(PRUNE_SETTINGS.parse('latency=8.5ms,max-drop=2,classes=a+b,repair=off', fail)).toEqual({
      ...DEFAULT_PRUNING,
      latency: '8.5ms',
      maxDrop: 2,
      classes: ['a', 'b'],
      repair: 'off',
    });
    for (const text of ['ratio', 'ratio=', 'ratio=x', 'nothing=1'])
      expect(() => PRUNE_SETTINGS.parse(text, fail)).toThrow(RangeError);
  });

  it('say which budget there is', () => {
    const of = (more: Partial<PruneSettings>) => budgetOf({ ...DEFAULT_PRUNING, ...more });
    expect([of({}), of({ maxDrop: 1 }), of({ params: '0.5x' })]).toEqual([undefined, undefined, 'params']);
    expect([latencyLimit('0.8x'), latencyLimit('12.5ms')]).toEqual([{ times: 0.8 }, { ms: 12.5 }]);
  });
});

describe('the parts of the samples', () => {
  it('are half for the fit, a quarter of the rest for selection, bounded by a thousand each', () => {
    expect(partsOf(300, undefined)).toEqual({ fit: 150, select: 188 });
    expect(partsOf(10_000, undefined)).toEqual({ fit: 1000, select: 2000 });
    expect(partsOf(10_000, 2000)).toEqual({ fit: 2000, select: 3000 });
    expect(partsOf(10, 50)).toEqual({ fit: 10, select: 10 });
  });
});
