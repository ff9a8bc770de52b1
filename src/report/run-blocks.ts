// Where and how a report was made, in the words that all documents share.
import { figureTable, timingBlocks } from './blocks.js';
import { left, right, section, tableBlock, toned, type Block, type Section } from './document.js';
import type { FileFacts } from './facts.js';
import { baselineText, figureRows } from './figures.js';
import { figure, plural } from './format.js';
import type { SlimReport } from './report.js';
import type { BaselineComparison } from './run-facts.js';

/** `net.onnx → net.slim.onnx` */
export const runTitle = ({ input, output }: Pick<SlimReport, 'input' | 'output'>): string =>
  output ? `${input.name} → ${output.name}` : input.name;

/** What made a report, below it. */
export const footerText = ({ version, versions }: Pick<SlimReport, 'version' | 'versions'>): string =>
  `mcompress ${versions.mcompress}, report version ${version}`;

/** A file so that it can be told from all others. */
export const fileText = ({ name, bytes, sha256 }: FileFacts): string =>
  `${name}, ${plural(bytes, 'byte')}, SHA-256 ${sha256}`;

/** The files of a run, as rows of a facts block. */
export const fileRows = ({ input, output }: Pick<SlimReport, 'input' | 'output'>): (readonly [string, string])[] => [
  ['input', fileText(input)],
  ...(output ? [['output', fileText(output)] as const] : []),
];

/** Both models side by side; and the second against that of an earlier report. */
export function figureSections({ figures, baseline }: Pick<SlimReport, 'figures' | 'baseline'>): Section[] {
  const titles = ['before', 'after'] as const;
  return [
    ...section(
      'Before and after',
      figureTable('All figures', figureRows(figures), titles),
      ...timingBlocks(figures, titles),
    ),
    ...(baseline ? section('Against the baseline', ...baselineBlock(baseline)) : []),
  ];
}

/** The figures of an earlier report and now. */
function baselineBlock(baseline: BaselineComparison): Block[] {
  const tones = { better: 'good', worse: 'bad', same: 'plain', 'not-compared': 'plain' } as const;
  const quantity = (key: string): 'bytes' | 'count' | 'time' | 'whole' =>
    key.endsWith('Bytes') ? 'bytes' : key === 'latency' ? 'time' : key === 'nodes' ? 'whole' : 'count';
  const show = (value: number | undefined, key: string): string =>
    value === undefined ? '' : figure(value, quantity(key));
  const rows = baseline.figures.map(({ figure: key, label, earlier, now, verdict, reason }) => [
    label,
    show(earlier, key),
    show(now, key),
    toned(verdict.replace('-', ' '), tones[verdict]),
    reason ?? '',
  ]);
  const columns = [left('figure'), right('earlier'), right('now'), left('verdict'), left('remark', 1)];
  const table = tableBlock(`Slimmed model in ${baseline.name} and now`, 'open', columns, rows);
  return [{ kind: 'text', ...baselineText(baseline) }, ...(table ? [table] : [])];
}

/** The machine and the versions, as rows of a facts block. */
export function machineFacts({
  machine,
  versions,
}: Pick<SlimReport, 'machine' | 'versions'>): readonly (readonly [string, string])[] {
  const { cpu, cores, memoryBytes, os } = machine;
  return [
    ['machine', `${cpu}, ${plural(cores, 'core')}, ${figure(memoryBytes, 'bytes')}, ${os}`],
    ['versions', `mcompress ${versions.mcompress}, ONNX Runtime ${versions.onnxruntime}, Node ${versions.node}`],
  ];
}

/** The command and the recipe that give the same again. */
export function recipeBlocks({ commandLine, document }: SlimReport['recipe']): readonly Block[] {
  return [
    { kind: 'code', caption: 'The same again', language: 'sh', text: commandLine },
    {
      kind: 'code',
      caption: 'The recipe, for --recipe',
      language: 'json',
      text: JSON.stringify(document, undefined, 2),
    },
  ];
}
