// The flags of the choice among all passes, for flags.ts; those that other runs have in the same words are theirs.
import type { Flag } from './flags.js';

export const COMBINING = {
  maxDropSlim: {
    name: 'max-drop',
    group: 'What to do',
    value: 'X',
    default: '1 where --data alone says what to do',
    help: 'lose at most this: points of classifiers, percent of other outputs; exit 1 where it cannot be held',
  },
  effort: {
    name: 'effort',
    group: 'What to do',
    value: 'TIME',
    default: '20m',
    help: 'how long to look for something better: 90s, 10m, 2h',
  },
  tryKinds: {
    name: 'try',
    group: 'What to do',
    value: 'LIST',
    default: 'deepen,prune,factorize,int8',
    help: 'what to choose among, with commas between',
  },
} as const satisfies Record<string, Flag>;
