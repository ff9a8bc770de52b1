// What `profile` says: how long a run takes, and which layers take it.
import { costBars, layerTable, shareBlock, time } from './blocks.js';
import {
  left,
  name,
  right,
  section,
  tableBlock,
  warningBlocks,
  type BlockCell,
  type Block,
  type Document,
} from './document.js';
import { figure, plural, share } from './format.js';
import type { ProfileReport } from './profile-report.js';

/** Time by operator, dearest first; the runtime's own nodes are marked. */
function operatorTable({ layers, runtimeNodes }: ProfileReport): Block | undefined {
  const groups = new Map<string, { count: number; timeUs: number }>();
  for (const {
    facts: { opType, timeUs },
  } of layers) {
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

/** The document of a `profile` report. */
export function profileDocument(report: ProfileReport): Document {
  const { latency, machine, versions, threads, rounds, fusion, load } = report;
  const ms = (value: number): string => figure(value, 'time');
  return {
    title: report.file.name,
    lead: [
      {
        kind: 'facts',
        facts: [
          [
            'latency',
            `${ms(latency.p50Ms)} (p90 ${ms(latency.p90Ms)}, p99 ${ms(latency.p99Ms)}), ${plural(threads, 'thread')}`,
          ],
          ...(load === undefined ? [] : [['load', ms(load)] as const]),
          ['profile', `${plural(rounds, 'run')}, fusion of the runtime ${fusion}`],
          ['machine', `${machine.cpu}, ${plural(machine.cores, 'core')}, ONNX Runtime ${versions.onnxruntime}`],
        ],
      },
      ...warningBlocks(report.warnings),
    ],
    sections: [
      ...section('Layer by layer', costBars(report.layers), layerTable(report.layers)),
      ...section('By operator', operatorTable(report)),
      ...section(
        'Where the time goes',
        shareBlock(report.timeShare.map((one) => ({ label: `runtime fusion ${one.fusion}`, share: one.share }))),
      ),
    ],
    footer: `mcompress ${versions.mcompress}, report version ${report.version}, seed ${report.seed}, SHA-256 ${report.file.sha256}`,
  };
}
