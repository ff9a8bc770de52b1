// The generated page of operators.
import { expect, it } from 'vitest';
import { operatorsPage } from '../../src/ops/operator-table.js';
import { OP_RECORDS } from '../../src/ops/registry.js';

it('has one row for each record, under its family', () => {
  const rows = operatorsPage()
    .split('\n')
    .filter((line) => /^\| (?!operator|---)/.test(line));
  expect(rows).toHaveLength(OP_RECORDS.size);
  expect(rows).toContain('| Conv | tensor | MACs, scales, axes |');
  expect(rows).toContain('| Reshape | plumbing | scales, view, axes |');
  expect(rows).toContain('| RandomNormalLike | non-tensor | dims, random |');
  expect(rows).toContain('| com.microsoft.QLinearAdd | non-tensor | elementwise |');
});
