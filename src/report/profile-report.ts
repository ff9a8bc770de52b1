// The report of `profile`: where the time of one model goes on ONNX Runtime.
import { FILE, FUSION, LAYER, MACHINE, REPORT_VERSION, SHARE, VERSIONS } from './facts.js';
import { choice, exactly, list, maybe, object, real, whole, words, type ValueOf } from './shape.js';

const OPTIMIZATIONS = ['disabled', 'basic', 'extended', 'layout', 'all'] as const;

export const PROFILE_REPORT = object(
  {
    version: exactly(REPORT_VERSION, 'Version of this format'),
    kind: exactly('profile', 'Kind of document'),
    file: FILE,
    fusion: FUSION,
    optimization: choice(OPTIMIZATIONS, 'Graph optimization of ONNX Runtime'),
    feed: words('What was fed, in words'),
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
    memory: maybe(
      object(
        {
          loadedBytes: whole('Resident memory that loading added to a process'),
          peakBytes: whole('The same at its peak, after loading and running'),
        },
        'Memory of a process of its own',
      ),
    ),
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
    ranAs: list(
      object(
        {
          operators: words('Operators of the nodes that became one, in order of execution'),
          ranAs: words('What the runtime ran'),
          count: whole('How often'),
          timeUs: real('Their time, microseconds', { min: 0 }),
        },
        'One kind of node',
      ),
      'What ran as what, dearest first',
    ),
    notRun: list(
      object({ opType: words('Operator'), count: whole('Nodes') }, 'One operator'),
      'Nodes that did not run: computed while loading, or removed',
    ),
    alone: maybe(
      object(
        {
          distinct: whole('Distinct layers'),
          measured: whole('Of these measured now; the others were in the table'),
          notTimed: whole('Nodes that have no time of their own'),
          sumUs: real('Sum over all nodes, microseconds', { min: 0 }),
          table: choice(['own', 'foreign'], 'foreign: a table of another machine, runtime or thread count'),
        },
        'Layers timed as models of their own',
      ),
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
