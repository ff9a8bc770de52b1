// Prints a model in the textual syntax of ONNX (onnx.parser, onnx.printer), with the extensions of parse.ts.
import { subgraphsOf, type Attribute } from '../attribute.js';
import type { Graph } from '../graph.js';
import type { LocalFunction, Model } from '../model.js';
import type { Node } from '../node.js';
import type { Value } from '../value.js';
import type { Tensor } from '../../tensor/tensor.js';
import { ATTRIBUTE_TYPES } from './attribute-types.js';
import { quoteName } from './lexer.js';
import { formatContents, formatNumber, type WeightText } from './tensor-text.js';
import { formatDType, formatType, valueName } from './type-text.js';

export interface PrintOptions {
  readonly weights: WeightText;
}

/** The whole model as text. With full weights, `printModel(parseModel(text))` gives the same text again. */
export function printModel(model: Model, options: PrintOptions): string {
  const header = [
    `ir_version: ${model.irVersion}`,
    `opset_import: ${formatOpsets(model.opsets)}`,
    ...(model.keepOverridable ? ['keep_overridable: 1'] : []),
  ];
  return [
    `<${header.join(', ')}>\n${printGraph(model.graph, options)}\n`,
    ...model.functions.map((f) => printFunction(f, options)),
  ].join('');
}

/** One graph: signature, initializers and declared types, nodes. `indent` stands in front of every line but the first. */
export function printGraph(graph: Graph, options: PrintOptions, indent = ''): string {
  return quoteName(graph.name) + printAfterName(graph, options, indent);
}

function printAfterName(graph: Graph, options: PrintOptions, indent: string): string {
  const inner = `${indent}  `;
  const declarations = printDeclarations(graph, options).map((line) => inner + line);
  const signature = ` (${graph.inputs.map((value) => printInput(value, options)).join(', ')}) => (${graph.outputs.map(typed).join(', ')})`;
  const list = declarations.length === 0 ? ' ' : `\n${indent}<\n${declarations.join(',\n')}\n${indent}>\n${indent}`;
  return `${signature}${list}{\n${graph
    .nodes()
    .map((node) => `${inner}${printNode(node, options, inner)}\n`)
    .join('')}${indent}}`;
}

/** Initializers in the order of their making, then the values computed here whose type is declared. */
function printDeclarations(graph: Graph, options: PrintOptions): string[] {
  const initializers = [...graph.initializers].filter((value) => !value.isInput).sort((a, b) => a.ordinal - b.ordinal);
  const computed = graph
    .nodes()
    .flatMap((node) => node.outputs)
    .filter((value) => value?.type !== undefined && !value.outputOf.has(graph));
  return [
    ...initializers.map((value) => initialized(value, options)),
    ...computed.flatMap((value) => (value ? [typed(value)] : [])),
  ];
}

function printInput(value: Value, options: PrintOptions): string {
  return value.initializer ? initialized(value, options) : typed(value);
}

function typed(value: Value): string {
  const type = formatType(value.type);
  return type === '' ? valueName(value.name) : `${type} ${valueName(value.name)}`;
}

function initialized(value: Value, options: PrintOptions): string {
  if (value.initializer?.kind !== 'dense') return `${typed(value)} = ${value.initializer?.kind}`;
  const { tensor } = value.initializer;
  return `${formatTensorType(tensor)} ${valueName(value.name)} = ${formatContents(tensor, options.weights)}`;
}

function formatTensorType(tensor: Tensor): string {
  return formatDType(tensor.dtype) + (tensor.dims.length === 0 ? '' : `[${tensor.dims.join(',')}]`);
}

/** One node; attributes that hold graphs come last. `indent` stands in front of the lines of subgraphs. */
function printNode(node: Node, options: PrintOptions, indent = ''): string {
  const name = node.name === '' ? '' : `[${quoteName(node.name)}] `;
  const outputs = node.outputs.map((value) => (value ? valueName(value.name) : '""')).join(', ');
  const attributes = [...node.attributes].map(([key, attribute]) => printAttribute(key, attribute, options, indent));
  const inputs = `(${node.inputs.map((value) => (value ? valueName(value.name) : '""')).join(', ')})`;
  const list = attributes.length === 0 ? '' : `<${attributes.join(', ')}>`;
  const hasGraphs = [...node.attributes.values()].some((attribute) => subgraphsOf(attribute).length > 0);
  const parts = hasGraphs ? [inputs, list] : [list, inputs];
  return `${name}${outputs === '' ? '' : `${outputs} `}= ${[operatorName(node), ...parts].filter((part) => part !== '').join(' ')}`;
}

function operatorName(node: Node): string {
  const domain =
    node.domain === ''
      ? ''
      : `${node.domain.split('.').every((part) => quoteName(part) === part) ? node.domain : quoteName(node.domain)}.`;
  return `${domain}${quoteName(node.opType)}${node.overload === '' ? '' : `:${quoteName(node.overload)}`}`;
}

function printAttribute(key: string, attribute: Attribute, options: PrintOptions, indent: string): string {
  const name = quoteName(key);
  switch (attribute.kind) {
    case 'int':
      return `${name} = ${attribute.value}`;
    case 'float':
      return `${name} = ${formatFloat(attribute.value)}`;
    case 'string':
      return `${name} = ${JSON.stringify(attribute.value)}`;
    case 'tensor':
      return `${name} = ${printTensor(attribute.value, options)}`;
    case 'graph':
      return `${name} = ${printGraph(attribute.value, options, indent)}`;
    case 'ints':
      return printList(name, 'ints', attribute.value.map(String));
    case 'floats':
      return printList(name, 'floats', attribute.value.map(formatFloat));
    case 'strings':
      return printList(
        name,
        'strings',
        attribute.value.map((text) => JSON.stringify(text)),
      );
    case 'tensors':
      return printList(
        name,
        'tensors',
        attribute.value.map((tensor) => printTensor(tensor, options)),
      );
    case 'graphs':
      return printList(
        name,
        'graphs',
        attribute.value.map((graph) => printGraph(graph, options, indent)),
      );
    case 'reference':
      return `${name}: ${ATTRIBUTE_TYPES[attribute.type] ?? attribute.type} = @${quoteName(attribute.name)}`;
    case 'opaque':
      return `${name}: ${ATTRIBUTE_TYPES[attribute.type] ?? attribute.type} = opaque`;
    default:
      return attribute satisfies never;
  }
}

/** An empty list says its type. */
function printList(name: string, type: string, items: readonly string[]): string {
  return `${name}${items.length === 0 ? `: ${type}` : ''} = [${items.join(', ')}]`;
}

function printTensor(tensor: Tensor, options: PrintOptions): string {
  return `${formatTensorType(tensor)} ${formatContents(tensor, options.weights)}`;
}

/** Always with a point, an exponent or a letter, so that it reads back as a float. */
function formatFloat(value: number): string {
  const text = formatNumber(value);
  return /[.a-z]/i.test(text) ? text : `${text}.0`;
}

function formatOpsets(opsets: ReadonlyMap<string, number>): string {
  return `[${[...opsets].map(([domain, version]) => `${JSON.stringify(domain)} : ${version}`).join(', ')}]`;
}

function printFunction(f: LocalFunction, options: PrintOptions): string {
  const overload = f.overload === '' ? [] : [`overload: ${JSON.stringify(f.overload)}`];
  const header = [`domain: ${JSON.stringify(f.domain)}`, ...overload, `opset_import: ${formatOpsets(f.opsets)}`];
  const attributes = [
    ...f.attributeNames.map((name) => quoteName(name)),
    ...[...(f.attributeDefaults ?? [])].map(([name, attribute]) => printAttribute(name, attribute, options, '')),
  ];
  const name = `${quoteName(f.name)}${attributes.length === 0 ? '' : ` <${attributes.join(', ')}>`}`;
  return `<${header.join(', ')}>\n${name}${printAfterName(f.graph, options, '')}\n`;
}
