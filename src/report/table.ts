// Tables and bar charts as terminal lines, fitted to a width: columns of least worth go first, then long texts are cut.
import { clip, lineWidth, pad, span, textWidth, trimEnd, wrap, type Line, type Span, type Style } from './span.js';

export interface Column {
  readonly title: string;
  readonly align: 'left' | 'right';
  /** What happens to a text too long: it is cut, or goes on in the next line. A column without this keeps its width. */
  readonly cut?: 'end' | 'middle' | 'wrap';
  /** Narrow terminals leave out columns with the highest number first; a column without this always stays. */
  readonly drop?: number;
}
export type Cell = string | Span;

const GAP = 2;
const MIN_CUT = 8;
/** Before a column that may be cut gets less than this, others are dropped. */
const FAIR_CUT = 28;

const cellText = (cell: Cell | undefined): string =>
  cell === undefined ? '' : typeof cell === 'string' ? cell : cell.text;
const cellStyle = (cell: Cell | undefined): Style | undefined => (typeof cell === 'object' ? cell.style : undefined);

interface Fitted {
  readonly column: Column;
  readonly index: number;
  readonly width: number;
}

function fit(columns: readonly Column[], rows: readonly (readonly Cell[])[], width: number): Fitted[] {
  let shown = columns.map((column, index) => {
    const natural = rows.reduce(
      (most, row) => Math.max(most, textWidth(span(cellText(row[index])).text)),
      textWidth(column.title),
    );
    return { column, index, width: natural };
  });
  const fair = ({ column, width: natural }: Fitted): number => (column.cut ? Math.min(natural, FAIR_CUT) : natural);
  const least = (): number => shown.reduce((sum, one) => sum + GAP + fair(one), -GAP);
  while (least() > width) {
    const worth = Math.max(...shown.map(({ column }) => column.drop ?? 0));
    if (worth === 0) break;
    shown = shown.filter(({ column }) => column.drop !== worth);
  }
  const total = shown.reduce((sum, column) => sum + GAP + column.width, -GAP);
  return shrink(shown, total - width);
}

/** Takes `excess` columns of width from the widest of those that may be cut. */
function shrink(fitted: readonly Fitted[], excess: number): Fitted[] {
  const widths = fitted.map(({ width }) => width);
  for (let left = excess; left > 0; left -= 1) {
    let widest = -1;
    for (const [at, { column }] of fitted.entries()) {
      const wide = widths[at] ?? 0;
      if (column.cut && wide > MIN_CUT && wide > (widths[widest] ?? 0)) widest = at;
    }
    if (widest < 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return fitted.map((one, at) => ({ ...one, width: widths[at] ?? one.width }));
}

/** The text of one cell as lines no wider than `room`. */
function cellLines(cell: Cell | undefined, room: number, cut: Column['cut']): string[] {
  const text = span(cellText(cell)).text;
  if (cut !== 'wrap') return [clip(text, room, cut)];
  return wrap([{ text }], room).map((line) =>
    clip(
      line
        .map((one) => one.text)
        .join('')
        .trimEnd(),
      room,
    ),
  );
}

function rowLines(cells: readonly Cell[], fitted: readonly Fitted[], style?: Style): Line[] {
  const texts = fitted.map(({ column, index, width }) => cellLines(cells[index], width, column.cut));
  const height = texts.reduce((most, lines) => Math.max(most, lines.length), 1);
  return Array.from({ length: height }, (_, row) =>
    trimEnd(
      fitted.flatMap(({ column, index, width }, at) => {
        const cell = {
          text: pad(texts[at]?.[row] ?? '', width, column.align),
          style: cellStyle(cells[index]) ?? style,
        };
        return at === 0 ? [cell] : [{ text: ' '.repeat(GAP) }, cell];
      }),
    ),
  );
}

/** A table with a head line; `width` is that of the terminal. Rows may be shorter than `columns`. */
export function table(columns: readonly Column[], rows: readonly (readonly Cell[])[], width: number): Line[] {
  const fitted = fit(columns, rows, width);
  return [
    ...rowLines(
      columns.map(({ title }) => title),
      fitted,
      'dim',
    ),
    ...rows.flatMap((row) => rowLines(row, fitted)),
  ];
}

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** A bar of `value / most` of `width` columns, in steps of an eighth; never empty for a value above 0. */
export function bar(value: number, most: number, width: number): string {
  if (!(value > 0) || !(most > 0)) return '';
  const eighths = Math.max(1, Math.round(Math.min(1, value / most) * width * 8));
  return '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? '');
}

export interface BarItem {
  readonly label: string;
  readonly value: number;
  /** An earlier value: what it exceeds `value` by is drawn hollow behind the bar. */
  readonly was?: number;
  /** The value as a reader sees it. */
  readonly text: string;
  readonly style?: Style;
}

/** Horizontal bars, all to one scale: the largest value fills what labels and texts leave of `width`. */
export function bars(items: readonly BarItem[], width: number): Line[] {
  const most = items.reduce((largest, { value, was }) => Math.max(largest, value, was ?? 0), 0);
  const widest = (texts: readonly string[]): number => texts.reduce((wide, text) => Math.max(wide, textWidth(text)), 0);
  const labels = items.map(({ label }) => span(label).text);
  const texts = widest(items.map(({ text }) => text));
  const labelRoom = Math.min(widest(labels), Math.max(MIN_CUT, Math.floor((width - texts) / 2)));
  const room = Math.max(4, width - labelRoom - texts - 2 * GAP);
  return items.map((item, at) => {
    const solid = bar(item.value, most, room);
    const hollow = Math.round(Math.min(1, (item.was ?? 0) / most) * room) - textWidth(solid);
    return trimEnd([
      { text: pad(clip(labels[at] ?? '', labelRoom, 'middle'), labelRoom + GAP, 'left') },
      { text: pad(item.text, texts, 'right') + ' '.repeat(GAP) },
      { text: solid, style: item.style ?? 'accent' },
      { text: '░'.repeat(hollow > 0 ? hollow : 0), style: 'dim' },
    ]);
  });
}

export interface StackPart {
  readonly value: number;
  readonly glyph: string;
  readonly style: Style;
}

/** One bar made of parts: `value`s are shares of `most`, which fills `width`. */
export function stack(parts: readonly StackPart[], most: number, width: number): Line {
  let done = 0;
  let drawn = 0;
  return parts.map(({ value, glyph, style }) => {
    done += value;
    const end = most > 0 ? Math.round((done / most) * width) : 0;
    const text = glyph.repeat(Math.max(0, end - drawn));
    drawn = end;
    return { text, style };
  });
}

/** `left` and `right` on one line when they fit with a gap, else one under the other. */
export function ends(left: Line, right: Line, width: number): Line[] {
  const space = width - lineWidth(left) - lineWidth(right);
  return space >= GAP ? [[...left, { text: ' '.repeat(space) }, ...right]] : [left, right];
}
