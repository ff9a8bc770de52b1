// What decoding carries along: the state of one file, and the names that are visible in a graph.
import { AppError, locate, type ErrorPlace, type InputError } from '../base/errors.js';
import type { Attribute } from '../ir/attribute.js';
import type { Graph } from '../ir/graph.js';
import type { Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import type { Tensor } from '../tensor/tensor.js';
import type { TensorSource } from './decode-tensor.js';
import type { TypeMemo } from './decode-type.js';
import type { GraphRecord, NodeRecord, TensorRecord, ValueRecord } from './document.js';
import { wireError } from './wire.js';

/** The state of decoding one file. */
export interface DecodeContext {
  readonly source: TensorSource;
  readonly model: Model;
  readonly graphs: Map<Graph, GraphRecord>;
  readonly nodes: Map<Node, NodeRecord>;
  readonly attributes: Map<Attribute, { readonly start: number; readonly bodyStart: number; readonly end: number }>;
  readonly tensors: Map<Tensor, TensorRecord>;
  readonly values: ValueRecord[];
  readonly weightInputs: Set<Value>;
  readonly types: TypeMemo;
  /** Graphs where a node, or a graph inside one, reads what a later node computes. */
  readonly unsorted: Set<Graph>;
}

/** The names a graph defines, and the graphs around it. */
export interface Scope {
  readonly graph: Graph;
  readonly values: Map<string, Value>;
  readonly outer: Scope | undefined;
  /** 1 for the main graph and function bodies. */
  readonly depth: number;
}

/** Where something stands, for messages. */
type Position = { readonly start: number } | undefined;

/** Puts a value into its scope. @throws InputError duplicate-name */
export function define(context: DecodeContext, scope: Scope, value: Value, position: Position): void {
  const { name, type } = value;
  if (scope.values.has(name)) throw duplicateName(context, name, position);
  scope.values.set(name, value);
  context.values.push({ value, name, type });
}

/** The value that `name` stands for in `scope` or around it, if any. */
export function lookUp(scope: Scope, name: string): Value | undefined {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.outer) {
    const value = at.values.get(name);
    if (value) return value;
  }
  return undefined;
}

/**
 * The value that `name` stands for; its graph is marked as unsorted when no node computes it yet. `reader` is the beginning
 * of the message. @throws InputError missing-value
 */
export function resolve(context: DecodeContext, scope: Scope, name: string, position: Position, reader: string): Value {
  const value = lookUp(scope, name);
  if (value) {
    if (!value.isInput && value.initializer === undefined && value.producer === undefined && value.graph)
      context.unsorted.add(value.graph);
    return value;
  }
  const error = wireError(
    context.source,
    position?.start ?? 0,
    'missing-value',
    `${reader} "${name}", which nothing defines`,
  );
  throw locate(error, { tensor: name, graph: scope.graph.name });
}

/** Runs `decode`; an error from it gets `at` added where its place is not known. */
export function inPlace<T>(at: () => ErrorPlace, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    throw error instanceof AppError ? locate(error, at()) : error;
  }
}

/** The error for a name that is defined twice. */
export function duplicateName({ source }: DecodeContext, name: string, position: Position): InputError {
  return wireError(source, position?.start ?? 0, 'duplicate-name', `"${name}" is defined twice`);
}

/** The error for a name that must be there and is not. */
export function missingName({ source }: DecodeContext, position: Position, message: string): InputError {
  return wireError(source, position?.start ?? 0, 'missing-field', message);
}
