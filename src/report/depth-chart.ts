// A figure along the depth of a net as inline SVG: one dot per layer, ticks at the bottom where a layer has none.
import { niceStep, svg } from './chart.js';
import type { DepthBlock } from './document.js';
import { escapeHtml, htmlText } from './html-text.js';

const HEIGHT = 180;
/** Percent of the width, for the numbers of the axis. */
const LEFT = 7;
const RIGHT = 99;
const BOTTOM = HEIGHT + 6;

type Point = DepthBlock['points'][number];

const short = (value: number): string => String(Math.round(value * 100) / 100);

/** The chart; an axis that begins at 0 unless values lie below. */
export function depthChart({ caption, description, unit, points }: DepthBlock): string {
  const values = points.flatMap(({ value }) => value ?? []);
  const low = Math.min(0, ...values);
  const high = Math.max(low + 1, ...values);
  const step = niceStep(high - low);
  const [first, last] = [Math.floor(low / step), Math.ceil(high / step)];
  const x = (at: number): string => `${short(LEFT + ((at + 0.5) / points.length) * (RIGHT - LEFT))}%`;
  const y = (value: number): string => short(8 + (1 - (value / step - first) / (last - first)) * (HEIGHT - 8));
  const grid = Array.from({ length: last - first + 1 }, (_, index) => {
    const level = (first + index) * step;
    const label = index === last - first ? `${short(level)} ${unit}` : short(level);
    const line = `<line class="s-grid" x1="${LEFT}%" x2="${RIGHT}%" y1="${y(level)}" y2="${y(level)}"/>`;
    return `${line}<text x="0" y="${short(Number(y(level)) + 4)}">${htmlText(label)}</text>`;
  });
  const dots = points.map((point, at) =>
    point.value === undefined ? tick(point, x(at)) : dot(point, x(at), y(point.value), unit),
  );
  const ends =
    `<text x="${LEFT}%" y="${BOTTOM + 18}">input</text>` +
    `<text x="${RIGHT}%" y="${BOTTOM + 18}" text-anchor="end">output</text>`;
  const body = grid.join('') + path(points, x, y) + dots.join('') + ends;
  return svg({ title: caption, description, height: BOTTOM + 24, body });
}

/** Thin lines from each dot to the next. */
function path(points: readonly Point[], x: (at: number) => string, y: (value: number) => string): string {
  const known = points.flatMap(({ value }, at) => (value === undefined ? [] : [{ at, value }]));
  return known
    .slice(1)
    .map(({ at, value }, index) => {
      const before = known[index] ?? { at, value };
      return `<line class="s-axis" stroke-opacity=".45" x1="${x(before.at)}" y1="${y(before.value)}" x2="${x(at)}" y2="${y(value)}"/>`;
    })
    .join('');
}

function dot({ label, value, look }: Point, x: string, y: string, unit: string): string {
  const says = `<title>${escapeHtml(`${label}: ${short(value ?? 0)} ${unit}`)}</title>`;
  return `<g>${says}<circle class="${look === 'bad' ? 's-bad' : 's-after'}" cx="${x}" cy="${y}" r="4"/></g>`;
}

function tick({ label }: Point, x: string): string {
  const line = `<line class="m-plain" stroke-width="3" x1="${x}" x2="${x}" y1="${BOTTOM - 8}" y2="${BOTTOM}"/>`;
  return `<g><title>${escapeHtml(label)}</title>${line}</g>`;
}
