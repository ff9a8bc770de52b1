// What `eval` says: how good the model is, what it lost against a reference, where it errs.
import { confusionBlock, LEAST_PER_CLASS } from './confusion-block.js';
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
} from './document.js';
import type { AccuracyFacts, EvalReport } from './eval-report.js';
import { gateSentence, lossValue, pairedSentence, percentText, shareInterval, shareText } from './eval-words.js';
import type { Answer, Tone } from './figures.js';
import { dimensions, figure, given, plural } from './format.js';
import { fileText, footerText, machineFacts } from './run-blocks.js';

const decibels = (value: number | undefined): string => (value === undefined ? 'equal' : `${value.toFixed(1)} dB`);
const time = (ms: number): string => figure(ms, 'time');
const number = (value: number): string => Number(value.toPrecision(4)).toString();

function lossTone({ loss, gate }: EvalReport): Tone {
  if (gate) return gate.verdict === 'met' ? 'good' : 'bad';
  if (loss?.verdict === 'significant') return (loss.value ?? 1) > 0 ? 'bad' : 'good';
  return 'plain';
}

function accuracyDetail({ top1, top5, crossEntropy }: AccuracyFacts): string {
  const parts = [
    `${top1.count} of ${top1.total}, ${shareInterval(top1)}`,
    given(top5, (share) => `top-5 ${shareText(share)}`),
    given(crossEntropy, (loss) => `cross entropy ${number(loss)}`),
  ];
  return parts.filter((part) => part !== '').join('; ');
}

/** Of disagreement and errors the figure itself is the detail's subject; of accuracy the paired test is. */
function lossAnswer(report: EvalReport): Answer[] {
  const { loss, paired, agreement, differences } = report;
  if (!loss) return [];
  const [worst] = differences.toSorted((a, b) => (b.relativePercent ?? Infinity) - (a.relativePercent ?? Infinity));
  const details = {
    'top-1 lost': given(paired, ({ lost, gained, verdict }) => {
      const said = verdict === 'significant' ? 'significant' : 'not significant';
      return `${lost} lost, ${gained} gained: ${said}`;
    }),
    'top-1 disagreement': given(
      agreement,
      ({ count, total }) => `${total - count} of ${total} samples get another class`,
    ),
    'relative error': given(worst, (output) => `of the energy of "${output.name}", the worst output`),
  };
  return [
    {
      question: `Loss (${loss.measure})`,
      value: lossValue(loss),
      detail: details[loss.measure],
      tone: lossTone(report),
    },
  ];
}

function answers(report: EvalReport): Answer[] {
  const { accuracy, agreement, data, loss, model, task, differences, batch, runMs } = report;
  const sqnr = differences.reduce((least, { sqnrDb }) => Math.min(least, sqnrDb ?? Infinity), Infinity);
  const skipped = data.skippedCount === 0 ? '' : `, ${plural(data.skippedCount, 'sample')} skipped`;
  const runs = batch === 1 ? 'one by one' : `up to ${batch} at a time`;
  return [
    ...(accuracy
      ? [
          {
            question: 'Top-1',
            value: shareText(accuracy.top1),
            detail: accuracyDetail(accuracy),
            tone: 'plain' as const,
          },
        ]
      : []),
    ...lossAnswer(report),
    ...(agreement && loss?.measure !== 'top-1 disagreement'
      ? [
          {
            question: 'Agreement with the reference',
            value: shareText(agreement),
            detail: `same class on ${agreement.count} of ${agreement.total}, ${shareInterval(agreement)}`,
            tone: 'plain' as const,
          },
        ]
      : []),
    ...(differences.length > 0 && !accuracy
      ? [
          {
            question: 'Signal to noise',
            value: sqnr === Infinity ? 'equal' : decibels(sqnr),
            detail: `of the outputs, ${task.outputs.length === 1 ? '' : 'the worst of them, '}against the reference`,
            tone: 'plain' as const,
          },
        ]
      : []),
    {
      question: 'Samples',
      value: String(data.samples),
      detail: `${runs}, ${time(runMs)} in ${model.name}${skipped}`,
      tone: data.skippedCount === 0 ? 'plain' : 'warn',
    },
  ];
}

/** Model and reference side by side. */
function accuracyTable({ accuracy, referenceAccuracy }: EvalReport): Block | undefined {
  if (!accuracy || !referenceAccuracy) return undefined;
  const row = (which: string, { top1, top5, crossEntropy }: AccuracyFacts): BlockCell[] => [
    which,
    shareText(top1),
    shareInterval(top1),
    given(top5, shareText),
    given(crossEntropy, number),
  ];
  const columns = [left(''), right('top-1'), left('interval', 2), right('top-5'), right('cross entropy', 1)];
  return tableBlock('Accuracy of both', 'open', columns, [row('reference', referenceAccuracy), row('model', accuracy)]);
}

function differenceTable({ differences }: EvalReport): Block | undefined {
  return tableBlock(
    'Outputs against those of the reference',
    'open',
    [
      left('output'),
      right('error'),
      right('signal to noise'),
      right('PSNR'),
      right('worst image', 2),
      left('worst sample', 3),
      right('its error', 3),
    ],
    differences.map((output) => [
      name(output.name),
      output.relativePercent === undefined ? toned('not a number', 'bad') : `${percentText(output.relativePercent)} %`,
      decibels(output.sqnrDb),
      output.psnrPeak === undefined ? '' : `${decibels(output.psnrDb)} of ${number(output.psnrPeak)}`,
      output.psnrPeak === undefined ? '' : decibels(output.leastPsnrDb),
      output.worstSample === undefined || !output.worstPercent ? '' : name(output.worstSample),
      given(output.worstPercent || undefined, (value) => `${percentText(value)} %`),
    ]),
  );
}

/** A class as a reader knows it: `3 cat`. */
function classNamer({ classes }: EvalReport): (label: number) => string {
  const names = new Map(classes.map(({ label, name: text }) => [label, text]));
  return (label) =>
    label < 0 ? 'no number' : [String(label), names.get(label)].filter((part) => part !== undefined).join(' ');
}

const ALL_SHOWN = 20;
const WORST_SHOWN = 12;

function classTables(report: EvalReport): (Block | undefined)[] {
  const { classes } = report;
  const named = classNamer(report);
  const columns = [
    left('class'),
    right('samples', 2),
    right('right'),
    left('interval', 3),
    right('reference', 1),
    left('mostly taken for'),
  ];
  const rows = (chosen: EvalReport['classes']): BlockCell[][] =>
    chosen.map(({ label, samples, right: share, referenceRight, takenFor, takenForCount }) => [
      named(label),
      String(samples),
      shareText(share),
      shareInterval(share),
      given(referenceRight, (count) => shareText({ ...share, value: count / Math.max(1, samples) })),
      given(takenFor, (other) => `${named(other)} (${takenForCount ?? 0})`),
    ]);
  if (classes.length <= ALL_SHOWN) return [tableBlock('Every class', 'open', columns, rows(classes))];
  const most = classes.reduce((count, { samples }) => Math.max(count, samples), 0);
  const worst = classes
    .toSorted((a, b) => a.right.value - b.right.value || b.samples - a.samples)
    .slice(0, WORST_SHOWN);
  return [
    most < LEAST_PER_CLASS
      ? { kind: 'text', text: `At most ${plural(most, 'sample')} per class: too few for figures of single classes.` }
      : tableBlock(`The ${WORST_SHOWN} worst of ${classes.length} classes`, 'open', columns, rows(worst)),
    tableBlock('Every class', 'folded', columns, rows(classes)),
  ];
}

const CONFUSIONS = 12;

function confusionTable(report: EvalReport): Block | undefined {
  const named = classNamer(report);
  const totals = new Map(report.classes.map(({ label, samples }) => [label, samples]));
  const wrong = report.confusion
    .filter(({ label, predicted }) => label !== predicted)
    .toSorted((a, b) => b.count - a.count);
  if (wrong.every(({ count }) => count === 1) && wrong.length > CONFUSIONS) return undefined;
  return tableBlock(
    'Most frequent confusions',
    'open',
    [left('is'), left('taken for'), right('times'), right('of', 1)],
    wrong
      .slice(0, CONFUSIONS)
      .map(({ label, predicted, count }) => [
        named(label),
        named(predicted),
        String(count),
        String(totals.get(label) ?? ''),
      ]),
  );
}

const MISTAKES_SHOWN = 10;

function mistakeTables(report: EvalReport): (Block | undefined)[] {
  const { mistakes, reference } = report;
  const named = classNamer(report);
  const columns = [left('sample'), left('is'), left('taken for'), right('margin', 1)];
  const rows = mistakes.map(({ sample, label, predicted, margin }) => [
    name(sample),
    named(label),
    named(predicted),
    number(margin),
  ]);
  const caption = reference ? 'Lost: right by the reference, wrong now' : 'Wrong answers, the surest first';
  const shown = tableBlock(caption, 'open', columns, rows.slice(0, MISTAKES_SHOWN));
  return rows.length <= MISTAKES_SHOWN
    ? [shown]
    : [shown, tableBlock(`${caption}: ${rows.length} of them`, 'folded', columns, rows)];
}

function outputTable({ outputs, task }: EvalReport): Block | undefined {
  return tableBlock(
    'Values of the outputs',
    task.kind === 'regress' ? 'open' : 'folded',
    [left('output'), left('shape', 1), right('least'), right('largest'), right('mean')],
    outputs.map(({ name: output, shape, low, high, mean }) => [
      name(output),
      dimensions(shape),
      number(low),
      number(high),
      number(mean),
    ]),
  );
}

function conditions(report: EvalReport): Block {
  const { data, task, model, reference } = report;
  const classes = given(task.classes, (count) => `, ${count} classes, ${task.scores ?? ''}`);
  const runs = [
    `${time(report.runMs)} in the model`,
    given(report.referenceRunMs, (ms) => `${time(ms)} in the reference`),
  ];
  return {
    kind: 'facts',
    facts: [
      ['model', fileText(model)],
      ...factOf(reference, (file) => ['reference', fileText(file)]),
      [
        'data',
        `${data.name}, ${plural(data.samples, 'sample')}, ${data.labelled} labelled${given(data.digest, (digest) => `, SHA-256 ${digest}`)}`,
      ],
      ...data.preparation.map((text) => ['prepared', text] as const),
      ...factOf(data.limit, (limit) => ['drawn', `${limit} asked for, seed ${report.seed}`]),
      [
        'outputs',
        `${task.outputs.join(', ')}: ${task.kind === 'classify' ? 'class scores' : 'values'}${classes}; ${task.why}`,
      ],
      [
        'time',
        `${[...runs.filter((part) => part !== ''), `${time(report.elapsedMs)} in all`].join(', ')}, ${plural(report.threads, 'thread')}`,
      ],
      ...machineFacts(report),
    ],
  };
}

type Fact = readonly [term: string, text: string];
const factOf = <T>(value: T | undefined, fact: (value: T) => Fact): Fact[] =>
  value === undefined ? [] : [fact(value)];

function skippedTable({ data: { skipped, skippedCount } }: EvalReport): Block | undefined {
  const caption = skippedCount > skipped.length ? `Skipped: the first ${skipped.length} of ${skippedCount}` : 'Skipped';
  return tableBlock(
    caption,
    'open',
    [left('sample'), left('why')],
    skipped.map(({ sample, reason }) => [name(sample), reason]),
  );
}

/** The document of an `eval` report. */
export function evalDocument(report: EvalReport): Document {
  const { model, reference, data, paired, loss, gate } = report;
  const sentences: Block[] = [
    ...(paired ? [{ kind: 'text', text: pairedSentence(paired) } as const] : []),
    ...(loss && gate
      ? [
          {
            kind: 'text',
            text: `--max-drop: ${gateSentence(loss, gate)}`,
            tone: gate.verdict === 'met' ? 'good' : 'bad',
          } as const,
        ]
      : []),
  ];
  return {
    title: `${model.name} on ${data.name}${given(reference, (file) => `, against ${file.name}`)}`,
    lead: [{ kind: 'answers', answers: answers(report) }, ...sentences, ...warningBlocks(report.warnings)],
    sections: [
      ...section('Against the reference', accuracyTable(report), differenceTable(report)),
      ...section('Classes', ...classTables(report), confusionBlock(report, classNamer(report)), confusionTable(report)),
      ...section('Mistakes', ...mistakeTables(report)),
      ...section('Outputs', outputTable(report)),
      ...section('Data', skippedTable(report)),
      ...section('How it was measured', conditions(report)),
    ],
    footer: footerText(report),
  };
}
