// Small charts of one figure against another, side by side, as inline SVG: lines with dots, the vertical axis in powers of ten.
import { svg } from './chart.js';
import type { CurvesBlock } from './document.js';
import { escapeHtml, htmlName, htmlText } from './html-text.js';

type Chart = CurvesBlock['charts'][number];

/** Told apart by colour and by dashes. */
const LOOKS = ['s-after', 's-tensor', 's-non-tensor', 's-before', 's-runtime', 's-bad'] as const;
const DASHES = ['', '5 3', '2 3', '8 3 2 3', '1 3', '10 4'] as const;

const HEIGHT = 190;
/** Percent of the width, and pixels. */
const FRAME = { left: 16, right: 97, top: 8, bottom: 158 } as const;

const at = (value: number): string => (Math.round(value * 10) / 10).toString();

/** The charts under their caption, with one legend. */
export function curvesHtml({ caption, charts, series, x, y }: CurvesBlock): string {
  const key = series.map(
    (name, index) => `<span><i class="${LOOKS[index % LOOKS.length]}"></i>${htmlText(name)}</span>`,
  );
  const figures = charts.map(
    (chart) =>
      `<figure><figcaption class="name">${htmlName(chart.label)}</figcaption>${chartSvg(chart, { x, y })}</figure>`,
  );
  const body = `<p class="legend">${key.join('')}<span>ring: what was taken</span></p><div class="curves">${figures.join('\n')}</div>`;
  return `<details><summary>${htmlText(caption)}</summary>${body}</details>`;
}

function chartSvg({ label, series, chosen }: Chart, { x, y }: Pick<CurvesBlock, 'x' | 'y'>): string {
  const points = series.flatMap((one) => one.points);
  const values = points.map((point) => point.y).filter((value) => value > 0);
  const [low, high] = [
    Math.floor(Math.log10(Math.min(1, ...values))),
    Math.ceil(Math.log10(Math.max(1e-6, ...values))),
  ];
  const span = Math.max(1, high - low);
  const right = Math.max(1, ...points.map((point) => point.x));
  const toX = (value: number): number => FRAME.left + (value / right) * (FRAME.right - FRAME.left);
  const toY = (value: number): number => {
    const level = (Math.log10(Math.max(value, 10 ** low)) - low) / span;
    return FRAME.bottom - level * (FRAME.bottom - FRAME.top);
  };
  const step = Math.ceil(span / 4);
  const rows = Array.from({ length: Math.floor(span / step) + 1 }, (_, index) => low + index * step).map((power) => {
    const level = toY(10 ** power);
    const line = `<line class="s-grid" x1="${FRAME.left}%" x2="${FRAME.right}%" y1="${at(level)}" y2="${at(level)}"/>`;
    return `${line}<text x="0" y="${at(level + 4)}">${power < -3 ? `1e${power}` : String(10 ** power)}</text>`;
  });
  const ends = [0, 0.5, 1].map((part) => {
    const words = `${Math.round(part * right * 100)} %`;
    return `<text x="${at(toX(part * right))}%" y="${FRAME.bottom + 16}" text-anchor="${part === 1 ? 'end' : 'middle'}">${words}</text>`;
  });
  const lines = series.map(({ name, points: own }, index) => lineOf(name, own, { index, toX, toY }));
  const ring = chosen
    ? `<circle class="s-axis" fill="none" stroke-width="2" cx="${at(toX(chosen.x))}%" cy="${at(toY(chosen.y))}" r="7"/>`
    : '';
  const words = `<text x="${FRAME.right}%" y="${HEIGHT - 2}" text-anchor="end">${htmlText(x)}</text>`;
  const body = [...rows, ...ends, ...lines, ring, words].join('');
  return svg({ title: label, description: `${y} by ${x}`, height: HEIGHT, body });
}

interface Place {
  readonly index: number;
  readonly toX: (value: number) => number;
  readonly toY: (value: number) => number;
}

function lineOf(name: string, points: Chart['series'][number]['points'], { index, toX, toY }: Place): string {
  const look = LOOKS[index % LOOKS.length];
  const dash = DASHES[index % DASHES.length];
  const parts = points.slice(1).map((point, before) => {
    const from = points[before] ?? point;
    const dashes = dash === '' ? '' : ` stroke-dasharray="${dash}"`;
    const ends = `x1="${at(toX(from.x))}%" y1="${at(toY(from.y))}" x2="${at(toX(point.x))}%" y2="${at(toY(point.y))}"`;
    return `<line class="s-axis" stroke-opacity=".5"${dashes} ${ends}/>`;
  });
  const dots = points.map((point) => {
    const says = `<title>${escapeHtml(`${name} ${point.label}`)}</title>`;
    return `<g>${says}<circle class="${look}" cx="${at(toX(point.x))}%" cy="${at(toY(point.y))}" r="3"/></g>`;
  });
  return parts.join('') + dots.join('');
}
