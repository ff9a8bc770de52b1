// What was tried, loss against time, as inline SVG: one dot per model, a ring around what was taken, a line at the loss that is allowed.
import { niceStep, svg } from './chart.js';
import type { FrontierBlock } from './document.js';
import { escapeHtml, htmlText } from './html-text.js';

const HEIGHT = 260;
/** Percent of the width, and pixels. */
const FRAME = { left: 8, right: 96, top: 12, bottom: 218 } as const;

const LOOKS = { tried: 's-after', taken: 's-after', original: 's-before', rival: 's-runtime' } as const;

const at = (value: number): string => String(Math.round(value * 100) / 100);

/** The chart under its caption. Both axes begin at 0, unless something was gained. */
export function frontierHtml({ caption, description, x, y, points, limit }: FrontierBlock): string {
  const [wide, high] = [
    Math.max(1, ...points.map((one) => one.x)),
    Math.max(limit ?? 0, ...points.map((one) => one.y), 0.1),
  ];
  const low = Math.min(0, ...points.map((one) => one.y));
  const toX = (value: number): number => FRAME.left + (value / wide) * (FRAME.right - FRAME.left);
  const toY = (value: number): number => FRAME.bottom - ((value - low) / (high - low)) * (FRAME.bottom - FRAME.top);
  const line = (level: number, style: string, dash = ''): string =>
    `<line class="${style}"${dash} x1="${FRAME.left}%" x2="${FRAME.right}%" y1="${at(toY(level))}" y2="${at(toY(level))}"/>`;
  const rows = levels(low, high).map(
    (level) => `${line(level, 's-grid')}<text x="0" y="${at(toY(level) + 4)}">${at(level)}</text>`,
  );
  const columns = levels(0, wide).map(
    (level) => `<text x="${at(toX(level))}%" y="${FRAME.bottom + 18}" text-anchor="middle">${at(level)}x</text>`,
  );
  const allowed =
    limit === undefined
      ? ''
      : `<g><title>allowed: ${at(limit)}</title>${line(limit, 's-axis', ' stroke-dasharray="6 4"')}</g>`;
  const dots = points.map(({ label, look, tag, ...point }) => {
    const place = `cx="${at(toX(point.x))}%" cy="${at(toY(point.y))}"`;
    const ring = look === 'taken' ? `<circle class="s-axis" fill="none" stroke-width="2" ${place} r="8"/>` : '';
    const beside = tag === undefined ? '' : tagHtml(tag, toX(point.x), toY(point.y));
    return `<g><title>${escapeHtml(label)}</title><circle class="${LOOKS[look]}" ${place} r="4"/>${ring}${beside}</g>`;
  });
  const words = `<text x="${FRAME.right}%" y="${HEIGHT - 4}" text-anchor="end">${htmlText(`${x}; upwards: ${y}`)}</text>`;
  const body = [...rows, ...columns, allowed, ...dots, words].join('');
  return `<figure><figcaption>${htmlText(caption)}</figcaption>${svg({ title: caption, description, height: HEIGHT, body })}</figure>`;
}

/** Beyond that the words would leave the drawing on its right. */
const ROOM = 60;

const tagHtml = (tag: string, x: number, y: number): string =>
  `<text x="${at(x)}%" y="${at(y - 10)}" text-anchor="${x > ROOM ? 'end' : 'start'}">${htmlText(tag)}</text>`;

function levels(low: number, high: number): number[] {
  const step = niceStep(high - low);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, index) => (first + index) * step);
}
