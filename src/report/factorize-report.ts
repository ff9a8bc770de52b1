// The report of `factorize`: what became smaller and faster, what was lost, which layers became which chains, and why the others
// stayed whole.
import { REPORT_VERSION } from './facts.js';
import { RUN } from './run-facts.js';
import { choice, exactly, list, maybe, object, real, whole, words, type ValueOf } from './shape.js';
import { STEP_FIELDS, TRADE, splitSamplesOrNone } from './trade-facts.js';

const POINT = object(
  {
    ranks: list(whole('Rank'), 'Ranks, in the order of the chain'),
    macs: real('Multiplications of the chain', { min: 0 }),
    params: real('Its weights, without biases', { min: 0 }),
    error: real("Error of the layer's output under the metric, as part of its variance", { min: 0 }),
    us: maybe(real('Microseconds of the chain alone', { min: 0 })),
  },
  'One chain as planned',
);

const CHAIN = object(
  {
    scheme: words('Scheme'),
    ranks: list(whole('Rank'), 'Ranks, in the order of the chain'),
    error: real("Error of the layer's output as planned, as part of its variance", { min: 0 }),
    loss: maybe(real('Noise over signal at the outputs of the model with this chain alone, as planned', { min: 0 })),
    refitError: maybe(
      real('Error in the result against the original, after the refit, as part of its variance', { min: 0 }),
    ),
  },
  'The chain in the place of the layer',
);

const LAYER = object(
  {
    name: words('Node, or its output where it has no name'),
    opType: words('Operator'),
    inputs: maybe(whole('Channels, or numbers of a row, that it reads')),
    outputs: maybe(whole('Channels, or numbers of a row, that it makes')),
    kernel: maybe(list(whole('Size'), 'Sizes of the kernel; none for Gemm and MatMul')),
    chain: maybe(CHAIN),
    code: maybe(words('Code of the reason why it stayed whole')),
    message: maybe(words('The reason')),
    macsBefore: maybe(real('Multiplications of the layer', { min: 0 })),
    macsAfter: maybe(real('Of what is in its place', { min: 0 })),
    paramsBefore: maybe(real('Weights of the layer', { min: 0 })),
    paramsAfter: maybe(real('Of what is in its place', { min: 0 })),
    aloneUsBefore: maybe(real('Microseconds of the layer alone, as planned with', { min: 0 })),
    aloneUsAfter: maybe(real('Of its chain alone', { min: 0 })),
    usBefore: maybe(real('Microseconds of the layer within the original', { min: 0 })),
    usAfter: maybe(real('Of what is in its place, within the result', { min: 0 })),
    curves: list(
      object({ scheme: words('Scheme'), points: list(POINT, 'By rising multiplications') }, 'Chains of one scheme'),
      'What it could have become',
    ),
  },
  'One layer with weights',
);

const STEP = object(
  { name: words('What was tried'), chains: whole('Layers that were chains in it', { min: 0 }), ...STEP_FIELDS },
  'A model on the way, judged on the samples for selection',
);

export const FACTORIZE_REPORT = object(
  {
    version: exactly(REPORT_VERSION, 'Version of this format'),
    kind: exactly('factorize', 'Kind of document'),
    ...TRADE,
    kept: choice(['factorized', 'original'], 'original: no layer became a chain, or what came out may not stand'),
    method: object(
      {
        aim: choice(['latency', 'macs', 'params', 'size'], 'What had to get smaller'),
        metric: choice(['outputs', 'diagonal', 'plain'], 'What counted as a small error'),
        ranks: words('How ranks were found'),
        groupSize: whole('Convolutions that were factorized together; 0: all', { min: 0 }),
        repair: choice(['on', 'off'], 'Whether chains and what lies behind them were refitted'),
        refitted: whole('Layers that were refitted', { min: 0 }),
      },
      'How layers became chains',
    ),
    layers: list(LAYER, 'Layers with weights in order of execution'),
    steps: list(STEP, 'Candidates of a search'),
    samples: splitSamplesOrNone('For statistics and refits'),
    ...RUN,
  },
  'Report of mcompress factorize',
);

export interface FactorizeReport extends ValueOf<typeof FACTORIZE_REPORT> {}
export type FactorizeLayerReport = FactorizeReport['layers'][number];
