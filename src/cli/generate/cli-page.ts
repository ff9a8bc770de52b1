// docs/cli.md, from the declarations of commands and flags.
import { COMMAND_SPECS, flagsOf, type CommandSpec } from '../command-specs.js';
import { FLAG_GROUPS, FLAGS, type Flag } from '../flags.js';
import { argumentHelp, DESCRIPTION, flagHelp, flagTerm, PROGRAM, usageOf } from '../help.js';
import { ENVIRONMENT, EXIT_STATUSES, type Documented } from '../statuses.js';

const CONVENTIONS = `Results go to stdout, everything else to stderr. Progress is shown on a terminal only; with \`-v\` elsewhere too, a line
per stage. \`--json\` prints one document with \`version\` and \`kind\` (\`${PROGRAM} generate schema\` describes each), and
nothing else. \`-\` stands for stdin and stdout. An output is replaced atomically, an input never without \`--force\`.`;

/** The page as Markdown. */
export function cliPage(): string {
  const list = COMMAND_SPECS.map(({ name, summary }) => `- [\`${name}\`](#${name}): ${summary}`);
  return `${[
    '# Command line',
    `${DESCRIPTION} Written by \`${PROGRAM} generate docs\`.`,
    list.join('\n'),
    CONVENTIONS,
    ...COMMAND_SPECS.map(commandSection),
    '## Exit status',
    documentedTable('status', EXIT_STATUSES),
    '## Environment',
    documentedTable('variable', ENVIRONMENT),
  ].join('\n\n')}\n`;
}

function commandSection(spec: CommandSpec): string {
  const keys = flagsOf(spec);
  const groups = FLAG_GROUPS.flatMap((group) => {
    const flags: Flag[] = keys.map((key) => FLAGS[key]).filter((flag) => flag.group === group);
    return flags.length === 0
      ? []
      : [
          table(
            group,
            flags.map((flag) => [code(flagTerm(flag)), flagHelp(flag)] as const),
          ),
        ];
  });
  const args = spec.args.map((argument) => [code(argument.name), argumentHelp(argument)] as const);
  const examples = spec.examples.map(({ command, does }) => `${command}  # ${does}`);
  return [
    `## ${spec.name}`,
    `${capital(spec.summary)}.`,
    `\`\`\`sh\n${usageOf(spec)}\n\`\`\``,
    `\`\`\`sh\n${examples.join('\n')}\n\`\`\``,
    ...(args.length === 0 ? [] : [table('argument', args)]),
    ...groups,
  ].join('\n\n');
}

const documentedTable = (title: string, entries: readonly Documented[]): string =>
  table(
    title,
    entries.map(({ name, meaning }) => [code(name), meaning] as const),
  );

function table(title: string, rows: readonly (readonly [string, string])[]): string {
  return [`| ${title} | |`, '| --- | --- |', ...rows.map(([term, help]) => `| ${cell(term)} | ${cell(help)} |`)].join(
    '\n',
  );
}

const code = (text: string): string => `\`${text}\``;
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
