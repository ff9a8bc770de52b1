// Charts as inline SVG without scripts. Positions are percentages of the width and texts keep their size, so one
// drawing fits a telephone and a wide screen. Every chart carries a title and a description for those who hear it.
import type { BarRow, BarsBlock, IntervalBlock, StackBlock } from './document.js';
import { escapeHtml, htmlText } from './html-text.js';

interface Drawing {
  readonly title: string;
  readonly description: string;
  /** Pixels. */
  readonly height: number;
  readonly body: string;
}

/** A drawing as wide as its place. */
export const svg = ({ title, description, height, body }: Drawing): string =>
  `<svg role="img" height="${height}"><title>${escapeHtml(title)}</title><desc>${escapeHtml(description)}</desc>${body}</svg>`;

/** A number for an attribute: at most two decimals. */
const short = (value: number): string => String(Math.round(value * 100) / 100);
const percent = (value: number): string => `${short(value)}%`;

interface Box {
  readonly x: number;
  readonly width: number;
  readonly y: number;
  readonly height: number;
  readonly style: string;
}
const rect = ({ x, width, y, height, style }: Box): string =>
  `<rect class="${style}" x="${percent(x)}" y="${short(y)}" width="${percent(width)}" height="${short(height)}" rx="1.5"/>`;

const LEAST = 0.4;

/** Bars of one row, one per series, on a track that stands for `most`. */
export function rowBars(row: BarRow, most: number, block: BarsBlock): string {
  const values = [row.before, row.after].slice(0, block.series.length);
  const styles = block.series.length === 1 ? ['s-after'] : ['s-before', 's-after'];
  const thick = block.series.length === 1 ? 10 : 6;
  const body = values
    .map((value, at) => {
      const y = at * (thick + 2);
      const track = rect({ x: 0, width: 100, y, height: thick, style: 's-track' });
      return value === undefined || value <= 0 || most <= 0
        ? track
        : track +
            rect({
              x: 0,
              width: Math.max(LEAST, (value / most) * 100),
              y,
              height: thick,
              style: styles[at] ?? 's-after',
            });
    })
    .join('');
  const bars = block.series.length === 1 ? 'Bar' : `Upper bar ${block.series[0]}, lower bar ${block.series[1]}`;
  return svg({
    title: `${row.label}: ${row.text}`,
    description: `${bars}: ${block.measure}.`,
    height: values.length * (thick + 2) - 2,
    body,
  });
}

/** after / before as a small bar; the track is the value before, and a bar that grew fills it. */
export function ratioBar(ratio: number, label: string, tone: string): string {
  const body =
    rect({ x: 0, width: 100, y: 0, height: 4, style: 's-track' }) +
    rect({
      x: 0,
      width: Math.max(LEAST, Math.min(1, ratio) * 100),
      y: 0,
      height: 4,
      style: tone === 'bad' ? 's-bad' : 's-after',
    });
  const title = `${label}: ${Math.round(ratio * 100)} % of the value before`;
  return svg({ title, description: 'The full width is the value before.', height: 4, body });
}

export const STACK_STYLES = ['s-tensor', 's-non-tensor', 's-runtime'];

/** One bar made of parts, as long as its total in relation to `most`. */
export function stackedBar(row: StackBlock['rows'][number], most: number, block: StackBlock): string {
  let x = 0;
  const parts = row.values.map((value, at) => {
    const width = most > 0 ? (value / most) * 100 : 0;
    const part =
      width === 0
        ? ''
        : rect({ x, width: Math.max(0, width - 0.15), y: 0, height: 22, style: STACK_STYLES[at] ?? 's-runtime' });
    x += width;
    return part;
  });
  const description = block.series.map((series, at) => `${series}: ${row.texts[at] ?? ''}`).join('; ');
  const track = rect({ x: 0, width: 100, y: 0, height: 22, style: 's-track' });
  return svg({ title: `${row.label}: ${row.total}`, description, height: 22, body: track + parts.join('') });
}

/** A step of 1, 2 or 5 times a power of ten that divides `span` into about four. */
export function niceStep(span: number): number {
  const raw = span / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= raw) ?? 10);
}

const changeLabel = (ratio: number): string => {
  const change = Math.round((ratio - 1) * 1000) / 10;
  return change === 0 ? 'same' : `${change > 0 ? '+' : '−'}${Math.abs(change)} %`;
};

const ROW = 44;

const upright = (x: number, height: number, style: string): string =>
  `<line class="${style}" x1="${percent(x)}" x2="${percent(x)}" y1="0" y2="${height}"/>`;

/** Ratios with their intervals on one axis; the line at "same" is what an interval must not touch to count. */
export function intervalChart({ caption, rows }: IntervalBlock): string {
  const low = Math.min(1, ...rows.map((row) => row.low));
  const high = Math.max(1, ...rows.map((row) => row.high));
  const step = niceStep(Math.max(high - low, 0.02) * 1.1);
  const first = Math.floor(low / step - 0.1);
  const last = Math.ceil(high / step + 0.1);
  // The outermost ticks stand 6 % off the edges, so that their labels stay inside.
  const at = (ratio: number): number => 6 + ((ratio / step - first) / (last - first)) * 88;
  const bottom = rows.length * ROW;
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step)
    .map((tick) => {
      const label = `<text x="${percent(at(tick))}" y="${bottom + 15}" text-anchor="middle">${changeLabel(tick)}</text>`;
      return upright(at(tick), bottom, 's-grid') + label;
    })
    .join('');
  const body = rows
    .map((row, index) => {
      const y = index * ROW + 30;
      const reach = `x1="${percent(at(row.low))}" x2="${percent(at(row.high))}" y1="${y}" y2="${y}"`;
      return (
        `<text x="0" y="${index * ROW + 14}">${htmlText(`${row.label}: ${row.text}`)}</text>` +
        `<line class="m-${row.tone}" stroke-width="6" stroke-linecap="round" stroke-opacity=".45" ${reach}/>` +
        `<circle class="m-${row.tone}" cx="${percent(at(row.value))}" cy="${y}" r="5"/>`
      );
    })
    .join('');
  const description = rows.map((row) => `${row.label}: ${row.text}`).join('; ');
  return svg({
    title: caption,
    description,
    height: bottom + 20,
    body: ticks + upright(at(1), bottom, 's-axis') + body,
  });
}
