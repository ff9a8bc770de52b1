// What a recipe says about learned slimming: read, refused, written shortest, as text behind -p, and which of it says how much goes.
import { describe, expect, it } from 'vitest';
import {
  DEEPEN_SETTINGS,
  DEFAULT_DEEPENING,
  howMuch,
  RULE_NAMES,
  type DeepenSettings,
} from '../../../src/pipeline/deepening/settings.js';
import { aimOf } from '../../../src/pipeline/trading/budgets.js';

const fail = (what: string, fix: string): never => {
  throw new RangeError(`${what}; ${fix}`);
};
const of = (more: Partial<DeepenSettings>): DeepenSettings => ({ ...DEFAULT_DEEPENING, ...more });

describe('settings of learned slimming', () => {
  it('are read and written', () => {
    const json = { maxDrop: 2, rules: ['slim-branch'], start: 'xavier', lrn: 'keep', samples: 30 } as const;
    const read = DEEPEN_SETTINGS.read(json, fail);
    expect(read).toEqual(of({ ...json }));
    expect(DEEPEN_SETTINGS.document(read)).toEqual(json);
    expect(DEEPEN_SETTINGS.document(DEFAULT_DEEPENING)).toEqual({});
    expect(DEEPEN_SETTINGS.parse('max-drop=1.5,rules=merge-depth+slim-branch', fail)).toEqual(
      of({ maxDrop: 1.5, rules: ['merge-depth', 'slim-branch'] }),
    );
  });

  it.each([
    [{ rules: ['slim-nothing'] }, /write a list of slim-streamline/],
    [{ rules: [] }, /write a list/],
    [{ start: 'zeros' }, /one of fitted, xavier/],
    [{ lrn: 'drop' }, /one of expand, keep/],
    [{ latency: '0.5x', macs: '0.5x' }, /both say how much goes/],
    [{ latency: '0.5x', for: 'size' }, /cannot be for size/],
    [{ forms: 'all' }, /no setting "forms"/],
  ])('are refused: %j', (json, words) => {
    expect(() => DEEPEN_SETTINGS.read(json, fail)).toThrow(words);
  });

  it('say how much goes, and for what', () => {
    expect(
      [{ maxDrop: 1 }, { latency: '0.5x' }, { macs: '0.5x' }, {}].map((one) => howMuch(of(one as object))),
    ).toEqual(['loss', 'latency', 'counted', undefined]);
    expect(aimOf(of({ macs: '0.5x' }))).toBe('macs');
    expect(aimOf(of({ maxDrop: 1 }))).toBe('latency');
    expect(aimOf(of({ macs: '0.5x', for: 'latency' }))).toBe('latency');
  });

  it('name every rule there is', () => {
    expect(RULE_NAMES).toEqual(['slim-streamline', 'slim-branch', 'merge-depth', 'shuffle-groups']);
  });
});
