// NodeProto to Node.
import { AppError, locate } from '../base/errors.js';
import type { Attribute, AttributeMap } from '../ir/attribute.js';
import type { Graph } from '../ir/graph.js';
import type { Value, ValueType } from '../ir/value.js';
import { decodeAttribute } from './decode-attribute.js';
import { define, missingName, resolve, type DecodeContext, type Scope } from './decode-scope.js';
import { NODE } from './schema.js';
import { sortNodes } from './sort-nodes.js';
import { bodyOf, WireReader, wireError, type FieldSpan } from './wire.js';

/** What most nodes share. */
const NO_ATTRIBUTES: AttributeMap = Object.freeze(new Map<string, Attribute>());

/** What the nodes of one graph are decoded with. */
interface NodeContext {
  readonly context: DecodeContext;
  readonly scope: Scope;
  readonly subgraph: (field: FieldSpan) => Graph;
}

/**
 * Makes the nodes in `fields` and puts them in order. `types`: what the file declares of values; `subgraph` decodes the
 * graph of an attribute in this scope.
 * @throws InputError missing-field, missing-value, duplicate-name, cyclic and those of attributes
 */
export function decodeNodes(
  context: DecodeContext,
  scope: Scope,
  fields: readonly FieldSpan[],
  types: ReadonlyMap<string, ValueType | undefined>,
  subgraph: (field: FieldSpan) => Graph,
): void {
  const nodes: NodeContext = { context, scope, subgraph };
  const outputs = fields.map((field) => declareOutputs(context, scope, field, types));
  fields.forEach((field, index) => decodeNode(nodes, field, outputs[index] ?? [], index));
  if (context.unsorted.has(scope.graph)) sortNodes(scope.graph);
}

/** The outputs of a node, in scope before any node is made, since a name may be read before the node that computes it. */
function declareOutputs(
  context: DecodeContext,
  scope: Scope,
  field: FieldSpan,
  types: ReadonlyMap<string, ValueType | undefined>,
): readonly (Value | undefined)[] {
  const outputs: (Value | undefined)[] = [];
  const reader = new WireReader(context.source, bodyOf(field), NODE.schema);
  while (reader.next()) {
    if (reader.number !== NODE.output) continue;
    const name = reader.text();
    const value = name === '' ? undefined : scope.graph.declare(name, types.get(name));
    if (value) define(context, scope, value, reader);
    outputs.push(value);
  }
  return outputs;
}

function decodeNode(
  nodes: NodeContext,
  field: FieldSpan,
  outputs: readonly (Value | undefined)[],
  index: number,
): void {
  const { context, scope } = nodes;
  const inputs: (Value | undefined)[] = [];
  let attributes: Map<string, Attribute> | undefined;
  let name = '';
  let opType = '';
  let domain = '';
  let overload = '';
  try {
    const reader = new WireReader(context.source, bodyOf(field), NODE.schema);
    while (reader.next()) {
      switch (reader.number) {
        case NODE.input:
          inputs.push(readInput(nodes, reader));
          break;
        case NODE.opType:
          opType = reader.text();
          break;
        case NODE.name:
          name = reader.text();
          break;
        case NODE.domain:
          domain = reader.text();
          break;
        case NODE.overload:
          overload = reader.text();
          break;
        case NODE.attribute:
          addAttribute(nodes, reader.field(), (attributes ??= new Map()));
          break;
        default:
      }
    }
    if (opType === '') throw missingName(context, field, 'a node has no operator type');
  } catch (error) {
    throw error instanceof AppError
      ? locate(error, { graph: scope.graph.name, node: labelOf(context, field, index) })
      : error;
  }
  if (domain === 'ai.onnx') domain = '';
  const node = scope.graph.addNode({
    opType,
    domain,
    overload,
    name,
    inputs,
    outputs,
    attributes: attributes ?? NO_ATTRIBUTES,
  });
  context.nodes.set(node, { field, inputs: [...node.inputs], outputs: node.outputs, attributes: node.attributes });
}

/** How messages call a node that could not be decoded: by its name or operator, as far as they can be read. */
function labelOf({ source }: DecodeContext, field: FieldSpan, index: number): string {
  const reader = new WireReader(source, bodyOf(field));
  let name = '';
  let opType = '';
  try {
    while (reader.next()) {
      if (reader.number === NODE.name) name = reader.text();
      else if (reader.number === NODE.opType) opType = reader.text();
    }
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
  }
  return name || (opType === '' ? `#${index}` : `#${index} (${opType})`);
}

function readInput({ context, scope }: NodeContext, reader: WireReader): Value | undefined {
  const name = reader.text();
  return name === '' ? undefined : resolve(context, scope, name, reader, 'the node reads');
}

function addAttribute({ context, subgraph }: NodeContext, field: FieldSpan, attributes: Map<string, Attribute>): void {
  const { source, tensors } = context;
  const [name, attribute] = decodeAttribute({ source, tensors, graph: subgraph }, field);
  if (attributes.has(name))
    throw wireError(source, field.start, 'duplicate-name', `the node has two attributes ${name}`);
  attributes.set(name, attribute);
  context.attributes.set(attribute, field);
}
