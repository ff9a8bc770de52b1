// Every record against ONNX Runtime and onnx (operator-cases.json, made by generate_cases.py): with sizes as numbers, and
// with every size a symbol, substituted afterwards.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createFacts } from '../../src/analysis/inference.js';
import { evaluateDim, formatDim, symbolsOf, type Dim } from '../../src/ir/dim.js';
import { opKey, OP_RECORDS } from '../../src/ops/registry.js';
import { buildOneNode, type OperatorCase } from './one-node.js';

const CASES = JSON.parse(
  readFileSync(new URL('./operator-cases.json', import.meta.url), 'utf8'),
) as readonly OperatorCase[];
const keyOf = ({ op, domain }: OperatorCase): string => opKey(op, domain ?? '');
const operators = [...new Set(CASES.map(keyOf))];

const label = (spec: OperatorCase, opset: number): string =>
  `${spec.op}-${opset}(${spec.in.map((input) => (input ? `${input[0]}[${input[1].join()}]${input[2] ? `=${input[2].join()}` : ''}` : '')).join('; ')}) ${JSON.stringify(spec.attr ?? {})}`;

/** Where symbols leave sizes open: which axes are 1, and products with fractions like 0.6. */
const OPEN = new Set(['Squeeze', 'Resize']);
/** Sizes that the data decides (test/ops/data-dependent.test.ts) and control flow (test/analysis). */
const ELSEWHERE = new Set(['NonZero', 'Compress', 'Unique', 'NonMaxSuppression', 'If', 'Loop', 'Scan']);

/** What disagrees, one line per run: `got` against `wanted` as text. */
function disagreements(
  operator: string,
  compare: (spec: OperatorCase, opset: number) => readonly [got: unknown, wanted: unknown],
): string[] {
  const runs = CASES.filter((spec) => keyOf(spec) === operator).flatMap((spec) =>
    spec.opsets.map((opset) => [spec, opset] as const),
  );
  return runs.flatMap(([spec, opset]) => {
    const [got, wanted] = compare(spec, opset).map((part) => JSON.stringify(part));
    return got === wanted ? [] : [`${label(spec, opset)}: ${got}, not ${wanted}`];
  });
}

it('has cases for every record', () => {
  expect([...OP_RECORDS.keys()].filter((key) => !operators.includes(key) && !ELSEWHERE.has(key))).toEqual([]);
});

describe.each(operators)('%s', (operator) => {
  it('agrees with the runtime', () => {
    expect(
      disagreements(operator, (spec, opset) => {
        const { model, node } = buildOneNode(spec, opset, 'numbers');
        const facts = createFacts(model);
        const infos = node.outputs.map((value) => value && facts.of(value));
        return [
          infos.map((info) => [info?.dtype, info?.shape?.map(formatDim).join()]),
          spec.out.map(([dtype, dims]) => [dtype, dims.join()]),
        ];
      }),
    ).toEqual([]);
  });

  it('computes small integers where the inputs are known', () => {
    expect(
      disagreements(operator, (spec, opset) => {
        const { model, node } = buildOneNode(spec, opset, 'numbers');
        const facts = createFacts(model);
        return [
          node.outputs.map((value, i) => (value && spec.out[i]?.[2] ? facts.of(value).data : undefined)),
          spec.out.map(([, , data]) => data),
        ];
      }),
    ).toEqual([]);
  });

  it('gives the same sizes from symbols', () => {
    expect(
      disagreements(operator, (spec, opset) => {
        const { model, node, values } = buildOneNode(spec, opset, 'symbols');
        const facts = createFacts(model);
        const size = (dim: Dim, wanted: number | undefined): number | string | undefined => {
          const isMadeUp = [...symbolsOf(dim)].some((symbol) => symbol.startsWith('?'));
          return isMadeUp && OPEN.has(operator) ? wanted : (evaluateDim(dim, values) ?? formatDim(dim));
        };
        const wanted = spec.out.map(([, dims]) => dims);
        const got = node.outputs.map(
          (value, i) => value && facts.of(value).shape?.map((dim, axis) => size(dim, wanted[i]?.[axis])),
        );
        return [got.map((dims, i) => (dims === undefined && OPEN.has(operator) ? wanted[i] : dims)), wanted];
      }),
    ).toEqual([]);
  });
});
