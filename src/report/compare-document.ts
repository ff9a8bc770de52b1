// What `compare` says: do A and B compute the same, where do they part, what does each need.
import { figureTable, operatorBars, timingBlocks } from './blocks.js';
import type { CompareReport } from './compare-report.js';
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
import { figureRows, type Tone } from './figures.js';
import { given, plural, scientific } from './format.js';
import { fileText, footerText, machineFacts } from './run-blocks.js';

const VERDICTS: { readonly [V in CompareReport['verdict']]: { readonly text: string; readonly tone: Tone } } = {
  agree: { text: 'agree', tone: 'good' },
  differ: { text: 'DIFFER', tone: 'bad' },
  'not-comparable': { text: 'cannot be compared', tone: 'warn' },
};

type Difference = Pick<CompareReport['outputs'][number], 'worstRelative' | 'worstAbsolute' | 'note'>;

function differenceCells({ worstRelative, worstAbsolute, note }: Difference, tolerance: number): BlockCell[] {
  const missing = note === undefined ? 'not a number' : '';
  const relative = worstRelative === undefined ? missing : scientific(worstRelative);
  const beyond = note === undefined && (worstRelative === undefined || worstRelative > tolerance);
  return [beyond ? toned(relative, 'bad') : relative, given(worstAbsolute, scientific), note ?? ''];
}

const ERRORS = [right('relative'), right('absolute', 2), left('remark')];
/** Rows before and behind the first divergence. */
const CONTEXT = 3;

function outputTable({ outputs, tolerance }: CompareReport): Block | undefined {
  return tableBlock(
    'Worst difference over all feeds',
    'open',
    [left('output'), ...ERRORS],
    outputs.map((output) => [name(output.name), ...differenceCells(output, tolerance)]),
  );
}

/** The values at the first divergence, and all of them folded. */
function valueTables({ values, tolerance, firstDivergence }: CompareReport): (Block | undefined)[] {
  const columns = [left('value'), left('node of A', 3), left('node of B', 2), ...ERRORS];
  const rows = (chosen: CompareReport['values']): BlockCell[][] =>
    chosen.map((value) => [
      name(value.value),
      name(value.nodeA),
      name(value.nodeB),
      ...differenceCells(value, tolerance),
    ]);
  const at = values.findIndex(({ value }) => value === firstDivergence?.value);
  const near = at < 0 ? [] : values.slice(Math.max(0, at - CONTEXT), at + CONTEXT);
  return [
    tableBlock('Around the first divergence', 'open', columns, rows(near)),
    tableBlock('Values that both models have', 'folded', columns, rows(values)),
  ];
}

function matchingText({ matching, values }: CompareReport): Block | undefined {
  if (!matching) return undefined;
  const { byName, byStructure, onlyA, onlyB, feed } = matching;
  const text =
    `${plural(values.length, 'value')} compared on the feed "${feed}". ${byName} matched by name, ${byStructure} by structure; ` +
    `${onlyA} of A and ${onlyB} of B have no counterpart.`;
  return { kind: 'text', text };
}

/** Operators that one model has more often than the other. */
function operatorBlock({ operators }: CompareReport): Block {
  const changed = operators.filter(({ before, after }) => before !== after);
  const same: Block = { kind: 'text', text: 'Both models have the same operators, equally often.' };
  return operatorBars(changed, ['A', 'B'], 'Operators that one has more often') ?? same;
}

/** The document of a `compare` report. */
export function compareDocument(report: CompareReport): Document {
  const { a, b, tolerance, firstDivergence: first } = report;
  const verdict = VERDICTS[report.verdict];
  const worst = report.outputs.reduce((most, { worstRelative }) => Math.max(most, worstRelative ?? 0), 0);
  const asked = `allowed ${scientific(tolerance)} of scale, ${plural(report.feeds, 'feed')}${given(report.feedKinds, (kinds) => ` (${kinds})`)}`;
  const error = report.verdict === 'not-comparable' ? '' : `worst ${scientific(worst)}, `;
  const detail = given(report.reason, (why) => `${why}; `) + error + asked;
  const divergence =
    first &&
    `First beyond the tolerance: ${first.value}, made by ${first.nodeA} in A and ${first.nodeB} in B` +
      ` (${first.worstRelative === undefined ? 'not a number' : scientific(first.worstRelative)} of scale).`;
  return {
    title: `${a.name} and ${b.name}`,
    lead: [
      { kind: 'answers', answers: [{ question: 'The models', value: verdict.text, detail, tone: verdict.tone }] },
      ...(divergence === undefined ? [] : [{ kind: 'text', text: divergence, tone: 'bad' } as const]),
      ...warningBlocks(report.warnings),
    ],
    sections: [
      ...section('Outputs', outputTable(report)),
      ...section('Node by node', matchingText(report), ...valueTables(report)),
      ...section(
        'Figures',
        figureTable('A and B', figureRows(report.figures), ['A', 'B']),
        ...timingBlocks(report.figures, ['A', 'B']),
      ),
      ...section('Operators', operatorBlock(report)),
      ...section('How it was measured', {
        kind: 'facts',
        facts: [
          ['A', fileText(a)],
          ['B', fileText(b)],
          ...machineFacts(report),
          ['seed, threads', `${report.seed}, ${report.threads}`],
        ],
      }),
    ],
    footer: footerText(report),
  };
}
