// docs/passes/<pass>.md, from the declaration of a pass, with an example that was run, or of a step that looks at samples; and the list
// of all.
import { describeValues } from '../../base/option.js';
import type { AnyPass } from '../../passes/pass.js';
import type { RecipeStep } from '../../report/recipe-steps.js';
import { PROGRAM } from '../help.js';
import type { PassExample } from './pass-example.js';

const EXACTNESS = {
  exact: 'The outputs stay equal, bit by bit.',
  rounding: 'The outputs stay equal in real arithmetic; they may differ by the rounding of their element type.',
  lossy: 'The outputs change: the change is measured, and kept within what was asked.',
} as const;

/** The page of one pass as Markdown. */
export function passPage(pass: AnyPass, example: PassExample | undefined): string {
  const options = Object.entries(pass.options).map(([name, option]) => [
    `\`${name}\``,
    `${option.help} (${describeValues(option)})`,
    `\`${String(option.default)}\``,
  ]);
  const needs = pass.needs.length === 0 ? '' : ` It needs ${pass.needs.join(' and ')}.`;
  return `${[
    `# ${pass.name}`,
    `${capital(pass.summary)}.`,
    `${EXACTNESS[pass.exactness]}${needs}`,
    `\`\`\`sh\n${PROGRAM} slim model.onnx -p ${pass.name}\n\`\`\``,
    paragraphs(pass.details),
    ...section('Options', ['option', 'what it does', 'default'], options),
    ...exampleSection(example),
    ...section('Left alone, and why', ['code', 'reason'], pairs(pass.declines)),
    ...section('Counted', ['counter', 'what it counts'], pairs(pass.stats)),
  ].join('\n\n')}\n`;
}

/** The page of a step of a recipe that is a run over samples, as Markdown. */
export function stepPage(step: RecipeStep): string {
  const options = Object.entries(step.options).map(([name, { description }]) => [
    `\`${name}\``,
    `${String(description)} (${step.expected[name] ?? ''})`,
  ]);
  return `${[
    `# ${step.name}`,
    `${capital(step.summary)}.`,
    `${EXACTNESS[step.exactness]} It needs ${step.needs.join(' and ')}.`,
    `\`\`\`sh\n${PROGRAM} slim model.onnx -p ${step.name} --data images/\n\`\`\``,
    paragraphs(step.details),
    ...section('Options', ['option', 'what it does'], options),
    ...section('Left alone, and why', ['code', 'reason'], pairs(step.declines)),
  ].join('\n\n')}\n`;
}

/** The list of all passes and steps, by category in the order in which they run. */
export function passList(passes: readonly Pick<RecipeStep, 'name' | 'category' | 'summary' | 'exactness'>[]): string {
  const categories = [...new Set(passes.map(({ category }) => category))];
  const sections = categories.map((category) => {
    const rows = passes
      .filter((pass) => pass.category === category)
      .map(({ name, summary, exactness }) => [`[${name}](${name}.md)`, summary, exactness]);
    return [`## ${capital(category)}`, table(['pass', 'what it does', 'outputs'], rows)].join('\n\n');
  });
  return `${[`# Passes`, `Written by \`${PROGRAM} generate docs\`, in the order in which they run.`, ...sections].join('\n\n')}\n`;
}

function exampleSection(example: PassExample | undefined): string[] {
  if (!example) return [];
  const { title, options, before, after } = example;
  const given = Object.entries(options).map(([key, value]) => `\`${key}=${value}\``);
  return [
    '## Example',
    `${title}${/[.!?]$/.test(title) ? '' : '.'}${given.length === 0 ? '' : ` With ${given.join(', ')}.`}`,
    `Before:\n\n\`\`\`\n${before.trimEnd()}\n\`\`\``,
    `After:\n\n\`\`\`\n${after.trimEnd()}\n\`\`\``,
  ];
}

function section(title: string, columns: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return rows.length === 0 ? [] : [`## ${title}`, table(columns, rows)];
}

function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((text) => text.replaceAll('|', '\\|').replace(/\s*\n\s*/g, ' ')).join(' | ')} |`;
  return [line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n');
}

const pairs = (entries: Readonly<Record<string, string>>): string[][] =>
  Object.entries(entries).map(([key, meaning]) => [`\`${key}\``, meaning]);

/** Texts of declarations are indented as the source is. */
const paragraphs = (text: string): string =>
  text
    .trim()
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.replace(/^ +/gm, ''))
    .join('\n\n');

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
