// The help texts, as styled lines: examples first, flags by group.
import { span, wrap, type Line } from '../report/span.js';
import { COMMAND_SPECS, flagsOf, type Argument, type CommandSpec } from './command-specs.js';
import { FLAG_GROUPS, FLAGS, type Flag } from './flags.js';
import { EXIT_STATUSES } from './statuses.js';

export const PROGRAM = 'mcompress';
export const DESCRIPTION = 'Compression toolchain for convolutional networks in ONNX.';

/** Wider lines are hard to read. */
const MAX_WIDTH = 100;
/** Columns of the terms at most; a longer term has its help below. */
const TERM_WIDTH = 24;

/** `-p, --pass PASS`; flags without a short form are indented to stand below the others. */
export function flagTerm(flag: Flag, shortless: 'indented' | 'flush' = 'flush'): string {
  const value = flag.value === undefined ? '' : ` ${flag.value}`;
  const gap = shortless === 'indented' ? '    ' : '';
  return `${flag.short === undefined ? gap : `-${flag.short}, `}--${flag.name}${value}`;
}

/** The help of a flag with its choices and its default. */
export function flagHelp(flag: Flag): string {
  const choices = flag.choices === undefined ? [] : [`one of: ${flag.choices.join(', ')}`];
  const standard = flag.default === undefined ? [] : [`default: ${flag.default}`];
  const notes = [...choices, ...standard];
  return notes.length === 0 ? flag.help : `${flag.help} (${notes.join('; ')})`;
}

/** `slim [OPTIONS] MODEL...` */
export function usageOf({ name, args }: CommandSpec): string {
  return [PROGRAM, name, '[OPTIONS]', ...args.map((argument) => argument.name)].join(' ');
}

/** The help of an argument with its choices. */
export function argumentHelp({ help, choices }: Argument): string {
  return choices === undefined ? help : `${help}: ${choices.join(', ')}`;
}

type Entry = readonly [term: string, help: string];

/** Terms with their helps beside them. */
function entries(list: readonly Entry[], width: number): Line[] {
  const fitting = list.map(([term]) => term.length).filter((length) => length <= TERM_WIDTH);
  const room = Math.max(0, ...fitting) + 2;
  return list.flatMap(([term, help]): Line[] =>
    term.length <= TERM_WIDTH
      ? wrap([span(`  ${term.padEnd(room)}`, 'accent'), span(help)], width, 2 + room)
      : [[span(`  ${term}`, 'accent')], ...wrap([span(' '.repeat(2 + room)), span(help)], width, 2 + room)],
  );
}

function block(title: string, lines: readonly Line[]): Line[] {
  return lines.length === 0 ? [] : [[], [span(`${title}:`, 'bold')], ...lines];
}

function exampleLines(examples: CommandSpec['examples'], width: number): Line[] {
  const longest = Math.max(...examples.map(({ command }) => command.length));
  const fits = examples.every(({ does }) => longest + does.length + 4 <= width);
  return examples.flatMap(({ command, does }): Line[] =>
    fits
      ? [[span(`  ${command.padEnd(longest)}`), span(`  ${does}`, 'dim')]]
      : [[span(`  ${command}`)], ...wrap([span('      '), span(does, 'dim')], width, 6)],
  );
}

/** The help of one command, at most `columns` wide. */
export function commandHelp(spec: CommandSpec, columns: number): Line[] {
  const width = Math.min(columns, MAX_WIDTH);
  const keys = flagsOf(spec);
  const groups = FLAG_GROUPS.flatMap((group) => {
    const flags: Flag[] = keys.map((key) => FLAGS[key]).filter((flag) => flag.group === group);
    const list = flags.map((flag): Entry => [flagTerm(flag, 'indented'), flagHelp(flag)]);
    return block(group, entries(list, width));
  });
  return [
    ...wrap([span(`${PROGRAM} ${spec.name}`, 'bold'), span(`: ${spec.summary}`)], width, 2),
    [],
    [span('Usage: ', 'bold'), span(usageOf(spec))],
    ...block('Examples', exampleLines(spec.examples, width)),
    ...block(
      'Arguments',
      entries(
        spec.args.map((argument): Entry => [argument.name, argumentHelp(argument)]),
        width,
      ),
    ),
    ...groups,
  ];
}

/** The help of the program: what to type first, the commands, what the exit status means. */
export function programHelp(columns: number): Line[] {
  const width = Math.min(columns, MAX_WIDTH);
  const examples = COMMAND_SPECS.flatMap((spec) => spec.examples.slice(0, 1));
  return [
    [span(DESCRIPTION)],
    [],
    [span('Usage: ', 'bold'), span(`${PROGRAM} COMMAND [OPTIONS] ...`)],
    ...block('Examples', exampleLines(examples, width)),
    ...block(
      'Commands',
      entries(
        COMMAND_SPECS.map(({ name, summary }): Entry => [name, summary]),
        width,
      ),
    ),
    ...block(
      'Options',
      entries(
        [
          ['-h, --help', `print help; ${PROGRAM} COMMAND --help: that of a command`],
          ['-V, --version', 'print the version'],
        ],
        width,
      ),
    ),
    ...block(
      'Exit status',
      entries(
        EXIT_STATUSES.map(({ name, meaning }): Entry => [name, meaning]),
        width,
      ),
    ),
  ];
}
