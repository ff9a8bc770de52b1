// Every flag, declared once: the parser, the help, docs/cli.md, the man page and the shell completion are made from these
// records and from those of command-specs.ts.

import { COMBINING } from './combine-flag-table.js';
import { QUANTIZATION } from './int8-flag-table.js';
import { DEEPENING } from './deepen-flag-table.js';
import { FACTORIZING } from './factorize-flag-table.js';
import { PRUNING } from './prune-flag-table.js';

/** Headings of the help, in its order. */
export const FLAG_GROUPS = ['What to do', 'Data', 'Files', 'Checking and timing', 'Output'] as const;
export type FlagGroup = (typeof FLAG_GROUPS)[number];

/** What shells offer as values. */
export type Completion = 'files' | 'passes';

export interface Flag {
  /** Long name without dashes; `no-` in front declares the negative form of what is on by default. */
  readonly name: string;
  readonly short?: string;
  readonly group: FlagGroup;
  /** Placeholder of the value: `PATH`. Absent for a switch. */
  readonly value?: string;
  /** May be given several times: values are collected, switches are counted. */
  readonly repeatable?: true;
  readonly choices?: readonly string[];
  readonly completes?: Completion;
  /** Shown in the help; the command supplies it. */
  readonly default?: string;
  readonly help: string;
}

const WHAT = {
  pass: {
    name: 'pass',
    short: 'p',
    group: 'What to do',
    value: 'PASS[:OPT=VALUE,..]',
    repeatable: true,
    completes: 'passes',
    help: 'run this pass instead of the preset (repeatable, in order); see: mcompress passes',
  },
  recipe: {
    name: 'recipe',
    group: 'What to do',
    value: 'FILE',
    completes: 'files',
    help: 'read the passes from a recipe (JSON); mcompress.recipe.json in the working directory is read without asking',
  },
  noRecipe: { name: 'no-recipe', group: 'What to do', help: 'do not look for mcompress.recipe.json' },
  freeze: {
    name: 'freeze',
    group: 'What to do',
    value: 'NAME:SHAPE',
    repeatable: true,
    help: 'fix the dimensions of an input in the model, as x:1x3x224x224',
  },
  opset: {
    name: 'opset',
    group: 'What to do',
    value: 'N',
    help: 'convert the model up to this version of the ONNX operator set',
  },
  keepOverridable: {
    name: 'keep-overridable',
    group: 'What to do',
    help: 'initializers that are also graph inputs stay open to the caller (IR 3 style) instead of counting as constants',
  },
} as const satisfies Record<string, Flag>;

const DATA = {
  data: {
    name: 'data',
    group: 'Data',
    value: 'PATH[#PART]',
    completes: 'files',
    help: 'samples: a folder of images, .npy, .npz, idx, CIFAR binaries, a list of files, a module (docs/data.md)',
  },
  labels: {
    name: 'labels',
    group: 'Data',
    value: 'FILE',
    completes: 'files',
    help: 'labels of the samples: file and label per line (.csv, .tsv, .txt), .json, or an array (.npy)',
  },
  preprocess: {
    name: 'preprocess',
    group: 'Data',
    value: 'PRESET[:OPT=VALUE,..]',
    help: 'how pictures become inputs: imagenet, caffe, tf, unit, raw, cifar10, mnist; as imagenet:mean=0.5/0.5/0.5',
  },
  dataFree: {
    name: 'data-free',
    group: 'Data',
    help: 'guess the ranges from random inputs and the statistics in the model: a last resort',
  },
  shard: { name: 'shard', group: 'Data', value: 'I/N', help: 'only the I-th of N parts of the samples, for --merge' },
  merge: {
    name: 'merge',
    group: 'Data',
    help: 'join caches of shards into one: as one run over all samples, byte by byte',
  },
  limit: { name: 'limit', group: 'Data', value: 'N', help: 'use N samples, drawn by the seed' },
} as const satisfies Record<string, Flag>;

const EVALUATION = {
  reference: {
    name: 'reference',
    group: 'What to do',
    value: 'MODEL',
    completes: 'files',
    help: 'the original: what is lost against it, on the same samples',
  },
  task: {
    name: 'task',
    group: 'What to do',
    value: 'TASK',
    choices: ['auto', 'classify', 'regress'],
    default: 'auto',
    help: 'what outputs are: scores of classes, or values (maps, boxes, sequences, images) compared as they are',
  },
  scores: {
    name: 'output',
    group: 'What to do',
    value: 'NAME',
    help: 'the output of the model that counts, where it has several',
  },
  labelOffset: {
    name: 'label-offset',
    group: 'Data',
    value: 'N',
    help: 'add N to the labels of the data: 1 where the model has a background class in front; found by itself as a rule',
  },
  maxDrop: {
    name: 'max-drop',
    group: 'Checking and timing',
    value: 'X',
    help: 'largest loss against the original: points of classifiers, percent of other outputs; more exits 1',
  },
  runThreads: {
    name: 'threads',
    group: 'Checking and timing',
    value: 'N',
    default: '1',
    help: 'threads of ONNX Runtime',
  },
} as const satisfies Record<string, Flag>;

const FILES = {
  output: {
    name: 'output',
    short: 'o',
    group: 'Files',
    value: 'OUT',
    completes: 'files',
    default: 'NAME.slim.onnx',
    help: 'where to write: a file, a folder (for several models), or - for stdout',
  },
  quantized: {
    name: 'output',
    short: 'o',
    group: 'Files',
    value: 'OUT',
    completes: 'files',
    default: 'NAME.int8.onnx',
    help: 'where to write: a file, a folder, or - for stdout',
  },
  target: {
    name: 'output',
    short: 'o',
    group: 'Files',
    value: 'OUT',
    completes: 'files',
    default: '-',
    help: 'where to write: a file, or - for stdout; a folder where there are several files',
  },
  calibration: {
    name: 'output',
    short: 'o',
    group: 'Files',
    value: 'OUT',
    completes: 'files',
    default: 'NAME.calibration.json',
    help: 'where to write the cache: a file (compressed where it ends with .gz), or - for stdout',
  },
  report: {
    name: 'report',
    group: 'Files',
    value: 'FILE',
    repeatable: true,
    completes: 'files',
    help: 'write the report to FILE, in the form that its ending names: .json, .md or .html (repeatable)',
  },
  noReport: {
    name: 'no-report',
    group: 'Files',
    help: 'write no report files, and leave out the size after gzip; otherwise they stand beside OUT',
  },
  externalData: {
    name: 'external-data',
    group: 'Files',
    help: 'write weights to OUT.data beside the model (always done above 2 GB)',
  },
  force: { name: 'force', group: 'Files', help: 'allow the output to replace the input' },
  dryRun: { name: 'dry-run', short: 'n', group: 'Files', help: 'do everything but write files' },
} as const satisfies Record<string, Flag>;

const MEASURING = {
  verify: {
    name: 'verify',
    group: 'Checking and timing',
    value: 'WHEN',
    choices: ['off', 'end', 'each'],
    default: 'end',
    help: 'compare with the original on ONNX Runtime: at the end, after each pass, or not',
  },
  noProfile: {
    name: 'no-profile',
    group: 'Checking and timing',
    help: 'do not measure latency, load time, memory and time per layer',
  },
  input: {
    name: 'input',
    group: 'Checking and timing',
    value: 'NAME:SHAPE',
    repeatable: true,
    help: 'size of an input for checking, costs and timing, as x:1x3x224x224 (a model with one input needs no NAME)',
  },
  feed: {
    name: 'feed',
    group: 'Checking and timing',
    value: 'FILE|NAME=VALUE',
    repeatable: true,
    completes: 'files',
    help: 'what to feed for checking and timing: an .npz file, name=file.npy, name=number, name=[1,2,3]',
  },
  baseline: {
    name: 'baseline',
    group: 'Checking and timing',
    value: 'REPORT.json',
    completes: 'files',
    help: 'compare with an earlier report; exit 1 when size, MACs, memory or (beyond noise) latency got worse',
  },
  strict: {
    name: 'strict',
    group: 'Checking and timing',
    help: 'exit 1 when a rewrite had to be undone or the result could not be checked',
  },
  tolerance: {
    name: 'tolerance',
    group: 'Checking and timing',
    value: 'X',
    default: '1e-4',
    help: 'largest error that counts as equal, relative to the scale of the output; 0: equal bit by bit',
  },
  optimization: {
    name: 'optimization',
    group: 'Checking and timing',
    value: 'LEVEL',
    choices: ['disabled', 'basic', 'extended', 'layout', 'all'],
    default: 'all',
    help: 'graph optimization of ONNX Runtime',
  },
  alone: {
    name: 'alone',
    group: 'Checking and timing',
    help: 'also time every distinct layer alone; times are kept in the cache of this machine',
  },
  latencyTable: {
    name: 'latency-table',
    group: 'Checking and timing',
    value: 'FILE',
    completes: 'files',
    help: 'as --alone, with the times read from FILE, and what it lacks measured and added to it',
  },
  threads: {
    name: 'threads',
    group: 'Checking and timing',
    value: 'N',
    default: '1',
    help: 'threads of ONNX Runtime while timing',
  },
  seed: { name: 'seed', group: 'Checking and timing', value: 'N', default: '0', help: 'seed of everything random' },
} as const satisfies Record<string, Flag>;

const OUTPUT = {
  weights: { name: 'weights', group: 'Output', help: 'print all weights, not only their sizes' },
  groups: {
    name: 'groups',
    group: 'Output',
    help: 'list groups of channels: what can be pruned together, and what cannot',
  },
  top: { name: 'top', group: 'Output', value: 'N', default: '10', help: 'list the N dearest layers' },
  json: { name: 'json', group: 'Output', help: 'print one JSON document to stdout and nothing else' },
  verbose: {
    name: 'verbose',
    short: 'v',
    group: 'Output',
    repeatable: true,
    help: 'also print passes, declined sites and stages; -vv: all sites, and how long each pass took',
  },
  details: {
    name: 'verbose',
    short: 'v',
    group: 'Output',
    repeatable: true,
    help: 'also print all layers or values, and the stages where there is no terminal',
  },
  quiet: { name: 'quiet', short: 'q', group: 'Output', help: 'print errors only' },
  color: {
    name: 'color',
    group: 'Output',
    value: 'WHEN',
    choices: ['auto', 'always', 'never'],
    default: 'auto',
    help: 'colours; NO_COLOR and FORCE_COLOR are heeded',
  },
  debug: { name: 'debug', group: 'Output', help: 'print the stack of an error' },
} as const satisfies Record<string, Flag>;

export const FLAGS = {
  ...WHAT,
  ...COMBINING,
  ...QUANTIZATION,
  ...PRUNING,
  ...DEEPENING,
  ...FACTORIZING,
  ...DATA,
  ...EVALUATION,
  ...FILES,
  ...MEASURING,
  ...OUTPUT,
};
export type FlagKey = keyof typeof FLAGS;
