// What a recipe says about factorization: read, refused, written shortest, as text behind -p, and which of it says how much goes.
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_FACTORIZING,
  FACTORIZE_SETTINGS,
  howMuch,
  type FactorizeSettings,
} from '../../../src/pipeline/factorizing/settings.js';
import { aimOf } from '../../../src/pipeline/trading/budgets.js';

const fail = (what: string, fix: string): never => {
  throw new RangeError(`${what}; ${fix}`);
};
const of = (more: Partial<FactorizeSettings>): FactorizeSettings => ({ ...DEFAULT_FACTORIZING, ...more });

describe('settings', () => {
  it('are read and written as they are, defaults left out', () => {
    const json = { macs: '0.6x', params: '0.3x', schemes: ['cp', 'svd'], groupSize: 1, metric: 'plain' } as const;
    const settings = FACTORIZE_SETTINGS.read(json, fail);
    expect(settings).toEqual(of(json));
    expect(FACTORIZE_SETTINGS.document(settings)).toEqual(json);
    expect(FACTORIZE_SETTINGS.document(FACTORIZE_SETTINGS.read({}, fail))).toEqual({});
  });

  it.each([
    [{ ratio: 1 }, /ratio.*between 0 and 1/],
    [{ macs: '1.5x' }, /0.7x/],
    [{ schemes: ['hosvd'] }, /tucker-2/],
    [{ schemes: [] }, /list/],
    [{ groupSize: -1 }, /at least 0/],
    [{ metric: 'norm' }, /one of outputs/],
    [{ rank: 3 }, /no setting "rank"/],
    [{ macs: '0.5x', ratio: 0.5 }, /both say/],
    [{ latency: '0.5x', energy: 0.9 }, /both say/],
    [{ ranks: 'evbmf', params: '0.5x' }, /both say/],
    [{ latency: '0.5x', for: 'size' }, /budget of time/],
    [[], /not an object.*"macs": "0.7x"/],
  ])('that do not fit are refused: %j', (json, message) => {
    expect(() => FACTORIZE_SETTINGS.read(json, fail)).toThrow(message);
  });

  it('behind -p have hyphens, and lists a +', () => {
    const found = FACTORIZE_SETTINGS.parse('energy=0.95,group-size=2,schemes=cp+svd,max-drop=2', fail);
    expect(found).toEqual(of({ energy: 0.95, groupSize: 2, schemes: ['cp', 'svd'], maxDrop: 2 }));
    expect(() => FACTORIZE_SETTINGS.parse('energy', fail)).toThrow(/factorize-conv.*macs=0.7x/);
  });

  it('say how much goes, and for what', () => {
    const cases: [Partial<FactorizeSettings>, ReturnType<typeof howMuch>, ReturnType<typeof aimOf>][] = [
      [{}, undefined, 'latency'],
      [{ maxDrop: 1 }, 'loss', 'latency'],
      [{ maxDrop: 1, for: 'size' }, 'loss', 'size'],
      [{ params: '0.5x', maxDrop: 1 }, 'counted', 'params'],
      [{ latency: '8ms' }, 'latency', 'latency'],
      [{ ratio: 0.5 }, 'ratio', 'latency'],
      [{ ranks: 'evbmf', for: 'macs' }, 'evbmf', 'macs'],
      [{ ranks: 'sensitivity', maxDrop: 1 }, 'loss', 'latency'],
    ];
    for (const [more, how, aim] of cases) expect([howMuch(of(more)), aimOf(of(more))]).toEqual([how, aim]);
  });
});
