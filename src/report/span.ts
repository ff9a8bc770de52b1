// Lines of styled text for the terminal. Colours are applied by the command line; here a style is only a name.
import { visible } from './format.js';

export type Style = 'bold' | 'dim' | 'good' | 'bad' | 'warn' | 'accent';
export interface Span {
  readonly text: string;
  readonly style?: Style | undefined;
}
export type Line = readonly Span[];

// Code points that take no column (marks) and two columns (East Asian wide and fullwidth, emoji).
const ZERO = /^[\p{Mn}\p{Me}]$/u;
const DOUBLE =
  /^[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]$/u;
const PLAIN = /^[\x20-\x7e]*$/;

function columnsOf(character: string): number {
  if (ZERO.test(character)) return 0;
  return DOUBLE.test(character) ? 2 : 1;
}

/** Columns that `text` takes in a terminal. */
export function textWidth(text: string): number {
  if (PLAIN.test(text)) return text.length;
  return [...text].reduce((sum, character) => sum + columnsOf(character), 0);
}

/** Text as a span, made safe for a terminal: control characters of names are shown, not sent. */
export const span = (text: string, style?: Style): Span => ({ text: visible(text), style });

export const lineWidth = (line: Line): number => line.reduce((sum, { text }) => sum + textWidth(text), 0);

/** The lines as text without styles, spaces at line ends removed. */
export const plainText = (lines: readonly Line[]): string =>
  lines
    .map((line) =>
      line
        .map(({ text }) => text)
        .join('')
        .trimEnd(),
    )
    .join('\n');

const fitStart = (characters: readonly string[], width: number): string => {
  let used = 0;
  let kept = '';
  for (const character of characters) {
    used += columnsOf(character);
    if (used > width) break;
    kept += character;
  }
  return kept;
};

/** `text` in at most `width` columns, with `…` at its end or in its middle. */
export function clip(text: string, width: number, where: 'end' | 'middle' = 'end'): string {
  if (textWidth(text) <= width) return text;
  if (width <= 1) return width === 1 ? '…' : '';
  const characters = [...text];
  const tail = where === 'end' ? 0 : Math.floor((width - 1) / 2);
  const reversed = (items: readonly string[]): string[] => [...items].reverse();
  const end = reversed([...fitStart(reversed(characters), tail)]).join('');
  return `${fitStart(characters, width - 1 - tail)}…${end}`;
}

/** `text` with spaces on the other side up to `width` columns. */
export function pad(text: string, width: number, align: 'left' | 'right'): string {
  const space = ' '.repeat(Math.max(0, width - textWidth(text)));
  return align === 'left' ? text + space : space + text;
}

/**
 * Breaks `line` at spaces so that no line is wider than `width`; lines after the first start with `indent` spaces.
 * A word wider than the line stays whole: names and commands must remain copyable.
 */
export function wrap(line: Line, width: number, indent = 0): Line[] {
  const lines: Span[][] = [];
  let current: Span[] = [];
  let used = 0;
  for (const { text, style } of line) {
    for (const piece of text.split(/(?<= )/)) {
      const start = lines.length > 0 ? indent : 0;
      if (used > start && used + textWidth(piece.trimEnd()) > width) {
        lines.push(current);
        current = indent > 0 ? [{ text: ' '.repeat(indent) }] : [];
        used = indent;
      }
      append(current, piece, style);
      used += textWidth(piece);
    }
  }
  return [...lines, current].map(trimEnd);
}

/** Adds text to a line, to its last span where the style is the same. */
function append(line: Span[], text: string, style: Style | undefined): void {
  const last = line.at(-1);
  if (last && last.style === style) line[line.length - 1] = { text: last.text + text, style };
  else line.push({ text, style });
}

/** The line without spaces at its end. */
export function trimEnd(line: Line): Line {
  const last = line.at(-1);
  if (!last) return line;
  const text = last.text.trimEnd();
  return text === '' ? trimEnd(line.slice(0, -1)) : [...line.slice(0, -1), { ...last, text }];
}
