// What the report of `slim` says, in the order in which a reader asks: smaller by, faster by, as good as, what was
// skipped and why; then per pass; then per layer; then how it was measured.
import {
  COST_WORDS,
  countText,
  layerCaption,
  layerCost,
  operatorBars,
  shareBlock,
  someNames,
  time,
  type Cost,
} from './blocks.js';
import {
  MAX_BARS,
  left,
  name,
  operatorNote,
  right,
  section,
  tableBlock,
  toned,
  warningBlocks,
  type BarRow,
  type BarsBlock,
  type Block,
  type BlockCell,
  type Document,
  type Section,
} from './document.js';
import { answers, duration, timingConditions } from './figures.js';
import { difference, dimensions, figure, figurePair, given, plural, scientific, countOf } from './format.js';
import type { DeclineReport, LayerReport, PassReport, SlimReport } from './report.js';
import { figureSections, fileRows, footerText, machineFacts, recipeBlocks, runTitle } from './run-blocks.js';

export interface DeclineGroup {
  readonly pass: string;
  readonly code: string;
  readonly message: string;
  readonly sites: number;
  readonly nodes: readonly string[];
}

/** Declines with the same pass, code and words together, most sites first. */
export function groupDeclines(declines: readonly DeclineReport[]): DeclineGroup[] {
  const groups = new Map<string, { pass: string; code: string; message: string; sites: number; nodes: string[] }>();
  for (const { pass, code, message, node, count } of declines) {
    const key = JSON.stringify([pass, code, message]);
    const group = groups.get(key) ?? { pass, code, message, sites: 0, nodes: [] };
    group.sites += count;
    if (node !== undefined) group.nodes.push(node);
    groups.set(key, group);
  }
  return [...groups.values()].sort((a, b) => b.sites - a.sites);
}

/** What was not rewritten, by reason and site by site. */
function declineBlocks(declines: readonly DeclineReport[]): (Block | undefined)[] {
  if (declines.length === 0)
    return [{ kind: 'text', text: 'Nothing: every site where a pass could fire was rewritten.' }];
  const groups = groupDeclines(declines);
  return [
    tableBlock(
      'Reasons',
      'open',
      [left('pass'), left('reason'), right('sites'), left('where', 1)],
      groups.map(({ pass, code, message, sites, nodes }) => [
        name(pass),
        `${message} [${code}]`,
        String(sites),
        name(someNames(nodes, 2)),
      ]),
    ),
    tableBlock(
      'Every site',
      'folded',
      [left('pass'), left('code'), left('node'), right('sites')],
      declines.map(({ pass, code, node, count }) => [name(pass), name(code), name(node ?? ''), String(count)]),
    ),
  ];
}

function passRow({
  pass,
  outcome,
  reason,
  stats,
  sites,
  nodesRemoved,
  parametersDelta,
  macsDelta,
  ms,
}: PassReport): BlockCell[] {
  const said =
    outcome === 'undone' || outcome === 'rejected' ? [outcome.toUpperCase() + given(reason, (why) => `: ${why}`)] : [];
  const counts = stats.filter(({ count }) => count > 0).map(({ label, count }) => countOf(count, label));
  const what = [...said, ...counts].join(' · ');
  return [
    name(pass),
    said.length > 0 ? toned(what, 'warn') : what,
    String(sites),
    difference(-nodesRemoved, 'whole'),
    difference(parametersDelta, 'count'),
    macsDelta === undefined ? '' : difference(macsDelta, 'count'),
    duration(ms),
  ];
}

/** Whether a pass may change outputs within bounds: where it went beyond, nothing is broken. */
export const isLossy = ({ passes }: Pick<SlimReport, 'passes'>, passName: string): boolean =>
  passes.some(({ pass, exactness }) => pass === passName && exactness === 'lossy');

/** What each pass did, and what was undone. */
export function passBlocks(
  { passes, verification }: SlimReport,
  times: 'with-times' | 'without-times',
): (Block | undefined)[] {
  const all = [
    left('pass'),
    left('what'),
    right('sites'),
    right('nodes'),
    right('params', 2),
    right('MACs', 2),
    right('took', 3),
  ];
  const columns = times === 'with-times' ? all : all.slice(0, -1);
  const idle = passes.filter(({ outcome }) => outcome === 'no-change').map(({ pass }) => pass);
  const undone = verification.undone.map(({ pass, node, worstRelative, reproducer }): [string, BlockCell[]] => [
    pass,
    [
      name(pass),
      name(node ?? ''),
      worstRelative === undefined ? 'not a number' : scientific(worstRelative),
      name(reproducer ?? ''),
    ],
  ]);
  return [
    tableBlock(
      'Passes that had something to do',
      'open',
      columns,
      passes.filter(({ outcome }) => outcome !== 'no-change').map(passRow),
    ),
    tableBlock(
      'Rewrites undone: defects of mcompress, worth a bug report',
      'open',
      [left('pass'), left('node'), right('error'), left('reproducer')],
      undone.filter(([pass]) => !isLossy({ passes }, pass)).map(([, row]) => row),
    ),
    tableBlock(
      'Rewrites undone: they changed the outputs by more than their pass may',
      'open',
      [left('pass'), left('node'), right('error'), left('shown by')],
      undone.filter(([pass]) => isLossy({ passes }, pass)).map(([, row]) => row),
    ),
    idle.length === 0 ? undefined : { kind: 'text', text: `Ran and found nothing to do: ${idle.join(', ')}.` },
  ];
}

/** `412 µs → 371 µs`; `gone` where a layer was merged into another. */
function barText(before: number | undefined, after: number | undefined, cost: Cost): string {
  const [scale, quantity] = cost === 'timeUs' ? ([1e-3, 'time'] as const) : ([1, 'count'] as const);
  if (before !== undefined && after !== undefined)
    return figurePair(before * scale, after * scale, quantity).join(' → ');
  if (before !== undefined) return `${figure(before * scale, quantity)} → gone`;
  return after === undefined ? '' : `new ${figure(after * scale, quantity)}`;
}

function layerBars(layers: readonly LayerReport[]): BarsBlock | undefined {
  const cost = layerCost(layers.flatMap(({ before, after }) => [before, after]));
  const rows = layers
    .map(({ name: label, before, after }): BarRow & { readonly weight: number } => {
      const was = before?.[cost];
      const is = after?.[cost];
      const note = operatorNote(label, after?.opType ?? before?.opType ?? '');
      return { label, note, before: was, after: is, text: barText(was, is, cost), weight: Math.max(was ?? 0, is ?? 0) };
    })
    .filter(({ weight }) => weight > 0);
  const dearest = [...rows].sort((a, b) => b.weight - a.weight).slice(0, MAX_BARS);
  if (dearest.length === 0) return undefined;
  const kept = new Set(dearest);
  return {
    kind: 'bars',
    caption: layerCaption(dearest.length, rows.length),
    measure: COST_WORDS[cost],
    series: ['before', 'after'],
    rows: rows.filter((row) => kept.has(row)),
  };
}

function layerTable(layers: readonly LayerReport[]): Block | undefined {
  const times = [right('before'), right('after'), left('runs as', 2)];
  const columns = [left('layer'), left('operator', 2), left('output', 3), right('MACs'), right('params', 3), ...times];
  return tableBlock(
    `All ${layers.length} layers`,
    'folded',
    columns,
    layers.map(({ name: label, before, after }) => {
      const facts = after ?? before;
      const runs = after ? (after.ranAs ?? before?.ranAs ?? '') : 'merged or removed';
      return [
        name(label),
        name(facts?.opType ?? ''),
        given(facts?.shape, dimensions),
        given(facts?.macs, countText),
        given(facts?.parameters, countText),
        given(before?.timeUs, time),
        given(after?.timeUs, time),
        runs,
      ];
    }),
  );
}

const fusionLabel = (fusion: 'on' | 'off'): string => (fusion === 'on' ? 'runtime fusion on' : 'runtime fusion off');

const LEGEND =
  'MACs are multiply-accumulates; FLOPs are twice that. Memory is the largest sum of activations alive at one time, ' +
  'weights not counted. Tensor layers hold a learned weight of higher order (convolution, fully connected); all others are ' +
  'non-tensor layers. docs/report.md explains every figure.';

function measurement(report: SlimReport): Section[] {
  const {
    verification: check,
    figures: { latency },
  } = report;
  const error = (worst: number | undefined): string => (worst === undefined ? 'not a number' : scientific(worst));
  const outputs = someNames(
    check.outputs.map(({ name: label, worstRelative }) => `${label} ${error(worstRelative)}`),
    8,
  );
  const agreement =
    plural(check.feeds, 'feed') +
    given(check.feedKinds, (kinds) => ` (${kinds})`) +
    given(check.tolerance, (most) => `, allowed ${scientific(most)} of the scale of an output`) +
    (outputs === '' ? '' : `; worst per output: ${outputs}`);
  const facts: (readonly [string, string])[] = [
    ...fileRows(report),
    ...machineFacts(report),
    ['agreement', agreement],
    ...(latency ? [['latency', `the two models in turn, ${timingConditions(latency)}`] as const] : []),
    ['seed, threads', `${report.seed}, ${report.threads}`],
    ...(report.createdAt === undefined ? [] : [['made', report.createdAt] as const]),
    ...(report.elapsedMs === undefined ? [] : [['took', duration(report.elapsedMs)] as const]),
  ];
  return section('How it was measured', { kind: 'facts', facts }, ...recipeBlocks(report.recipe), {
    kind: 'text',
    text: LEGEND,
  });
}

/** The document of a `slim` report. */
export function slimDocument(report: SlimReport): Document {
  const shares = report.timeShare.flatMap(({ fusion, before, after }) => [
    { label: `before, ${fusionLabel(fusion)}`, share: before },
    { label: `after, ${fusionLabel(fusion)}`, share: after },
  ]);
  return {
    title: runTitle(report),
    lead: [{ kind: 'answers', answers: answers(report) }, ...warningBlocks(report.warnings)],
    sections: [
      ...figureSections(report),
      ...section('What was skipped, and why', ...declineBlocks(report.declines)),
      ...section('Pass by pass', ...passBlocks(report, 'with-times')),
      ...section('Layer by layer', layerBars(report.layers), layerTable(report.layers)),
      ...section('Where the time goes', shareBlock(shares)),
      ...section('Operators', operatorBars(report.operators, ['before', 'after'])),
      ...measurement(report),
    ],
    footer: footerText(report),
  };
}
