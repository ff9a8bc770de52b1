// The report of `slim`: one plain value, filled by the command and shown by every output form.
import { FIGURES, FILE, FUSION, LAYER, REPORT_VERSION, SHARE } from './facts.js';
import { RUN } from './run-facts.js';
import { choice, exactly, list, maybe, object, real, whole, words, type Shape, type ValueOf } from './shape.js';

const signed = (description: string): Shape<number> => whole(description, {});

const UNDONE = object(
  {
    pass: words('Pass whose rewrite it was'),
    node: maybe(words('Where')),
    worstRelative: maybe(real('Error that gave it away', { min: 0 })),
    reproducer: maybe(words('Name of the file or folder that shows the defect')),
  },
  'A rewrite that checking found wrong, and that was taken back',
);

const VERIFICATION = object(
  {
    verdict: choice(
      ['agrees', 'mismatch-undone', 'unverified', 'skipped'],
      'agrees; agrees after wrong rewrites were undone; could not be checked; was not asked for',
    ),
    worstRelative: maybe(
      real('Largest |difference| / largest |original| of any output and feed; absent where it is not a number', {
        min: 0,
      }),
    ),
    tolerance: maybe(real('Allowed value of worstRelative', { min: 0 })),
    feeds: whole('Input sets on which both models ran'),
    feedKinds: maybe(words('What they were, in words')),
    outputs: list(
      object(
        { name: words('Output'), worstRelative: maybe(real('Its worst error, relative to its scale', { min: 0 })) },
        'One output',
      ),
      'Outputs compared',
    ),
    reason: maybe(words('Why it could not be checked, or what was wrong')),
    undone: list(UNDONE, 'Rewrites taken back'),
  },
  'Comparison with the original on ONNX Runtime',
);

const PASS = object(
  {
    pass: words('Name'),
    exactness: choice(['exact', 'rounding', 'lossy'], 'Bit-equal; equal in real arithmetic; approximate'),
    outcome: choice(['changed', 'no-change', 'undone', 'rejected'], 'What became of it'),
    reason: maybe(words('Why it was undone or rejected')),
    sites: whole('Places changed'),
    nodesRemoved: signed('Nodes before - nodes after'),
    parametersDelta: signed('Parameters after - before'),
    macsDelta: maybe(signed('Multiply-accumulates after - before')),
    stats: list(
      object(
        {
          key: words('Name in the declaration of the pass'),
          label: words('What is counted: "BatchNormalization folded into Conv"'),
          count: whole('How many'),
        },
        'One count',
      ),
      'Counts that the pass declares',
    ),
    ms: real('Time taken', { min: 0 }),
  },
  'One pass',
);

const DECLINE = object(
  {
    pass: words('Pass that could have fired'),
    code: words('Code of the reason'),
    message: words('The reason'),
    node: maybe(words('Node, or the first of them')),
    count: whole('Sites', { min: 1 }),
  },
  'A place where a pass could have fired and did not',
);

export const SLIM_REPORT = object(
  {
    version: exactly(REPORT_VERSION, 'Version of this format'),
    kind: exactly('slim', 'Kind of document'),
    input: FILE,
    output: maybe(FILE),
    figures: FIGURES,
    timeShare: list(
      object({ fusion: FUSION, before: SHARE, after: SHARE }, 'Time by kind of layer'),
      'Profiled time; empty when not profiled',
    ),
    verification: VERIFICATION,
    passes: list(PASS, 'Passes in the order of their first run'),
    declines: list(DECLINE, 'Rewrites not applied'),
    layers: list(
      object(
        {
          name: words('Node name, or "OpType of output" for a node without one'),
          before: maybe(LAYER),
          after: maybe(LAYER),
        },
        'One layer; without `after` it was merged or removed, without `before` it is new',
      ),
      'Layers in order of execution',
    ),
    createdAt: maybe(words('ISO 8601 time')),
    ...RUN,
  },
  'Report of mcompress slim',
);

export interface SlimReport extends ValueOf<typeof SLIM_REPORT> {}
export type Verification = SlimReport['verification'];
export type PassReport = SlimReport['passes'][number];
export type DeclineReport = SlimReport['declines'][number];
export type LayerReport = SlimReport['layers'][number];
