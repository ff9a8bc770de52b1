// Claims about functions, against what ONNX Runtime shows on random numbers (the field `is` of operator-cases.json).
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createFacts } from '../../src/analysis/inference.js';
import { OP_FAMILIES, OP_RECORDS, opKey } from '../../src/ops/registry.js';
import { buildOneNode, type OperatorCase } from './one-node.js';

const CASES = JSON.parse(
  readFileSync(new URL('./operator-cases.json', import.meta.url), 'utf8'),
) as readonly OperatorCase[];

/** Cases that the runtime ran with a float32 variable as first input, with the claim made at their site. */
function claims(
  trait: 'nonDecreasing' | 'positivelyHomogeneous',
): { readonly name: string; readonly claimed: boolean; readonly shown: boolean }[] {
  return CASES.filter((spec) => spec.is !== undefined).flatMap((spec) =>
    spec.opsets.map((opset) => {
      const { model, node } = buildOneNode(spec, opset, 'numbers');
      const record = OP_RECORDS.get(opKey(spec.op, spec.domain ?? ''));
      const claimed = record?.traits[trait]?.(createFacts(model).site(node)) ?? false;
      return {
        name: `${spec.op}-${opset} ${JSON.stringify(spec.attr ?? {})} ${JSON.stringify(spec.in)}`,
        claimed,
        shown: spec.is?.includes(trait === 'nonDecreasing' ? 'm' : 'h') ?? false,
      };
    }),
  );
}

describe.each(['nonDecreasing', 'positivelyHomogeneous'] as const)('%s', (trait) => {
  const all = claims(trait);

  it('is claimed only where it holds', () => {
    expect(all.filter(({ claimed, shown }) => claimed && !shown).map(({ name }) => name)).toEqual([]);
  });

  it('is claimed somewhere and denied somewhere', () => {
    expect(new Set(all.map(({ claimed }) => claimed)).size).toBe(2);
  });
});

it('claims that activations rise exactly where they do', () => {
  /** Rising between the numbers drawn, but not by the record: casts to integers overflow, Dropout may be training. */
  const careful = new Set(['Cast', 'CastLike', 'Dropout']);
  const families = OP_FAMILIES.filter(({ title }) => title === 'Functions of one tensor')
    .flatMap(({ records }) => records.map(({ opType }) => opType))
    .filter((opType) => !careful.has(opType));
  const missed = claims('nonDecreasing').filter(
    ({ name, claimed, shown }) => shown && !claimed && families.includes(name.split('-')[0] ?? ''),
  );
  expect([...new Set(missed.map(({ name }) => name))]).toEqual([]);
});

it('gives each operator one record and one family', () => {
  const keys = OP_FAMILIES.flatMap(({ records }) => records.map(({ opType, domain }) => opKey(opType, domain)));
  expect(keys.length).toBe(new Set(keys).size);
});
