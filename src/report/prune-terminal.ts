// What a pruning run prints: one screen, as that of `slim`. `-v` adds reasons and all groups.
import { TONE_STYLES } from './document-lines.js';
import { pairedSentence } from './eval-words.js';
import { lossText, maxDropText } from './loss-words.js';
import { groupTable, keptTable, stepTable } from './prune-document.js';
import type { PruneReport } from './prune-report.js';
import {
  budgetText,
  keptGroups,
  keptText,
  methodText,
  slowerText,
  subsetText,
  unitsText,
  WEIGHTS_ONLY_TEXT,
} from './prune-words.js';
import { span, type Line } from './span.js';
import { detailBlocks, screenLines, type TerminalOptions } from './terminal.js';

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
  const { accuracy, gates, samples, speed } = report;
  const said = [keptText(report), slowerText(report)].filter((text) => text !== undefined);
  const subset = subsetText(report);
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
  ];
}

/** The terminal view of a `prune` report. */
export const pruneLines = (report: PruneReport, options: TerminalOptions): Line[] =>
  screenLines(report, options, {
    verdict: lossText(report, report.samples.dataFree),
    details: detailBlocks([stepTable(report), keptTable(report), groupTable(report, 'open')], options),
    statements: statements(report, options.verbosity),
  });
