// A report document as terminal lines.
import type { BarsBlock, Block, BlockCell, Document, StackBlock, TableBlock } from './document.js';
import type { Tone } from './figures.js';
import { lineWidth, pad, span, textWidth, wrap, type Line, type Span, type Style } from './span.js';
import { bar, bars, stack, table, type Cell } from './table.js';

export interface LineOptions {
  /** Columns of the terminal. */
  readonly width: number;
  /** Whether the tables that a reader of the HTML opens are printed too. */
  readonly folded: 'show' | 'hide';
}

export const TONE_STYLES: { readonly [T in Tone]: Style | undefined } = {
  good: 'good',
  bad: 'bad',
  warn: 'warn',
  plain: undefined,
};

const styleOf = (tone: Tone | undefined): Style | undefined => (tone === undefined ? undefined : TONE_STYLES[tone]);
/** Columns of a line with a bar: longer ones are no easier to compare. */
const MAX_BAR_LINE = 110;
const METER_WIDTH = 16;
const SHARE_WIDTH = 5;
const toCell = (cell: BlockCell): Cell => {
  if (typeof cell === 'string') return cell;
  const { text, meter } = cell;
  const shown = meter === undefined ? text : `${pad(text, SHARE_WIDTH, 'right')}  ${bar(meter, 1, METER_WIDTH)}`;
  return { text: shown, style: styleOf(cell.tone) };
};
const isName = (cell: BlockCell | undefined): boolean => typeof cell === 'object' && cell.name !== undefined;

function tableLines({ caption, columns, rows }: TableBlock, width: number): Line[] {
  const fitted = columns.map(({ title, align, drop }, at) => ({
    title,
    align,
    ...(drop === undefined ? {} : { drop }),
    ...(align === 'right'
      ? {}
      : { cut: rows.some((row) => isName(row[at])) ? ('middle' as const) : ('wrap' as const) }),
  }));
  return [
    ...wrap([span(caption, 'dim')], width),
    ...table(
      fitted,
      rows.map((row) => row.map(toCell)),
      width,
    ),
  ];
}

function barLines({ caption, measure, series, rows }: BarsBlock, width: number): Line[] {
  const two = series.length > 1;
  const items = rows.map(({ label, note, before, after, text }) => ({
    label: note === '' ? label : `${label} ${note}`,
    text,
    value: (two ? after : before) ?? 0,
    ...(two ? { was: before ?? 0 } : {}),
  }));
  return [...wrap([span(`${caption}: ${measure}`, 'dim')], width), ...bars(items, Math.min(width, MAX_BAR_LINE))];
}

const STACK_GLYPHS: readonly { readonly glyph: string; readonly style: Style }[] = [
  { glyph: '█', style: 'accent' },
  { glyph: '▒', style: 'warn' },
  { glyph: '░', style: 'dim' },
];

function stackLines({ caption, measure, series, rows }: StackBlock, width: number): Line[] {
  const look = (at: number): { readonly glyph: string; readonly style: Style } =>
    STACK_GLYPHS[at] ?? { glyph: '░', style: 'dim' };
  const most = rows.reduce(
    (largest, { values }) =>
      Math.max(
        largest,
        values.reduce((sum, value) => sum + value, 0),
      ),
    0,
  );
  const key = series.flatMap((label, at): Span[] => [
    { text: look(at).glyph, style: look(at).style },
    span(` ${label}   `),
  ]);
  const lines = rows.flatMap(({ label, values, texts, total }): Line[] => [
    [span(`${label}: ${total}`), span(`  ${texts.join(' · ')}`, 'dim')],
    stack(
      values.map((value, at) => ({ value, ...look(at) })),
      most,
      Math.min(width, MAX_BAR_LINE),
    ),
  ]);
  return [
    ...wrap([span(`${caption}: ${measure}`, 'dim')], width),
    ...wrap(key, width),
    ...lines.flatMap((line) => wrap(line, width, 2)),
  ];
}

function factLines(facts: readonly (readonly [term: string, text: string])[], width: number): Line[] {
  const room = facts.reduce((wide, [term]) => Math.max(wide, textWidth(term)), 0) + 2;
  return facts.flatMap(([term, text]) => wrap([span(pad(term, room, 'left'), 'dim'), span(text)], width, room));
}

/** One block as lines, without empty lines around it. */
function blockLines(block: Block, { width, folded }: LineOptions): Line[] {
  switch (block.kind) {
    case 'answers':
      return block.answers.flatMap(({ question, value, detail, tone }) =>
        wrap(
          [span(`${question}: `), { ...span(value), style: TONE_STYLES[tone] ?? 'bold' }, span(`  ${detail}`, 'dim')],
          width,
          2,
        ),
      );
    case 'text':
      return wrap([span(block.text, styleOf(block.tone))], width);
    case 'facts':
      return factLines(block.facts, width);
    case 'code':
      return [[span(`${block.caption}:`, 'dim')], ...block.text.split('\n').map((text): Line => [span(`  ${text}`)])];
    case 'table':
      return block.shown === 'folded' && folded === 'hide' ? [] : tableLines(block, width);
    case 'bars':
      return block.inTerminal === 'hide' ? [] : barLines(block, width);
    case 'stack':
      return stackLines(block, width);
    case 'intervals':
      return block.rows.map(({ label, text, tone }) => [span(`${label}: `), span(text, TONE_STYLES[tone])]);
    case 'matrix':
    case 'depth':
    case 'curves':
    case 'frontier':
      return [];
    default:
      return block satisfies never;
  }
}

/** Blocks with an empty line between them. */
export function blocksLines(blocks: readonly Block[], options: LineOptions): Line[] {
  const parts = blocks
    .map((block) => blockLines(block, options))
    .filter((lines) => lines.some((line) => lineWidth(line) > 0));
  return parts.flatMap((lines, at) => (at === 0 ? lines : [[], ...lines]));
}

/** The whole document, for `inspect`, `profile` and `compare`. */
export function documentLines({ title, lead, sections }: Document, options: LineOptions): Line[] {
  const body = sections.flatMap(({ title: heading, blocks }) => {
    const lines = blocksLines(blocks, options);
    return lines.length === 0 ? [] : [[], [span(heading, 'bold')], ...lines];
  });
  return [[span(title, 'bold')], ...blocksLines(lead, options), ...body];
}
