// What a choice among all passes prints: one screen, as that of `slim`. `-v` adds all that was tried.
import { idleTable, stepTable } from './combine-document.js';
import type { CombineReport } from './combine-report.js';
import { doneText, int8Text, keptText, methodText, NOTHING_TEXT, subsetText, whatText } from './combine-words.js';
import { kindsText } from './deepen-words.js';
import { TONE_STYLES } from './document-lines.js';
import { pairedSentence } from './eval-words.js';
import { lossText, maxDropText } from './loss-words.js';
import { span, type Line } from './span.js';
import { detailBlocks, screenLines, type TerminalOptions } from './terminal.js';
import { budgetText, slowerText } from './trade-words.js';

function statements(report: CombineReport, verbosity: number): Line[] {
  const { accuracy, gates } = report;
  const said = [int8Text(report), slowerText(report)].filter((text) => text !== undefined);
  const verdict = (text: string, met: 'met' | 'missed'): Line => [span(text, met === 'met' ? 'good' : 'bad')];
  const plain = [subsetText(report), kindsText(report)].filter((text) => text !== undefined);
  const { budget, maxDrop } = gates;
  const nothing = keptText(report);
  const hint = span(verbosity > 0 ? '' : ` (-v says what ${nothing ? '' : 'else '}was tried)`);
  return [
    nothing
      ? [span(nothing.text, 'warn'), hint]
      : [span(doneText(report), 'good'), span(`: ${whatText(report)}`), hint],
    ...said.map(({ text, tone }): Line => [span(text, TONE_STYLES[tone])]),
    ...plain.map((text): Line => [span(text)]),
    ...(accuracy.paired ? [[span(pairedSentence(accuracy.paired))]] : []),
    ...(budget
      ? [verdict(`${budget.asked} ${budget.verdict}: ${budgetText(report, NOTHING_TEXT)}`, budget.verdict)]
      : []),
    ...(maxDrop ? [verdict(`--max-drop ${maxDrop.verdict}: ${maxDropText(report)}`, maxDrop.verdict)] : []),
    [span(methodText(report), 'dim')],
  ];
}

/** The terminal view of a `combine` report. */
export const combineLines = (report: CombineReport, options: TerminalOptions): Line[] =>
  screenLines(report, options, {
    verdict: lossText(report, 'no'),
    details: detailBlocks([stepTable(report), idleTable(report)], options),
    statements: statements(report, options.verbosity),
  });
