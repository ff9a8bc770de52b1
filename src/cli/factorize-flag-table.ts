// The flags of factorization, for flags.ts; those that pruning has in the same words are its own.
import type { Flag } from './flags.js';

export const FACTORIZING = {
  size: {
    name: 'size',
    group: 'What to do',
    value: 'Nx',
    help: 'leave this part of the bytes of the file, as 0.5x, whether that is faster or not',
  },
  factorRatio: {
    name: 'ratio',
    group: 'What to do',
    value: 'R',
    help: 'every layer: the most exact chain of at most this part of its multiplications, as 0.5',
  },
  energy: {
    name: 'energy',
    group: 'What to do',
    value: 'E',
    help: 'every layer: the cheapest chain that keeps this part of the variance of its outputs, as 0.95',
  },
  ranks: {
    name: 'ranks',
    group: 'What to do',
    value: 'RULE',
    choices: ['auto', 'evbmf', 'sensitivity'],
    default: 'auto: those that lose least together',
    help: 'how ranks are found (docs/factorize.md)',
  },
  factorFor: {
    name: 'for',
    group: 'What to do',
    value: 'AIM',
    choices: ['auto', 'latency', 'macs', 'params', 'size'],
    default: 'auto: what the budget is of, else time',
    help: 'what has to get smaller for a change to stay',
  },
  metric: {
    name: 'metric',
    group: 'What to do',
    value: 'METRIC',
    choices: ['outputs', 'diagonal', 'plain'],
    default: 'outputs',
    help: 'a small error is one of outputs, of weights counted by their inputs, or of weights',
  },
  schemes: {
    name: 'schemes',
    group: 'What to do',
    value: 'LIST',
    default: 'svd,channel-svd,spatial-svd,tucker-2',
    help: 'chains to choose from, with commas between; cp and tucker-cp, too',
  },
  factorLayers: {
    name: 'layers',
    group: 'What to do',
    value: 'KIND',
    choices: ['all', 'conv', 'dense'],
    default: 'all',
    help: 'layers that are looked at: convolutions, or Gemm and MatMul',
  },
  groupSize: {
    name: 'group-size',
    group: 'What to do',
    value: 'N',
    default: '0: all',
    help: 'convolutions that are factorized together, from the input on, with a repair behind each group',
  },
  factorized: {
    name: 'output',
    short: 'o',
    group: 'Files',
    value: 'OUT',
    completes: 'files',
    default: 'NAME.factorized.onnx',
    help: 'where to write: a file, a folder, or - for stdout',
  },
} as const satisfies Record<string, Flag>;
