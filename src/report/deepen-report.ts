// The report of `deepen`: what became smaller and faster, what was lost, which blocks became what, and why the others stayed.
import { REPORT_VERSION } from './facts.js';
import { RUN } from './run-facts.js';
import { choice, exactly, list, maybe, object, real, whole, words, type ValueOf } from './shape.js';
import { STEP_FIELDS, TRADE, splitSamples } from './trade-facts.js';

const BLOCK = object(
  {
    rule: words('Rule'),
    form: words('What stands for the block, in a word of the rule'),
    block: words('Node that the block is called by: its first layer, or the Concat of branches'),
    operators: list(words('Operator'), 'Nodes that go or change, in their order'),
    code: maybe(words('Code of the reason why it was not taken; absent where it was')),
    message: maybe(words('The reason')),
    msBefore: maybe(real('Milliseconds of the slimmed model', { min: 0 })),
    msAfter: maybe(real('Of the same with this block alone replaced', { min: 0 })),
    macsBefore: real('Multiplications of the slimmed model', { min: 0 }),
    macsAfter: real('Of the same with this block alone replaced', { min: 0 }),
    error: maybe(real('Error of the outputs of the block, alone and fitted, as part of their variance', { min: 0 })),
    loss: maybe(real('Noise over signal at the outputs of the model with this block alone replaced', { min: 0 })),
    refitError: maybe(real('Error in the result against the original, as part of its variance', { min: 0 })),
    usBefore: maybe(real('Microseconds of the nodes of the block within the original', { min: 0 })),
    usAfter: maybe(real('Of what is there within the result', { min: 0 })),
  },
  'One thing that could stand for a block',
);

const STEP = object(
  { name: words('What was tried'), blocks: whole('Blocks that were replaced in it', { min: 0 }), ...STEP_FIELDS },
  'A model on the way, judged on the samples for selection',
);

/** Time by kinds of layers in one model. */
const KINDS = object(
  {
    tensorUs: real('Layers with learned weights of higher order', { min: 0 }),
    nonTensorUs: real('All others: pooling, normalization, activation, Concat', { min: 0 }),
    runtimeUs: real('What the runtime adds: reorders of layouts', { min: 0 }),
  },
  'Microseconds of one run by kinds of layers (DeepRebirth 2018, table 1)',
);

export const BOTH_KINDS = maybe(object({ before: KINDS, after: KINDS }, 'Time by kinds of layers in both models'));

export const DEEPEN_REPORT = object(
  {
    version: exactly(REPORT_VERSION, 'Version of this format'),
    kind: exactly('deepen', 'Kind of document'),
    ...TRADE,
    kept: choice(['deepened', 'original'], 'original: no block was replaced, or what came out may not stand'),
    method: object(
      {
        aim: choice(['latency', 'macs', 'params', 'size'], 'What had to get smaller'),
        rules: list(words('Rule'), 'Rules that were tried'),
        start: choice(['fitted', 'xavier'], 'Weights of new layers'),
        repair: choice(['on', 'off'], 'Whether new layers and what lies behind them were fitted'),
        refitted: whole('Layers that were fitted', { min: 0 }),
        last: list(words('Pass'), 'Passes that went over what came out'),
      },
      'How blocks were replaced',
    ),
    kinds: BOTH_KINDS,
    blocks: list(BLOCK, 'All that could stand for blocks'),
    declined: list(
      object(
        {
          rule: words('Rule'),
          form: maybe(words('What it would have been')),
          block: words('Node that the block is called by: its first layer, or the Concat of branches'),
          code: words('Code of the reason'),
          message: words('The reason'),
        },
        'A block that a rule does not take on',
      ),
      'Blocks that looked right, and are left alone',
    ),
    steps: list(STEP, 'Candidates of a search'),
    samples: splitSamples('For fits'),
    ...RUN,
  },
  'Report of mcompress deepen',
);

export interface DeepenReport extends ValueOf<typeof DEEPEN_REPORT> {}
export type BlockReport = DeepenReport['blocks'][number];
