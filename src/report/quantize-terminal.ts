// What a run of quantization prints: one screen, as that of `slim`. `-v` adds misses, reasons and all layers.
import { TONE_STYLES } from './document-lines.js';
import { pairedSentence } from './eval-words.js';
import { lossText, maxDropText } from './loss-words.js';
import { floatTable, layerTable, missTable } from './quantize-document.js';
import type { QuantizeReport } from './quantize-report.js';
import {
  calibrationText,
  DATA_FREE_TEXT,
  floatGroups,
  fusedCount,
  keptText,
  saturationText,
} from './quantize-words.js';
import { span, type Line } from './span.js';
import { detailBlocks, screenLines, type TerminalOptions } from './terminal.js';

/** Misses that are named without `-v`. */
const NAMED_MISSES = 2;

function integerLines(report: QuantizeReport, verbosity: number): Line[] {
  const { planned, fused, misses } = report.fusion;
  if (planned === 0) return [];
  const groups = floatGroups(report);
  const floats = groups.reduce((sum, { layers }) => sum + layers.length, 0);
  const reasons = groups.map(({ code, layers }) => `${layers.length} ${code}`);
  const hint = floats + misses.length > 0 && verbosity === 0 ? ' (-v says why)' : '';
  const named = misses
    .slice(0, NAMED_MISSES)
    .map(({ node, detail, cause }): Line => [span(`not fused: ${node}: ${detail ?? cause}`, 'warn')]);
  return [
    [
      span(`on integers: ${fusedCount(report)}`, fused === planned ? 'good' : 'warn'),
      span(
        ` planned, as ONNX Runtime runs it${floats === 0 ? '' : `; ${floats} in float: ${reasons.join(', ')}`}${hint}`,
      ),
    ],
    ...named,
  ];
}

function statements(report: QuantizeReport, verbosity: number): Line[] {
  const { accuracy, gates, calibration, speed, target } = report;
  const kept = keptText(report);
  const saturation = saturationText(report);
  return [
    ...integerLines(report, verbosity),
    ...(kept ? [[span(kept.text, TONE_STYLES[kept.tone])]] : []),
    ...(speed === 'unmeasured-here'
      ? [[span(`latency: unmeasured on this machine (made for ${target})`, 'warn')]]
      : []),
    ...(accuracy.paired ? [[span(pairedSentence(accuracy.paired))]] : []),
    ...(gates.maxDrop
      ? [
          [
            span(
              `--max-drop ${gates.maxDrop.verdict}: ${maxDropText(report)}`,
              gates.maxDrop.verdict === 'met' ? 'good' : 'bad',
            ),
          ],
        ]
      : []),
    [span(calibrationText(report), 'dim')],
    ...(calibration.dataFree === 'yes' ? [[span(DATA_FREE_TEXT, 'bad')]] : []),
    ...(saturation && verbosity > 0 ? [[span(saturation.text, TONE_STYLES[saturation.tone])]] : []),
  ];
}

/** The terminal view of a `quantize` report. */
export const quantizeLines = (report: QuantizeReport, options: TerminalOptions): Line[] =>
  screenLines(report, options, {
    verdict: lossText(report, report.calibration.dataFree),
    details: detailBlocks([missTable(report), floatTable(report), layerTable(report, 'open')], options),
    statements: statements(report, options.verbosity),
  });
