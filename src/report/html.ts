// A report document as one HTML file: no script, no outside reference, readable on a telephone, in the dark, on paper.
import { intervalChart, ratioBar, rowBars, STACK_STYLES, stackedBar } from './chart.js';
import type {
  BarRow,
  BarsBlock,
  Block,
  BlockCell,
  DepthBlock,
  Document,
  RichCell,
  Section,
  StackBlock,
  TableBlock,
} from './document.js';
import { curvesHtml } from './curve-chart.js';
import { frontierHtml } from './frontier-chart.js';
import { depthChart } from './depth-chart.js';
import { heatMapHtml } from './heat-map.js';
import { STYLE } from './html-style.js';
import { escapeHtml, htmlLines, htmlName, htmlText } from './html-text.js';

const rich = (cell: BlockCell): RichCell => (typeof cell === 'string' ? { text: cell } : cell);

function cellContent({ text, tone, name, ratio }: RichCell, label: string): string {
  const words =
    name === undefined
      ? htmlText(text)
      : `<span class="name${text.length < 25 ? ' short' : ''}">${htmlName(text)}</span>`;
  const coloured = tone === undefined || tone === 'plain' ? words : `<span class="${tone}">${words}</span>`;
  return ratio === undefined ? coloured : coloured + ratioBar(ratio, label, tone ?? 'plain');
}

function tableHtml({ caption, columns, rows, shown }: TableBlock): string {
  const classes = (at: number, cell?: RichCell): string => {
    const { align, drop } = columns[at] ?? { align: 'left' };
    const named = [align === 'right' && 'r', drop !== undefined && 'drop', cell?.ratio !== undefined && 'change'];
    const all = named.filter((one) => one !== false);
    return all.length === 0 ? '' : ` class="${all.join(' ')}"`;
  };
  const head = columns
    .map(({ title }, at) =>
      title === '' ? `<td${classes(at)}></td>` : `<th scope="col"${classes(at)}>${escapeHtml(title)}</th>`,
    )
    .join('');
  const body = rows
    .map((row) => {
      const label = rich(row[0] ?? '').text;
      const cells = columns.map((_, at) => {
        const cell = rich(row[at] ?? '');
        const content = cellContent(cell, label);
        return at === 0 ? `<th scope="row">${content}</th>` : `<td${classes(at, cell)}>${content}</td>`;
      });
      return `<tr>${cells.join('')}</tr>`;
    })
    .join('\n');
  const visibleCaption =
    shown === 'folded'
      ? `<caption class="unseen">${htmlText(caption)}</caption>`
      : `<caption>${htmlText(caption)}</caption>`;
  const table = `<table>${visibleCaption}<thead><tr>${head}</tr></thead>\n<tbody>${body}</tbody></table>`;
  // A region that scrolls must be reachable with the keyboard, and then needs a name.
  const box = `<div class="scroll" tabindex="0" role="region" aria-label="${escapeHtml(caption)}">${table}</div>`;
  return shown === 'folded' ? `<details><summary>${htmlText(caption)}</summary>${box}</details>` : box;
}

const legend = (entries: readonly (readonly [style: string, label: string])[]): string =>
  `<p class="legend">${entries.map(([style, label]) => `<span><i class="${style}"></i>${htmlText(label)}</span>`).join('')}</p>`;

const TAIL = 22;

/** A name in two parts: where there is no room the head gets the ellipsis, since names of one model differ at their ends. */
function labelHtml({ label, note }: BarRow): string {
  const characters = [...label];
  const head = characters.length > TAIL ? characters.slice(0, -TAIL).join('') : '';
  const tail = characters.slice(-TAIL).join('');
  const said = note === '' ? '' : `<small>${escapeHtml(note)}</small>`;
  const parts = `<span class="name head">${htmlName(head)}</span><span class="name tail">${htmlName(tail)}</span>`;
  return `<span class="label" title="${escapeHtml(label)}">${parts}${said}</span>`;
}

function barsHtml(block: BarsBlock): string {
  const most = block.rows.reduce((largest, { before, after }) => Math.max(largest, before ?? 0, after ?? 0), 0);
  const rows = block.rows.map(
    (row) => `<li>${labelHtml(row)}${rowBars(row, most, block)}<span class="figure">${htmlText(row.text)}</span></li>`,
  );
  const key =
    block.series.length === 1
      ? ''
      : legend([
          ['s-before', block.series[0] ?? ''],
          ['s-after', block.series[1] ?? ''],
        ]);
  return `<figure><figcaption>${htmlText(`${block.caption}: ${block.measure}`)}</figcaption>${key}<ol class="bars">${rows.join('\n')}</ol></figure>`;
}

function stackHtml(block: StackBlock): string {
  const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
  const most = block.rows.reduce((largest, { values }) => Math.max(largest, total(values)), 0);
  const rows = block.rows.map(
    (row) =>
      `<li><div class="label"><span>${htmlText(row.label)}</span><span>${htmlText(row.total)}</span></div>` +
      `${stackedBar(row, most, block)}<div class="parts">${row.texts.map(htmlText).join(' · ')}</div></li>`,
  );
  const key = legend(block.series.map((series, at) => [STACK_STYLES[at] ?? 's-runtime', series]));
  const caption = `<figcaption>${htmlText(`${block.caption}: ${block.measure}`)}</figcaption>`;
  return `<figure>${caption}${key}<ul class="stacks">${rows.join('\n')}</ul></figure>`;
}

function depthHtml(block: DepthBlock): string {
  const [usual, bad, none] = block.legend;
  const looks = [
    ['s-after', usual, block.points.some(({ value, look }) => value !== undefined && look === 'usual')],
    ['s-bad', bad, block.points.some(({ value, look }) => value !== undefined && look === 'bad')],
    ['s-before', none, block.points.some(({ value }) => value === undefined)],
  ] as const;
  const key = legend(looks.filter(([, , isThere]) => isThere).map(([style, label]) => [style, label]));
  return `<figure><figcaption>${htmlText(block.caption)}</figcaption>${key}${depthChart(block)}</figure>`;
}

const LONG_CODE = 12;

function codeHtml(caption: string, text: string): string {
  const code = `<pre><code>${htmlLines(text)}</code></pre>`;
  if (text.split('\n').length > LONG_CODE) return `<details><summary>${htmlText(caption)}</summary>${code}</details>`;
  return `<div><h3>${htmlText(caption)}</h3>${code}</div>`;
}

function blockHtml(block: Block): string {
  switch (block.kind) {
    case 'answers':
      return `<dl class="answers">${block.answers
        .map(
          ({ question, value, detail, tone }) =>
            `<div><dt>${htmlText(question)}</dt><dd class="value ${tone}">${htmlText(value)}</dd>` +
            `<dd class="detail">${htmlText(detail)}</dd></div>`,
        )
        .join('\n')}</dl>`;
    case 'text':
      return `<p${block.tone === undefined || block.tone === 'plain' ? '' : ` class="${block.tone}"`}>${htmlText(block.text)}</p>`;
    case 'facts':
      return `<dl class="facts">${block.facts.map(([term, text]) => `<dt>${htmlText(term)}</dt><dd>${htmlText(text)}</dd>`).join('\n')}</dl>`;
    case 'code':
      return codeHtml(block.caption, block.text);
    case 'table':
      return tableHtml(block);
    case 'bars':
      return barsHtml(block);
    case 'stack':
      return stackHtml(block);
    case 'intervals':
      return `<figure><figcaption>${htmlText(block.caption)}</figcaption>${intervalChart(block)}</figure>`;
    case 'matrix':
      return heatMapHtml(block);
    case 'depth':
      return depthHtml(block);
    case 'curves':
      return curvesHtml(block);
    case 'frontier':
      return frontierHtml(block);
    default:
      return block satisfies never;
  }
}

const sectionHtml = ({ title, blocks }: Section, at: number): string =>
  `<section aria-labelledby="s${at}"><h2 id="s${at}">${htmlText(title)}</h2>\n${blocks.map(blockHtml).join('\n')}\n</section>`;

/** The document as a complete HTML file. */
export function renderHtml({ title, lead, sections, footer }: Document): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>${escapeHtml(title)} · mcompress report</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<p class="kicker">mcompress report</p>
<h1>${htmlText(title)}</h1>
${lead.map(blockHtml).join('\n')}
${sections.map(sectionHtml).join('\n')}
<footer>${htmlText(footer)}</footer>
</main>
</body>
</html>
`;
}
