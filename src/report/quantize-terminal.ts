// What a run of quantization prints: one screen, as that of `slim`. `-v` adds misses, reasons and all layers.
import { blocksLines, TONE_STYLES } from './document-lines.js';
import { pairedSentence } from './eval-words.js';
import { baselineText } from './figures.js';
import { floatTable, layerTable, missTable } from './quantize-document.js';
import type { QuantizeReport } from './quantize-report.js';
import {
  calibrationText,
  DATA_FREE_TEXT,
  floatGroups,
  fusedCount,
  keptText,
  lossText,
  maxDropText,
  saturationText,
} from './quantize-words.js';
import { span, wrap, type Line } from './span.js';
import { ends } from './table.js';
import { figureLines, reportLine, WIDEST, type TerminalOptions } from './terminal.js';

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
  const { accuracy, gates, baseline, calibration, warnings, figures, speed, target } = report;
  const kept = keptText(report);
  const compared = baseline ? [baselineText(baseline)] : [];
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
    ...compared.map(({ text, tone }): Line => [span(`baseline: ${text}`, TONE_STYLES[tone])]),
    ...[...warnings, ...(figures.latency?.warnings ?? [])].map((text): Line => [span(`warning: ${text}`, 'warn')]),
  ];
}

function detailLines(report: QuantizeReport, { width, verbosity }: TerminalOptions): Line[] {
  if (verbosity === 0) return [];
  const blocks = [missTable(report), floatTable(report), layerTable(report, 'open')].filter(
    (block) => block !== undefined,
  );
  return blocks.length === 0 ? [] : [[], ...blocksLines(blocks, { width, folded: 'hide' })];
}

/** The terminal view of a `quantize` report. */
export function quantizeLines(report: QuantizeReport, options: TerminalOptions): Line[] {
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
