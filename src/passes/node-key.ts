// A text that is equal for nodes that compute the same: operator, attributes, operands.
import type { Attribute } from '../ir/attribute.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';

/** Operators whose result does not depend on the order of their operands, bit by bit. */
const COMMUTATIVE: ReadonlySet<string> = new Set(['Add', 'Mul', 'And', 'Or', 'Xor', 'Equal']);

/**
 * Key of what `node` computes; `operand` names its operands. Undefined when attributes cannot be compared (subgraphs,
 * types, sparse tensors, references).
 */
export function nodeKey(node: Node, operand: (value: Value | undefined) => string): string | undefined {
  const attributes: string[] = [];
  for (const [name, attribute] of node.attributes) {
    const text = attributeText(attribute);
    if (text === undefined) return undefined;
    attributes.push(`${name}=${text}`);
  }
  const operands = node.inputs.map(operand);
  if (node.domain === '' && COMMUTATIVE.has(node.opType) && !node.attributes.has('axis')) operands.sort();
  const outputs = node.outputs.map((value) => (value ? '1' : '0')).join('');
  return [node.domain, node.opType, node.overload, operands.join(','), attributes.sort().join(';'), outputs].join('|');
}

/** JSON has one zero and no NaN or infinity. */
function distinct(_: string, item: unknown): unknown {
  if (typeof item !== 'number') return item;
  return Object.is(item, -0) ? '-0' : Number.isFinite(item) ? item : String(item);
}

/** A text that is equal for equal attributes; undefined for those that cannot be compared. */
function attributeText(attribute: Attribute): string | undefined {
  switch (attribute.kind) {
    case 'tensor':
      return `t${attribute.value.fingerprint()}`;
    case 'tensors':
      return `T${attribute.value.map((tensor) => tensor.fingerprint()).join()}`;
    case 'int':
    case 'float':
    case 'string':
    case 'ints':
    case 'floats':
    case 'strings':
      return `${attribute.kind}:${JSON.stringify(attribute.value, distinct)}`;
    case 'graph':
    case 'graphs':
    case 'reference':
    case 'opaque':
      return undefined;
    default:
      return attribute satisfies never;
  }
}
