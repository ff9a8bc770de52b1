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
  type BlockCell,
  type Document,
  type Section,
} from './document.js';
import { figureRows, type Tone } from './figures.js';
import { figure, given, plural, scientific } from './format.js';

const VERDICTS: { readonly [V in CompareReport['verdict']]: { readonly text: string; readonly tone: Tone } } = {
  agree: { text: 'agree', tone: 'good' },
  differ: { text: 'DIFFER', tone: 'bad' },
  'not-comparable': { text: 'cannot be compared', tone: 'warn' },
};

type Difference = Pick<CompareReport['outputs'][number], 'worstRelative' | 'worstAbsolute' | 'note'>;

function differenceCells({ worstRelative, worstAbsolute, note }: Difference, tolerance: number): BlockCell[] {
  const missing = note === undefined ? 'not a number' : '';
  const relative = worstRelative === undefined ? missing : scientific(worstRelative);
  const beyond = worstRelative === undefined ? note === undefined : worstRelative > tolerance;
  return [beyond ? toned(relative, 'bad') : relative, given(worstAbsolute, scientific), note ?? ''];
}

function differenceSections({ outputs, values, tolerance }: CompareReport): Section[] {
  const errors = [right('relative'), right('absolute', 2), left('remark')];
  return [
    ...section(
      'Outputs',
      tableBlock(
        'Worst difference over all feeds',
        'open',
        [left('output'), ...errors],
        outputs.map((output) => [name(output.name), ...differenceCells(output, tolerance)]),
      ),
    ),
    ...section(
      'Node by node',
      tableBlock(
        'Values that both models have',
        'folded',
        [left('value'), left('node of A'), left('node of B'), ...errors],
        values.map((value) => [
          name(value.value),
          name(value.nodeA),
          name(value.nodeB),
          ...differenceCells(value, tolerance),
        ]),
      ),
    ),
  ];
}

/** The document of a `compare` report. */
export function compareDocument(report: CompareReport): Document {
  const { a, b, tolerance, firstDivergence: first, machine, versions } = report;
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
      ...differenceSections(report),
      ...section(
        'Figures',
        figureTable('A and B', figureRows(report.figures), ['A', 'B']),
        ...timingBlocks(report.figures, ['A', 'B']),
      ),
      ...section('Operators', operatorBars(report.operators, ['A', 'B'])),
      ...section('How it was measured', {
        kind: 'facts',
        facts: [
          ['A', `${a.name}, ${plural(a.bytes, 'byte')}, SHA-256 ${a.sha256}`],
          ['B', `${b.name}, ${plural(b.bytes, 'byte')}, SHA-256 ${b.sha256}`],
          [
            'machine',
            `${machine.cpu}, ${plural(machine.cores, 'core')}, ${figure(machine.memoryBytes, 'bytes')}, ${machine.os}`,
          ],
          ['versions', `mcompress ${versions.mcompress}, ONNX Runtime ${versions.onnxruntime}, Node ${versions.node}`],
          ['seed, threads', `${report.seed}, ${report.threads}`],
        ],
      }),
    ],
    footer: `mcompress ${versions.mcompress}, report version ${report.version}`,
  };
}
