// The page docs/operators.md: every operator with a record, and what the record says of it.
import type { OpRecord } from './record.js';
import { OP_FAMILIES, opKey } from './registry.js';

const LEGEND = `An operator with a record here has its types, shapes and (for small integer tensors) values inferred, symbolic sizes
included. Any other operator is opaque: its outputs have no known shape, no pass touches it, and costs leave it out.

- **kind**: a tensor layer has learned weights of higher order; a non-tensor layer computes without them; plumbing only
  moves, shapes or casts data, or computes shapes (after DeepRebirth, Li et al.).
- **MACs**: multiply-accumulates are counted; every other operator counts as none.
- **elementwise**: element i of the output depends on element i of the (broadcast) inputs only.
- **rises**: non-decreasing in the first input. **scales**: f(s x) = s f(x) for s > 0 in the first input. Both hold where the
  attributes and constants of a node allow it, which is checked at each node.
- **view**: the output may share the memory of the first input.
- **dims**: reads the dims of its first input, not its elements.
- **axes**: how the axes of its outputs follow those of its inputs is known, index by index; the others freeze the channels
  around them (\`mcompress inspect --groups\`).
- **random**: equal inputs may give different outputs.`;

/** Traits in words, in a fixed order. */
const WORDS: readonly (readonly [word: string, holds: (record: OpRecord) => boolean])[] = [
  ['MACs', ({ macs }) => macs !== undefined],
  ['elementwise', ({ traits }) => traits.elementwise === true],
  ['rises', ({ traits }) => traits.nonDecreasing !== undefined],
  ['scales', ({ traits }) => traits.positivelyHomogeneous !== undefined],
  ['view', ({ traits }) => traits.alias === true],
  ['dims', ({ traits }) => traits.dimsOnly === true],
  ['axes', ({ axes }) => axes !== undefined],
  ['random', ({ traits }) => traits.deterministic === false],
];

function row(record: OpRecord): string {
  const traits = WORDS.filter(([, holds]) => holds(record)).map(([word]) => word);
  return `| ${opKey(record.opType, record.domain)} | ${record.traits.layer} | ${traits.join(', ')} |`;
}

/** The page as Markdown: one table per family, operators by name. */
export function operatorsPage(): string {
  const sections = OP_FAMILIES.map(({ title, records }) => {
    const sorted = records.toSorted((a, b) => (opKey(a.opType, a.domain) < opKey(b.opType, b.domain) ? -1 : 1));
    return [`## ${title}`, '', '| operator | kind | |', '| --- | --- | --- |', ...sorted.map(row)].join('\n');
  });
  const count = OP_FAMILIES.reduce((sum, { records }) => sum + records.length, 0);
  return `${['# Operators', `${count} operators are known. ${LEGEND}`, ...sections].join('\n\n')}\n`;
}
