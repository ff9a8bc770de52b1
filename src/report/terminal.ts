// What `slim` prints (quantize-terminal.ts and prune-terminal.ts share its parts): one screen, read in five seconds. `-v` adds passes and
// declines, `-vv` how long passes took.
import { blocksLines, TONE_STYLES } from './document-lines.js';
import type { Block } from './document.js';
import {
  achievements,
  baselineText,
  figureRows,
  gzipNote,
  verificationText,
  type FigureRow,
  type Tone,
} from './figures.js';
import { given, plural } from './format.js';
import type { SlimReport } from './report.js';
import { groupDeclines, isLossy, passBlocks } from './slim-document.js';
import { lineWidth, pad, span, textWidth, wrap, type Line } from './span.js';
import { ends } from './table.js';

export interface TerminalOptions {
  /** Columns of the terminal. */
  readonly width: number;
  /** 0: the summary; 1: also passes and declines; 2: also their times. */
  readonly verbosity: 0 | 1 | 2;
  /** Names of the report files written, for the last line. */
  readonly reports: readonly string[];
}

/** The before/after table. */
function figureLines(report: Pick<SlimReport, 'figures'>, width: number): Line[] {
  const rows = figureRows(report.figures).filter(({ rank }) => rank === 'main');
  const widest = (texts: readonly string[]): number => texts.reduce((wide, text) => Math.max(wide, textWidth(text)), 0);
  const label = widest(rows.map((row) => row.label));
  const before = Math.max(widest(rows.map((row) => row.before)), 'before'.length);
  const after = Math.max(widest(rows.map((row) => row.after)), 'after'.length);
  const relative = widest(rows.map((row) => row.change));
  const gzip = gzipNote(report.figures);
  const note = (row: FigureRow): string => (row.key === 'fileBytes' && gzip !== '' ? `(${gzip})` : row.note);
  const lines = rows.flatMap((row) => {
    const start: Line = [
      span(pad(row.label, label + 2, 'left')),
      span(pad(row.before, before, 'right')),
      span(pad(row.after, after + 2, 'right'), 'bold'),
      span(pad(row.change, relative + 3, 'right'), TONE_STYLES[row.tone]),
    ];
    const said = note(row);
    const style = row.note.startsWith('SLOWER') ? 'bad' : 'dim';
    return said === '' ? [start] : wrap([...start, span('   '), span(said, style)], width, lineWidth(start) + 3);
  });
  return [
    [
      span(' '.repeat(label + 2)),
      span(pad('before', before, 'right'), 'dim'),
      span(pad('after', after + 2, 'right'), 'dim'),
    ],
    ...lines,
  ];
}

const SHOWN_ACHIEVEMENTS = 4;

function doneLine(report: SlimReport, verbosity: number): Line {
  const done = achievements(report);
  const rest = done.length - SHOWN_ACHIEVEMENTS;
  const sites = report.declines.reduce((sum, { count }) => sum + count, 0);
  const hint = verbosity === 0 ? ' (mcompress slim -v, or the report)' : '';
  const parts = [
    ...done.slice(0, SHOWN_ACHIEVEMENTS),
    ...(rest > 0 ? [`${rest} more`] : []),
    ...(done.length === 0 ? ['nothing to rewrite'] : []),
    ...(sites > 0 ? [`${plural(sites, 'site')} declined${hint}`] : []),
  ];
  return [span(parts.join(' · '))];
}

/** `report: a.html, .md, .json` for files that differ in their ending only. */
function reportLine(names: readonly string[]): Line[] {
  const [first, ...others] = names;
  if (first === undefined) return [];
  const stem = first.slice(0, first.lastIndexOf('.'));
  const isSibling = (other: string): boolean =>
    stem !== '' && other.startsWith(`${stem}.`) && other.lastIndexOf('.') === stem.length;
  const short = others.map((other) => (isSibling(other) ? other.slice(stem.length) : other));
  return [[span('report: ', 'dim'), span([first, ...short].join(', '))]];
}

/** Each reason in full, and where: three sites, or all of them. */
function declineLines(report: SlimReport, { width, verbosity }: TerminalOptions): Line[] {
  const groups = groupDeclines(report.declines);
  if (groups.length === 0) return [];
  return [
    [],
    [span('declined', 'dim')],
    ...groups.flatMap(({ pass, code, message, sites, nodes }) => {
      const shown = verbosity > 1 ? nodes : nodes.slice(0, 3);
      const rest = nodes.length - shown.length;
      return [
        ...wrap([span(`${pass}: `, 'accent'), span(`${message} [${code}], ${plural(sites, 'site')}`)], width, 2),
        ...shown.map((node): Line => [span(`  ${node}`, 'dim')]),
        ...(rest > 0 ? [[span(`  and ${rest} more (-vv)`, 'dim')]] : []),
      ];
    }),
  ];
}

function detailLines(report: SlimReport, options: TerminalOptions): Line[] {
  if (options.verbosity === 0) return [];
  const blocks = passBlocks(report, options.verbosity > 1 ? 'with-times' : 'without-times');
  return [...detailBlocks(blocks, options), ...declineLines(report, options)];
}

/** On a wider terminal the verdict would stand too far from the names. */
const WIDEST = 120;

/** What the runs that write a model say differently. */
export interface ScreenParts {
  /** What became of the answers, beside the names. */
  readonly verdict: { readonly text: string; readonly tone: Tone };
  /** Below the figures. */
  readonly details: readonly Line[];
  readonly statements: readonly Line[];
}

/** The screen of such a run: names, figures, details, statements, and what every one of them ends with. */
export function screenLines(
  {
    input,
    output,
    figures,
    baseline,
    warnings,
  }: Pick<SlimReport, 'input' | 'output' | 'figures' | 'baseline' | 'warnings'>,
  { width, reports }: TerminalOptions,
  { verdict, details, statements }: ScreenParts,
): Line[] {
  const names = output ? `${input.name} → ${output.name}` : `${input.name} (nothing written)`;
  const compared = baseline ? [baselineText(baseline)] : [];
  const tail = [
    ...statements,
    ...compared.map(({ text, tone }): Line => [span(`baseline: ${text}`, TONE_STYLES[tone])]),
    ...[...warnings, ...(figures.latency?.warnings ?? [])].map((text): Line => [span(`warning: ${text}`, 'warn')]),
    ...reportLine(reports),
  ];
  const head = ends([span(names, 'bold')], [span(verdict.text, TONE_STYLES[verdict.tone])], Math.min(width, WIDEST));
  return [
    ...head.flatMap((line) => wrap(line, width, 2)),
    [],
    ...figureLines({ figures }, width),
    ...details,
    [],
    ...tail.flatMap((line) => wrap(line, width, 2)),
  ];
}

/** Blocks that `-v` shows. */
export function detailBlocks(blocks: readonly (Block | undefined)[], { width, verbosity }: TerminalOptions): Line[] {
  const shown = verbosity === 0 ? [] : blocks.filter((block) => block !== undefined);
  return shown.length === 0 ? [] : [[], ...blocksLines(shown, { width, folded: 'hide' })];
}

/** The terminal view of a `slim` report. */
export function slimLines(report: SlimReport, options: TerminalOptions): Line[] {
  const undone = report.verification.undone.map(({ pass, node, reproducer }): Line => {
    const where = `${pass}${given(node, (at) => ` at ${at}`)}`;
    const what = isLossy(report, pass)
      ? `undone: ${where} changed the outputs by more than it may on made-up inputs; give real ones (--feed, --input)`
      : `undone, a defect of ${where}${given(reproducer, (file) => `; reproducer: ${file}`)}`;
    return [span(what, 'warn')];
  });
  return screenLines(report, options, {
    verdict: verificationText(report.verification),
    details: detailLines(report, options),
    statements: [doneLine(report, options.verbosity), ...undone],
  });
}
