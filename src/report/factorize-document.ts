// What a report of `factorize` says, in the order in which a reader asks: smaller by, faster by, as good as, which layers are chains;
// then layer by layer; then how it was measured.
import { operatorBars, someNames, time } from './blocks.js';
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
  type CurvesBlock,
  type Document,
} from './document.js';
import { lossValue, pairedSentence } from './eval-words.js';
import type { FactorizeLayerReport, FactorizeReport } from './factorize-report.js';
import { chainsText, keptText, methodText, NOTHING_TEXT, stayedLayers, WEIGHTS_ONLY_TEXT } from './factorize-words.js';
import { budgetText, slowerText } from './trade-words.js';
import { smaller, type Answer } from './figures.js';
import { change, figure, given, plural, share } from './format.js';
import { figureSections, footerText, runTitle } from './run-blocks.js';
import { lossAnswer, maxDropBlocks, splitMeasurement, speedAnswer } from './sampled-blocks.js';

const chained = ({ layers }: FactorizeReport): FactorizeLayerReport[] =>
  layers.filter(({ chain }) => chain !== undefined);

function answers(report: FactorizeReport): Answer[] {
  const { layers, figures } = report;
  const count = chained(report).length;
  const macs = given(figures.macs, ({ before, after }) => `, ${change(before, after)} MACs`);
  return [
    smaller(report),
    speedAnswer(report, 'timing was left out'),
    lossAnswer(report, report.samples.dataFree),
    {
      question: 'Layers factorized',
      value: count === 0 ? 'none' : `${count} of ${layers.length}`,
      detail: `${chainsText(report)}${macs}`,
      tone: count === 0 ? 'warn' : 'good',
    },
  ];
}

function lead(report: FactorizeReport): Block[] {
  const { accuracy, samples, warnings, gates } = report;
  const said = [keptText(report), slowerText(report)].filter((text) => text !== undefined);
  const { budget } = gates;
  const tone = budget?.verdict === 'met' ? 'good' : 'bad';
  return [
    { kind: 'answers', answers: answers(report) },
    ...(samples.dataFree === 'yes' ? [{ kind: 'text', text: WEIGHTS_ONLY_TEXT, tone: 'bad' } as const] : []),
    ...said.map((text) => ({ kind: 'text', ...text }) as const),
    ...(accuracy.paired ? [{ kind: 'text', text: pairedSentence(accuracy.paired) } as const] : []),
    ...(budget
      ? [
          {
            kind: 'text',
            text: `${budget.asked} ${budget.verdict}: ${budgetText(report, NOTHING_TEXT)}.`,
            tone,
          } as const,
        ]
      : []),
    ...maxDropBlocks(report),
    ...warningBlocks(warnings),
  ];
}

const short = (value: number | undefined): string =>
  given(value, (x) => (x === 0 ? '0' : Number(x.toPrecision(2)).toString()));

const sizesOf = ({ inputs, outputs, kernel }: FactorizeLayerReport): string =>
  inputs === undefined
    ? ''
    : `${inputs} → ${outputs}${given(kernel, (sizes) => (sizes.length > 0 ? `, ${sizes.join(' x ')}` : ''))}`;

const times = (before: number | undefined, after: number | undefined): string =>
  before === undefined || after === undefined
    ? ''
    : before === after
      ? time(before)
      : `${time(before)} → ${time(after)}`;

/** The layers that are chains now. */
export function chainTable(report: FactorizeReport): Block | undefined {
  return tableBlock(
    'Layers that are chains now',
    'open',
    [
      ...[left('layer'), left('sizes', 2), left('scheme'), right('ranks'), right('MACs'), right('parameters', 2)],
      ...[right('error planned'), right('after refit', 1), right('time alone', 3), right('time in the model', 1)],
    ],
    chained(report).map((layer) => {
      const { chain, macsBefore = 0, macsAfter = 0, paramsBefore = 0, paramsAfter = 0 } = layer;
      return [
        name(layer.name),
        sizesOf(layer),
        chain?.scheme ?? '',
        chain?.ranks.join(', ') ?? '',
        share(macsAfter, macsBefore),
        share(paramsAfter, paramsBefore),
        given(chain?.error, (part) => share(part, 1)),
        given(chain?.refitError, (part) => share(part, 1)),
        times(layer.aloneUsBefore, layer.aloneUsAfter),
        times(layer.usBefore, layer.usAfter),
      ];
    }),
  );
}

/** Layers that stayed whole, by reason. */
export function stayedTable(report: FactorizeReport): Block | undefined {
  return tableBlock(
    'Layers that stayed whole, and why',
    'open',
    [left('why'), right('layers'), left('where', 1)],
    stayedLayers(report).map(({ code, message, layers }) => [
      `${message} [${code}]`,
      String(layers.length),
      name(
        someNames(
          layers.map((layer) => layer.name),
          2,
        ),
      ),
    ]),
  );
}

/** All layers with weights. */
export function layerTable({ layers }: FactorizeReport, shown: 'open' | 'folded'): Block | undefined {
  return tableBlock(
    `All ${plural(layers.length, 'layer')} with weights, in order of execution`,
    shown,
    [
      ...[left('layer'), left('operator', 2), left('sizes', 1), left('chain'), right('MACs', 2)],
      ...[right('error', 1), right('noise it brings', 3), right('time in the model', 3), left('why whole')],
    ],
    layers.map((layer): BlockCell[] => [
      name(layer.name),
      layer.opType,
      sizesOf(layer),
      given(layer.chain, ({ scheme, ranks }) => `${scheme} ${ranks.join(', ')}`),
      given(layer.macsAfter, (macs) => figure(macs, 'count')),
      given(layer.chain, ({ error }) => share(error, 1)),
      given(layer.chain, ({ loss }) => short(loss)),
      times(layer.usBefore, layer.usAfter),
      layer.code === undefined ? '' : toned(layer.code, 'warn'),
    ]),
  );
}

/** Candidates of a search. */
export function stepTable({ steps }: FactorizeReport): Block | undefined {
  return tableBlock(
    'What was tried, judged on the samples for selection',
    'open',
    [left('step'), right('chains'), right('MACs', 1), right('parameters', 2), right('lost'), right('time', 1)],
    steps.map(({ name: label, chains, macs, parameters, loss, latencyRatio }) => [
      label,
      String(chains),
      figure(macs, 'count'),
      figure(parameters, 'count'),
      lossValue(loss),
      given(latencyRatio, (ratio) => change(1, ratio)),
    ]),
  );
}

/** The picture: what each layer would lose as a chain, by what is left of its multiplications. */
function curveBlock({ layers }: FactorizeReport): CurvesBlock | undefined {
  const open = layers.filter(({ curves, macsBefore }) => curves.length > 0 && macsBefore !== undefined);
  const names = [...new Set(open.flatMap(({ curves }) => curves.map(({ scheme }) => scheme)))];
  if (open.length === 0) return undefined;
  return {
    kind: 'curves',
    caption: `Error against rank of ${plural(open.length, 'layer')}: what is lost of a layer's output by what is left of its multiplications`,
    x: 'multiplications left',
    y: 'error',
    series: names,
    charts: open.map(({ name: label, curves, macsBefore = 1, macsAfter = 0, chain }) => ({
      label,
      series: names.map((scheme) => ({
        name: scheme,
        points: (curves.find((one) => one.scheme === scheme)?.points ?? []).map(({ macs, error, ranks }) => ({
          x: macs / macsBefore,
          y: error,
          label: `${ranks.join(', ')}: error ${short(error)}, ${share(macs, macsBefore)} of the multiplications`,
        })),
      })),
      chosen: chain && { x: macsAfter / macsBefore, y: chain.error },
    })),
  };
}

/** The document of a `factorize` report. */
export function factorizeDocument(report: FactorizeReport): Document {
  return {
    title: runTitle(report),
    lead: lead(report),
    sections: [
      ...section('What became a chain', chainTable(report), stayedTable(report)),
      ...section('On the way', stepTable(report)),
      ...figureSections(report),
      ...section('Layer by layer', curveBlock(report), layerTable(report, 'folded')),
      ...section('Operators', operatorBars(report.operators, ['before', 'after'])),
      ...splitMeasurement(report, { method: methodText(report), fits: 'statistics and repair' }, 'docs/factorize.md'),
    ],
    footer: footerText(report),
  };
}
