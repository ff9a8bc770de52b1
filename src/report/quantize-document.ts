// What a report of `quantize` says, in the order in which a reader asks: smaller by, faster by, as good as, what runs on
// integers and what does not; then per layer, per value; then how it was measured.
import { operatorBars, someNames } from './blocks.js';
import {
  left,
  name,
  right,
  section,
  tableBlock,
  toned,
  warningBlocks,
  type Block,
  type BlockCell,
  type DepthBlock,
  type Document,
  type Section,
} from './document.js';
import { lossValue, pairedSentence } from './eval-words.js';
import { smaller, type Answer } from './figures.js';
import { change, given, plural, share } from './format.js';
import type { QuantizeLayer, QuantizeReport } from './quantize-report.js';
import {
  calibrationText,
  DATA_FREE_TEXT,
  floatGroups,
  fusedCount,
  groupMeasuredText,
  keptText,
  measuredText,
  saturationText,
} from './quantize-words.js';
import { figureSections, footerText, runTitle } from './run-blocks.js';
import { lossAnswer, maxDropBlocks, measurementSection, speedAnswer } from './sampled-blocks.js';

const decibels = (value: number | undefined): string => given(value, (db) => `${db.toFixed(1)} dB`);

function answers(report: QuantizeReport): Answer[] {
  const { fusion, layers, target } = report;
  const floats = layers.filter(({ form }) => form === 'float').length;
  const missed = fusion.planned - fusion.fused;
  return [
    smaller(report),
    speedAnswer(report, `made for ${target}, which this machine is not; only the structure was checked`),
    lossAnswer(report, report.calibration.dataFree),
    {
      question: 'On integers',
      value: fusion.planned === 0 ? 'nothing' : fusedCount(report),
      detail: [
        missed === 0 ? 'proved on ONNX Runtime' : `${plural(missed, 'planned layer')} not fused, see below`,
        ...(floats === 0 ? [] : [`${plural(floats, 'layer')} float`]),
      ].join(', '),
      tone: missed > 0 ? 'warn' : fusion.planned === 0 ? 'warn' : 'good',
    },
  ];
}

function lead(report: QuantizeReport): Block[] {
  const { accuracy, calibration, warnings } = report;
  const kept = keptText(report);
  return [
    { kind: 'answers', answers: answers(report) },
    ...(calibration.dataFree === 'yes' ? [{ kind: 'text', text: DATA_FREE_TEXT, tone: 'bad' } as const] : []),
    ...(kept ? [{ kind: 'text', ...kept } as const] : []),
    ...(accuracy.paired ? [{ kind: 'text', text: pairedSentence(accuracy.paired) } as const] : []),
    ...maxDropBlocks(report),
    ...warningBlocks(warnings),
  ];
}

/** Planned layers that run in float, with the cause. */
export function missTable({ fusion: { misses } }: QuantizeReport): Block | undefined {
  return tableBlock(
    'Planned as int8, and run in float',
    'open',
    [left('layer'), left('operator', 2), left('ran as', 3), left('why')],
    misses.map(({ node, opType, ranAs, detail, cause }) => [
      name(node),
      opType,
      ranAs ?? '',
      toned(`${detail ?? 'no rule that is known explains it'} [${cause}]`, 'warn'),
    ]),
  );
}

/** Float layers by reason. */
export function floatTable(report: QuantizeReport): Block | undefined {
  return tableBlock(
    'In float, and why',
    'open',
    [left('why'), right('layers'), left('measured'), left('operators', 2), left('where', 1)],
    floatGroups(report).map((group) => [
      `${group.message} [${group.code}]`,
      String(group.layers.length),
      groupMeasuredText(group),
      someNames(group.opTypes, 4),
      name(
        someNames(
          group.layers.map((layer) => layer.name),
          2,
        ),
      ),
    ]),
  );
}

function integerBlocks(report: QuantizeReport): (Block | undefined)[] {
  const { planned, fused, conversionsInside, weightsDequantized, quantizedAtLoad } = report.fusion;
  const costs = [
    ...(conversionsInside > 0
      ? [`${plural(conversionsInside, 'conversion')} between float and integers inside the model`]
      : []),
    ...(weightsDequantized > 0 ? [`${plural(weightsDequantized, 'weight tensor')} dequantized in every run`] : []),
    ...(quantizedAtLoad.length > 0
      ? [
          `${plural(quantizedAtLoad.length, 'float layer')} quantized by the runtime itself: ${someNames(quantizedAtLoad, 3)}`,
        ]
      : []),
  ];
  const proof = `ONNX Runtime was asked for the graph that it makes of the model: ${fused} of ${plural(planned, 'planned layer')} run on integers`;
  const saturation = saturationText(report);
  return [
    planned === 0 ? undefined : { kind: 'text', text: `${[proof, ...costs].join('; ')}.` },
    missTable(report),
    floatTable(report),
    saturation && { kind: 'text', ...saturation },
  ];
}

function searchTable({ search, kept }: QuantizeReport): Block | undefined {
  if (search.length < (kept === 'original' ? 1 : 2)) return undefined;
  return tableBlock(
    'Candidates in the order in which they were scored',
    'open',
    [right('back in float'), right('lost'), right('time', 1), left('layers', 2)],
    search.map(({ float, loss, latencyRatio }) => [
      String(float.length),
      lossValue(loss),
      given(latencyRatio, (ratio) => change(1, ratio)),
      name(someNames(float, 3)),
    ]),
  );
}

/** The picture: signal to noise from the input to the output. */
function depthBlock({ layers }: QuantizeReport): DepthBlock | undefined {
  const known = layers.flatMap(({ signalToNoiseDb }) => signalToNoiseDb ?? []);
  if (known.length < 2) return undefined;
  const [low, high] = [Math.min(...known), Math.max(...known)];
  return {
    kind: 'depth',
    caption: 'Signal to noise of the layers against the float model: higher is better, 20 dB is 10 % error',
    description: `From ${decibels(low)} to ${decibels(high)} over ${plural(known.length, 'layer')} from input to output.`,
    unit: 'dB',
    points: layers.map(({ name: label, opType, signalToNoiseDb, form, fused }) => ({
      label: `${label} (${opType}${form === 'float' ? ', float' : ''})`,
      ...(signalToNoiseDb === undefined ? {} : { value: signalToNoiseDb }),
      look: fused === 'not-fused' ? 'bad' : 'usual',
    })),
    legend: ['on integers', 'planned, but not fused', 'float, or not measured'],
  };
}

const state = ({ form, fused }: QuantizeLayer): BlockCell =>
  form === 'float' ? 'float' : fused === 'not-fused' ? toned('int8, not fused', 'warn') : 'int8';

/** All layers. */
export function layerTable({ layers }: QuantizeReport, shown: 'open' | 'folded'): Block | undefined {
  return tableBlock(
    `All ${layers.length} layers that could be thought of for integers`,
    shown,
    [
      left('layer'),
      left('operator', 2),
      left('form'),
      right('signal to noise'),
      right('could overflow', 3),
      left('why', 1),
      left('measured'),
    ],
    layers.map((layer) => [
      name(layer.name),
      layer.opType,
      state(layer),
      decibels(layer.signalToNoiseDb),
      given(layer.saturating, (part) => (part === 0 ? '' : `${share(part, 1)} of channels`)),
      layer.message ?? '',
      measuredText(layer),
    ]),
  );
}

const number = (value: number): string => Number(value.toPrecision(4)).toString();
const ends = ({ min, max }: { readonly min: number; readonly max: number }): string =>
  `${number(min)} … ${number(max)}`;
const width = ({ min, max }: { readonly min: number; readonly max: number }): number => max - min;
const keptShare = ({ observed, range }: QuantizeReport['values'][number]): number =>
  width(observed) > 0 ? Math.min(1, width(range) / width(observed)) : 1;

function valueTable(values: QuantizeReport['values'], caption: string, shown: 'open' | 'folded'): Block | undefined {
  return tableBlock(
    caption,
    shown,
    [
      left('value'),
      right('seen'),
      right('kept'),
      right('of it'),
      left('chosen by', 1),
      right('scale', 2),
      right('zero point', 3),
    ],
    values.map((value) => [
      name(value.name),
      ends(value.observed),
      ends(value.range),
      share(keptShare(value), 1),
      value.calibrator,
      number(value.scale),
      String(value.zeroPoint),
    ]),
  );
}

const MOST_CUT = 8;

function valueTables({ values }: QuantizeReport): (Block | undefined)[] {
  const cut = values.filter((value) => keptShare(value) < 0.995).toSorted((a, b) => keptShare(a) - keptShare(b));
  const chosen = new Map<string, number>();
  for (const { calibrator } of values) chosen.set(calibrator, (chosen.get(calibrator) ?? 0) + 1);
  const by = [...chosen].toSorted(([, a], [, b]) => b - a).map(([calibrator, count]) => `${calibrator} ${count}`);
  return [
    values.length === 0
      ? undefined
      : { kind: 'text', text: `Ranges of ${plural(values.length, 'value')} by calibrator: ${by.join(', ')}.` },
    valueTable(cut.slice(0, MOST_CUT), 'Ranges that were cut most', 'open'),
    valueTable(values, `All ${values.length} values`, 'folded'),
  ];
}

function measurement(report: QuantizeReport): Section[] {
  const { dataName, preparation } = report.calibration;
  const own = [
    ['target', report.target],
    ['calibration', `${calibrationText(report)}${given(dataName, (text) => `; data: ${text}`)}`],
  ] as const;
  return measurementSection(report, { own, preparation }, 'docs/quantize.md');
}

/** The document of a `quantize` report. */
export function quantizeDocument(report: QuantizeReport): Document {
  return {
    title: runTitle(report),
    lead: lead(report),
    sections: [
      ...section('What runs on integers', ...integerBlocks(report)),
      ...section('The search', searchTable(report)),
      ...figureSections(report),
      ...section('Layer by layer', depthBlock(report), layerTable(report, 'folded')),
      ...section('Value by value', ...valueTables(report)),
      ...section('Operators', operatorBars(report.operators, ['before', 'after'])),
      ...measurement(report),
    ],
    footer: footerText(report),
  };
}
