// What a report of `prune` says, in the order in which a reader asks: smaller by, faster by, as good as, what left; then group
// by group; then how it was measured.
import { operatorBars, someNames, time } from './blocks.js';
import {
  left,
  name,
  right,
  section,
  tableBlock,
  toned,
  warningBlocks,
  type BarsBlock,
  type Block,
  type BlockCell,
  type Document,
} from './document.js';
import { lossValue, pairedSentence, shareText } from './eval-words.js';
import { smaller, type Answer } from './figures.js';
import { change, figure, given, plural, share } from './format.js';
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
import { figureSections, footerText, runTitle } from './run-blocks.js';
import { lossAnswer, maxDropBlocks, splitMeasurement, speedAnswer } from './sampled-blocks.js';

function answers(report: PruneReport): Answer[] {
  const { units, groups, figures } = report;
  const pruned = groups.filter(({ widthBefore, widthAfter }) => widthAfter < widthBefore).length;
  const macs = given(figures.macs, ({ before, after }) => `, ${change(before, after)} MACs`);
  return [
    smaller(report),
    speedAnswer(report, 'made for a processor that this machine is not'),
    lossAnswer(report, report.samples.dataFree),
    {
      question: 'Channels removed',
      value: units.before === 0 ? 'none' : share(units.before - units.after, units.before),
      detail: `${unitsText(report)} in ${pruned} of ${plural(groups.length, 'group')}${macs}`,
      tone: pruned === 0 ? 'warn' : 'good',
    },
  ];
}

function lead(report: PruneReport): Block[] {
  const { accuracy, samples, warnings } = report;
  const said = [keptText(report), slowerText(report)].filter((text) => text !== undefined);
  const subset = subsetText(report);
  return [
    { kind: 'answers', answers: answers(report) },
    ...(samples.dataFree === 'yes' ? [{ kind: 'text', text: WEIGHTS_ONLY_TEXT, tone: 'bad' } as const] : []),
    ...said.map((text) => ({ kind: 'text', ...text }) as const),
    ...(subset === undefined ? [] : [{ kind: 'text', text: subset } as const]),
    ...(accuracy.paired ? [{ kind: 'text', text: pairedSentence(accuracy.paired) } as const] : []),
    ...budgetBlocks(report),
    ...maxDropBlocks(report),
    ...warningBlocks(warnings),
  ];
}

function budgetBlocks(report: PruneReport): Block[] {
  const { budget } = report.gates;
  const tone = budget?.verdict === 'met' ? 'good' : 'bad';
  return budget ? [{ kind: 'text', text: `${budget.asked} ${budget.verdict}: ${budgetText(report)}.`, tone }] : [];
}

/** Groups in a chart: beyond that many bars nobody sees anything. */
const MOST_BARS = 80;

/** The picture: channels of each group before and after. */
function widthBars({ groups }: PruneReport): BarsBlock | undefined {
  const open = groups.filter(
    ({ code, widthBefore, widthAfter }) => code !== 'frozen' && (widthAfter < widthBefore || code === 'worth'),
  );
  const rows = open
    .slice(0, MOST_BARS)
    .map(({ name: label, widthBefore, widthAfter }) => ({
      label,
      note: '',
      before: widthBefore,
      after: widthAfter,
      text: `${widthBefore} → ${widthAfter}${widthAfter === 0 ? ', with its block' : ''}`,
    }));
  if (rows.length === 0) return undefined;
  return {
    kind: 'bars',
    caption: `Channels of ${rows.length < open.length ? `the first ${rows.length}` : 'the'} groups that could lose some, from input to output`,
    measure: 'channels',
    series: ['before', 'after'],
    rows,
    inTerminal: 'hide',
  };
}

const short = (value: number | undefined): string =>
  given(value, (x) => (x === 0 ? '0' : Number(x.toPrecision(2)).toString()));

/** All groups, or those that lost something. */
export function groupTable({ groups }: PruneReport, shown: 'open' | 'folded'): Block | undefined {
  return tableBlock(
    `All ${plural(groups.length, 'group')} of channels, in order of execution`,
    shown,
    [
      ...[left('group'), right('before'), right('after'), right('left', 1)],
      ...[right('scores', 3), right('error after refit', 2), right('time', 1), left('why not pruned')],
    ],
    groups.map((group): BlockCell[] => {
      const { widthBefore, widthAfter, scores, error, usBefore, usAfter, code, at } = group;
      return [
        name(group.name),
        String(widthBefore),
        String(widthAfter),
        widthAfter === widthBefore ? '' : share(widthAfter, widthBefore),
        given(scores, ({ min, median, max }) => `${short(min)} … ${short(median)} … ${short(max)}`),
        given(error, (part) => share(part, 1)),
        usBefore === undefined || usAfter === undefined ? '' : `${time(usBefore)} → ${time(usAfter)}`,
        code === undefined ? '' : toned(`${code}${given(at, (where) => `: ${where}`)}`, 'warn'),
      ];
    }),
  );
}

/** Groups that kept all, by reason. */
export function keptTable(report: PruneReport): Block | undefined {
  return tableBlock(
    'Groups that kept all their channels, and why',
    'open',
    [left('why'), right('groups'), right('channels', 2), left('where', 1)],
    keptGroups(report).map(({ code, message, groups }) => [
      `${message} [${code}]`,
      String(groups.length),
      String(groups.reduce((sum, { widthBefore }) => sum + widthBefore, 0)),
      name(
        someNames(
          groups.map((group) => group.name),
          2,
        ),
      ),
    ]),
  );
}

/** Cycles, or candidates of a search. */
export function stepTable({ steps, method, units }: PruneReport): Block | undefined {
  return tableBlock(
    method.schedule === 'dropnet'
      ? 'Cycles, judged on the samples for selection'
      : 'What was tried, judged on the samples for selection',
    'open',
    [left('step'), right('channels left'), right('MACs', 1), right('parameters', 2), right('lost'), right('time', 1)],
    steps.map(({ name: label, units: remaining, macs, parameters, loss, latencyRatio }) => [
      label,
      share(remaining, units.before),
      figure(macs, 'count'),
      figure(parameters, 'count'),
      lossValue(loss),
      given(latencyRatio, (ratio) => change(1, ratio)),
    ]),
  );
}

function subsetBlocks(report: PruneReport): (Block | undefined)[] {
  const { subset, figures } = report;
  if (!subset) return [];
  const { accuracyOriginal, accuracyResult, restrictedMacs, restrictedParameters, restrictedRatio } = subset;
  const facts: (readonly [string, string])[] = [
    ...(accuracyOriginal && accuracyResult
      ? [
          ['original, restricted to them', `top-1 ${shareText(accuracyOriginal.top1)}`] as const,
          ['result', `top-1 ${shareText(accuracyResult.top1)}`] as const,
        ]
      : []),
    [
      'MACs',
      `${figure(restrictedMacs, 'count')} with the head cut${given(figures.macs, ({ after }) => `, ${figure(after, 'count')} in the result`)}`,
    ],
    [
      'parameters',
      `${figure(restrictedParameters, 'count')} with the head cut, ${figure(figures.parameters.after, 'count')} in the result`,
    ],
    ...(restrictedRatio === undefined
      ? []
      : [['time against the original with its head cut', change(1, restrictedRatio)] as const]),
  ];
  const rows = subset.kept.map((original, index) => [String(index), String(original), subset.names?.[index] ?? '']);
  return [
    { kind: 'facts', facts },
    tableBlock('The classes', 'folded', [right('index'), right('in the original'), left('class')], rows),
  ];
}

/** The document of a `prune` report. */
export function pruneDocument(report: PruneReport): Document {
  return {
    title: runTitle(report),
    lead: lead(report),
    sections: [
      ...section('What left', widthBars(report), keptTable(report)),
      ...section('The classes that stay', ...subsetBlocks(report)),
      ...section('On the way', stepTable(report)),
      ...figureSections(report),
      ...section('Group by group', groupTable(report, 'folded')),
      ...section('Operators', operatorBars(report.operators, ['before', 'after'])),
      ...splitMeasurement(report, { method: methodText(report), fits: 'statistics and repair' }, 'docs/prune.md'),
    ],
    footer: footerText(report),
  };
}
