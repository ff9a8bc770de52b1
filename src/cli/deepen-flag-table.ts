// The flags of learned slimming, for flags.ts; those that pruning and factorization have in the same words are theirs.
import type { Flag } from './flags.js';

export const DEEPENING = {
  rules: {
    name: 'rules',
    group: 'What to do',
    value: 'LIST',
    default: 'all of them',
    help: 'what blocks may become, with commas between: slim-streamline, ... (mcompress passes)',
  },
  start: {
    name: 'start',
    group: 'What to do',
    value: 'KIND',
    choices: ['fitted', 'xavier'],
    default: 'fitted',
    help: 'weights of new layers: fitted in closed form, or random for a training that follows',
  },
  lrn: {
    name: 'lrn',
    group: 'What to do',
    value: 'HOW',
    choices: ['expand', 'keep'],
    default: 'expand',
    help: 'normalizations (LRN) that stay: written out in faster operators, or kept',
  },
  deepenEffort: {
    name: 'effort',
    group: 'What to do',
    value: 'TIME',
    help: 'how long to look, at the most promising blocks first: 90s, 10m, 2h; by default at all of them',
  },
  deepened: {
    name: 'output',
    short: 'o',
    group: 'Files',
    value: 'OUT',
    completes: 'files',
    default: 'NAME.deepened.onnx',
    help: 'where to write: a file, a folder, or - for stdout',
  },
} as const satisfies Record<string, Flag>;
