// What a factorization run prints: one screen, as that of `slim`. `-v` adds reasons and all layers.
import { TONE_STYLES } from './document-lines.js';
import { pairedSentence } from './eval-words.js';
import { chainTable, layerTable, stayedTable, stepTable } from './factorize-document.js';
import type { FactorizeReport } from './factorize-report.js';
import { chainsText, keptText, methodText, NOTHING_TEXT, stayedLayers, WEIGHTS_ONLY_TEXT } from './factorize-words.js';
import { budgetText, slowerText } from './trade-words.js';
import { lossText, maxDropText } from './loss-words.js';
import { span, type Line } from './span.js';
import { detailBlocks, screenLines, type TerminalOptions } from './terminal.js';

function chainLine(report: FactorizeReport, verbosity: number): Line {
  const stayed = stayedLayers(report).map(({ code, layers }) => `${layers.length} ${code}`);
  const hint = stayed.length > 0 && verbosity === 0 ? ' (-v says why)' : '';
  const rest = stayed.length === 0 ? '' : `; left whole: ${stayed.join(', ')}${hint}`;
  return [span(chainsText(report), report.kept === 'factorized' ? 'good' : 'warn'), span(rest)];
}

function statements(report: FactorizeReport, verbosity: number): Line[] {
  const { accuracy, gates, samples } = report;
  const said = [keptText(report), slowerText(report)].filter((text) => text !== undefined);
  const verdict = (text: string, met: 'met' | 'missed'): Line => [span(text, met === 'met' ? 'good' : 'bad')];
  const { budget, maxDrop } = gates;
  return [
    chainLine(report, verbosity),
    ...said.map(({ text, tone }): Line => [span(text, TONE_STYLES[tone])]),
    ...(accuracy.paired ? [[span(pairedSentence(accuracy.paired))]] : []),
    ...(budget
      ? [verdict(`${budget.asked} ${budget.verdict}: ${budgetText(report, NOTHING_TEXT)}`, budget.verdict)]
      : []),
    ...(maxDrop ? [verdict(`--max-drop ${maxDrop.verdict}: ${maxDropText(report)}`, maxDrop.verdict)] : []),
    [span(methodText(report), 'dim')],
    ...(samples.dataFree === 'yes' ? [[span(WEIGHTS_ONLY_TEXT, 'bad')]] : []),
  ];
}

/** The terminal view of a `factorize` report. */
export const factorizeLines = (report: FactorizeReport, options: TerminalOptions): Line[] =>
  screenLines(report, options, {
    verdict: lossText(report, report.samples.dataFree),
    details: detailBlocks(
      [stepTable(report), chainTable(report), stayedTable(report), layerTable(report, 'open')],
      options,
    ),
    statements: statements(report, options.verbosity),
  });
