// What a pruning run prints: one screen, as that of `slim`. `-v` adds reasons and all groups.
import { blocksLines, TONE_STYLES } from './document-lines.js';
import { pairedSentence } from './eval-words.js';
import { baselineText } from './figures.js';
import { groupTable, keptTable, stepTable } from './prune-document.js';
import type { PruneReport } from './prune-report.js';
import {
  budgetText,
  keptGroups,
  keptText,
  lossText,
  maxDropText,
  methodText,
  slowerText,
  subsetText,
  unitsText,
  WEIGHTS_ONLY_TEXT,
} from './prune-words.js';
import { span, wrap, type Line } from './span.js';
import { ends } from './table.js';
import { figureLines, reportLine, WIDEST, type TerminalOptions } from './terminal.js';

function unitLine(report: PruneReport, verbosity: number): Line {
  const kept = keptGroups(report).map(({ code, groups }) => `${groups.length} ${code}`);
  const pruned = report.groups.filter(({ widthAfter, widthBefore }) => widthAfter < widthBefore).length;
  const hint = kept.length > 0 && verbosity === 0 ? ' (-v says why)' : '';
  const rest = kept.length === 0 ? '' : `; groups left alone: ${kept.join(', ')}${hint}`;
  return [
    span(unitsText(report), pruned > 0 ? 'good' : 'warn'),
    span(` in ${pruned} of ${report.groups.length} groups${rest}`),
  ];
}

function statements(report: PruneReport, verbosity: number): Line[] {
  const { accuracy, gates, baseline, samples, warnings, figures, speed } = report;
  const said = [keptText(report), slowerText(report)].filter((text) => text !== undefined);
  const subset = subsetText(report);
  const compared = baseline ? [baselineText(baseline)] : [];
  const verdict = (text: string, met: 'met' | 'missed'): Line => [span(text, met === 'met' ? 'good' : 'bad')];
  const { budget, maxDrop } = gates;
  return [
    unitLine(report, verbosity),
    ...said.map(({ text, tone }): Line => [span(text, TONE_STYLES[tone])]),
    ...(subset === undefined ? [] : [[span(subset)]]),
    ...(speed === 'unmeasured-here' ? [[span('latency: unmeasured on this machine', 'warn')]] : []),
    ...(accuracy.paired ? [[span(pairedSentence(accuracy.paired))]] : []),
    ...(budget ? [verdict(`${budget.asked} ${budget.verdict}: ${budgetText(report)}`, budget.verdict)] : []),
    ...(maxDrop ? [verdict(`--max-drop ${maxDrop.verdict}: ${maxDropText(report)}`, maxDrop.verdict)] : []),
    [span(methodText(report), 'dim')],
    ...(samples.dataFree === 'yes' ? [[span(WEIGHTS_ONLY_TEXT, 'bad')]] : []),
    ...compared.map(({ text, tone }): Line => [span(`baseline: ${text}`, TONE_STYLES[tone])]),
    ...[...warnings, ...(figures.latency?.warnings ?? [])].map((text): Line => [span(`warning: ${text}`, 'warn')]),
  ];
}

function detailLines(report: PruneReport, { width, verbosity }: TerminalOptions): Line[] {
  if (verbosity === 0) return [];
  const blocks = [stepTable(report), keptTable(report), groupTable(report, 'open')].filter(
    (block) => block !== undefined,
  );
  return blocks.length === 0 ? [] : [[], ...blocksLines(blocks, { width, folded: 'hide' })];
}

/** The terminal view of a `prune` report. */
export function pruneLines(report: PruneReport, options: TerminalOptions): Line[] {
  const { width, verbosity, reports } = options;
  const { text, tone } = lossText(report);
  const names = report.output
    ? `${report.input.name} → ${report.output.name}`
    : `${report.input.name} (nothing written)`;
  const tail = [...statements(report, verbosity), ...reportLine(reports)];
  return [
    ...ends([span(names, 'bold')], [span(text, TONE_STYLES[tone])], Math.min(width, WIDEST)).flatMap((line) =>
      wrap(line, width, 2),
    ),
    [],
    ...figureLines(report, width),
    ...detailLines(report, options),
    [],
    ...tail.flatMap((line) => wrap(line, width, 2)),
  ];
}
