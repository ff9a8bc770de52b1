// What `inspect` says: what the model is, what it costs, what stands in the way on a mobile device.
import { costBars, countText, someNames } from './blocks.js';
import { channelGroupBlocks } from './channel-groups.js';
import {
  left,
  name,
  right,
  section,
  tableBlock,
  toned,
  TOP_LAYERS,
  warningBlocks,
  type Block,
  type BlockCell,
  type Document,
} from './document.js';
import { dimensions, figure, given, plural, share, type Quantity } from './format.js';
import type { InspectReport } from './inspect-report.js';
import { footerText } from './run-blocks.js';

interface FigureKind {
  readonly key: keyof InspectReport['figures'];
  readonly label: string;
  readonly quantity: Quantity;
  readonly note: string;
}
const FIGURES: readonly FigureKind[] = [
  { key: 'nodes', label: 'nodes', quantity: 'whole', note: 'those of subgraphs included' },
  { key: 'parameters', label: 'parameters', quantity: 'count', note: '' },
  { key: 'weightBytes', label: 'weights', quantity: 'bytes', note: '' },
  { key: 'macs', label: 'MACs', quantity: 'count', note: 'FLOPs are twice that' },
  { key: 'peakActivationBytes', label: 'memory', quantity: 'bytes', note: 'peak of activations' },
  { key: 'bytesMoved', label: 'bytes moved', quantity: 'bytes', note: 'inputs, weights and outputs of all nodes' },
  { key: 'energyPj', label: 'energy proxy', quantity: 'energy', note: '45 nm table: a ranking, not joules' },
  {
    key: 'nodesNotCounted',
    label: 'nodes not counted',
    quantity: 'whole',
    note: 'unknown operator or shape: left out of the costs',
  },
];

function figureTable({ figures, file }: InspectReport): Block | undefined {
  const gzip = file.gzipBytes === undefined ? '' : `gzip ${figure(file.gzipBytes, 'bytes')}`;
  const rows = FIGURES.flatMap(({ key, label, quantity, note }) => {
    const value = figures[key];
    return value === undefined || (key === 'nodesNotCounted' && value === 0)
      ? []
      : [[label, figure(value, quantity), note]];
  });
  return tableBlock(
    'One run',
    'open',
    [left('figure'), right('value'), left('note', 1)],
    [['file', figure(file.bytes, 'bytes'), gzip], ...rows],
  );
}

function portTable(caption: string, ports: InspectReport['inputs']): Block | undefined {
  const remark = (port: InspectReport['inputs'][number]): string =>
    port.overridable === undefined ? '' : 'has an initializer that a caller may override';
  return tableBlock(
    caption,
    'open',
    [left('name'), left('type'), left('shape'), left('remark', 1)],
    ports.map((port) => [name(port.name), port.type, port.shape ? dimensions(port.shape) : 'unknown', remark(port)]),
  );
}

function structure({ model, dynamicDimensions, weights }: InspectReport): Block {
  const opsets = model.opsets
    .map(({ domain, version }) => (domain === 'ai.onnx' ? String(version) : `${domain} ${version}`))
    .join(', ');
  const dynamic = dynamicDimensions.map((one) => `${one.name} (${someNames(one.values, 3)})`).join(', ');
  const facts: (readonly [string, string])[] = [
    ['format', `IR ${model.irVersion}, opset ${opsets}`],
    ...(model.producer === undefined ? [] : [['producer', model.producer] as const]),
    ...(model.graph === undefined ? [] : [['graph', model.graph] as const]),
    ...(model.functions === 0 ? [] : [['functions', String(model.functions)] as const]),
    ...(model.subgraphs === 0 ? [] : [['subgraphs', String(model.subgraphs)] as const]),
    ...(model.externalFiles.length === 0 ? [] : [['external data', someNames(model.externalFiles, 4)] as const]),
    [
      'weights',
      weights
        .map(({ type, count, bytes }) => `${plural(count, 'tensor')} of ${type} (${figure(bytes, 'bytes')})`)
        .join(', ') || 'none',
    ],
    ...(model.weightInputs === 0
      ? []
      : [
          [
            '',
            `${plural(model.weightInputs, 'weight')} listed as graph inputs too: constants unless --keep-overridable`,
          ] as const,
        ]),
    ['dynamic', dynamic === '' ? 'no dimension' : dynamic],
  ];
  return { kind: 'facts', facts };
}

function operatorTable({ operators, figures }: InspectReport): Block | undefined {
  const columns = [left('operator'), right('nodes'), right('MACs'), right('share', 1), right('params', 2), left('', 3)];
  return tableBlock(
    'Operators',
    'open',
    columns,
    operators.map(({ opType, count, parameters, macs, support }) => [
      name(opType),
      String(count),
      given(macs, countText),
      given(macs, (value) => share(value, figures.macs ?? 0)),
      countText(parameters),
      support === 'opaque' ? toned('unknown operator: left alone', 'warn') : '',
    ]),
  );
}

function obstacleBlock({ obstacles }: InspectReport): Block {
  if (obstacles.length === 0) return { kind: 'text', text: 'None found.', tone: 'good' };
  const facts = obstacles.map(({ target, code, message, count, examples }): readonly [string, string] => {
    const where = examples.length === 0 ? '' : ` (${someNames(examples, 2, count)})`;
    return [target, `${message}${where} [${code}]`];
  });
  return { kind: 'facts', facts };
}

/** Tensor and non-tensor layers side by side: nodes, MACs, bytes moved. */
function kindTable({ layerKinds: kinds }: InspectReport): Block | undefined {
  const row = (
    label: string,
    own: readonly (number | undefined)[],
    other: readonly (number | undefined)[],
  ): string[] => [
    label,
    ...own.flatMap((value, at) => [
      given(value, (shown) => (at === 0 ? String(shown) : figure(shown, at === 1 ? 'count' : 'bytes'))),
      given(value, (part) => share(part, part + (other[at] ?? 0))),
    ]),
  ];
  const tensor = [kinds.tensorNodes, kinds.tensorMacs, kinds.tensorBytes];
  const nonTensor = [kinds.nonTensorNodes, kinds.nonTensorMacs, kinds.nonTensorBytes];
  return tableBlock(
    'Tensor layers have learned weights of higher order (convolution, fully connected); the others do not (after DeepRebirth)',
    'open',
    [left('layers'), right('nodes'), right(''), right('MACs'), right(''), right('bytes moved'), right('')],
    [row('tensor', tensor, nonTensor), row('non-tensor', nonTensor, tensor)],
  );
}

/** The dearest layers in order of execution, and all of them folded. */
function layerTables({ layers, figures }: InspectReport, top: number): (Block | undefined)[] {
  const columns = [
    left('layer'),
    left('operator', 3),
    left('output', 2),
    right('MACs'),
    right('share'),
    right('params', 4),
    right('bytes moved', 1),
  ];
  const rows = (chosen: InspectReport['layers']): BlockCell[][] =>
    chosen.map(({ name: label, facts }) => [
      name(label),
      name(facts.opType),
      given(facts.shape, dimensions),
      given(facts.macs, countText),
      given(facts.macs, (macs) => share(macs, figures.macs ?? 0)),
      countText(facts.parameters),
      given(facts.bytesMoved, (bytes) => figure(bytes, 'bytes')),
    ]);
  const byCost = [...layers].sort(
    ({ facts: a }, { facts: b }) => (b.macs ?? 0) - (a.macs ?? 0) || (b.bytesMoved ?? 0) - (a.bytesMoved ?? 0),
  );
  const dearest = new Set(byCost.slice(0, top));
  if (dearest.size === layers.length)
    return [tableBlock('Layers in order of execution', 'open', columns, rows(layers))];
  const shown = layers.filter((layer) => dearest.has(layer));
  return [
    tableBlock(
      `The ${dearest.size} dearest of ${layers.length} layers, in order of execution`,
      'open',
      columns,
      rows(shown),
    ),
    tableBlock(`All ${layers.length} layers`, 'folded', columns, rows(layers)),
  ];
}

function obstacleSource({ operatorLists }: InspectReport): Block {
  const text = operatorLists.map(({ target, source }) => `${target}: ${source}`).join('; ');
  return { kind: 'text', text: `Operators are compared by name only, with these lists. ${text}.`, tone: 'plain' };
}

/** The document of an `inspect` report; `top` layers are listed. */
export function inspectDocument(report: InspectReport, top = TOP_LAYERS): Document {
  const bars = costBars(report.layers);
  return {
    title: report.file.name,
    lead: warningBlocks(report.warnings),
    sections: [
      ...section(
        'Structure',
        structure(report),
        portTable('Inputs', report.inputs),
        portTable('Outputs', report.outputs),
      ),
      ...section(
        'Cost',
        figureTable(report),
        kindTable(report),
        operatorTable(report),
        bars && { ...bars, inTerminal: 'hide' },
        ...layerTables(report, top),
      ),
      ...section('Channel groups', ...channelGroupBlocks(report.channelGroups)),
      ...section('Obstacles for mobile runtimes', obstacleBlock(report), obstacleSource(report)),
    ],
    footer: `${footerText(report)}, SHA-256 ${report.file.sha256}`,
  };
}
