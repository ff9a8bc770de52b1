// What `inspect` says: what the model is, what it costs, what stands in the way on a mobile device.
import { costBlocks, countText, someNames } from './blocks.js';
import { left, name, right, section, tableBlock, toned, warningBlocks, type Block, type Document } from './document.js';
import { dimensions, figure, given, plural, share, type Quantity } from './format.js';
import type { InspectReport } from './inspect-report.js';

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
    'Figures',
    'open',
    [left('figure'), right('value'), left('note', 1)],
    [['file', figure(file.bytes, 'bytes'), gzip], ...rows],
  );
}

function portTable(caption: string, ports: InspectReport['inputs']): Block | undefined {
  const remark = (port: InspectReport['inputs'][number]): string =>
    port.overridable === undefined ? '' : 'has an initializer: counts as a constant';
  return tableBlock(
    caption,
    'open',
    [left('name'), left('type'), left('shape'), left('remark', 1)],
    ports.map((port) => [name(port.name), port.type, port.shape ? dimensions(port.shape) : 'unknown', remark(port)]),
  );
}

function structure({ model, dynamicDimensions, weights, layerKinds }: InspectReport): Block {
  const { tensorNodes, nonTensorNodes, tensorBytes, nonTensorBytes } = layerKinds;
  const moved =
    tensorBytes === undefined || nonTensorBytes === undefined
      ? ''
      : `; ${share(nonTensorBytes, tensorBytes + nonTensorBytes)} of the bytes moved are moved by non-tensor layers`;
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
    ['layers', `${plural(tensorNodes, 'tensor layer')}, ${nonTensorNodes} non-tensor${moved}`],
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

function obstacleBlock({ obstacles }: InspectReport): Block | undefined {
  if (obstacles.length === 0) return { kind: 'text', text: 'None found.', tone: 'good' };
  const columns = [left('runtime'), left('obstacle'), right('count'), left('where', 1)];
  return tableBlock(
    'By runtime',
    'open',
    columns,
    obstacles.map(({ target, code, message, count, examples }) => [
      target,
      `${message} [${code}]`,
      String(count),
      name(someNames(examples, 2)),
    ]),
  );
}

/** The document of an `inspect` report. */
export function inspectDocument(report: InspectReport): Document {
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
      ...section('Cost', figureTable(report), operatorTable(report), ...costBlocks(report.layers)),
      ...section('Obstacles for mobile runtimes', obstacleBlock(report)),
    ],
    footer: `mcompress ${report.versions.mcompress}, report version ${report.version}, SHA-256 ${report.file.sha256}`,
  };
}
