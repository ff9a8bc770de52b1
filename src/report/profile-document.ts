// What `profile` says: how long a run takes, and which layers take it.
import { costBars, countText, layerTable, shareBlock, someNames, time } from './blocks.js';
import {
  left,
  name,
  right,
  section,
  tableBlock,
  TOP_LAYERS,
  warningBlocks,
  type BlockCell,
  type Block,
  type Document,
} from './document.js';
import { dimensions, figure, given, plural, share } from './format.js';
import type { ProfileReport } from './profile-report.js';
import { footerText } from './run-blocks.js';

/** Time by operator, dearest first; the runtime's own nodes are marked. */
function operatorTable({ layers, runtimeNodes }: ProfileReport): Block | undefined {
  const groups = new Map<string, { count: number; timeUs: number }>();
  for (const {
    facts: { opType, timeUs },
  } of layers.filter(({ facts }) => (facts.timeUs ?? 0) > 0)) {
    const group = groups.get(opType) ?? { count: 0, timeUs: 0 };
    groups.set(opType, { count: group.count + 1, timeUs: group.timeUs + (timeUs ?? 0) });
  }
  const entries = [
    ...[...groups].map(([opType, group]) => ({ opType, ...group, by: '' })),
    ...runtimeNodes.map((node) => ({ ...node, by: 'added by the runtime' })),
  ].sort((a, b) => b.timeUs - a.timeUs);
  const total = entries.reduce((sum, { timeUs }) => sum + timeUs, 0);
  const rows = entries.map(({ opType, count, timeUs, by }): BlockCell[] => [
    name(opType),
    String(count),
    time(timeUs),
    share(timeUs, total),
    by,
  ]);
  return tableBlock(
    'Time by operator',
    'open',
    [left('operator'), right('nodes'), right('time'), right('share'), left('', 1)],
    rows,
  );
}

/** The dearest layers in order of execution. */
function topTable({ layers }: ProfileReport, top: number): Block | undefined {
  const timed = layers.filter(({ facts }) => (facts.timeUs ?? 0) > 0);
  const dearest = new Set(timed.toSorted((a, b) => (b.facts.timeUs ?? 0) - (a.facts.timeUs ?? 0)).slice(0, top));
  const total = layers.reduce((sum, { facts }) => sum + (facts.timeUs ?? 0), 0);
  const most = Math.max(0, ...timed.map(({ facts }) => facts.timeUs ?? 0));
  const caption =
    dearest.size < timed.length
      ? `The ${dearest.size} dearest of ${timed.length} layers that ran, in order of execution`
      : 'Layers that ran, in order of execution';
  return tableBlock(
    caption,
    'open',
    [
      left('layer'),
      left('operator', 2),
      left('output', 3),
      right('MACs', 3),
      right('time'),
      left('share'),
      right('alone', 1),
      left('ran as', 4),
    ],
    timed
      .filter((layer) => dearest.has(layer))
      .map(({ name: label, facts: { opType, shape, macs, timeUs = 0, aloneUs, ranAs } }) => [
        name(label),
        name(opType),
        given(shape, dimensions),
        given(macs, countText),
        time(timeUs),
        { text: share(timeUs, total), meter: timeUs / most },
        given(aloneUs, time),
        ranAs ?? '',
      ]),
  );
}

/** What became of the nodes: fused and replaced ones, and those that did not run. The others ran as they are. */
function ranAsBlocks({ ranAs, notRun }: ProfileReport): (Block | undefined)[] {
  const gone = notRun.map(({ opType, count }) => `${opType} (${count})`);
  const changed = ranAs.filter(({ operators, ranAs: ran }) => operators !== ran);
  const kept = ranAs.filter((group) => !changed.includes(group)).reduce((sum, { count }) => sum + count, 0);
  const keptText =
    kept === 0
      ? ''
      : `${plural(kept, changed.length === 0 ? 'node' : 'other node')} ran as ${kept === 1 ? 'it is' : 'they are'}.`;
  const goneText =
    gone.length === 0 ? '' : ` Did not run (computed while loading, or removed): ${someNames(gone, 12)}.`;
  return [
    tableBlock(
      'Nodes that the runtime fused or replaced',
      'open',
      [left('nodes'), left('ran as'), right('count'), right('time')],
      changed.map(({ operators, ranAs: ran, count, timeUs }) => [
        name(operators),
        name(ran),
        String(count),
        time(timeUs),
      ]),
    ),
    { kind: 'text', text: (keptText + goneText).trim() },
  ];
}

function aloneBlock({ alone, layers }: ProfileReport): Block | undefined {
  if (!alone) return undefined;
  const { distinct, measured, notTimed, sumUs, table } = alone;
  const run = layers.reduce((sum, { facts }) => sum + (facts.timeUs ?? 0), 0);
  const origin = table === 'own' ? `${measured} measured now, the others read` : 'read from a table of another machine';
  return {
    kind: 'facts',
    facts: [
      ['layers', `${distinct} distinct: ${origin}${notTimed === 0 ? '' : `; ${plural(notTimed, 'node')} not timed`}`],
      ['sum', `${time(sumUs)} alone, ${time(run)} in the model, where the runtime fuses`],
    ],
  };
}

function leadFacts(report: ProfileReport): (readonly [string, string])[] {
  const { latency, machine, versions, threads, rounds, optimization, load, memory, feed } = report;
  const ms = (value: number): string => figure(value, 'time');
  return [
    [
      'latency',
      `${ms(latency.p50Ms)} (p90 ${ms(latency.p90Ms)}, p99 ${ms(latency.p99Ms)}), ${plural(threads, 'thread')}`,
    ],
    ...(load === undefined ? [] : [['load', ms(load)] as const]),
    ...(memory === undefined
      ? []
      : [
          [
            'memory',
            `${figure(memory.peakBytes, 'bytes')} at its peak, ${figure(memory.loadedBytes, 'bytes')} after loading`,
          ] as const,
        ]),
    ['profile', `${plural(rounds, 'run')}, optimization ${optimization}, inputs: ${feed}`],
    ['machine', `${machine.cpu}, ${plural(machine.cores, 'core')}, ONNX Runtime ${versions.onnxruntime}`],
  ];
}

/** The document of a `profile` report; `top` layers are listed. */
export function profileDocument(report: ProfileReport, top = TOP_LAYERS): Document {
  const bars = costBars(report.layers);
  return {
    title: report.file.name,
    lead: [{ kind: 'facts', facts: leadFacts(report) }, ...warningBlocks(report.warnings)],
    sections: [
      ...section(
        'Where the time goes',
        shareBlock(report.timeShare.map((one) => ({ label: `runtime fusion ${one.fusion}`, share: one.share }))),
      ),
      ...section(
        'Layer by layer',
        bars && { ...bars, inTerminal: 'hide' },
        topTable(report, top),
        layerTable(report.layers),
      ),
      ...section('Layers alone', aloneBlock(report)),
      ...section('By operator', operatorTable(report)),
      ...section('What ran as what', ...ranAsBlocks(report)),
    ],
    footer: `${footerText(report)}, seed ${report.seed}, SHA-256 ${report.file.sha256}`,
  };
}
