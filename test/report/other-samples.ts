// Made-up but plausible reports of `inspect`, `profile` and `compare`, on the layers of the `slim` sample.
import type { CompareReport } from '../../src/report/compare-report.js';
import type { InspectReport } from '../../src/report/inspect-report.js';
import type { ProfileReport } from '../../src/report/profile-report.js';
import { sampleReport } from './sample.js';

function namedLayers(): {
  name: string;
  facts: NonNullable<ReturnType<typeof sampleReport>['layers'][number]['after']>;
}[] {
  return sampleReport().layers.flatMap(({ name, after }) => (after ? [{ name, facts: after }] : []));
}

export function sampleInspect(): InspectReport {
  const { input, versions, figures } = sampleReport();
  const layers = namedLayers().map(({ name, facts: { opType, kind, shape, macs, parameters } }) => ({
    name,
    facts: {
      opType,
      parameters,
      ...(kind ? { kind } : {}),
      ...(shape ? { shape } : {}),
      ...(macs === undefined ? {} : { macs }),
    },
  }));
  return {
    version: 1,
    kind: 'inspect',
    file: input,
    model: {
      irVersion: 7,
      opsets: [
        { domain: 'ai.onnx', version: 13 },
        { domain: 'com.example', version: 1 },
      ],
      producer: 'pytorch 2.5.0',
      graph: 'main_graph',
      functions: 0,
      subgraphs: 0,
      externalFiles: [],
      weightInputs: 0,
    },
    inputs: [{ name: 'input', type: 'float32', shape: ['batch', 3, 224, 224] }],
    outputs: [{ name: 'output', type: 'float32', shape: ['batch', 1000] }],
    dynamicDimensions: [{ name: 'batch', values: ['input'] }],
    figures: {
      nodes: 221,
      parameters: 3539138,
      weightBytes: 14156552,
      macs: 300774272,
      peakActivationBytes: 10035200,
      bytesMoved: 161480000,
      energyPj: figures.energyPj?.before,
      nodesNotCounted: 1,
    },
    weights: [
      { type: 'float32', count: 158, bytes: 14156000 },
      { type: 'int64', count: 2, bytes: 552 },
    ],
    layerKinds: {
      tensorNodes: 53,
      nonTensorNodes: 168,
      tensorMacs: 3e8,
      nonTensorMacs: 774272,
      tensorBytes: 9e7,
      nonTensorBytes: 7e7,
    },
    operators: [
      { opType: 'Conv', count: 52, parameters: 2258112, macs: 299494272, support: 'known' },
      { opType: 'com.example.Fancy', count: 1, parameters: 0, support: 'opaque' },
    ],
    layers,
    channelGroups: [
      {
        name: '/features/features.0/Conv_output_0',
        width: 32,
        makers: ['/features/features.0/Conv'],
        readers: [{ node: '/features/features.1/Conv', slot: 0, axis: 1 }],
        members: [
          { value: 'features.0.weight', axis: 0, indices: 32 },
          { value: '/features/features.0/Conv_output_0', axis: 1, indices: 32 },
        ],
      },
      {
        name: 'output',
        width: 1000,
        makers: ['/classifier/Gemm'],
        readers: [],
        members: [{ value: 'output', axis: 1, indices: 1000 }],
        frozen: { code: 'graph-output', at: 'output' },
      },
    ],
    obstacles: [
      {
        target: 'NNAPI',
        code: 'dynamic-shape',
        message: 'the batch size is not fixed; give --freeze input:1x3x224x224',
        count: 1,
        examples: ['input'],
      },
      {
        target: 'any',
        code: 'unknown-operator',
        message: 'com.example.Fancy is no ONNX operator',
        count: 1,
        examples: ['/Fancy'],
      },
    ],
    operatorLists: [{ target: 'NNAPI', source: 'a page about it' }],
    versions,
    warnings: [],
  };
}

export function sampleProfile(): ProfileReport {
  const { input, versions, machine, timeShare } = sampleReport();
  return {
    version: 1,
    kind: 'profile',
    file: input,
    fusion: 'on',
    optimization: 'all',
    feed: 'normal',
    rounds: 50,
    latency: { p50Ms: 8.9, p90Ms: 9.32, p99Ms: 11.2 },
    load: 48.2,
    memory: { loadedBytes: 2 ** 24, peakBytes: 2 ** 25 },
    timeShare: timeShare.map(({ fusion, before }) => ({ fusion, share: before })),
    layers: namedLayers(),
    runtimeNodes: [{ opType: 'ReorderInput', count: 2, timeUs: 96 }],
    ranAs: [{ operators: 'Conv + Clip', ranAs: 'Conv', count: 35, timeUs: 7000 }],
    notRun: [{ opType: 'Constant', count: 3 }],
    alone: { distinct: 40, measured: 4, notTimed: 1, sumUs: 9000, table: 'own' },
    machine,
    versions,
    seed: 0,
    threads: 1,
    warnings: ['other work used the processor (cpu/wall 0.83)'],
  };
}

export function sampleCompare(): CompareReport {
  const { input, output, versions, machine, figures, operators } = sampleReport();
  return {
    version: 1,
    kind: 'compare',
    a: input,
    b: output ?? input,
    verdict: 'differ',
    reason: 'output "boxes" is beyond the tolerance',
    tolerance: 1e-4,
    feeds: 6,
    feedKinds: 'seeded random',
    outputs: [
      { name: 'scores', worstRelative: 1.1e-6, worstAbsolute: 2e-6 },
      { name: 'boxes', worstRelative: 2.4e-2, worstAbsolute: 0.31 },
      { name: 'mask', note: 'B returns another shape' },
      { name: 'nan' },
    ],
    values: [
      { value: 'conv1', nodeA: 'Conv_0', nodeB: 'Conv_0', worstRelative: 1e-7 },
      { value: 'add3', nodeA: 'Add_3', nodeB: 'Conv_2', worstRelative: 2.1e-2 },
    ],
    firstDivergence: { value: 'add3', nodeA: 'Add_3', nodeB: 'Conv_2', worstRelative: 2.1e-2 },
    figures,
    operators,
    machine,
    versions,
    seed: 0,
    threads: 1,
    warnings: [],
  };
}
