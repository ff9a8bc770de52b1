// Pieces that several reports share. Units stand in the names: bytes, Ms (milliseconds), Us (microseconds);
// docs/report.md gives the formulas. "Absent" always means: not measured, or not known.
import { choice, either, list, maybe, object, real, whole, words, type Shape, type ValueOf } from './shape.js';

/** Version of every report document. Raised when a field changes its meaning or goes away, not when one is added. */
export const REPORT_VERSION = 1;

/** A figure of the model before and after (for `compare`: of A and B). */
export const pair = (
  description: string,
  number: Shape<number> = whole('Count'),
): Shape<{ readonly before: number; readonly after: number }> => object({ before: number, after: number }, description);

export const FILE = object(
  {
    name: words('File name without its folder; "-" for standard input or output'),
    bytes: whole('Size, files of external data included'),
    gzipBytes: maybe(whole('Size after gzip, level 9: what a download costs')),
    sha256: words('SHA-256 of the model file, hexadecimal'),
  },
  'A model file',
);
export type FileFacts = ValueOf<typeof FILE>;

const SPREAD = object(
  {
    p50Ms: real('Median', { min: 0 }),
    p90Ms: real('90th percentile', { min: 0 }),
    p99Ms: real('99th percentile', { min: 0 }),
  },
  'Distribution of one duration',
);
export type Spread = ValueOf<typeof SPREAD>;

export const VERDICTS = ['faster', 'slower', 'no-difference'] as const;
const TIMING = object(
  {
    before: SPREAD,
    after: SPREAD,
    rounds: whole('Interleaved rounds, each timing both models once'),
    threads: whole('Intra-op threads', { min: 1 }),
    ratio: object(
      {
        value: real('Median over the rounds of after / before', { min: 0 }),
        low: real('Lower end of the 95 % interval', { min: 0 }),
        high: real('Upper end of the 95 % interval', { min: 0 }),
      },
      'Duration after / duration before, by the clock that decided',
    ),
    verdict: choice(VERDICTS, 'no-difference: the 95 % interval holds 1'),
    clock: choice(
      ['wall', 'cpu'],
      'The clock whose ratio decided: wall time, or processor time where other work was running',
    ),
    warnings: list(words('What makes this measurement less sure'), 'Warnings'),
  },
  'Two models timed in turn',
);
export type Timing = ValueOf<typeof TIMING>;

export const FIGURES = object(
  {
    nodes: pair('Nodes, those of subgraphs included'),
    fileBytes: pair('Size of the model, external data included'),
    gzipBytes: maybe(pair('The same after gzip, level 9')),
    parameters: pair('Elements of all initializers and constants'),
    weightBytes: pair('Bytes of all initializers and constants'),
    macs: maybe(pair('Multiply-accumulates of one run; FLOPs are twice that')),
    peakActivationBytes: maybe(pair('Largest sum of activations alive at one time')),
    bytesMoved: maybe(pair('Bytes that all nodes read and write: inputs, weights, outputs')),
    energyPj: maybe(
      pair('Energy proxy, picojoules by the 45 nm table of docs/report.md', real('Picojoules', { min: 0 })),
    ),
    nodesNotCounted: maybe(pair('Nodes whose operator or shape is not known: costs leave them out')),
    latency: maybe(TIMING),
    load: maybe(TIMING),
    peakProcessBytes: maybe(pair('Largest resident memory of a process that loads and runs the model')),
  },
  'What the models need',
);
export type Figures = ValueOf<typeof FIGURES>;

export const SHARE = object(
  {
    tensorUs: real('Layers with a learned weight of higher order: convolution, fully connected', { min: 0 }),
    nonTensorUs: real('All other layers: pooling, normalization, activation, arithmetic, data movement', { min: 0 }),
    runtimeUs: real('Nodes that the runtime added: reorders, transposes, casts', { min: 0 }),
  },
  'Time of one run by kind of layer, microseconds',
);
export type Share = ValueOf<typeof SHARE>;
export const FUSION = choice(['on', 'off'], 'Whether the runtime was allowed to fuse nodes');

export const LAYER = object(
  {
    opType: words('Operator; with its domain in front where that is not ONNX'),
    kind: maybe(choice(['tensor', 'non-tensor'], 'Kind of layer in the sense of DeepRebirth')),
    shape: maybe(
      list(either(whole('Size'), words('Name of a symbolic dimension'), 'Dimension'), 'Shape of the first output'),
    ),
    macs: maybe(whole('Multiply-accumulates')),
    parameters: whole('Elements of its weights'),
    bytesMoved: maybe(whole('Bytes of its inputs, weights and outputs')),
    timeUs: maybe(real('Time in the runtime profile, microseconds', { min: 0 })),
    aloneUs: maybe(real('Time as a model of its own, microseconds', { min: 0 })),
    ranAs: maybe(words('What the runtime ran it as, where it was fused: operator, and the node that carries the time')),
  },
  'One node',
);
export type LayerFacts = ValueOf<typeof LAYER>;

export const MACHINE = object(
  {
    fingerprint: words('Equal for machines whose times may be compared'),
    cpu: words('Processor'),
    cores: whole('Logical processors'),
    memoryBytes: whole('Main memory'),
    os: words('System, release and architecture'),
  },
  'Where it ran',
);
export type Machine = ValueOf<typeof MACHINE>;

export const VERSIONS = object(
  { mcompress: words('mcompress'), node: words('Node.js'), onnxruntime: words('ONNX Runtime') },
  'Versions',
);
export type Versions = ValueOf<typeof VERSIONS>;

export const HISTOGRAM = list(
  object({ opType: words('Operator'), before: whole('Nodes before'), after: whole('Nodes after') }, 'One operator'),
  'Nodes by operator',
);
export type Histogram = ValueOf<typeof HISTOGRAM>;
