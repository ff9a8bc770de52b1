// The flags of a run on samples that are said again as they were given: what no recipe holds.
import { FLAGS, type FlagKey } from './flags.js';
import type { FlagValues } from './parsed-flags.js';

/** Each verb has some of them. */
const REPEATED = [
  ...(['data', 'labels', 'preprocess', 'limit', 'weightsOnly', 'dataFree', 'requireFused'] as const),
  ...(['journal', 'pruneJournal', 'layerLatencies', 'calibrationCache'] as const),
  ...(['noProfile', 'input', 'keepOverridable', 'externalData', 'threads', 'seed'] as const),
] as const satisfies readonly FlagKey[];

/** Words of a command line. */
export function repeatedWords(flags: FlagValues): string[] {
  return REPEATED.flatMap((key) => {
    const value: string | boolean | readonly string[] | undefined = flags[key];
    const name = `--${FLAGS[key].name}`;
    if (value === undefined || value === false) return [];
    return value === true ? [name] : [value].flat().flatMap((one) => [name, one]);
  });
}
