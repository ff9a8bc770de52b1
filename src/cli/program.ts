// The commander program, built from the declarations in flags.ts and command-specs.ts. Command code is loaded when its
// command runs, so that `--help` loads none of it.
import { Command, CommanderError, Option } from 'commander';
import { UsageError, type UsageCode } from '../base/errors.js';
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
  passes: async () => (await import('./commands/passes.js')).runPasses,
  print: async () => (await import('./commands/print.js')).runPrint,
  generate: async () => (await import('./commands/generate.js')).runGenerate,
};

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
    .showSuggestionAfterError(true)
    .configureHelp({ formatHelp: (command) => sink.render(helpLines(command.name(), sink.width)) })
    .exitOverride()
    .configureOutput({ writeOut: (text) => sink.write(text), writeErr: () => {}, getOutHasColors: () => true });
  for (const name of Object.keys(COMMANDS) as CommandName[]) {
    // oxlint-disable-next-line no-loop-func
    addCommand(program, COMMANDS[name], (args, flags) => {
      parsed = { args, flags, load: LOADERS[name] };
    });
  }
  try {
    program.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === 'commander.help') sink.write(program.helpInformation());
    else if (error.exitCode !== 0) throw usageError(error, argv);
    return undefined;
  }
  return parsed;
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
  if (flag.choices) option.choices([...flag.choices]);
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
  }
  return flags as FlagValues;
}

const CODES: Readonly<Record<string, UsageCode>> = {
  'commander.unknownOption': 'unknown-option',
  'commander.unknownCommand': 'unknown-command',
  'commander.missingArgument': 'no-input',
  'commander.excessArguments': 'conflict',
};

/** Commander's message: a sentence, and maybe a second line in brackets with the nearest known word. */
function usageError(error: CommanderError, argv: readonly string[]): UsageError {
  const [what = '', ...hints] = error.message.replace(/^error: /, '').split('\n');
  const near = /Did you mean (?:one of )?(.*)\?/.exec(hints.join(' '))?.[1];
  const command = COMMAND_SPECS.find(({ name }) => name === argv[0]);
  const help = `see: ${PROGRAM}${command ? ` ${command.name}` : ''} --help`;
  return new UsageError(CODES[error.code] ?? 'bad-value', what, {
    fix: near === undefined ? help : `did you mean ${near}?`,
  });
}

const camelCase = (name: string): string => name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
