// A matrix of counts as inline SVG: one row per label, one column per answer. Cells are shaded by their share of the row.
import type { MatrixBlock } from './document.js';
import { escapeHtml, htmlText } from './html-text.js';

/** With more columns there is no room for numbers in cells and above columns. */
const NUMBERED = 16;
const MANY_ROWS = 40;
const HEAD = 20;
/** A single sample in a large row must still be seen. */
const LEAST_SHADE = 0.14;

const short = (value: number): string => String(Math.round(value * 100) / 100);

/** Height of a row in pixels: fewer rows get more room. */
const rowHeight = (count: number): number => (count <= NUMBERED ? 28 : count <= MANY_ROWS ? 18 : 14);

interface Geometry {
  readonly width: number;
  readonly height: number;
  readonly top: number;
  readonly isNumbered: boolean;
}

function cellSvg(
  { rows, columns }: MatrixBlock,
  { row, column, count }: MatrixBlock['cells'][number],
  total: number,
  { width, height, top, isNumbered }: Geometry,
): string {
  const opacity = short(LEAST_SHADE + (1 - LEAST_SHADE) * Math.sqrt(count / total));
  const style = rows[row] === columns[column] ? 's-after' : 's-bad';
  const [x, y] = [column * width, top + row * height];
  const says = `${rows[row] ?? ''} taken for ${columns[column] ?? ''}: ${count} of ${total}`;
  const box =
    `<rect class="${style}" fill-opacity="${opacity}" x="${short(x)}%" y="${y}"` +
    ` width="${short(width)}%" height="${height - 1}"/>`;
  const at = `x="${short(x + width / 2)}%" y="${short(y + height / 2 + 4)}"`;
  const number = isNumbered ? `<text class="drop" ${at} text-anchor="middle">${count}</text>` : '';
  return `<g><title>${escapeHtml(says)}</title>${box}${number}</g>`;
}

/** The matrix as a figure: labels of the rows beside the drawing, heads above the columns where they fit. */
export function heatMapHtml(block: MatrixBlock): string {
  const { caption, description, rows, columns, heads, cells } = block;
  const isNumbered = columns.length <= NUMBERED;
  const width = 100 / Math.max(1, columns.length);
  const geometry = { width, height: rowHeight(rows.length), top: isNumbered ? HEAD : 0, isNumbered };
  const totals = new Map<number, number>();
  for (const { row, count } of cells) totals.set(row, (totals.get(row) ?? 0) + count);
  const height = geometry.top + rows.length * geometry.height;
  const track = `<rect class="s-track" x="0" y="${geometry.top}" width="100%" height="${height - geometry.top}"/>`;
  const above = isNumbered
    ? heads
        .map(
          (head, at) => `<text x="${short((at + 0.5) * width)}%" y="13" text-anchor="middle">${htmlText(head)}</text>`,
        )
        .join('')
    : '';
  const body = cells.map((cell) => cellSvg(block, cell, totals.get(cell.row) ?? cell.count, geometry)).join('');
  const labels = rows.map(
    (row) => `<li style="height:${geometry.height}px;line-height:${geometry.height}px">${htmlText(row)}</li>`,
  );
  return (
    `<figure><figcaption>${htmlText(caption)}</figcaption><div class="matrix">` +
    `<ol style="padding-top:${geometry.top}px">${labels.join('')}</ol>` +
    `<svg role="img" height="${height}"><title>${escapeHtml(caption)}</title><desc>${escapeHtml(description)}</desc>` +
    `${track}${above}${body}</svg></div></figure>`
  );
}
