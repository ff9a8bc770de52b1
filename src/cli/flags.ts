// Every flag of the command line, declared once: the parser, the help, docs/cli.md, the man page and the shell
// completion are made from these records.

export interface Flag {
  /** Long name without dashes; `no-` in front declares the negative form of a flag that is on by default. */
  readonly name: string;
  readonly short?: string;
  /** Placeholder of the value: `PATH`. Absent for a switch. */
  readonly value?: string;
  /** May be given several times; values are collected. */
  readonly repeatable?: true;
  readonly choices?: readonly string[];
  /** Shown in the help; the command supplies it. */
  readonly default?: string;
  readonly help: string;
}

export const FLAGS = {
  output: {
    name: 'output',
    short: 'o',
    value: 'OUT',
    help: 'where to write: a file, a folder (for several models), or - for stdout',
    default: 'NAME.slim.onnx',
  },
  pass: {
    name: 'pass',
    short: 'p',
    value: 'PASS[:OPT=VALUE,..]',
    repeatable: true,
    help: 'run this pass (repeatable, in order) instead of the preset; see: mcompress passes',
  },
  recipe: {
    name: 'recipe',
    value: 'FILE',
    help: 'read the passes from a recipe (JSON); mcompress.recipe.json in the working directory is read without asking',
  },
  noRecipe: { name: 'no-recipe', help: 'do not look for mcompress.recipe.json' },
  report: {
    name: 'report',
    value: 'FILE',
    repeatable: true,
    help: 'write the report here (.json, .md or .html by its ending; repeatable)',
    default: 'OUT.report.{html,md,json}',
  },
  noReport: { name: 'no-report', help: 'write no report files' },
  noProfile: { name: 'no-profile', help: 'do not measure latency, load time, memory and time per layer' },
  json: { name: 'json', help: 'print one JSON document to stdout and nothing else' },
  verify: {
    name: 'verify',
    value: 'WHEN',
    choices: ['off', 'end', 'each'],
    default: 'end',
    help: 'compare with the original on ONNX Runtime: at the end, after each pass, or not',
  },
  input: {
    name: 'input',
    value: 'NAME:SHAPE',
    repeatable: true,
    help: 'size of an input for checking, costs and timing, as x:1x3x224x224 (the name may be left out when there is one input)',
  },
  feed: {
    name: 'feed',
    value: 'FILE|NAME=VALUE',
    repeatable: true,
    help: 'what to feed for checking and timing: an .npz file, name=file.npy, name=number, name=[1,2,3]',
  },
  freeze: {
    name: 'freeze',
    value: 'NAME:SHAPE',
    repeatable: true,
    help: 'fix the dimensions of an input in the model, as x:1x3x224x224',
  },
  opset: { name: 'opset', value: 'N', help: 'convert the model up to this version of the ONNX operator set' },
  baseline: {
    name: 'baseline',
    value: 'REPORT.json',
    help: 'compare with an earlier report; exit 1 when size, MACs, memory or (beyond noise) latency got worse',
  },
  strict: { name: 'strict', help: 'exit 1 when a rewrite had to be undone or the result could not be checked' },
  threads: { name: 'threads', value: 'N', default: '1', help: 'threads of ONNX Runtime while timing' },
  seed: { name: 'seed', value: 'N', default: '0', help: 'seed of everything random' },
  dryRun: { name: 'dry-run', short: 'n', help: 'do everything but write the model and the reports' },
  force: { name: 'force', help: 'allow the output to replace the input' },
  keepOverridable: {
    name: 'keep-overridable',
    help: 'initializers that are also graph inputs stay open to the caller (IR 3 style) instead of counting as constants',
  },
  externalData: { name: 'external-data', help: 'write weights to OUT.data beside the model (always done above 2 GB)' },
  weights: { name: 'weights', help: 'print all weights, not only their sizes' },
  quiet: { name: 'quiet', short: 'q', help: 'print errors only' },
  verbose: { name: 'verbose', short: 'v', help: 'print every decline' },
  color: {
    name: 'color',
    value: 'WHEN',
    choices: ['auto', 'always', 'never'],
    default: 'auto',
    help: 'colours; NO_COLOR and FORCE_COLOR are heeded',
  },
  debug: { name: 'debug', help: 'print the stack of an error' },
} as const satisfies Record<string, Flag>;

export type FlagKey = keyof typeof FLAGS;

/** Flags that every command takes. */
export const COMMON_FLAGS: readonly FlagKey[] = ['quiet', 'color', 'debug'];

export interface CommandSpec {
  readonly name: string;
  /** One line, no full stop. */
  readonly summary: string;
  /** `MODEL...`; square brackets make it optional. */
  readonly args: readonly { readonly name: string; readonly help: string }[];
  readonly flags: readonly FlagKey[];
  readonly examples: readonly { readonly command: string; readonly does: string }[];
}

export const COMMANDS = {
  slim: {
    name: 'slim',
    summary: 'make a model smaller and faster without changing what it computes, and prove it',
    args: [{ name: 'MODEL...', help: 'ONNX files, globs, or - for stdin' }],
    flags: [
      'output',
      'pass',
      'recipe',
      'noRecipe',
      'report',
      'noReport',
      'noProfile',
      'json',
      'verify',
      'input',
      'feed',
      'freeze',
      'opset',
      'baseline',
      'strict',
      'threads',
      'seed',
      'dryRun',
      'force',
      'keepOverridable',
      'externalData',
      'verbose',
    ],
    examples: [
      { command: 'mcompress slim model.onnx', does: 'writes model.slim.onnx and its report' },
      {
        command: 'mcompress slim model.onnx -o small.onnx --input x:1x3x480x640',
        does: 'checks and times at this size',
      },
      {
        command: 'mcompress slim models/*.onnx -o slimmed/',
        does: 'several at once; one bad file does not stop the rest',
      },
      { command: 'mcompress slim model.onnx --baseline last.report.json', does: 'exits 1 when it got worse' },
    ],
  },
  passes: {
    name: 'passes',
    summary: 'list the passes, or explain one',
    args: [{ name: '[PASS]', help: 'a pass' }],
    flags: ['json'],
    examples: [{ command: 'mcompress passes fold-batch-norm', does: 'prints its options and conditions' }],
  },
  print: {
    name: 'print',
    summary: 'print a model as text',
    args: [{ name: 'MODEL', help: 'ONNX file, or - for stdin' }],
    flags: ['weights', 'json'],
    examples: [{ command: 'mcompress print model.onnx | less', does: 'shows every node' }],
  },
} as const satisfies Record<string, CommandSpec>;

export type CommandName = keyof typeof COMMANDS;
