// Every command, declared once: arguments, flags, examples.
import { FLAG_GROUPS, FLAGS, type Completion, type FlagKey } from './flags.js';

export interface Argument {
  /** `MODEL`, `MODEL...`; square brackets make it optional. */
  readonly name: string;
  readonly help: string;
  readonly choices?: readonly string[];
  readonly completes?: Completion;
}

export interface CommandSpec {
  readonly name: string;
  /** One line, no full stop. */
  readonly summary: string;
  readonly args: readonly Argument[];
  /** Besides COMMON_FLAGS. */
  readonly flags: readonly FlagKey[];
  readonly examples: readonly { readonly command: string; readonly does: string }[];
}

/** What `quantize` and `slim --int8` share. */
const INT8_FLAGS = [
  ...(['quantizeTarget', 'float', 'calibrator', 'rounding'] as const),
  ...(['noEqualize', 'noRefine', 'noBiasCorrection'] as const),
  ...(['data', 'labels', 'preprocess', 'calibrationSamples', 'calibrationCache', 'limit', 'dataFree'] as const),
  ...(['requireFused', 'journal', 'layerLatencies'] as const),
] as const satisfies readonly FlagKey[];

/** What `slim` chooses among all passes by. */
const COMBINE_FLAGS = [
  ...(['maxDropSlim', 'latency', 'macs', 'params', 'size'] as const),
  ...(['classes', 'effort', 'tryKinds'] as const),
] as const satisfies readonly FlagKey[];

const PRUNE_FLAGS = [
  ...(['ratio', 'macs', 'params', 'memory', 'latency', 'maxDropPruned'] as const),
  ...(['pruneScore', 'scope', 'widths', 'pruneTarget', 'noRepair', 'classes'] as const),
  ...(['schedule', 'share', 'kappa'] as const),
  ...(['data', 'labels', 'preprocess', 'fitSamples', 'limit', 'weightsOnly'] as const),
  ...(['pruneJournal', 'layerLatencies'] as const),
] as const satisfies readonly FlagKey[];

const FACTORIZE_FLAGS = [
  ...(['macs', 'params', 'size', 'latency', 'maxDropPruned', 'factorRatio', 'energy'] as const),
  ...(['ranks', 'factorFor', 'metric', 'schemes', 'factorLayers', 'groupSize', 'noRepair'] as const),
  ...(['data', 'labels', 'preprocess', 'fitSamples', 'limit', 'weightsOnly'] as const),
  ...(['pruneJournal', 'layerLatencies'] as const),
] as const satisfies readonly FlagKey[];

const DEEPEN_FLAGS = [
  ...(['macs', 'params', 'size', 'latency', 'maxDropPruned'] as const),
  ...(['rules', 'start', 'lrn', 'factorFor', 'noRepair', 'deepenEffort'] as const),
  ...(['data', 'labels', 'preprocess', 'fitSamples', 'limit'] as const),
  'pruneJournal',
] as const satisfies readonly FlagKey[];

/** Flags that every command takes. */
const COMMON_FLAGS: readonly FlagKey[] = ['json', 'color', 'debug'];

export const COMMANDS = {
  slim: {
    name: 'slim',
    summary: 'make models smaller and faster, exactly or within a loss on samples (--data), and prove it',
    args: [{ name: 'MODEL...', help: 'ONNX files, globs, or - for stdin', completes: 'files' }],
    flags: [
      ...COMBINE_FLAGS,
      ...(['int8', 'pass', 'recipe', 'noRecipe', 'freeze', 'opset', 'keepOverridable'] as const),
      ...INT8_FLAGS,
      'fitSamples',
      ...(['output', 'report', 'noReport', 'externalData', 'force', 'dryRun'] as const),
      ...(['verify', 'noProfile', 'input', 'feed', 'baseline', 'strict', 'threads', 'seed'] as const),
      ...(['verbose', 'quiet'] as const),
    ],
    examples: [
      { command: 'mcompress slim model.onnx', does: 'writes model.slim.onnx and its report' },
      {
        command: 'mcompress slim model.onnx --data images/ --max-drop 1',
        does: 'everything that pays within one point of accuracy: the fastest of what all passes give',
      },
      {
        command: 'mcompress slim model.onnx -o small.onnx --input x:1x3x480x640',
        does: 'checks and times at this size',
      },
      { command: 'mcompress slim model.onnx --int8 --data images/', does: '8-bit integers, calibrated on images' },
      { command: 'mcompress slim models/*.onnx -o slimmed/', does: 'several; one bad file does not stop the rest' },
      { command: 'mcompress slim model.onnx --baseline last.report.json', does: 'exits 1 when it got worse' },
    ],
  },
  quantize: {
    name: 'quantize',
    summary: 'make a model run on 8-bit integers, prove that it does, and show what is lost',
    args: [{ name: 'MODEL', help: 'ONNX file, or - for stdin', completes: 'files' }],
    flags: [
      'maxDropInt8',
      ...INT8_FLAGS,
      ...(['fp16', 'dynamic', 'pass', 'recipe', 'noRecipe', 'freeze', 'opset', 'keepOverridable'] as const),
      ...(['quantized', 'report', 'noReport', 'externalData', 'force', 'dryRun'] as const),
      ...(['noProfile', 'input', 'baseline', 'strict', 'threads', 'seed', 'verbose', 'quiet'] as const),
    ],
    examples: [
      { command: 'mcompress quantize model.onnx --data images/', does: 'writes model.int8.onnx and its report' },
      {
        command: 'mcompress quantize model.onnx --data images/ --max-drop 0.5',
        does: 'gives layers back to float until at most half a point is lost; exits 1 where that cannot be held',
      },
      {
        command: 'mcompress quantize model.onnx --data images/ --target x64-avx2 -o avx2.onnx',
        does: 'for x86 without VNNI',
      },
      { command: 'mcompress quantize model.onnx --fp16', does: 'half the size, no data needed' },
    ],
  },
  prune: {
    name: 'prune',
    summary: 'remove channels that a model can do without, repair the rest, and prove that it is faster',
    args: [{ name: 'MODEL', help: 'ONNX file, or - for stdin', completes: 'files' }],
    flags: [
      ...PRUNE_FLAGS,
      ...(['pass', 'recipe', 'noRecipe', 'freeze', 'opset', 'keepOverridable'] as const),
      ...(['pruned', 'report', 'noReport', 'externalData', 'force', 'dryRun'] as const),
      ...(['noProfile', 'input', 'baseline', 'strict', 'threads', 'seed', 'verbose', 'quiet'] as const),
    ],
    examples: [
      {
        command: 'mcompress prune model.onnx --data images/',
        does: 'removes as much as one point of accuracy allows; writes model.pruned.onnx and its report',
      },
      { command: 'mcompress prune model.onnx --data images/ --latency 0.8x', does: 'a fifth faster, or exit 1' },
      { command: 'mcompress prune model.onnx --data images/ --classes cat,dog', does: 'a model of two classes' },
      {
        command: 'mcompress prune model.onnx --data images/ --schedule dropnet --share 0.1',
        does: 'in cycles, until accuracy falls under 99 % of what it was',
      },
    ],
  },
  factorize: {
    name: 'factorize',
    summary: 'replace layers by chains of smaller ones where that is measured faster, fitted to the data',
    args: [{ name: 'MODEL', help: 'ONNX file, or - for stdin', completes: 'files' }],
    flags: [
      ...FACTORIZE_FLAGS,
      ...(['pass', 'recipe', 'noRecipe', 'freeze', 'opset', 'keepOverridable'] as const),
      ...(['factorized', 'report', 'noReport', 'externalData', 'force', 'dryRun'] as const),
      ...(['noProfile', 'input', 'baseline', 'strict', 'threads', 'seed', 'verbose', 'quiet'] as const),
    ],
    examples: [
      {
        command: 'mcompress factorize model.onnx --data images/',
        does: 'as much as pays within one point of accuracy; writes model.factorized.onnx and its report',
      },
      {
        command: 'mcompress factorize model.onnx --data images/ --params 0.3x --macs 0.6x',
        does: 'both, whether that is faster or not',
      },
      { command: 'mcompress factorize model.onnx --data images/ --energy 0.95', does: 'one rule for every layer' },
    ],
  },
  deepen: {
    name: 'deepen',
    summary: 'replace whole blocks by cheaper layers that are fitted to them, where that is measured faster',
    args: [{ name: 'MODEL', help: 'ONNX file, or - for stdin', completes: 'files' }],
    flags: [
      ...DEEPEN_FLAGS,
      ...(['pass', 'recipe', 'noRecipe', 'freeze', 'opset', 'keepOverridable'] as const),
      ...(['deepened', 'report', 'noReport', 'externalData', 'force', 'dryRun'] as const),
      ...(['noProfile', 'input', 'baseline', 'strict', 'threads', 'seed', 'verbose', 'quiet'] as const),
    ],
    examples: [
      {
        command: 'mcompress deepen model.onnx --data images/',
        does: 'as much as pays within one point of accuracy; writes model.deepened.onnx and its report',
      },
      { command: 'mcompress deepen model.onnx --data images/ --latency 0.5x', does: 'twice as fast, or exit 1' },
      {
        command: 'mcompress deepen model.onnx --data images/ --rules slim-streamline',
        does: 'convolutions take in normalization and pooling, nothing else',
      },
    ],
  },
  inspect: {
    name: 'inspect',
    summary: 'show what is in a model: operators, costs, open dimensions, obstacles on mobile devices',
    args: [{ name: 'MODEL', help: 'ONNX file, or - for stdin', completes: 'files' }],
    flags: ['report', 'input', 'keepOverridable', 'groups', 'top', 'details', 'quiet'],
    examples: [
      { command: 'mcompress inspect model.onnx', does: 'structure, operators, dearest layers' },
      { command: 'mcompress inspect model.onnx --groups', does: 'which channels can be pruned together, too' },
      { command: 'mcompress inspect model.onnx --input x:1x3x480x640', does: 'costs at this size' },
    ],
  },
  profile: {
    name: 'profile',
    summary: 'show where the time of a model goes on ONNX Runtime, layer by layer',
    args: [{ name: 'MODEL', help: 'ONNX file, or - for stdin', completes: 'files' }],
    flags: [
      ...(['report', 'input', 'feed', 'optimization', 'alone', 'latencyTable', 'threads', 'seed'] as const),
      ...(['keepOverridable', 'top', 'details', 'quiet'] as const),
    ],
    examples: [
      { command: 'mcompress profile model.onnx --threads 2', does: 'latency, load time, memory, time per layer' },
      { command: 'mcompress profile model.onnx --optimization disabled', does: 'the graph as it is written' },
      { command: 'mcompress profile model.onnx --latency-table layers.json', does: 'every distinct layer alone, too' },
    ],
  },
  compare: {
    name: 'compare',
    summary: 'compare two models: outputs, the first value that differs, sizes, costs, latency',
    args: [
      { name: 'A', help: 'the reference: an ONNX file, or - for stdin', completes: 'files' },
      { name: 'B', help: 'the other model', completes: 'files' },
    ],
    flags: [
      ...(['report', 'tolerance', 'noProfile', 'input', 'feed', 'threads', 'seed'] as const),
      ...(['keepOverridable', 'details', 'quiet'] as const),
    ],
    examples: [
      { command: 'mcompress compare model.onnx model.slim.onnx', does: 'exits 1 when the outputs differ' },
      { command: 'mcompress compare a.onnx b.onnx --no-profile --tolerance 1e-2', does: 'outputs only, less strict' },
    ],
  },
  eval: {
    name: 'eval',
    summary: 'score a model on data: accuracy per class, or what is lost against a reference',
    args: [{ name: 'MODEL', help: 'ONNX file, or - for stdin', completes: 'files' }],
    flags: [
      ...(['data', 'labels', 'preprocess', 'limit', 'labelOffset', 'reference', 'task', 'scores'] as const),
      ...(['report', 'input', 'maxDrop', 'runThreads', 'seed', 'keepOverridable', 'details', 'quiet'] as const),
    ],
    examples: [
      { command: 'mcompress eval model.onnx --data images/', does: 'top-1, top-5, classes, confusions' },
      {
        command: 'mcompress eval small.onnx --data images/ --reference model.onnx --max-drop 1',
        does: 'exits 1 when more than a point of accuracy (without labels: of agreement) is lost',
      },
      {
        command: 'mcompress eval model.onnx --data images/ --limit 500 --report eval.html',
        does: 'a seeded draw; the page has the confusion matrix',
      },
    ],
  },
  calibrate: {
    name: 'calibrate',
    summary: 'gather the ranges of values over samples, for quantization',
    args: [
      { name: 'FILE...', help: 'the model (ONNX file, or - for stdin); with --merge, the caches', completes: 'files' },
    ],
    flags: [
      ...(['data', 'preprocess', 'labels', 'limit', 'dataFree', 'shard', 'merge', 'calibration', 'report'] as const),
      ...(['input', 'runThreads', 'seed', 'keepOverridable', 'details', 'quiet'] as const),
    ],
    examples: [
      { command: 'mcompress calibrate model.onnx --data images/ --limit 100', does: 'writes model.calibration.json' },
      { command: 'mcompress calibrate model.onnx --data images/ --shard 2/4 -o part2.json', does: 'one of four jobs' },
      { command: 'mcompress calibrate --merge part*.json -o all.json', does: 'what one run gives, byte by byte' },
    ],
  },
  passes: {
    name: 'passes',
    summary: 'list the passes, or explain one',
    args: [{ name: '[PASS]', help: 'a pass', completes: 'passes' }],
    flags: [],
    examples: [{ command: 'mcompress passes fold-batch-norm', does: 'its conditions, options and counters' }],
  },
  print: {
    name: 'print',
    summary: 'print a model as text',
    args: [{ name: 'MODEL', help: 'ONNX file, or - for stdin', completes: 'files' }],
    flags: ['weights'],
    examples: [{ command: 'mcompress print model.onnx | less', does: 'every node' }],
  },
  generate: {
    name: 'generate',
    summary: 'write documentation, the man page, shell completion, JSON schemas',
    args: [
      { name: 'WHAT', help: 'what to write', choices: ['docs', 'man', 'completion', 'schema'] },
      {
        name: '[NAME]',
        help: 'of completion a shell, of schema a kind of document (without it: all)',
        choices: [
          'bash',
          'zsh',
          'fish',
          'slim',
          'slim-batch',
          'inspect',
          'profile',
          'compare',
          'eval',
          'calibrate',
          'quantize',
          'prune',
          'factorize',
          'deepen',
          'combine',
          'recipe',
        ],
      },
    ],
    flags: ['target'],
    examples: [
      { command: 'source <(mcompress generate completion bash)', does: 'completes flags and passes in this shell' },
      { command: 'mcompress generate man -o mcompress.1', does: 'read it with: man -l mcompress.1' },
      { command: 'mcompress generate schema recipe', does: 'JSON Schema of recipes' },
      { command: 'mcompress generate docs -o docs/', does: 'the pages of commands, operators and passes' },
    ],
  },
} as const satisfies Record<string, CommandSpec>;

export type CommandName = keyof typeof COMMANDS;

export const COMMAND_SPECS: readonly CommandSpec[] = Object.values(COMMANDS);

/** All flags of a command in the order of the help. */
export function flagsOf({ flags }: CommandSpec): FlagKey[] {
  const keys = [...flags, ...COMMON_FLAGS];
  return FLAG_GROUPS.flatMap((group) => keys.filter((key) => FLAGS[key].group === group));
}
