// The commander program, built from the declarations in flags.ts and command-specs.ts. Command code is loaded when its
// command runs, so that `--help` loads none of it.
import { Command, CommanderError, Option } from 'commander';
import { UsageError, type UsageCode } from '../base/errors.js';
import { suggest, suggestion } from '../base/suggest.js';
import type { Line } from '../report/span.js';
import { COMMAND_SPECS, COMMANDS, flagsOf, type CommandName, type CommandSpec } from './command-specs.js';
import { FLAGS, type Flag, type FlagKey } from './flags.js';
import { commandHelp, DESCRIPTION, PROGRAM, programHelp } from './help.js';
import type { FlagValues } from './parsed-flags.js';
import type { Terminal } from './terminal.js';

/** What a command is handed. */
export interface CommandInput {
  readonly args: readonly string[];
  readonly flags: FlagValues;
  readonly terminal: Terminal;
  /** Fires on Ctrl-C. */
  readonly signal: AbortSignal;
}

/** Runs a command; the number is the exit status. */
export type CommandRun = (input: CommandInput) => Promise<number>;

const LOADERS: Readonly<Record<CommandName, () => Promise<CommandRun>>> = {
  slim: async () => (await import('./commands/slim.js')).runSlim,
  inspect: async () => (await import('./commands/inspect.js')).runInspect,
  profile: async () => (await import('./commands/profile.js')).runProfile,
  compare: async () => (await import('./commands/compare.js')).runCompare,
  eval: async () => (await import('./commands/eval.js')).runEval,
  quantize: async () => (await import('./commands/quantize.js')).runQuantize,
  prune: async () => (await import('./commands/prune.js')).runPrune,
  deepen: async () => (await import('./commands/deepen.js')).runDeepen,
  factorize: async () => (await import('./commands/factorize.js')).runFactorize,
  calibrate: async () => (await import('./commands/calibrate.js')).runCalibrate,
  passes: async () => (await import('./commands/passes.js')).runPasses,
  print: async () => (await import('./commands/print.js')).runPrint,
  generate: async () => (await import('./commands/generate.js')).runGenerate,
};

const COMMAND_NAMES: readonly string[] = COMMAND_SPECS.map(({ name }) => name);

/** A command line as parsed: which command to run and with what. */
export interface Parsed {
  readonly args: readonly string[];
  readonly flags: FlagValues;
  load(): Promise<CommandRun>;
}

/** Where help and the version go. */
export interface HelpSink {
  readonly version: string;
  /** Columns that help may take. */
  readonly width: number;
  /** Styled lines as text for stdout. */
  render(lines: readonly Line[]): string;
  write(text: string): void;
}

/**
 * Parses a command line (without node and script); undefined when help or the version was printed.
 * @throws UsageError unknown-command, unknown-option, bad-value, no-input, conflict
 */
export function parseCommandLine(argv: readonly string[], sink: HelpSink): Parsed | undefined {
  let parsed: Parsed | undefined;
  const program = new Command(PROGRAM)
    .description(DESCRIPTION)
    .version(sink.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .showSuggestionAfterError(false)
    .configureHelp({ formatHelp: (command) => sink.render(helpLines(command.name(), sink.width)) })
    .exitOverride()
    .configureOutput({ writeOut: (text) => sink.write(text), writeErr: () => {}, getOutHasColors: () => true });
  const running =
    (name: CommandName) =>
    (args: string[], flags: FlagValues): void => {
      parsed = { args, flags, load: LOADERS[name] };
    };
  for (const name of Object.keys(COMMANDS) as CommandName[]) addCommand(program, COMMANDS[name], running(name));
  checkHelpTopic(argv);
  try {
    program.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    if (error.code !== 'commander.help') throw usageError(error, argv);
    sink.write(program.helpInformation());
    return undefined;
  }
  return parsed;
}

/** Commander answers `help` for a command that is none with the help of the program. @throws UsageError unknown-command */
function checkHelpTopic([first, topic]: readonly string[]): void {
  if (first !== 'help' || topic === undefined || topic.startsWith('-') || [...COMMAND_NAMES, 'help'].includes(topic))
    return;
  throw new UsageError('unknown-command', `unknown command '${topic}'`, {
    fix: suggestion(topic, COMMAND_NAMES) ?? `see: ${PROGRAM} --help`,
  });
}

function helpLines(command: string, width: number): Line[] {
  const spec = COMMAND_SPECS.find(({ name }) => name === command);
  return spec ? commandHelp(spec, width) : programHelp(width);
}

function addCommand(program: Command, spec: CommandSpec, onRun: (args: string[], flags: FlagValues) => void): void {
  const command = program.command(spec.name).copyInheritedSettings(program);
  for (const { name } of spec.args) command.argument(name.startsWith('[') ? name : `<${name}>`);
  const keys = flagsOf(spec);
  for (const key of keys) command.addOption(optionOf(FLAGS[key]));
  command.action((...values: unknown[]) => {
    const args = values
      .slice(0, spec.args.length)
      .flat()
      .filter((arg): arg is string => typeof arg === 'string');
    onRun(args, flagValues(keys, command.opts()));
  });
}

function optionOf(flag: Flag): Option {
  const long = `--${flag.name}${flag.value === undefined ? '' : ` <${flag.value}>`}`;
  const option = new Option(flag.short === undefined ? long : `-${flag.short}, ${long}`);
  if (!flag.repeatable) return option;
  return flag.value === undefined
    ? option.argParser((_: string | undefined, before: number | undefined) => (before ?? 0) + 1)
    : option.argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value]);
}

/** Commander's values under our keys. A `--no-x` flag is true when it was given. */
function flagValues(keys: readonly FlagKey[], values: Readonly<Record<string, unknown>>): FlagValues {
  const flags: Record<string, unknown> = {};
  for (const key of keys) {
    const { name } = FLAGS[key];
    const isNegative = name.startsWith('no-');
    const value = values[camelCase(isNegative ? name.slice(3) : name)];
    if (isNegative ? value === false : value !== undefined && typeof value !== 'boolean')
      flags[key] = isNegative ? true : value;
    else if (!isNegative && value === true && !('value' in FLAGS[key])) flags[key] = true;
    checkChoice(FLAGS[key], flags[key]);
  }
  return flags as FlagValues;
}

/** @throws UsageError bad-value when a flag with choices has none of them */
function checkChoice({ name, choices }: Flag, given: unknown): void {
  if (choices === undefined || given === undefined) return;
  const value = [given].flat().find((one) => !choices.includes(String(one)));
  if (value === undefined) return;
  throw new UsageError('bad-value', `--${name} cannot be ${JSON.stringify(value)}`, {
    fix: suggestion(String(value), choices) ?? `choose one of: ${choices.join(', ')}`,
  });
}

const CODES: Readonly<Record<string, UsageCode>> = {
  'commander.unknownOption': 'unknown-option',
  'commander.unknownCommand': 'unknown-command',
  'commander.missingArgument': 'no-input',
  'commander.excessArguments': 'conflict',
};

/** Commander's message as an error of ours, with the nearest word that would have been known. */
function usageError(error: CommanderError, argv: readonly string[]): UsageError {
  const code = CODES[error.code] ?? 'bad-value';
  const command = COMMAND_SPECS.find(({ name }) => name === argv[0]);
  const near =
    code === 'unknown-command'
      ? suggest(argv[0] ?? '', COMMAND_NAMES)
      : code === 'unknown-option'
        ? nearestFlag(argv, command)
        : undefined;
  const help = `see: ${PROGRAM}${command ? ` ${command.name}` : ''} --help`;
  return new UsageError(code, error.message.replace(/^error: /, ''), {
    fix: near === undefined ? help : `did you mean "${near}"?`,
  });
}

/** The flag that the first unknown one may stand for. */
function nearestFlag(argv: readonly string[], command: CommandSpec | undefined): string | undefined {
  const known = [...(command ? flagsOf(command).map((key) => `--${FLAGS[key].name}`) : ['--version']), '--help'];
  const unknown = argv
    .map((word) => word.replace(/=.*/, ''))
    .find((word) => /^--./.test(word) && !known.includes(word));
  return unknown === undefined ? undefined : suggest(unknown, known);
}

const camelCase = (name: string): string => name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
