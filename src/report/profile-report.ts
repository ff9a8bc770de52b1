// The report of `profile`: where the time of one model goes on ONNX Runtime.
import { FILE, FUSION, LAYER, MACHINE, REPORT_VERSION, SHARE, VERSIONS } from './facts.js';
import { exactly, list, maybe, object, real, whole, words, type ValueOf } from './shape.js';

export const PROFILE_REPORT = object(
  {
    version: exactly(REPORT_VERSION, 'Version of this format'),
    kind: exactly('profile', 'Kind of document'),
    file: FILE,
    fusion: FUSION,
    rounds: whole('Runs profiled'),
    latency: object(
      {
        p50Ms: real('Median', { min: 0 }),
        p90Ms: real('90th percentile', { min: 0 }),
        p99Ms: real('99th percentile', { min: 0 }),
      },
      'Whole run, profiling off',
    ),
    load: maybe(real('Time to create the session, milliseconds', { min: 0 })),
    timeShare: list(
      object({ fusion: FUSION, share: SHARE }, 'Time by kind of layer'),
      'With the fusion of the runtime on, off, or both',
    ),
    layers: list(object({ name: words('Node'), facts: LAYER }, 'One layer'), 'Layers in order of execution'),
    runtimeNodes: list(
      object(
        { opType: words('Operator'), count: whole('Nodes'), timeUs: real('Their time, microseconds', { min: 0 }) },
        'One operator',
      ),
      'Nodes that the runtime added: reorders, transposes, casts',
    ),
    machine: MACHINE,
    versions: VERSIONS,
    seed: whole('Seed of the inputs'),
    threads: whole('Intra-op threads', { min: 1 }),
    warnings: list(words('Warning'), 'Warnings'),
  },
  'Report of mcompress profile',
);

export interface ProfileReport extends ValueOf<typeof PROFILE_REPORT> {}
