// Completion scripts of shells: commands, flags, choices, passes; file names where they belong.
import { COMMAND_SPECS, flagsOf, type CommandSpec } from '../command-specs.js';
import { FLAGS, type Completion, type Flag } from '../flags.js';
import { PROGRAM } from '../help.js';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** The script for a shell, with the names of all passes. */
export function completionScript(shell: Shell, passes: readonly string[]): string {
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](passes);
}

const flagList = (spec: CommandSpec): Flag[] => flagsOf(spec).map((key) => FLAGS[key]);
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
/** Names of a flag on the command line. */
const namesOf = ({ name, short }: Flag): string[] => [`--${name}`, ...(short === undefined ? [] : [`-${short}`])];

// bash: candidates are lists of words; where there are none, bash completes file names itself.

function bashScript(passes: readonly string[]): string {
  const commands = COMMAND_SPECS.map(({ name }) => name);
  const flags = [...new Set(COMMAND_SPECS.flatMap(flagList))];
  const valued = flags.filter(({ value }) => value !== undefined).flatMap(namesOf);
  return `# bash completion of ${PROGRAM}: source this file, or install it as ${PROGRAM} among the completions of bash.
_${PROGRAM}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="" command="" position=0 index
  [ "$COMP_CWORD" -gt 0 ] && previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local valued=${quoted(` ${valued.join(' ')} `)}
  for ((index = 1; index < COMP_CWORD; index++)); do
    [[ "$valued" == *" \${COMP_WORDS[index-1]} "* ]] && continue
    if [ -z "$command" ]; then
      command="\${COMP_WORDS[index]}"
    elif [[ "\${COMP_WORDS[index]}" != -* ]]; then
      position=$((position + 1))
    fi
  done
  local passes=${quoted(passes.join(' '))}
  local words=""
  case "$command" in
    "") words=${quoted([...commands, 'help', '--help', '--version'].join(' '))} ;;
    help) words=${quoted(commands.join(' '))} ;;
${COMMAND_SPECS.map(bashCommand).join('\n')}
  esac
  COMPREPLY=()
  [ -n "$words" ] && mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o bashdefault -o default -F _${PROGRAM} ${PROGRAM}
`;
}

function bashCommand(spec: CommandSpec): string {
  const flags = flagList(spec);
  const withValues = flags.filter(({ value }) => value !== undefined);
  const known = withValues.filter(({ choices, completes }) => choices !== undefined || completes === 'passes');
  const free = withValues.filter((flag) => !known.includes(flag)).flatMap(namesOf);
  const branches = [
    ...known.map((flag) => `${namesOf(flag).join('|')}) words=${bashWords(flag.choices, flag.completes)} ;;`),
    ...(free.length === 0 ? [] : [`${free.join('|')}) ;;`]),
  ];
  const names = [...flags.flatMap(namesOf), '--help'].join(' ');
  const positions = spec.args.map(({ choices, completes, name }, at) => {
    const pattern = name.includes('...') ? '*' : String(at);
    return `            ${pattern}) words=${bashWords(choices, completes)} ;;`;
  });
  return `    ${spec.name})
      case "$previous" in
${branches.map((branch) => `        ${branch}`).join('\n')}
        *)
          if [[ "$current" == -* ]]; then words=${quoted(names)}
          else case "$position" in
${positions.join('\n')}
          esac; fi ;;
      esac ;;`;
}

function bashWords(choices: readonly string[] | undefined, completes: Completion | undefined): string {
  if (choices) return quoted(choices.join(' '));
  return completes === 'passes' ? '"$passes"' : '""';
}

// zsh: one _arguments call per command.

function zshScript(passes: readonly string[]): string {
  const described = COMMAND_SPECS.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`);
  const cases = COMMAND_SPECS.map((spec) => {
    const specs = [...spec.args.map(zshArgument), ...flagList(spec).map(zshFlag), quoted('--help[print help]')];
    return `    ${spec.name})\n      _arguments -s \\\n${specs.map((one) => `        ${one}`).join(' \\\n')} ;;`;
  });
  return `#compdef ${PROGRAM}
# zsh completion of ${PROGRAM}: save this file as _${PROGRAM} in a folder of $fpath.
_${PROGRAM}_passes() {
  local -a passes
  passes=(${passes.map(quoted).join(' ')})
  _describe 'pass' passes
}
_${PROGRAM}() {
  local -a commands
  commands=(
${described.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe 'command' commands
    return
  fi
  local command="$words[2]"
  shift words
  (( CURRENT-- ))
  case "$command" in
${cases.join('\n')}
  esac
}
if [ "$funcstack[1]" = "_${PROGRAM}" ]; then _${PROGRAM} "$@"; else compdef _${PROGRAM} ${PROGRAM}; fi
`;
}

/** Text inside a specification of _arguments. */
const zshText = (text: string): string => text.replace(/[[\]:\\]/g, '\\$&');

function zshAction(choices: readonly string[] | undefined, completes: Completion | undefined): string {
  if (choices) return `(${choices.join(' ')})`;
  if (completes === 'passes') return `_${PROGRAM}_passes`;
  return completes === 'files' ? '_files' : ' ';
}

function zshFlag(flag: Flag): string {
  const { name, short, value, help, repeatable, choices, completes } = flag;
  const tail = `[${zshText(help)}]${value === undefined ? '' : `:${zshText(value)}:${zshAction(choices, completes)}`}`;
  const star = repeatable ? '*' : '';
  if (short === undefined) return quoted(`${star}--${name}${tail}`);
  const exclusion = repeatable ? star : `(-${short} --${name})`;
  return `${exclusion === '' ? '' : quoted(exclusion)}{-${short},--${name}}${quoted(tail)}`;
}

function zshArgument({ name, help, choices, completes }: CommandSpec['args'][number]): string {
  const action = zshAction(choices, completes);
  const optional = name.startsWith('[') ? ':' : '';
  return quoted(`${name.includes('...') ? '*' : ''}:${optional}${zshText(help)}:${action}`);
}

// fish: one line per command, flag and argument.

function fishScript(passes: readonly string[]): string {
  const none = '__fish_use_subcommand';
  const lines = COMMAND_SPECS.flatMap((spec) => [
    `complete -c ${PROGRAM} -n ${none} -f -a ${spec.name} -d ${fishQuoted(spec.summary)}`,
    ...spec.args.flatMap(({ choices, completes }) => fishArgument(spec, choices, completes, passes)),
    ...flagList(spec).map((flag) => fishFlag(spec, flag, passes)),
  ]);
  return [
    `# fish completion of ${PROGRAM}: save this file as ${PROGRAM}.fish among the completions of fish.`,
    `complete -c ${PROGRAM} -n ${none} -l help -s h -d 'print help'`,
    `complete -c ${PROGRAM} -n ${none} -l version -s V -d 'print the version'`,
    ...lines,
    '',
  ].join('\n');
}

const fishQuoted = (text: string): string => `'${text.replace(/['\\]/g, '\\$&')}'`;
const fishCondition = ({ name }: CommandSpec): string => `'__fish_seen_subcommand_from ${name}'`;

function fishArgument(
  spec: CommandSpec,
  choices: readonly string[] | undefined,
  completes: Completion | undefined,
  passes: readonly string[],
): string[] {
  const words = completes === 'passes' ? passes : choices;
  return words ? [`complete -c ${PROGRAM} -n ${fishCondition(spec)} -f -a ${fishQuoted(words.join(' '))}`] : [];
}

function fishFlag(spec: CommandSpec, flag: Flag, passes: readonly string[]): string {
  const { name, short, value, choices, completes, help } = flag;
  const words = completes === 'passes' ? passes : choices;
  const takes =
    value === undefined
      ? ''
      : words
        ? ` -x -a ${fishQuoted(words.join(' '))}`
        : completes === 'files'
          ? ' -r -F'
          : ' -x';
  const shortPart = short === undefined ? '' : ` -s ${short}`;
  return `complete -c ${PROGRAM} -n ${fishCondition(spec)} -l ${name}${shortPart}${takes} -d ${fishQuoted(help)}`;
}
