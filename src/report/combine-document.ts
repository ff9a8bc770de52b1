// What a report of `slim --data` says, in the order in which a reader asks: smaller by, faster by, as good as, what was done, and what
// integers alone would have given; then what was tried; then what each run within did; then how it was measured.
import { operatorBars } from './blocks.js';
import { frontierBlock } from './combine-frontier.js';
import type { CombineReport, CombineStepReport } from './combine-report.js';
import { stageSections } from './combine-stages.js';
import {
  doneText,
  FATE_WORDS,
  int8Text,
  keptText,
  methodText,
  NOTHING_TEXT,
  spanText,
  subsetText,
  whatText,
} from './combine-words.js';
import {
  left,
  right,
  section,
  tableBlock,
  toned,
  warningBlocks,
  type Block,
  type BlockCell,
  type Document,
} from './document.js';
import { lossValue, pairedSentence } from './eval-words.js';
import { smaller, type Answer, type Tone } from './figures.js';
import { figure, given } from './format.js';
import { kindsTable } from './kinds-table.js';
import { figureSections, footerText, runTitle } from './run-blocks.js';
import { lossAnswer, maxDropBlocks, splitMeasurement, speedAnswer } from './sampled-blocks.js';
import { budgetText, slowerText } from './trade-words.js';

function answers(report: CombineReport): Answer[] {
  const isChanged = report.kept === 'changed';
  return [
    smaller(report),
    speedAnswer(report, 'timing was left out'),
    lossAnswer(report, 'no'),
    {
      question: 'What was done',
      value: doneText(report),
      detail: isChanged ? whatText(report) : 'see what was tried, below',
      tone: isChanged ? 'good' : 'warn',
    },
  ];
}

function lead(report: CombineReport): Block[] {
  const { accuracy, warnings, gates } = report;
  const said = [int8Text(report), keptText(report), slowerText(report)].filter((text) => text !== undefined);
  const subset = subsetText(report);
  const { budget } = gates;
  const tone = budget?.verdict === 'met' ? 'good' : 'bad';
  const reached = budget && `${budget.asked} ${budget.verdict}: ${budgetText(report, NOTHING_TEXT)}.`;
  return [
    { kind: 'answers', answers: answers(report) },
    ...said.map(
      ({ text, tone: own }) => ({ kind: 'text', text: /[.]$/.test(text) ? text : `${text}.`, tone: own }) as const,
    ),
    ...(subset === undefined ? [] : [{ kind: 'text', text: subset } as const]),
    ...(accuracy.paired ? [{ kind: 'text', text: pairedSentence(accuracy.paired) } as const] : []),
    ...(reached === undefined ? [] : [{ kind: 'text', text: reached, tone } as const]),
    ...maxDropBlocks(report),
    ...warningBlocks(warnings),
  ];
}

const FATE_TONES: Readonly<Record<CombineStepReport['fate'], Tone>> = {
  taken: 'good',
  beaten: 'plain',
  over: 'warn',
  slower: 'warn',
};

/** All models that were made. */
export function stepTable({ steps, result }: CombineReport): Block | undefined {
  return tableBlock(
    'Models that were made, judged on the samples for selection',
    'open',
    [
      ...[left('step'), left('on', 5), left('what', 3), right('lost'), right('time'), right('MACs', 2)],
      ...[right('parameters', 4), right('size', 1), right('took', 6), left('what became of it')],
    ],
    steps.map((step): BlockCell[] => [
      step.name,
      step.on ?? '',
      step.what,
      lossValue(step.loss),
      given(step.latencyRatio, (ratio) => `${ratio.toFixed(3)}x`),
      figure(step.macs, 'count'),
      figure(step.parameters, 'count'),
      figure(step.bytes, 'bytes'),
      spanText(step.seconds),
      toned(step.name === result ? 'the result' : FATE_WORDS[step.fate], FATE_TONES[step.fate]),
    ]),
  );
}

/** Changes that came to nothing, and why: those of one step for one reason stand in one row. */
export function idleTable({ idle }: CombineReport): Block | undefined {
  const rows = new Map<string, { readonly kinds: string[]; readonly cells: readonly string[] }>();
  for (const { kind, on, code, message, detail = '' } of idle) {
    const cells = [on, `${message} [${code}]`, detail];
    const key = cells.join('\n');
    rows.set(key, { kinds: [...(rows.get(key)?.kinds ?? []), kind], cells });
  }
  return tableBlock(
    'Changes that came to nothing, and why',
    'open',
    [left('change'), left('on'), left('why'), left('what it says itself', 1)],
    [...rows.values()].map(({ kinds, cells }) => [kinds.join(', '), ...cells]),
  );
}

function classTable({ subset }: CombineReport): Block | undefined {
  const rows = (subset?.kept ?? []).map((original, index) => [
    String(index),
    String(original),
    subset?.names?.[index] ?? '',
  ]);
  return tableBlock('The classes', 'folded', [right('index'), right('in the original'), left('class')], rows);
}

const effort = ({ effort: { allowedSeconds, takenSeconds } }: CombineReport): readonly [string, string] => [
  'effort',
  `${spanText(takenSeconds)} taken, ${spanText(allowedSeconds)} allowed for looking`,
];

/** The document of a `combine` report. */
export function combineDocument(report: CombineReport): Document {
  return {
    title: runTitle(report),
    lead: lead(report),
    sections: [
      ...section('What was tried', stepTable(report), idleTable(report), frontierBlock(report)),
      ...section('Where the time goes', kindsTable(report.kinds)),
      ...section('The classes that stay', classTable(report)),
      ...stageSections(report),
      ...figureSections(report),
      ...section('Operators', operatorBars(report.operators, ['before', 'after'])),
      ...splitMeasurement(
        report,
        { method: methodText(report), fits: 'calibration and fits', more: [effort(report)] },
        'docs/combine.md',
      ),
    ],
    footer: footerText(report),
  };
}
