// Parses the textual syntax of ONNX (onnx.parser) into a model. Beyond what ONNX reads:
// contents by formula and contents left out (tensor-text.ts), `[name]` quoted, `\n` and `\uXXXX` in strings, a header
// that may be missing (IR 8, opset 17), `keep_overridable: 1` in it, `other` for types that are not tensors.
import { Graph } from '../graph.js';
import { Model, type LocalFunction } from '../model.js';
import type { Attribute } from '../attribute.js';
import type { Value, ValueType } from '../value.js';
import { parseAttribute, parseAttributes, type GraphReader } from './parse-attributes.js';
import { createLexer, describe, type Lexer, type Token } from './lexer.js';
import { parseContents } from './tensor-text.js';
import { parseType, startsType } from './type-text.js';

/** Values by name, looked up through the graphs around. */
interface Scope {
  readonly graph: Graph;
  readonly values: Map<string, Value>;
  readonly outer: Scope | undefined;
  /** Types of values that the nodes are yet to compute. */
  readonly declared: Map<string, { readonly type: ValueType | undefined; readonly token: Token }>;
}

interface Entry {
  readonly name: string;
  readonly type: ValueType | undefined;
  readonly token: Token;
}

/** Subgraphs within subgraphs that the parser follows. */
const MAX_DEPTH = 64;

/**
 * The model a text describes. Its journal is empty.
 * @throws InputError malformed, missing-value (read before it is computed), duplicate-name, too-deep
 */
export function parseModel(text: string): Model {
  const lexer = createLexer(text);
  const header = parseHeader(lexer);
  const model = new Model({
    graphName: lexer.name('the name of the graph'),
    opsets: header.opsets ?? new Map([['', 17]]),
    irVersion: header.numbers.get('ir_version') ?? 8,
    keepOverridable: header.numbers.get('keep_overridable') === 1,
  });
  parseGraph(lexer, scopeOf(model.graph, undefined));
  const functions: LocalFunction[] = [];
  while (lexer.peek().kind !== 'end') functions.push(parseFunction(lexer, model));
  if (functions.length > 0) model.setFunctions(functions);
  model.journal.commit();
  model.touched.clear();
  return model;
}

interface Header {
  readonly numbers: Map<string, number>;
  readonly texts: Map<string, string>;
  readonly opsets: ReadonlyMap<string, number> | undefined;
}

/** `<key: value, ...>`; keys that the IR does not hold (producer_name, ...) are skipped. */
function parseHeader(lexer: Lexer): Header {
  const numbers = new Map<string, number>();
  const texts = new Map<string, string>();
  let opsets: Map<string, number> | undefined;
  if (lexer.peek().text !== '<') return { numbers, texts, opsets };
  lexer.list('<', '>', () => {
    const key = lexer.name('a header field');
    lexer.expect(':');
    if (lexer.peek().text === '[') {
      const pairs = parsePairs(lexer);
      if (key === 'opset_import') opsets = new Map(pairs.map(([domain, version]) => [domain, Number(version)]));
      return;
    }
    const token = lexer.next();
    if (token.kind === 'number') numbers.set(key, Number(token.text));
    else if (token.kind === 'string') texts.set(key, token.text);
    else throw lexer.error(`expected a value for ${key}, found ${describe(token)}`, token);
  });
  return { numbers, texts, opsets };
}

function parsePairs(lexer: Lexer): [string, string][] {
  const pairs: [string, string][] = [];
  lexer.list('[', ']', () => {
    const key = lexer.name('a quoted name');
    lexer.expect(':');
    const token = lexer.next();
    if (token.kind !== 'number' && token.kind !== 'string')
      throw lexer.error(`expected a value for "${key}", found ${describe(token)}`, token);
    pairs.push([key, token.text]);
  });
  return pairs;
}

function scopeOf(graph: Graph, outer: Scope | undefined): Scope {
  return { graph, values: new Map(), outer, declared: new Map() };
}

/** Everything after the name of the graph. */
function parseGraph(lexer: Lexer, scope: Scope): void {
  lexer.list('(', ')', () => {
    const entry = parseEntry(lexer);
    const value = scope.graph.addInput(unused(lexer, scope, entry), entry.type);
    scope.values.set(entry.name, value);
    if (lexer.take('=')) initialize(lexer, scope, entry);
  });
  lexer.expect('=>');
  const outputs: Entry[] = [];
  lexer.list('(', ')', () => outputs.push(parseEntry(lexer)));
  for (const { name, type, token } of outputs) scope.declared.set(name, { type, token });
  if (lexer.peek().text === '<') lexer.list('<', '>', () => parseDeclaration(lexer, scope));
  lexer.expect('{');
  while (!lexer.take('}')) parseNode(lexer, scope);
  scope.graph.setOutputs(outputs.map(({ name, token }) => lookUp(lexer, scope, name, token)));
  const returned = new Set(outputs.map(({ name }) => name));
  for (const [name, { token }] of scope.declared) {
    if (!returned.has(name))
      throw lexer.error(`"${name}" is declared, and no node computes it`, token, 'missing-value');
  }
}

/** `type name`, or a name alone. */
function parseEntry(lexer: Lexer): Entry {
  const type = startsType(lexer) ? parseType(lexer) : undefined;
  const token = lexer.peek();
  return { name: lexer.name('the name of a value'), type, token };
}

/** `type name = contents`, or the type of a value that a node computes. */
function parseDeclaration(lexer: Lexer, scope: Scope): void {
  const entry = parseEntry(lexer);
  if (lexer.take('=')) {
    if (!scope.values.get(entry.name)?.isInput)
      scope.values.set(entry.name, scope.graph.declare(unused(lexer, scope, entry), entry.type));
    initialize(lexer, scope, entry);
    scope.declared.delete(entry.name);
  } else if (!scope.declared.has(entry.name)) {
    scope.declared.set(entry.name, { type: entry.type, token: entry.token });
  }
}

function initialize(lexer: Lexer, { graph, values }: Scope, { name, type, token }: Entry): void {
  const value = values.get(name);
  if (value?.initializer) throw lexer.error(`"${name}" is given contents twice`, token, 'duplicate-name');
  if (!value) return;
  const kept = lexer.peek().text;
  if (kept === 'sparse' || kept === 'opaque') {
    lexer.next();
    graph.setInitializer(value, kept === 'sparse' ? { kind: 'sparse' } : { kind: 'opaque', bytes: new Uint8Array() });
    return;
  }
  const dims = type?.kind === 'tensor' ? type.shape : undefined;
  if (type?.kind !== 'tensor' || type.dtype === undefined || !dims?.every((dim) => typeof dim === 'number')) {
    throw lexer.error(`"${name}" has contents and needs an element type and sizes for all dimensions`, token);
  }
  graph.setInitializer(value, { kind: 'dense', tensor: parseContents(lexer, type.dtype, dims) });
}

/** The name of `entry`, when nothing in its graph bears it yet. */
function unused(lexer: Lexer, { values }: Scope, { name, token }: Entry): string {
  if (values.has(name)) throw lexer.error(`"${name}" is defined twice`, token, 'duplicate-name');
  return name;
}

function lookUp(lexer: Lexer, from: Scope, name: string, token: Token): Value {
  for (let scope: Scope | undefined = from; scope; scope = scope.outer) {
    const value = scope.values.get(name);
    if (value) return value;
  }
  throw lexer.error(`"${name}" is read, and nothing before computes it`, token, 'missing-value');
}

/** `[name] a, b = domain.Op:overload <attributes> (inputs)`; the attributes may also stand behind the inputs. */
function parseNode(lexer: Lexer, scope: Scope): void {
  const name = lexer.take('[') ? lexer.name('the name of the node') : '';
  if (name !== '' || lexer.peek().text === ']') lexer.expect(']');
  const outputs: (Entry | undefined)[] = [];
  while (lexer.peek().kind !== 'mark') {
    const token = lexer.peek();
    const output = lexer.name('the name of an output');
    outputs.push(output === '' ? undefined : { name: output, type: undefined, token });
    if (!lexer.take(',')) break;
  }
  lexer.expect('=');
  const { domain, opType, overload } = parseOperator(lexer);
  const readGraph: GraphReader = (graphName) => parseSubgraph(lexer, scope, graphName);
  const before = lexer.peek().text === '<' ? parseAttributes(lexer, readGraph) : [];
  const inputs = parseInputs(lexer, scope);
  const after = lexer.peek().text === '<' ? parseAttributes(lexer, readGraph) : [];
  scope.graph.addNode({
    name,
    domain,
    opType,
    overload,
    inputs,
    attributes: new Map<string, Attribute>([...before, ...after]),
    outputs: outputs.map((entry) => entry && define(lexer, scope, entry)),
  });
}

/** A new value for an output of a node, with the type declared for it. */
function define(lexer: Lexer, scope: Scope, entry: Entry): Value {
  const value = scope.graph.declare(unused(lexer, scope, entry), scope.declared.get(entry.name)?.type);
  scope.values.set(entry.name, value);
  scope.declared.delete(entry.name);
  return value;
}

function parseOperator(lexer: Lexer): { domain: string; opType: string; overload: string } {
  const words = [lexer.name('an operator')];
  while (lexer.take('.')) words.push(lexer.name('an operator'));
  const overload = lexer.take(':') ? lexer.name('an overload') : '';
  return { domain: words.slice(0, -1).join('.'), opType: words.at(-1) ?? '', overload };
}

/** An omitted input is `""` or nothing. */
function parseInputs(lexer: Lexer, scope: Scope): (Value | undefined)[] {
  const inputs: (Value | undefined)[] = [];
  lexer.list('(', ')', () => {
    const token = lexer.peek();
    const isOmitted = token.kind === 'mark' && token.text === ',';
    const name = isOmitted ? '' : lexer.name('the name of an input');
    inputs.push(name === '' ? undefined : lookUp(lexer, scope, name, token));
  });
  return inputs;
}

function parseSubgraph(lexer: Lexer, outer: Scope, name: string): Graph {
  let depth = 0;
  for (let scope: Scope | undefined = outer; scope; scope = scope.outer) depth++;
  if (depth > MAX_DEPTH) throw lexer.error(`graphs are nested more than ${MAX_DEPTH} deep`, undefined, 'too-deep');
  const graph = new Graph(outer.graph.model, name);
  parseGraph(lexer, scopeOf(graph, outer));
  return graph;
}

/** `<domain: "d", opset_import: [...]> Name <attributes> (inputs) => (outputs) { ... }`. */
function parseFunction(lexer: Lexer, model: Model): LocalFunction {
  const { texts, opsets } = parseHeader(lexer);
  const name = lexer.name('the name of a function');
  const attributeNames: string[] = [];
  const attributeDefaults = new Map<string, Attribute>();
  const graph = new Graph(model, name);
  const scope = scopeOf(graph, undefined);
  if (lexer.peek().text === '<') {
    lexer.list('<', '>', () => {
      if ([',', '>'].includes(lexer.peek(1).text)) attributeNames.push(lexer.name('an attribute'));
      else attributeDefaults.set(...parseAttribute(lexer, (graphName) => parseSubgraph(lexer, scope, graphName)));
    });
  }
  parseGraph(lexer, scope);
  return {
    domain: texts.get('domain') ?? '',
    name,
    overload: texts.get('overload') ?? '',
    graph,
    attributeNames,
    opsets: opsets ?? model.opsets,
    ...(attributeDefaults.size === 0 ? {} : { attributeDefaults }),
  };
}
