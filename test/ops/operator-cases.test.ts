// Every record against ONNX Runtime and onnx (operator-cases.json, made by generate_cases.py): with sizes as numbers, and
// with every size a symbol, substituted afterwards.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createFacts } from '../../src/analysis/inference.js';
import { evaluateDim, formatDim, symbolsOf, type Dim } from '../../src/ir/dim.js';
import { OP_RECORDS } from '../../src/ops/registry.js';
import { buildOneNode, type OperatorCase } from './one-node.js';

const CASES = JSON.parse(readFileSync(new URL('./operator-cases.json', import.meta.url), 'utf8')) as readonly OperatorCase[];
const operators = [...new Set(CASES.map(({ op, domain }) => (domain ? `${domain}.${op}` : op)))];

const label = (spec: OperatorCase, opset: number): string =>
  `${spec.op}-${opset}(${spec.in.map((input) => (input ? `${input[0]}[${input[1].join()}]${input[2] ? `=${input[2].join()}` : ''}` : '')).join('; ')}) ${JSON.stringify(spec.attr ?? {})}`;

/** Where symbols leave sizes open: which axes are 1, and products with fractions like 0.6. */
const OPEN = new Set(['Squeeze', 'Resize']);

/** Sizes that the data decides (test/ops/data-dependent.test.ts) and control flow (test/analysis). */
const ELSEWHERE = new Set(['NonZero', 'Compress', 'Unique', 'NonMaxSuppression', 'If', 'Loop', 'Scan']);

it('has cases for every record', () => {
  expect([...OP_RECORDS.keys()].filter((key) => !operators.includes(key) && !ELSEWHERE.has(key))).toEqual([]);
});

describe.each(operators)('%s', (operator) => {
  const cases = CASES.filter(({ op, domain }) => (domain ? `${domain}.${op}` : op) === operator);
  const runs = cases.flatMap((spec) => spec.opsets.map((opset) => [label(spec, opset), spec, opset] as const));

  it('agrees with the runtime', () => {
    for (const [name, spec, opset] of runs) {
      const { model, node } = buildOneNode(spec, opset, 'numbers');
      const facts = createFacts(model);
      const inferred = node.outputs.map((value) => value && { dtype: facts.of(value).dtype, dims: facts.of(value).shape?.map(formatDim).join() });
      expect.soft(inferred, name).toEqual(spec.out.map(([dtype, dims]) => ({ dtype, dims: dims.join() })));
    }
  });

  it('computes small integers where the inputs are known', () => {
    for (const [name, spec, opset] of runs) {
      const { model, node } = buildOneNode(spec, opset, 'numbers');
      const facts = createFacts(model);
      spec.out.forEach(([, , expected], i) => {
        const value = node.outputs[i];
        const data = value && facts.of(value).data;
        if (expected !== undefined) expect.soft(data, name).toEqual(expected);
      });
    }
  });

  it('gives the same sizes from symbols', () => {
    for (const [name, spec, opset] of runs) {
      const { model, node, values } = buildOneNode(spec, opset, 'symbols');
      const facts = createFacts(model);
      const known = (dim: Dim, size: number | undefined): number | string | undefined => {
        const isMadeUp = [...symbolsOf(dim)].some((symbol) => symbol.startsWith('?'));
        if (isMadeUp && OPEN.has(operator)) return size;
        return evaluateDim(dim, values) ?? formatDim(dim);
      };
      const inferred = node.outputs.map((value, i) => value && facts.of(value).shape?.map((dim, axis) => known(dim, spec.out[i]?.[1][axis])));
      if (!OPEN.has(operator) || !inferred.includes(undefined)) expect.soft(inferred, name).toEqual(spec.out.map(([, dims]) => dims));
    }
  });
});
