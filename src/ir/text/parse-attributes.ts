// Attributes in IR text: `axis = 1`, `scale = 0.5`, `mode = "linear"`, `pads = [1, 1]`, `value = float[2] {1, 2}`,
// `axes: ints = []`, `alpha: float = @alpha`, `body = name (...) => (...) {...}`.
import { floatAttr, floatsAttr, type Attribute } from '../attribute.js';
import type { Graph } from '../graph.js';
import type { Tensor } from '../../tensor/tensor.js';
import { attributeTypeNumber } from './attribute-types.js';
import { describe, type Lexer, type Token } from './lexer.js';
import { numberOf, parseContents } from './tensor-text.js';
import { parseType, startsType } from './type-text.js';

/** Reads a graph whose name was read already. */
export type GraphReader = (name: string) => Graph;

/** `<name = value, ...>`. @throws InputError malformed, duplicate-name */
export function parseAttributes(lexer: Lexer, readGraph: GraphReader): [string, Attribute][] {
  const attributes = new Map<string, Attribute>();
  lexer.list('<', '>', () => {
    const token = lexer.peek();
    const [name, attribute] = parseAttribute(lexer, readGraph);
    if (attributes.has(name)) throw lexer.error(`attribute "${name}" is given twice`, token, 'duplicate-name');
    attributes.set(name, attribute);
  });
  return [...attributes];
}

/** `name = value` or `name: type = value`. @throws InputError malformed */
export function parseAttribute(lexer: Lexer, readGraph: GraphReader): [string, Attribute] {
  const name = lexer.name('the name of an attribute');
  const typeToken = lexer.take(':') ? lexer.next() : undefined;
  const type = typeToken?.text;
  const typeNumber = type === undefined ? undefined : (attributeTypeNumber(type) ?? Number(type));
  if (typeToken && Number.isNaN(typeNumber))
    throw lexer.error(`unknown attribute type ${describe(typeToken)}`, typeToken);
  lexer.expect('=');
  if (lexer.take('@')) {
    if (typeNumber === undefined) throw lexer.error(`reference "${name}" needs a type: ${name}: int = @...`);
    return [name, { kind: 'reference', name: lexer.name('the name of an attribute'), type: typeNumber }];
  }
  if (typeNumber !== undefined && lexer.peek().text === 'opaque' && lexer.peek().kind === 'word') {
    lexer.next();
    return [name, { kind: 'opaque', type: typeNumber }];
  }
  if (lexer.peek().text === '[') return [name, listAttribute(lexer, readItems(lexer, readGraph), type)];
  return [name, scalarAttribute(lexer, readItem(lexer, readGraph), type)];
}

interface ItemValues {
  readonly number: number;
  readonly string: string;
  readonly tensor: Tensor;
  readonly graph: Graph;
}

type Item = {
  readonly [K in keyof ItemValues]: {
    readonly kind: K;
    readonly value: ItemValues[K];
    readonly isFloat?: boolean;
    readonly token: Token;
  };
}[keyof ItemValues];

function readItems(lexer: Lexer, readGraph: GraphReader): Item[] {
  const items: Item[] = [];
  lexer.list('[', ']', () => items.push(readItem(lexer, readGraph)));
  return items;
}

function readItem(lexer: Lexer, readGraph: GraphReader): Item {
  const token = lexer.peek();
  const opensGraph = (token.kind === 'word' || token.kind === 'string') && lexer.peek(1).text === '(';
  if (opensGraph) return { kind: 'graph', value: readGraph(lexer.name('the name of a graph')), token };
  if (startsType(lexer) || (token.kind === 'word' && ['{', '='].includes(lexer.peek(1).text)))
    return { kind: 'tensor', value: readTensor(lexer), token };
  lexer.next();
  if (token.kind === 'string') return { kind: 'string', value: token.text, token };
  return { kind: 'number', value: numberOf(lexer, token), isFloat: !/^-?\d+$/.test(token.text), token };
}

/** `float[2] {1, 2}`; ONNX also writes a name, `float[2] t {1, 2}`, which is dropped. */
function readTensor(lexer: Lexer): Tensor {
  const token = lexer.peek();
  const type = parseType(lexer);
  if (type.kind !== 'tensor' || type.dtype === undefined || !type.shape?.every((dim) => typeof dim === 'number')) {
    throw lexer.error('a tensor needs an element type and sizes for all dimensions', token);
  }
  const isNamed = ['word', 'string'].includes(lexer.peek().kind) && ['{', '='].includes(lexer.peek(1).text);
  if (isNamed) lexer.next();
  lexer.take('=');
  return parseContents(lexer, type.dtype, type.shape);
}

function scalarAttribute(lexer: Lexer, item: Item, type: string | undefined): Attribute {
  if (item.kind === 'number') {
    const kind = type ?? (item.isFloat ? 'float' : 'int');
    if (kind === 'int' && !item.isFloat) return { kind, value: item.value };
    if (kind === 'float') return floatAttr(item.value);
  } else if (type === undefined || type === item.kind) {
    return withoutToken(item);
  }
  throw lexer.error(`expected a value of type ${type ?? 'int or float'}, found ${describe(item.token)}`, item.token);
}

function withoutToken(item: Exclude<Item, { kind: 'number' }>): Attribute {
  switch (item.kind) {
    case 'string':
      return { kind: 'string', value: item.value };
    case 'tensor':
      return { kind: 'tensor', value: item.value };
    case 'graph':
      return { kind: 'graph', value: item.value };
    default:
      return item satisfies never;
  }
}

function listAttribute(lexer: Lexer, items: readonly Item[], type: string | undefined): Attribute {
  const kind = type ?? listKind(items);
  const values = <K extends keyof ItemValues>(wanted: K): ItemValues[K][] =>
    items.map((item) => {
      if (item.kind !== wanted)
        throw lexer.error(`expected a ${wanted} in a list of ${kind}, found ${describe(item.token)}`, item.token);
      return item.value as ItemValues[K];
    });
  switch (kind) {
    case 'ints':
      return { kind, value: values('number') };
    case 'floats':
      return floatsAttr(values('number'));
    case 'strings':
      return { kind, value: values('string') };
    case 'tensors':
      return { kind, value: values('tensor') };
    case 'graphs':
      return { kind, value: values('graph') };
    default:
      throw lexer.error(
        kind === undefined ? 'an empty list needs a type: name: ints = []' : `a list cannot be of type ${kind}`,
      );
  }
}

function listKind(items: readonly Item[]): string | undefined {
  const first = items[0];
  if (first?.kind !== 'number') return first && `${first.kind}s`;
  return items.some((item) => item.kind === 'number' && item.isFloat) ? 'floats' : 'ints';
}
