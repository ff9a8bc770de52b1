// What a run of learned slimming prints: one screen, as that of `slim`. `-v` adds reasons and all blocks.
import { blockTable, stayedTable, stepTable, takenTable } from './deepen-document.js';
import type { DeepenReport } from './deepen-report.js';
import { blocksText, keptText, kindsText, methodText, NOTHING_TEXT } from './deepen-words.js';
import { TONE_STYLES } from './document-lines.js';
import { pairedSentence } from './eval-words.js';
import { lossText, maxDropText } from './loss-words.js';
import { span, type Line } from './span.js';
import { detailBlocks, screenLines, type TerminalOptions } from './terminal.js';
import { budgetText, slowerText } from './trade-words.js';

function statements(report: DeepenReport, verbosity: number): Line[] {
  const { accuracy, gates, kept } = report;
  const said = [keptText(report), slowerText(report)].filter((text) => text !== undefined);
  const verdict = (text: string, met: 'met' | 'missed'): Line => [span(text, met === 'met' ? 'good' : 'bad')];
  const { budget, maxDrop } = gates;
  const kinds = kindsText(report);
  return [
    [
      span(blocksText(report), kept === 'deepened' ? 'good' : 'warn'),
      span(verbosity === 0 ? ' (-v says why not more)' : ''),
    ],
    ...(kinds === undefined ? [] : [[span(kinds)]]),
    ...said.map(({ text, tone }): Line => [span(text, TONE_STYLES[tone])]),
    ...(accuracy.paired ? [[span(pairedSentence(accuracy.paired))]] : []),
    ...(budget
      ? [verdict(`${budget.asked} ${budget.verdict}: ${budgetText(report, NOTHING_TEXT)}`, budget.verdict)]
      : []),
    ...(maxDrop ? [verdict(`--max-drop ${maxDrop.verdict}: ${maxDropText(report)}`, maxDrop.verdict)] : []),
    [span(methodText(report), 'dim')],
  ];
}

/** The terminal view of a `deepen` report. */
export const deepenLines = (report: DeepenReport, options: TerminalOptions): Line[] =>
  screenLines(report, options, {
    verdict: lossText(report, 'no'),
    details: detailBlocks(
      [stepTable(report), takenTable(report), stayedTable(report), blockTable(report, 'open')],
      options,
    ),
    statements: statements(report, options.verbosity),
  });
