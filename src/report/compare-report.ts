// The report of `compare`: do two models compute the same, where do they part, and what does each need.
import { FIGURES, FILE, HISTOGRAM, MACHINE, REPORT_VERSION, VERSIONS } from './facts.js';
import { choice, exactly, list, maybe, object, real, whole, words, type ValueOf } from './shape.js';

const DIFFERENCE = {
  worstRelative: maybe(
    real('Largest |difference| / largest |value of A|; absent where it is not a number', { min: 0 }),
  ),
  worstAbsolute: maybe(real('Largest |difference|', { min: 0 })),
  note: maybe(words('Why it was not compared, or what is odd')),
};

export const COMPARE_REPORT = object(
  {
    version: exactly(REPORT_VERSION, 'Version of this format'),
    kind: exactly('compare', 'Kind of document'),
    a: FILE,
    b: FILE,
    verdict: choice(['agree', 'differ', 'not-comparable'], 'Whether every output is within the tolerance'),
    reason: maybe(words('Why they differ or cannot be compared')),
    tolerance: real('Allowed error, relative to the scale of the output', { min: 0 }),
    feeds: whole('Input sets on which both ran'),
    feedKinds: maybe(words('What they were, in words')),
    outputs: list(object({ name: words('Output'), ...DIFFERENCE }, 'One output'), 'Outputs'),
    values: list(
      object(
        {
          value: words('Value that both models have'),
          nodeA: words('Node of A that makes it'),
          nodeB: words('Node of B that makes it'),
          ...DIFFERENCE,
        },
        'One value',
      ),
      'Values inside, in the order of A; empty when not compared node by node',
    ),
    matching: maybe(
      object(
        {
          byName: whole('Values matched by their names'),
          byStructure: whole('Values matched by what they are computed of'),
          onlyA: whole('Values of A without a counterpart'),
          onlyB: whole('Values of B without a counterpart'),
          feed: words('What was fed, in words'),
        },
        'How values inside were matched; absent when they were not compared',
      ),
    ),
    firstDivergence: maybe(
      object(
        {
          value: words('The first value beyond the tolerance'),
          nodeA: words('Node of A that makes it'),
          nodeB: words('Node of B that makes it'),
          worstRelative: maybe(real('Its error', { min: 0 })),
        },
        'Where they part',
      ),
    ),
    figures: FIGURES,
    operators: HISTOGRAM,
    machine: MACHINE,
    versions: VERSIONS,
    seed: whole('Seed of the inputs'),
    threads: whole('Intra-op threads', { min: 1 }),
    warnings: list(words('Warning'), 'Warnings'),
  },
  'Report of mcompress compare: "before" is A, "after" is B',
);

export interface CompareReport extends ValueOf<typeof COMPARE_REPORT> {}
