// What a report of `deepen` says, in the order in which a reader asks: smaller by, faster by, as good as, which blocks were replaced; then
// block by block; then how it was measured.
import { operatorBars, someNames, time } from './blocks.js';
import type { BlockReport, DeepenReport } from './deepen-report.js';
import { blocksText, keptText, kindsText, methodText, NOTHING_TEXT, takenBlocks } from './deepen-words.js';
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
  type Document,
  type FrontierBlock,
} from './document.js';
import { lossValue, pairedSentence } from './eval-words.js';
import { smaller, type Answer } from './figures.js';
import { change, figure, given, plural, share } from './format.js';
import { kindsTable } from './kinds-table.js';
import { figureSections, footerText, runTitle } from './run-blocks.js';
import { lossAnswer, maxDropBlocks, splitMeasurement, speedAnswer } from './sampled-blocks.js';
import { budgetText, slowerText } from './trade-words.js';

function answers(report: DeepenReport): Answer[] {
  const taken = takenBlocks(report).length;
  const kinds = kindsText(report);
  return [
    smaller(report),
    speedAnswer(report, 'timing was left out'),
    lossAnswer(report, 'no'),
    {
      question: 'Blocks replaced',
      value: taken === 0 ? 'none' : String(taken),
      detail: kinds === undefined ? blocksText(report) : `${blocksText(report)}; ${kinds}`,
      tone: taken === 0 ? 'warn' : 'good',
    },
  ];
}

function lead(report: DeepenReport): Block[] {
  const { accuracy, warnings, gates } = report;
  const said = [keptText(report), slowerText(report)].filter((text) => text !== undefined);
  const { budget } = gates;
  const tone = budget?.verdict === 'met' ? 'good' : 'bad';
  const reached = budget && `${budget.asked} ${budget.verdict}: ${budgetText(report, NOTHING_TEXT)}.`;
  return [
    { kind: 'answers', answers: answers(report) },
    ...said.map((text) => ({ kind: 'text', ...text }) as const),
    ...(accuracy.paired ? [{ kind: 'text', text: pairedSentence(accuracy.paired) } as const] : []),
    ...(reached === undefined ? [] : [{ kind: 'text', text: reached, tone } as const]),
    ...maxDropBlocks(report),
    ...warningBlocks(warnings),
  ];
}

const short = (value: number): string => String(Number(value.toPrecision(2)));

/** `1.16x` of the whole model. */
const gain = ({ msBefore, msAfter }: BlockReport): string =>
  msBefore === undefined || !msAfter ? '' : `${(msBefore / msAfter).toFixed(2)}x`;

const times = ({ usBefore, usAfter }: BlockReport): string =>
  usBefore === undefined || usAfter === undefined ? '' : `${time(usBefore)} → ${time(usAfter)}`;

/** What stands for blocks now. */
export function takenTable(report: DeepenReport): Block | undefined {
  return tableBlock(
    'Blocks that were replaced',
    'open',
    [
      ...[left('block'), left('were', 3), left('rule', 1), left('form')],
      ...[right('model faster'), right('error alone', 2), right('in the result', 1), right('time in the model', 1)],
    ],
    takenBlocks(report).map((block) => [
      name(block.block),
      block.operators.join(' '),
      block.rule,
      block.form,
      gain(block),
      given(block.error, (part) => share(part, 1)),
      given(block.refitError, (part) => share(part, 1)),
      times(block),
    ]),
  );
}

/** All that was looked at. */
export function blockTable({ blocks }: DeepenReport, shown: 'open' | 'folded'): Block | undefined {
  return tableBlock(
    `All ${plural(blocks.length, 'replacement')} that rules found, each alone`,
    shown,
    [
      ...[left('block'), left('rule', 1), left('form'), right('model faster'), right('MACs', 3)],
      ...[right('error', 1), right('noise it brings', 2), left('why not')],
    ],
    blocks.map((block): BlockCell[] => [
      name(block.block),
      block.rule,
      block.form,
      gain(block),
      change(block.macsBefore, block.macsAfter),
      given(block.error, (part) => share(part, 1)),
      given(block.loss, short),
      block.code === undefined ? toned('taken', 'good') : toned(block.code, 'plain'),
    ]),
  );
}

/** Why blocks stayed, by reason. */
export function stayedTable({ blocks, declined }: DeepenReport): Block | undefined {
  const rows = [
    ...blocks.flatMap(({ code, message, block }) => (code === undefined ? [] : [{ code, message, block }])),
    ...declined.map(({ rule, code, message, block }) => ({ code: `${rule}: ${code}`, message, block })),
  ];
  const codes = [...new Set(rows.map(({ code }) => code))];
  return tableBlock(
    'What was not done, and why',
    'open',
    [left('why'), right('times'), left('where', 1)],
    codes.map((code) => {
      const alike = rows.filter((row) => row.code === code);
      const where = [...new Set(alike.map(({ block }) => block))];
      return [`${alike[0]?.message ?? ''} [${code}]`, String(alike.length), name(someNames(where, 2))];
    }),
  );
}

/** Candidates of a search. */
export function stepTable({ steps }: DeepenReport): Block | undefined {
  return tableBlock(
    'What was tried, judged on the samples for selection',
    'open',
    [left('step'), right('blocks'), right('MACs', 1), right('parameters', 2), right('lost'), right('time', 1)],
    steps.map(({ name: label, blocks, macs, parameters, loss, latencyRatio }) => [
      label,
      String(blocks),
      figure(macs, 'count'),
      figure(parameters, 'count'),
      lossValue(loss),
      given(latencyRatio, (ratio) => change(1, ratio)),
    ]),
  );
}

/** The picture: loss against time of all that was tried, and of what was taken. */
function frontier({ steps, figures, accuracy, gates, kept }: DeepenReport): FrontierBlock | undefined {
  const tried = steps.flatMap(({ name: label, loss, latencyRatio }) =>
    latencyRatio === undefined || loss.value === undefined
      ? []
      : [
          {
            x: latencyRatio,
            y: loss.value,
            label: `${label}: ${lossValue(loss)} lost at ${latencyRatio.toFixed(2)}x`,
            look: 'tried' as const,
          },
        ],
  );
  if (tried.length === 0) return undefined;
  const { latency } = figures;
  const { loss } = accuracy;
  const taken =
    kept === 'deepened' && latency && loss?.value !== undefined
      ? [
          {
            x: latency.ratio.value,
            y: loss.value,
            label: `taken: ${lossValue(loss)} lost at ${latency.ratio.value.toFixed(2)}x, on the reported samples`,
            look: 'taken' as const,
          },
        ]
      : [];
  return {
    kind: 'frontier',
    caption: 'Loss against time of what was tried',
    description:
      'One dot per model, judged on the samples for selection; the ring is what was taken, on those that are reported.',
    x: 'time of one run against the original',
    y: `lost, in ${steps[0]?.loss.unit ?? 'points'}`,
    points: [{ x: 1, y: 0, label: 'the original', look: 'original' }, ...tried, ...taken],
    limit: gates.maxDrop?.limit,
  };
}

/** The document of a `deepen` report. */
export function deepenDocument(report: DeepenReport): Document {
  return {
    title: runTitle(report),
    lead: lead(report),
    sections: [
      ...section('What became of blocks', takenTable(report), kindsTable(report.kinds), stayedTable(report)),
      ...section('On the way', frontier(report), stepTable(report)),
      ...figureSections(report),
      ...section('Block by block', blockTable(report, 'folded')),
      ...section('Operators', operatorBars(report.operators, ['before', 'after'])),
      ...splitMeasurement(report, { method: methodText(report), fits: 'fits' }, 'docs/deepen.md'),
    ],
    footer: footerText(report),
  };
}
