// A made-up but plausible `slim` report: MobileNetV2 whose BatchNormalization was folded and whose constants were
// lifted. Shapes, MACs and parameters follow from the architecture; times follow from MACs by a fixed rule, so they
// are no measurement.
import type { LayerFacts } from '../../src/report/facts.js';
import type { DeclineReport, LayerReport, PassReport, SlimReport } from '../../src/report/report.js';

interface Spec {
  readonly name: string;
  readonly opType: string;
  readonly shape: readonly number[];
  readonly macs: number;
  readonly parameters: number;
}
const product = (dims: readonly number[]): number => dims.reduce((all, dim) => all * dim, 1);

function conv(name: string, cin: number, cout: number, kernel: number, size: number, groups = 1): Spec {
  const perOutput = (cin / groups) * kernel * kernel;
  return {
    name: `${name}/Conv`,
    opType: 'Conv',
    shape: [1, cout, size, size],
    macs: perOutput * cout * size * size,
    parameters: perOutput * cout,
  };
}
function unit(name: string, convolution: Spec, activation: 'relu6' | 'linear'): Spec[] {
  const { shape } = convolution;
  const channels = shape[1] ?? 0;
  return [
    convolution,
    {
      name: `${name}/BatchNormalization`,
      opType: 'BatchNormalization',
      shape,
      macs: product(shape),
      parameters: 4 * channels,
    },
    ...(activation === 'relu6' ? [{ name: `${name}/Clip`, opType: 'Clip', shape, macs: 0, parameters: 2 }] : []),
  ];
}

/** t, c, n, s of the paper's table. */
const STAGES = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

function network(): Spec[] {
  const layers = unit('/features/features.0', conv('/features/features.0/features.0.0', 3, 32, 3, 112), 'relu6');
  let [cin, size, index] = [32, 112, 0];
  for (const [t, c, n, s] of STAGES) {
    for (let i = 0; i < n; i += 1) {
      index += 1;
      const stride = i === 0 ? s : 1;
      const wide = cin * t;
      const at = `/features/features.${index}/conv`;
      if (t > 1) layers.push(...unit(`${at}.0`, conv(`${at}/conv.0/conv.0.0`, cin, wide, 1, size), 'relu6'));
      size /= stride;
      layers.push(...unit(`${at}.1`, conv(`${at}/conv.1/conv.1.0`, wide, wide, 3, size, wide), 'relu6'));
      layers.push(...unit(`${at}.2`, conv(`${at}/conv.2`, wide, c, 1, size), 'linear'));
      if (stride === 1 && cin === c)
        layers.push({
          name: `/features/features.${index}/Add`,
          opType: 'Add',
          shape: [1, c, size, size],
          macs: 0,
          parameters: 0,
        });
      cin = c;
    }
  }
  return [
    ...layers,
    ...unit('/features/features.18', conv('/features/features.18/features.18.0', 320, 1280, 1, 7), 'relu6'),
    { name: '/GlobalAveragePool', opType: 'GlobalAveragePool', shape: [1, 1280, 1, 1], macs: 0, parameters: 0 },
    { name: '/Flatten', opType: 'Flatten', shape: [1, 1280], macs: 0, parameters: 0 },
    { name: '/classifier/classifier.1/Gemm', opType: 'Gemm', shape: [1, 1000], macs: 1280000, parameters: 1281000 },
  ];
}

const TENSOR = new Set(['Conv', 'Gemm']);

function facts({ opType, shape, macs, parameters }: Spec, at: number, state: 'before' | 'after'): LayerFacts {
  const wobble = 1 + (((at * 37) % 19) - 9) / 60;
  const tensor = TENSOR.has(opType);
  const depthwise = opType === 'Conv' && macs < product(shape) * 12;
  const cost = tensor
    ? macs / (depthwise ? 9e3 : 42e3) + product(shape) / 9e4
    : product(shape) / (opType === 'BatchNormalization' ? 1.1e5 : 6e4);
  const fused = opType === 'Clip' || opType === 'BatchNormalization';
  return {
    opType,
    kind: tensor ? 'tensor' : 'non-tensor',
    shape,
    macs: state === 'after' && tensor ? macs : opType === 'BatchNormalization' ? 0 : macs,
    parameters:
      state === 'after' && opType === 'Conv'
        ? parameters + (shape[1] ?? 0)
        : opType === 'Clip' && state === 'after'
          ? 0
          : parameters,
    ...(fused ? {} : { timeUs: Math.round(cost * wobble * (state === 'after' ? 0.99 : 1) * 100) / 100 }),
    ...(opType === 'Conv' ? { ranAs: 'nchwc Conv' } : fused ? { ranAs: 'fused into the Conv before it' } : {}),
  };
}

function layerRows(): LayerReport[] {
  return network().map((spec, at) =>
    spec.opType === 'BatchNormalization'
      ? { name: spec.name, before: facts(spec, at, 'before') }
      : { name: spec.name, before: facts(spec, at, 'before'), after: facts(spec, at, 'after') },
  );
}

const idle = (pass: string): PassReport => ({
  pass,
  exactness: 'exact',
  outcome: 'no-change',
  sites: 0,
  nodesRemoved: 0,
  parametersDelta: 0,
  macsDelta: 0,
  stats: [],
  ms: 1.2,
});

const PASSES: readonly PassReport[] = [
  {
    pass: 'lift-constants',
    exactness: 'exact',
    outcome: 'changed',
    sites: 70,
    nodesRemoved: 70,
    parametersDelta: 0,
    macsDelta: 0,
    stats: [{ key: 'lifted', label: 'constants lifted', count: 70 }],
    ms: 3.1,
  },
  idle('fold-constants'),
  idle('remove-identity'),
  {
    pass: 'fold-batch-norm',
    exactness: 'rounding',
    outcome: 'changed',
    sites: 52,
    nodesRemoved: 52,
    parametersDelta: -51168,
    macsDelta: 0,
    stats: [{ key: 'folded', label: 'BatchNormalization folded into Conv', count: 52 }],
    ms: 41.7,
  },
  idle('merge-transposes'),
  idle('merge-conv-conv'),
  {
    pass: 'deduplicate',
    exactness: 'exact',
    outcome: 'changed',
    sites: 34,
    nodesRemoved: 0,
    parametersDelta: -68,
    macsDelta: 0,
    stats: [{ key: 'initializers', label: 'equal constants shared', count: 68 }],
    ms: 6.4,
  },
  {
    pass: 'fuse-hard-swish',
    exactness: 'rounding',
    outcome: 'undone',
    reason: 'outputs differed by 3.2e-2 of scale',
    sites: 0,
    nodesRemoved: 0,
    parametersDelta: 0,
    stats: [],
    ms: 9.8,
  },
];

const DECLINES: readonly DeclineReport[] = [
  {
    pass: 'merge-conv-conv',
    code: 'dearer',
    message: 'the merged Conv would need 4.1 times the MACs',
    node: '/features/features.1/conv/conv.1/conv.1.0/Conv',
    count: 1,
  },
  {
    pass: 'merge-conv-conv',
    code: 'dearer',
    message: 'the merged Conv would need 4.1 times the MACs',
    node: '/features/features.2/conv/conv.2/Conv',
    count: 1,
  },
  {
    pass: 'move-pool',
    code: 'graph-output',
    message: 'the value between is an output of the model',
    node: '/GlobalAveragePool',
    count: 1,
  },
];

/** A fresh value on each call; nothing in it is shared. */
export function sampleReport(): SlimReport {
  return {
    version: 1,
    kind: 'slim',
    input: {
      name: 'mobilenetv2.onnx',
      bytes: 14246826,
      gzipBytes: 13212057,
      sha256: '9b6f4a1e0d5c38f72a64b9e0c1d3578a2f6e4b90d8c7a5136e2f4b8d0a9c7e51',
    },
    output: {
      name: 'mobilenetv2.slim.onnx',
      bytes: 14054120,
      gzipBytes: 13105310,
      sha256: '3d21c8b47f90ae65d1420b7c9e8f6a53b0c4d7e2915f8a6c3b7d0e4f2a1958c6',
    },
    figures: {
      nodes: { before: 221, after: 99 },
      fileBytes: { before: 14246826, after: 14054120 },
      gzipBytes: { before: 13212057, after: 13105310 },
      parameters: { before: 3539138, after: 3487902 },
      weightBytes: { before: 14156552, after: 13951608 },
      macs: { before: 300774272, after: 300774272 },
      peakActivationBytes: { before: 10035200, after: 5017600 },
      bytesMoved: { before: 161480000, after: 107120000 },
      energyPj: { before: 1.62e9, after: 1.58e9 },
      latency: {
        before: { p50Ms: 8.9, p90Ms: 9.32, p99Ms: 11.2 },
        after: { p50Ms: 8.71, p90Ms: 9.15, p99Ms: 10.6 },
        rounds: 61,
        threads: 1,
        ratio: { value: 0.982, low: 0.961, high: 1.009 },
        verdict: 'no-difference',
        clock: 'cpu',
        warnings: ['other work used the processor (cpu/wall 0.83), so processor time decided'],
      },
      load: {
        before: { p50Ms: 48.2, p90Ms: 51, p99Ms: 55 },
        after: { p50Ms: 31.4, p90Ms: 33.1, p99Ms: 36.9 },
        rounds: 15,
        threads: 1,
        ratio: { value: 0.651, low: 0.633, high: 0.672 },
        verdict: 'faster',
        clock: 'wall',
        warnings: [],
      },
      peakProcessBytes: { before: 118489088, after: 109051904 },
    },
    timeShare: [
      {
        fusion: 'on',
        before: { tensorUs: 8120, nonTensorUs: 412, runtimeUs: 96 },
        after: { tensorUs: 8010, nonTensorUs: 398, runtimeUs: 94 },
      },
      {
        fusion: 'off',
        before: { tensorUs: 8305, nonTensorUs: 6240, runtimeUs: 0 },
        after: { tensorUs: 8290, nonTensorUs: 2318, runtimeUs: 0 },
      },
    ],
    verification: {
      verdict: 'agrees',
      worstRelative: 1.6e-6,
      tolerance: 1e-4,
      feeds: 6,
      feedKinds: '5 seeded random inputs and one of border values',
      outputs: [{ name: 'output', worstRelative: 1.6e-6 }],
      undone: [],
    },
    passes: PASSES.filter(({ outcome }) => outcome !== 'undone'),
    declines: [...DECLINES],
    layers: layerRows(),
    operators: [
      { opType: 'Constant', before: 70, after: 0 },
      { opType: 'Conv', before: 52, after: 52 },
      { opType: 'BatchNormalization', before: 52, after: 0 },
      { opType: 'Clip', before: 35, after: 35 },
      { opType: 'Add', before: 10, after: 10 },
      { opType: 'GlobalAveragePool', before: 1, after: 1 },
      { opType: 'Flatten', before: 1, after: 1 },
    ],
    recipe: {
      commandLine: 'mcompress slim mobilenetv2.onnx -o mobilenetv2.slim.onnx --seed 0 --threads 1',
      document: {
        version: 1,
        preset: 'exact',
        passes: [{ pass: 'lift-constants' }, { pass: 'fold-batch-norm', maxGain: 10000 }, { pass: 'deduplicate' }],
        seed: 0,
      },
    },
    machine: {
      fingerprint: 'amd-epyc-7b13/2/x64',
      cpu: 'AMD EPYC 7B13',
      cores: 2,
      memoryBytes: 17179869184,
      os: 'Linux 6.1 x64',
    },
    versions: { mcompress: '0.1.0', node: '20.20.2', onnxruntime: '1.30.0' },
    seed: 0,
    threads: 1,
    createdAt: '2026-03-14T09:26:53Z',
    elapsedMs: 12840,
    warnings: [],
  };
}

const HOSTILE = '</title><script>alert(1)</script> "q" \'s\' & | `tick` *b* \u001b[31m\u202Eevil\n## head';

/** The sample with everything that can go wrong: undone rewrites, a regression, slower, warnings, hostile and long names. */
export function troubledReport(): SlimReport {
  const sample = sampleReport();
  const long = '/model/'.concat('very_long_block_name_of_an_exporter/'.repeat(6), 'Conv');
  return {
    ...sample,
    figures: {
      ...sample.figures,
      fileBytes: { before: 14246826, after: 14801120 },
      latency: {
        before: { p50Ms: 8.9, p90Ms: 9.32, p99Ms: 11.2 },
        after: { p50Ms: 9.9, p90Ms: 10.4, p99Ms: 12.1 },
        rounds: 61,
        threads: 1,
        ratio: { value: 1.112, low: 1.08, high: 1.15 },
        verdict: 'slower',
        clock: 'wall',
        warnings: [],
      },
      nodesNotCounted: { before: 2, after: 2 },
    },
    verification: {
      verdict: 'mismatch-undone',
      worstRelative: 2.4e-6,
      tolerance: 1e-4,
      feeds: 6,
      outputs: [{ name: HOSTILE, worstRelative: 2.4e-6 }],
      undone: [
        {
          pass: 'fuse-hard-swish',
          node: '/features/features.4/Mul',
          worstRelative: 3.2e-2,
          reproducer: 'mobilenetv2.repro',
        },
      ],
    },
    passes: PASSES,
    declines: [
      ...DECLINES,
      { pass: 'fold-batch-norm', code: 'shared', message: HOSTILE, node: HOSTILE, count: 12 },
      { pass: 'fold-batch-norm', code: 'shared', message: 'the weights are shared', node: long, count: 1 },
    ],
    layers: [
      ...sample.layers,
      { name: HOSTILE, after: { opType: 'Custom', parameters: 0, shape: ['N', 3], timeUs: 900 } },
      { name: long, before: { opType: 'Conv', parameters: 9, timeUs: 1200 } },
    ],
    baseline: {
      name: 'nightly.report.json',
      verdict: 'regressed',
      figures: [
        { figure: 'fileBytes', label: 'file', earlier: 14054120, now: 14801120, verdict: 'worse' },
        { figure: 'nodes', label: 'nodes', earlier: 99, now: 99, verdict: 'same' },
        {
          figure: 'latency',
          label: 'latency',
          earlier: 8.7,
          now: 9.9,
          verdict: 'not-compared',
          reason: 'another machine: AMD EPYC 7B13 then, Apple M2 now',
        },
      ],
    },
    warnings: [
      '2 nodes have an operator that mcompress does not know (com.example.Fancy): they are left alone',
      HOSTILE,
    ],
  };
}
