// GraphProto to Graph: first every name a graph defines is declared, then its nodes are made, so that a name resolves to
// the innermost graph that defines it, wherever in that graph it is defined.
import { Graph } from '../ir/graph.js';
import type { ValueType } from '../ir/value.js';
import { decodeAnnotations, decodeInitializers, type NamedInitializer } from './decode-initializers.js';
import { decodeNodes } from './decode-node.js';
import {
  define,
  duplicateName,
  inPlace,
  lookUp,
  missingName,
  resolve,
  type DecodeContext,
  type Scope,
} from './decode-scope.js';
import { decodeValueInfo, type DeclaredValue } from './decode-type.js';
import type { InitializerField, ValueField } from './document.js';
import { GRAPH } from './schema.js';
import { bodyOf, fieldsByNumber, textOf, WireReader, wireError, type FieldSpan, type Source } from './wire.js';

/** ONNX Runtime's protobuf stops at 100 nested messages, which is 33 graphs: no file that it reads goes deeper. */
const MAX_GRAPH_DEPTH = 40;

/** The fields of a GraphProto, sorted out but not decoded. */
export interface GraphFields {
  readonly field: FieldSpan;
  readonly name: string;
  readonly nodes: readonly FieldSpan[];
  readonly initializers: readonly FieldSpan[];
  readonly sparseInitializers: readonly FieldSpan[];
  readonly inputs: readonly FieldSpan[];
  readonly outputs: readonly FieldSpan[];
  readonly valueInfo: readonly FieldSpan[];
  readonly annotations: readonly FieldSpan[];
}

/** Sorts out the fields of the GraphProto in `field`. */
export function scanGraph(source: Source, field: FieldSpan): GraphFields {
  const of = fieldsByNumber(new WireReader(source, bodyOf(field), GRAPH.schema));
  return {
    field,
    name: textOf(source, of(GRAPH.name).at(-1)),
    nodes: of(GRAPH.node),
    initializers: of(GRAPH.initializer),
    sparseInitializers: of(GRAPH.sparseInitializer),
    inputs: of(GRAPH.input),
    outputs: of(GRAPH.output),
    valueInfo: of(GRAPH.valueInfo),
    annotations: of(GRAPH.quantizationAnnotation),
  };
}

/** Fills `graph` from `fields`; returns its scope. @throws InputError for everything the file can get wrong */
export function decodeGraph(
  context: DecodeContext,
  graph: Graph,
  fields: GraphFields,
  outer: Scope | undefined,
): Scope {
  return inPlace(
    () => ({ graph: graph.name }),
    () => fillGraph(context, graph, fields, outer),
  );
}

/** A graph that an attribute holds, decoded in the scope around it. */
export function decodeSubgraph(context: DecodeContext, field: FieldSpan, outer: Scope | undefined): Graph {
  const fields = scanGraph(context.source, field);
  const graph = new Graph(context.model, fields.name);
  decodeGraph(context, graph, fields, outer);
  return graph;
}

function fillGraph(context: DecodeContext, graph: Graph, fields: GraphFields, outer: Scope | undefined): Scope {
  const { source } = context;
  const scope: Scope = { graph, values: new Map(), outer, depth: (outer?.depth ?? 0) + 1 };
  if (scope.depth > MAX_GRAPH_DEPTH)
    throw wireError(source, fields.field.start, 'too-deep', `graphs are nested more than ${MAX_GRAPH_DEPTH} deep`);
  const inputs = fields.inputs.map((field) => decodeValueInfo(source, field, context.types));
  const outputs = fields.outputs.map((field) => decodeValueInfo(source, field, context.types));
  const valueInfo = fields.valueInfo.map((field) => decodeValueInfo(source, field, context.types));
  const initializers = decodeInitializers(context, fields);
  const initializerFields = declareInputs(context, scope, inputs, initializers);
  const types = typesOf([...valueInfo, ...outputs]);
  decodeNodes(context, scope, fields.nodes, types, (field) => decodeSubgraph(context, field, scope));
  graph.setOutputs(outputs.map(({ name, field }) => resolve(context, scope, name, field, 'the graph returns')));
  const find = (declared: DeclaredValue): ValueField => ({ ...declared, value: scope.values.get(declared.name) });
  context.graphs.set(graph, {
    field: fields.field,
    nodes: graph.nodes(),
    inputs: inputs.map(find),
    valueInfo: valueInfo.map(find),
    outputs: outputs.map((declared, i) => ({ ...declared, value: graph.outputs[i] })),
    initializers: initializerFields.filter(({ isSparse }) => !isSparse),
    sparseInitializers: initializerFields.filter(({ isSparse }) => isSparse),
    annotations: decodeAnnotations(source, fields.annotations, (name) => lookUp(scope, name)),
  });
  return scope;
}

/** The declared type of each name. */
export function typesOf(declared: readonly DeclaredValue[]): ReadonlyMap<string, ValueType | undefined> {
  return new Map(declared.map(({ name, type }) => [name, type]));
}

/** Adds formal inputs and initializers to the scope. */
function declareInputs(
  context: DecodeContext,
  scope: Scope,
  declared: readonly DeclaredValue[],
  initializers: ReadonlyMap<string, NamedInitializer>,
): ReadonlyArray<InitializerField & { readonly isSparse: boolean }> {
  const { graph } = scope;
  const { model } = context;
  const isMain = graph === model.graph;
  for (const input of declared)
    if (input.name === '') throw missingName(context, input.field, 'an input of the graph has no name');
  const isFormal = ({ name }: DeclaredValue): boolean => !isMain || model.keepOverridable || !initializers.has(name);
  const formal = declared.filter(isFormal);
  graph.addInputs(formal).forEach((value, i) => define(context, scope, value, formal[i]?.field));
  const fields = [...initializers.values()].map(({ name, field, initializer, type }) => {
    const known = scope.values.get(name);
    const value = known ?? graph.declare(name, type);
    if (!known) define(context, scope, value, field);
    // The formal input of a subgraph always gets its value from the node around it: an initializer has no effect.
    const isInEffect = known === undefined || isMain;
    if (isInEffect) graph.setInitializer(value, initializer);
    return { field, value, initializer: isInEffect ? initializer : undefined, isSparse: initializer.kind === 'sparse' };
  });
  for (const input of declared) {
    const value = scope.values.get(input.name);
    if (!value || isFormal(input)) continue;
    if (context.weightInputs.has(value)) throw duplicateName(context, input.name, input.field);
    context.weightInputs.add(value);
  }
  return fields;
}
