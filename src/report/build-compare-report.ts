// The report value of `compare`, from what was compared and measured.
import type { ComparedValue, CompareOutcome, CompareRequest, InsideComparison } from '../pipeline/compare-models.js';
import type { Disagreement, OutputAgreement } from '../runtime/compare.js';
import { fileFacts, operatorCounts, pairFigures } from './build-slim-report.js';
import type { CompareReport } from './compare-report.js';
import { surroundings } from './surroundings.js';

/** The report of one comparison; `names` are those of the files, "-" for standard input. */
export function buildCompareReport(
  request: CompareRequest,
  outcome: CompareOutcome,
  names: { readonly a: string; readonly b: string },
): CompareReport {
  const { a, b, check, reference, inside, measurement } = outcome;
  const values = inside?.values.map(comparedValue) ?? [];
  const first = inside?.values.find(({ lasts }) => lasts);
  return {
    version: 1,
    kind: 'compare',
    a: { ...fileFacts(a), name: names.a },
    b: { ...fileFacts(b), name: names.b },
    ...verdictOf(outcome),
    tolerance: request.tolerance.mode === 'bits' ? 0 : request.tolerance.limit,
    feeds: check ? reference.samples.length : 0,
    feedKinds: check ? reference.samples.map(({ label }) => label).join('; ') : undefined,
    outputs: check?.outputs.map((output) => ({ name: output.name, ...difference(output) })) ?? [],
    values,
    matching: inside && matchingCounts(inside),
    firstDivergence: first && divergence(first),
    figures: pairFigures({ before: a, after: b, measurement }, request.threads),
    operators: operatorCounts(a, b),
    ...surroundings(),
    seed: request.seed,
    threads: request.threads,
    warnings: warnings(request, outcome),
  };
}

function verdictOf({ check, reference }: CompareOutcome): Pick<CompareReport, 'verdict' | 'reason'> {
  if (!check)
    return {
      verdict: 'not-comparable',
      reason: `A gives nothing to compare with: ${reference.obstacle?.message ?? ''}`,
    };
  if (check.agrees) return { verdict: 'agree', reason: undefined };
  return check.outputs.length === 0
    ? { verdict: 'not-comparable', reason: `B ${check.reason ?? 'does not run'}` }
    : { verdict: 'differ', reason: check.reason };
}

const NOTES: { readonly [D in Disagreement]: string } = {
  missing: 'B does not have it',
  unexpected: 'only B has it',
  dtype: 'B has another element type',
  shape: 'B has another shape',
  'special-values': 'NaN or infinity in other places',
  values: '',
};

function difference(
  agreement: OutputAgreement,
): Pick<CompareReport['outputs'][number], 'worstRelative' | 'worstAbsolute' | 'note'> {
  const finite = (error: number): number | undefined => (Number.isFinite(error) ? error : undefined);
  return {
    worstRelative: finite(agreement.relativeError),
    worstAbsolute: finite(agreement.maxError),
    note: (agreement.reason && NOTES[agreement.reason]) || undefined,
  };
}

function comparedValue({ match: { a, b }, agreement, lasts }: ComparedValue): CompareReport['values'][number] {
  const moved = !agreement.agrees && !lasts ? 'agrees again further on' : undefined;
  return {
    value: a.name,
    nodeA: a.producer?.label ?? a.name,
    nodeB: b.producer?.label ?? b.name,
    ...difference(agreement),
    ...(moved === undefined ? {} : { note: moved }),
  };
}

function divergence(compared: ComparedValue): NonNullable<CompareReport['firstDivergence']> {
  const { value, nodeA, nodeB, worstRelative } = comparedValue(compared);
  return { value, nodeA, nodeB, worstRelative };
}

function matchingCounts({ matching: { matched, onlyA, onlyB }, feed }: InsideComparison): CompareReport['matching'] {
  const byName = matched.filter(({ by }) => by === 'name').length;
  return { byName, byStructure: matched.length - byName, onlyA, onlyB, feed };
}

function warnings({ measure }: CompareRequest, { check, measurement, inside }: CompareOutcome): string[] {
  const unstable = check?.unstable ?? [];
  return [
    ...(unstable.length === 0 ? [] : [`left out, as A does not give the same twice: ${unstable.join(', ')}`]),
    ...(measure === 'on' && check && !measurement ? ['latency and memory could not be measured on both models'] : []),
    ...(check && !check.agrees && inside && !inside.values.some(({ lasts }) => lasts)
      ? ['no value inside differs that both models have: they part where they have no value in common']
      : []),
  ];
}
