// A report document as Markdown (GitHub flavour): tables carry all numbers, bars are drawn with characters.
import type { BarsBlock, Block, BlockCell, Document, IntervalBlock, StackBlock, TableBlock } from './document.js';
import { visible } from './format.js';
import { bar } from './table.js';

/** Text in a paragraph or table cell: nothing in it may act as markup. */
export const escapeMarkdown = (text: string): string => visible(text).replace(/[\\`*_<>[\]|~&]/g, '\\$&');

/** At the start of a line a few more characters would act. */
const paragraph = (text: string): string =>
  escapeMarkdown(text)
    .replace(/^(\s*)([-+#=])/, '$1\\$2')
    .replace(/^(\s*\d+)([.)])/, '$1\\$2');

/** A code span; the fence is longer than any run of backticks inside, and pipes do not end a table cell. */
function code(text: string): string {
  const shown = visible(text).replaceAll('|', '\\|');
  if (shown.trim() === '') return '';
  const longest = Math.max(0, ...[...shown.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return longest === 0 ? `\`${shown}\`` : `${fence} ${shown} ${fence}`;
}

function cell(one: BlockCell): string {
  if (typeof one === 'string') return escapeMarkdown(one);
  return one.name === undefined ? escapeMarkdown(one.text) : code(one.text);
}

const rows = (lines: readonly (readonly string[])[]): string =>
  lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');

function tableText({ caption, columns, rows: body, shown }: TableBlock): string {
  const text = rows([
    columns.map(({ title }) => escapeMarkdown(title)),
    columns.map(({ align }) => (align === 'right' ? '---:' : '---')),
    ...body.map((row) => columns.map((_, at) => cell(row[at] ?? ''))),
  ]);
  if (shown === 'open') return `**${escapeMarkdown(caption)}**\n\n${text}`;
  return `<details><summary>${escapeMarkdown(caption)}</summary>\n\n${text}\n\n</details>`;
}

const BAR = 16;

function barsText({ caption, measure, series, rows: bars }: BarsBlock): string {
  const most = bars.reduce((largest, { before, after }) => Math.max(largest, before ?? 0, after ?? 0), 0);
  const head = ['', ...series, measure];
  const body = bars.map(({ label, note, before, after, text }) => [
    note === '' ? code(label) : `${code(label)} ${escapeMarkdown(note)}`,
    ...[before, after].slice(0, series.length).map((value) => bar(value ?? 0, most, BAR)),
    escapeMarkdown(text),
  ]);
  return `**${escapeMarkdown(caption)}**\n\n${rows([head, ['---', ...series.map(() => '---'), '---:'], ...body])}`;
}

function stackText({ caption, series, rows: stacks }: StackBlock): string {
  const body = stacks.map(({ label, texts, total }) => [label, ...texts, total].map(escapeMarkdown));
  const head = [['', ...series, 'total'].map(escapeMarkdown), ['---', ...series.map(() => '---:'), '---:']];
  return `**${escapeMarkdown(caption)}**\n\n${rows([...head, ...body])}`;
}

function intervalText({ caption, rows: ratios }: IntervalBlock): string {
  const lines = ratios.map(
    ({ label, value, text }) => `- ${escapeMarkdown(`${label} × ${value.toFixed(3)}: ${text}`)}`,
  );
  return `**${escapeMarkdown(caption)}**\n\n${lines.join('\n')}`;
}

function fenced(language: string, text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${text.split('\n').map(visible).join('\n')}\n${fence}`;
}

function blockText(block: Block): string {
  switch (block.kind) {
    case 'answers':
      return block.answers
        .map(
          ({ question, value, detail }) =>
            `- ${escapeMarkdown(question)}: **${escapeMarkdown(value)}** (${escapeMarkdown(detail)})`,
        )
        .join('\n');
    case 'text':
      return block.tone === 'warn' || block.tone === 'bad' ? `> ${paragraph(block.text)}` : paragraph(block.text);
    case 'facts':
      return block.facts.map(([term, text]) => `- ${escapeMarkdown(term)}: ${escapeMarkdown(text)}`).join('\n');
    case 'code':
      return `${escapeMarkdown(block.caption)}:\n\n${fenced(block.language, block.text)}`;
    case 'table':
      return tableText(block);
    case 'bars':
      return barsText(block);
    case 'stack':
      return stackText(block);
    case 'intervals':
      return intervalText(block);
    case 'matrix':
    case 'depth':
    case 'curves':
    case 'frontier':
      return '';
    default:
      return block satisfies never;
  }
}

/** The document as Markdown text. */
export function renderMarkdown({ title, lead, sections, footer }: Document): string {
  const parts = [
    `# ${escapeMarkdown(title)}`,
    ...lead.map(blockText),
    ...sections.flatMap(({ title: heading, blocks }) => [`## ${escapeMarkdown(heading)}`, ...blocks.map(blockText)]),
    paragraph(footer),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}
