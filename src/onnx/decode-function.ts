// FunctionProto to LocalFunction.
import type { Attribute } from '../ir/attribute.js';
import { Graph } from '../ir/graph.js';
import type { LocalFunction } from '../ir/model.js';
import type { Value } from '../ir/value.js';
import { decodeAttribute } from './decode-attribute.js';
import { decodeSubgraph, typesOf } from './decode-graph.js';
import { decodeOpset } from './decode-header.js';
import { decodeNodes } from './decode-node.js';
import { define, inPlace, resolve, type DecodeContext, type Scope } from './decode-scope.js';
import { decodeValueInfo } from './decode-type.js';
import type { ValueField } from './document.js';
import { FUNCTION } from './schema.js';
import { bodyOf, fieldsByNumber, textOf, WireReader, wireError, type FieldSpan, type Source } from './wire.js';

/** The fields of a FunctionProto, sorted out. */
interface FunctionFields {
  readonly name: string;
  readonly domain: string;
  readonly overload: string;
  readonly of: (number: number) => readonly FieldSpan[];
}

function scanFunction(source: Source, field: FieldSpan): FunctionFields {
  const of = fieldsByNumber(new WireReader(source, bodyOf(field), FUNCTION.schema));
  const text = (number: number): string => textOf(source, of(number).at(-1));
  return { name: text(FUNCTION.name), domain: text(FUNCTION.domain), overload: text(FUNCTION.overload), of };
}

/** The function in `field`. @throws InputError missing-field, duplicate-name, missing-value and those of nodes */
export function decodeFunction(context: DecodeContext, field: FieldSpan): LocalFunction {
  const { source } = context;
  const fields = scanFunction(source, field);
  const { name, domain, overload, of } = fields;
  if (name === '') throw wireError(source, field.start, 'missing-field', 'a local function has no name');
  return inPlace(
    () => ({ graph: name }),
    () => ({
      name,
      domain: domain === 'ai.onnx' ? '' : domain,
      overload,
      graph: decodeBody(context, field, fields),
      attributeNames: of(FUNCTION.attribute).map((part) => textOf(source, part)),
      attributeDefaults: decodeDefaults(context, of(FUNCTION.attributeProto)),
      opsets: new Map(of(FUNCTION.opsetImport).map((part) => decodeOpset(source, part))),
    }),
  );
}

function decodeBody(context: DecodeContext, field: FieldSpan, { name, of }: FunctionFields): Graph {
  const { source, model } = context;
  const graph = new Graph(model, name);
  const scope: Scope = { graph, values: new Map(), outer: undefined, depth: 1 };
  const valueInfo = of(FUNCTION.valueInfo).map((part) => decodeValueInfo(source, part, context.types));
  const types = typesOf(valueInfo);
  const inputs = of(FUNCTION.input).map((part) => textOf(source, part));
  graph
    .addInputs(inputs.map((input) => ({ name: input, type: types.get(input) })))
    .forEach((value, i) => define(context, scope, value, of(FUNCTION.input)[i]));
  decodeNodes(context, scope, of(FUNCTION.node), types, (part) => decodeSubgraph(context, part, scope));
  graph.setOutputs(
    of(FUNCTION.output).map((part) => resolve(context, scope, textOf(source, part), part, 'the function returns')),
  );
  const named = (part: FieldSpan, value: Value | undefined): ValueField => ({
    field: part,
    name: textOf(source, part),
    type: undefined,
    value,
  });
  context.graphs.set(graph, {
    field,
    nodes: graph.nodes(),
    initializers: [],
    sparseInitializers: [],
    annotations: [],
    inputs: of(FUNCTION.input).map((part, i) => named(part, graph.inputs[i])),
    outputs: of(FUNCTION.output).map((part, i) => named(part, graph.outputs[i])),
    valueInfo: valueInfo.map((declared) => ({ ...declared, value: scope.values.get(declared.name) })),
  });
  return graph;
}

/** Attributes with defaults. A graph among them stands outside of every scope, so it can use its own names only. */
function decodeDefaults(context: DecodeContext, fields: readonly FieldSpan[]): ReadonlyMap<string, Attribute> {
  const { source, tensors } = context;
  const attributes = new Map<string, Attribute>();
  for (const field of fields) {
    const [name, attribute] = decodeAttribute(
      { source, tensors, graph: (body) => decodeSubgraph(context, body, undefined) },
      field,
    );
    if (attributes.has(name))
      throw wireError(source, field.start, 'duplicate-name', `the function has two attributes ${name}`);
    attributes.set(name, attribute);
    context.attributes.set(attribute, field);
  }
  return attributes;
}
