// The commander program, built from the declarations in flags.ts. Command code is loaded when its command runs, so that
// `--help` loads none of it.
import { Command, CommanderError, Option } from 'commander';
import { UsageError } from '../base/errors.js';
import { COMMANDS, COMMON_FLAGS, FLAGS, type CommandName, type CommandSpec, type Flag, type FlagKey } from './flags.js';
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
  passes: async () => (await import('./commands/passes.js')).runPasses,
  print: async () => (await import('./commands/print.js')).runPrint,
};

/** A command line as parsed: which command to run and with what; undefined when help or the version was printed. */
export interface Parsed {
  readonly args: readonly string[];
  readonly flags: FlagValues;
  load(): Promise<CommandRun>;
}

/**
 * Parses a command line (without node and script).
 * @throws UsageError unknown-command, unknown-option, bad-value, no-input
 */
export function parseCommandLine(
  argv: readonly string[],
  version: string,
  write: (text: string) => void,
): Parsed | undefined {
  let parsed: Parsed | undefined;
  const program = new Command('mcompress')
    .description('Compression toolchain for convolutional networks in ONNX.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .showSuggestionAfterError(true)
    .addHelpText(
      'after',
      exampleText([COMMANDS.slim.examples[0], COMMANDS.passes.examples[0], COMMANDS.print.examples[0]]),
    )
    .exitOverride()
    .configureOutput({ writeOut: write, writeErr: () => {} });
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
    if (error.exitCode === 0) return undefined;
    if (error.code === 'commander.help') {
      write(program.helpInformation() + exampleText([COMMANDS.slim.examples[0]]));
      return undefined;
    }
    throw usageError(error);
  }
  return parsed;
}

function addCommand(program: Command, spec: CommandSpec, onRun: (args: string[], flags: FlagValues) => void): void {
  const command = program
    .command(spec.name)
    .summary(spec.summary)
    .description(`${capital(spec.summary)}.`)
    .copyInheritedSettings(program);
  for (const { name, help } of spec.args) command.argument(name.startsWith('[') ? name : `<${name}>`, help);
  const keys = [...spec.flags, ...COMMON_FLAGS];
  for (const key of keys) command.addOption(optionOf(FLAGS[key]));
  command.addHelpText('after', exampleText(spec.examples));
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
  const option = new Option(
    flag.short === undefined ? long : `-${flag.short}, ${long}`,
    flag.help + (flag.default === undefined ? '' : ` (default: ${flag.default})`),
  );
  if (flag.choices) option.choices([...flag.choices]);
  if (flag.repeatable)
    option.argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value]);
  return option;
}

/** Commander's values under our keys. A `--no-x` flag is true when it was given. */
function flagValues(keys: readonly FlagKey[], values: Readonly<Record<string, unknown>>): FlagValues {
  const flags: Record<string, unknown> = {};
  for (const key of keys) {
    const { name } = FLAGS[key];
    const negative = name.startsWith('no-');
    const value = values[camelCase(negative ? name.slice(3) : name)];
    if (negative ? value === false : value !== undefined && value !== true && value !== false)
      flags[key] = negative ? true : value;
    else if (!negative && value === true && !('value' in FLAGS[key])) flags[key] = true;
  }
  return flags as FlagValues;
}

const CODES: Readonly<Record<string, 'unknown-option' | 'unknown-command' | 'bad-value' | 'no-input'>> = {
  'commander.unknownOption': 'unknown-option',
  'commander.unknownCommand': 'unknown-command',
  'commander.missingArgument': 'no-input',
  'commander.missingMandatoryOptionValue': 'bad-value',
};

function usageError(error: CommanderError): UsageError {
  const [what = '', ...hints] = error.message.replace(/^error: /, '').split('\n');
  const hint = hints.join(' ').replace(/^\(|\)$/g, '');
  return new UsageError(CODES[error.code] ?? 'bad-value', what, { fix: hint === '' ? 'see: mcompress --help' : hint });
}

function exampleText(examples: CommandSpec['examples']): string {
  const width = Math.max(...examples.map(({ command }) => command.length));
  const lines = examples.map(({ command, does }) =>
    width > 56 ? `  ${command}\n      ${does}` : `  ${command.padEnd(width)}  ${does}`,
  );
  return `\nExamples:\n${lines.join('\n')}\n`;
}

const camelCase = (name: string): string => name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
