// A line chart as an SVG file of its own, for the docs: it is shown as a picture, on light and dark pages alike.

const WIDTH = 860;
const HEIGHT = 430;
const FRAME = { left: 56, top: 20, right: 612, bottom: 380 };
/** Told apart by people who see red and green alike. */
const COLORS = ['#0072b2', '#e69f00', '#009e73', '#d55e00', '#7a5195', '#444444'];

const escape = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
const at = (value) => (Math.round(value * 10) / 10).toString();

const words = (x, y, content, { anchor = 'start', size = 13, extra = '' } = {}) =>
  `<text x="${at(x)}" y="${at(y)}" font-size="${size}" text-anchor="${anchor}"${extra}>${escape(content)}</text>`;

function axes({ x, y }, toX, toY) {
  const { left, top, right, bottom } = FRAME;
  const across = y.ticks.map((tick) => {
    const label = words(left - 8, toY(tick) + 4, String(tick), { anchor: 'end' });
    return `<line x1="${left}" x2="${right}" y1="${at(toY(tick))}" y2="${at(toY(tick))}" stroke="#ddd"/>${label}`;
  });
  const along = x.ticks.map((tick) => words(toX(tick), bottom + 20, String(tick), { anchor: 'middle' }));
  const turned = ` transform="rotate(-90 16 ${(top + bottom) / 2})"`;
  return [
    ...across,
    ...along,
    words((left + right) / 2, bottom + 42, x.label, { anchor: 'middle' }),
    words(16, (top + bottom) / 2, y.label, { anchor: 'middle', extra: turned }),
  ].join('\n');
}

/**
 * `series`: `{ name, color, dash, points: [x, y][] }`, where `color` counts; same colors belong together. `x`, `y`: `{ label, ticks }`,
 * the ticks in rising order, the outer ones the ends.
 */
export function lineChart({ title, description, x, y, series }) {
  const scale = ({ ticks }, from, to) => {
    const [low, high] = [ticks[0], ticks.at(-1)];
    return (value) => from + ((value - low) / (high - low)) * (to - from);
  };
  const toX = scale(x, FRAME.left, FRAME.right);
  const toY = scale(y, FRAME.bottom, FRAME.top);
  const lines = series.map(({ color, dash, points }) => {
    const path = points.map(([px, py]) => `${at(toX(px))},${at(toY(py))}`).join(' ');
    const stroke = `stroke="${COLORS[color]}" stroke-width="2"${dash ? ' stroke-dasharray="5 4"' : ''}`;
    const dots = points.map(
      ([px, py]) => `<circle cx="${at(toX(px))}" cy="${at(toY(py))}" r="2.6" fill="${COLORS[color]}"/>`,
    );
    return `<polyline fill="none" ${stroke} points="${path}"/>${dots.join('')}`;
  });
  const legend = series.map(({ name, color, dash }, row) => {
    const top = FRAME.top + 12 + 22 * row;
    const stroke = `stroke="${COLORS[color]}" stroke-width="2"${dash ? ' stroke-dasharray="5 4"' : ''}`;
    return `<line x1="628" x2="656" y1="${top}" y2="${top}" ${stroke}/>${words(662, top + 4, name, { size: 12 })}`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" font-family="sans-serif" fill="#222">
<title>${escape(title)}</title>
<desc>${escape(description)}</desc>
<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>
${axes({ x, y }, toX, toY)}
${lines.join('\n')}
${legend.join('\n')}
</svg>
`;
}
