// What `calibrate` says: how much was seen, how far the calibrators cut, whether the samples fit the model.
import type { CalibrateReport } from './calibrate-report.js';
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
import type { Answer } from './figures.js';
import { figure, given, plural, share } from './format.js';
import { footerText, machineFacts } from './run-blocks.js';

type ValueReport = CalibrateReport['values'][number];
type Ends = { readonly min: number; readonly max: number };

const number = (value: number): string => Number(value.toPrecision(4)).toString();
const ends = ({ min, max }: Ends): string => (min === 0 ? `0 … ${number(max)}` : `${number(min)} … ${number(max)}`);
const width = ({ min, max }: Ends): number => max - min;

/** Part of the whole range that a calibrator keeps; undefined where there is none. */
function kept({ ranges }: ValueReport, calibrator: string): number | undefined {
  const [whole] = ranges;
  const range = ranges.find((candidate) => candidate.calibrator === calibrator);
  return whole && range && width(whole) > 0 ? width(range) / width(whole) : undefined;
}

/** What stands for "how much could be cut". */
const CUTTING = 'mse';

function answers(report: CalibrateReport): Answer[] {
  const { data, values, elapsedMs, merged } = report;
  const each = given(elapsedMs, (ms) => `${figure(ms / Math.max(1, data.samples), 'time')} each`);
  const skipped = data.skippedCount === 0 ? '' : `${plural(data.skippedCount, 'sample')} skipped`;
  const joined = given(merged, (count) => `${plural(count, 'cache')} merged`);
  const cut = values.flatMap((value) => {
    const part = kept(value, CUTTING);
    return part === undefined ? [] : [{ value, part }];
  });
  const sorted = cut.toSorted((a, b) => a.part - b.part);
  const middle = sorted[sorted.length >> 1];
  const [most] = sorted;
  return [
    {
      question: 'Calibrated',
      value: plural(values.length, 'value'),
      detail: `written to ${report.output === '-' ? 'standard output' : report.output}`,
      tone: 'plain',
    },
    {
      question: 'Samples',
      value: data.kind === 'none' ? 'none' : String(data.samples),
      detail: [data.kind === 'none' ? `${data.samples} random inputs` : '', each, skipped, joined]
        .filter((part) => part !== '')
        .join(', '),
      tone: data.kind === 'none' || data.skippedCount > 0 ? 'warn' : 'plain',
    },
    ...(middle && most
      ? [
          {
            question: 'Outliers',
            value: `${share(middle.part, 1)} of the range kept`,
            detail: `by the smallest squared error, median over the values; least ${share(most.part, 1)} of "${most.value.name}"`,
            tone: 'plain' as const,
          },
        ]
      : []),
  ];
}

/** Columns go in this order where there is no room for all. */
const DROPPED: Readonly<Record<string, number>> = {
  'moving-average': 5,
  'percentile-99.999': 4,
  'percentile-99.9': 3,
  entropy: 2,
  'percentile-99.99': 1,
};

function rangeTable(values: readonly ValueReport[], caption: string, shown: 'open' | 'folded'): Block | undefined {
  const calibrators = values[0]?.ranges.map(({ calibrator }) => calibrator) ?? [];
  const columns = [left('value'), right('zeros', 6), ...calibrators.map((title) => right(title, DROPPED[title]))];
  return tableBlock(
    caption,
    shown,
    columns,
    values.map((value): BlockCell[] => [
      name(value.name),
      value.counted === 0 ? '' : share(value.zeros, value.counted),
      ...value.ranges.map((range) => ends(range)),
    ]),
  );
}

const MOST_CUT = 10;

function rangeTables({ values }: CalibrateReport): (Block | undefined)[] {
  const cut = values
    .filter((value) => (kept(value, CUTTING) ?? 1) < 1)
    .toSorted((a, b) => (kept(a, CUTTING) ?? 1) - (kept(b, CUTTING) ?? 1));
  if (values.length <= MOST_CUT) return [rangeTable(values, 'Ranges', 'open')];
  return [
    rangeTable(cut.slice(0, MOST_CUT), `Values with the rarest outliers`, 'open'),
    rangeTable(values, 'All ranges', 'folded'),
  ];
}

function normalizationTable({ normalization }: CalibrateReport): Block | undefined {
  return (
    normalization &&
    tableBlock(
      'Inputs of BatchNormalization, against what the nodes expect',
      'folded',
      [left('node'), right('mean, deviations off'), right('deviation')],
      normalization.nodes.map(({ node, shift, spread }) => [name(node), shift.toFixed(2), `${spread.toFixed(2)} x`]),
    )
  );
}

function skippedTable({ data }: CalibrateReport): Block | undefined {
  return tableBlock(
    'Samples that could not be read',
    'folded',
    [left('sample'), left('reason')],
    data.skipped.map(({ sample, reason }) => [name(sample), toned(reason, 'warn')]),
  );
}

function conditions({ model, modelSha256, data, threads, elapsedMs, machine, versions }: CalibrateReport): Block {
  const parts = data.parts.map(({ from, to }) => `${from} to ${to}`).join(', ');
  const samples = `${given(data.name, (text) => `${text}: `)}${parts}${given(data.total, (total) => ` of ${total}`)}, ${
    data.order === 'stored' ? 'as stored' : `drawn by the seed ${data.seed}`
  }`;
  return {
    kind: 'facts',
    facts: [
      ['model', `${given(model, (file) => `${file.name}, ${plural(file.bytes, 'byte')}, `)}SHA-256 ${modelSha256}`],
      ['samples', data.kind === 'none' ? 'none: random inputs' : samples],
      ...data.preparation.map((text) => ['prepared', text] as const),
      ...(data.digest === '' ? [] : [['data', `SHA-256 ${data.digest}`] as const]),
      ...(elapsedMs === undefined ? [] : [['took', figure(elapsedMs, 'time')] as const]),
      ...(threads === undefined ? [] : [['threads', String(threads)] as const]),
      ...machineFacts({ machine, versions }),
    ],
  };
}

/** The document of a `calibrate` report. */
export function calibrateDocument(report: CalibrateReport): Document {
  return {
    title: `Calibration of ${report.model?.name ?? report.output}`,
    lead: [{ kind: 'answers', answers: answers(report) }, ...warningBlocks(report.warnings)],
    sections: [
      ...section('Ranges', ...rangeTables(report)),
      ...section('Samples and model', normalizationTable(report), skippedTable(report)),
      ...section('How it was made', conditions(report)),
    ],
    footer: footerText(report),
  };
}
