// The manual page, section 1, in the macros of man(7).
import { COMMAND_SPECS, flagsOf, type CommandSpec } from '../command-specs.js';
import { FLAGS, type Flag } from '../flags.js';
import { argumentHelp, DESCRIPTION, flagHelp, PROGRAM } from '../help.js';
import { ENVIRONMENT, EXIT_STATUSES, type Documented } from '../statuses.js';

/** The page as roff. Nothing in it depends on the day it is made. */
export function manPage(version: string): string {
  const name = PROGRAM.toUpperCase();
  return `${[
    `.TH ${name} 1 "" "${PROGRAM} ${roff(version)}" "User Commands"`,
    '.SH NAME',
    `${PROGRAM} \\- ${roff(DESCRIPTION.replace(/\.$/, ''))}`,
    '.SH SYNOPSIS',
    ...COMMAND_SPECS.flatMap(synopsis),
    '.SH DESCRIPTION',
    text(
      'Models are read and written in the ONNX format. Results go to standard output, everything else to standard error. ' +
        'A dash stands for standard input and output.',
    ),
    '.SH COMMANDS',
    ...COMMAND_SPECS.flatMap(command),
    '.SH EXIT STATUS',
    ...documented(EXIT_STATUSES),
    '.SH ENVIRONMENT',
    ...documented(ENVIRONMENT),
    '.SH EXAMPLES',
    ...COMMAND_SPECS.flatMap(({ examples }) =>
      examples.flatMap(({ command: line, does }) => ['.TP', `.B ${roff(line)}`, text(`${does}.`)]),
    ),
  ].join('\n')}\n`;
}

function synopsis({ name, args }: CommandSpec): string[] {
  const words = args.map((argument) => `\\fI${roff(argument.name)}\\fR`);
  return [`.B ${PROGRAM} ${name}`, ['[\\fIOPTIONS\\fR]', ...words].join(' '), '.br'];
}

function command(spec: CommandSpec): string[] {
  const flags: Flag[] = flagsOf(spec).map((key) => FLAGS[key]);
  return [
    `.SS ${spec.name}`,
    text(`${spec.summary.charAt(0).toUpperCase()}${spec.summary.slice(1)}.`),
    ...spec.args.flatMap((argument) => ['.TP', `\\fI${roff(argument.name)}\\fR`, text(argumentHelp(argument))]),
    ...flags.flatMap((flag) => ['.TP', flagTerms(flag), text(flagHelp(flag))]),
  ];
}

function flagTerms({ name, short, value }: Flag): string {
  const long = `\\fB\\-\\-${roff(name)}\\fR`;
  const both = short === undefined ? long : `\\fB\\-${short}\\fR, ${long}`;
  return value === undefined ? both : `${both} \\fI${roff(value)}\\fR`;
}

const documented = (entries: readonly Documented[]): string[] =>
  entries.flatMap(({ name, meaning }) => ['.TP', `.B ${roff(name)}`, text(meaning)]);

/** A line of text: no character of it may be taken for a request or an escape. */
const text = (line: string): string => roff(line).replace(/^([.'])/, '\\&$1');
const roff = (line: string): string => line.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('~', '\\(ti');
