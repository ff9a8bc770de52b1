// Settings of a run from flags, on top of those of a recipe: which flag sets what is a table of each verb.
import { UsageError } from '../base/errors.js';
import type { SettingTable } from '../pipeline/setting-table.js';
import { FLAGS, type FlagKey } from './flags.js';
import type { FlagValues } from './parsed-flags.js';

export interface FlagSettings<T extends object> {
  readonly table: SettingTable<T>;
  /** Which flag sets what. */
  readonly setBy: { readonly [K in keyof T]?: FlagKey };
  /** What says how much goes: one of them on the command line takes the place of those in the recipe. */
  readonly measures: readonly (keyof T)[];
  /** Settings that are lists, with commas between. */
  readonly lists: readonly (keyof T)[];
}

/** @throws UsageError bad-value */
export function settingsFrom<T extends object>(
  flags: FlagValues,
  recipe: T,
  { table, setBy, measures, lists }: FlagSettings<T>,
): T {
  const keys = Object.keys(setBy) as (keyof T)[];
  const given = keys.flatMap((key) => {
    const flag = setBy[key];
    const text = flag && flags[flag];
    if (flag === undefined || typeof text !== 'string') return [];
    const json = lists.includes(key) ? text.split(',').map((one) => one.trim()) : table.fromText(key, text);
    const found = table.settingFrom(key, json);
    if (found === undefined)
      throw new UsageError('bad-value', `--${FLAGS[flag].name} cannot be ${JSON.stringify(text)}`, {
        fix: `give ${table.expectedOf(key)}`,
      });
    return [[key, found] as const];
  });
  const isMeasure = given.some(([key]) => measures.includes(key));
  const base = isMeasure ? { ...recipe, ...Object.fromEntries(measures.map((key) => [key, undefined])) } : recipe;
  return { ...base, ...Object.fromEntries(given) };
}
