// What happens to a node when its operator gets a new version, and what the rules for it are made of. A rule may rest only on
// what holds in every run: facts, not declared shapes.
import type { Facts } from '../../analysis/facts.js';
import { InputError } from '../../base/errors.js';
import { tensorAttr, type Attribute } from '../../ir/attribute.js';
import { productOf } from '../../ir/dim.js';
import { nodesUnder, type LocalFunction, type Model } from '../../ir/model.js';
import type { Graph } from '../../ir/graph.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import type { DType } from '../../tensor/dtype.js';
import { Tensor } from '../../tensor/tensor.js';
import { dropIfUnused, graphOf } from '../edit.js';
import { reshapeTarget } from '../reshape-target.js';

/** One conversion of one model. */
export interface Conversion {
  readonly model: Model;
  readonly facts: Facts;
  /** The opset wanted in the end. */
  readonly target: number;
  /** Constants made so far, by role and content: equal ones are shared. */
  readonly constants: Map<string, Value>;
  /** Resize nodes that were Upsample, whose scales are known to be at least 1. */
  readonly enlarging: Set<Node>;
}

/** A node of opset `version - 1` that is to become one of opset `version`. */
export interface StepSite extends Conversion {
  readonly node: Node;
  readonly version: number;
}

/** Rewrites the node of the site. @throws InputError unsupported, when its meaning cannot be kept */
export type Rule = (site: StepSite) => void;

/** `same`: a node that is valid before means the same after. */
export type Change = 'same' | Rule | { readonly refuse: string };

/** Changes by the version that brought them. */
export type Changes = Readonly<Record<number, Change>>;

/** Changes by operator. */
export type ChangeTable = Readonly<Record<string, Changes>>;

/** Changes of one operator: `same` at the versions of the list, as they say at the others. */
export function changes(same: readonly number[], others: Changes = {}): Changes {
  return { ...Object.fromEntries(same.map((version) => [version, 'same'] as const)), ...others };
}

/** The error for a node that stands in the way of the conversion. */
export function refusal({ node, version }: Pick<StepSite, 'node' | 'version'>, reason: string): InputError {
  return new InputError(
    'unsupported',
    `${node.opType} cannot be converted from opset ${version - 1} to ${version}: ${reason}`,
    {
      at: { node: node.label, ...(node.graph ? { graph: node.graph.name } : {}) },
      fix: `ask for an opset below ${version}, or export the model again at the opset wanted`,
    },
  );
}

/** The attribute as the node gives it. @throws InputError unsupported, in a function body that takes it from the caller */
export function givenAttribute(site: StepSite, name: string): Attribute | undefined {
  const attribute = site.node.attribute(name);
  if (attribute?.kind === 'reference')
    throw refusal(site, `its attribute "${name}" is given by the caller of the function it stands in`);
  return attribute;
}

/** The element type of an input. @throws InputError unsupported, when inference does not know it */
export function elementType(site: StepSite, index: number): DType {
  const value = site.node.inputs[index];
  const dtype = value && site.facts.of(value).dtype;
  if (dtype === undefined) throw refusal(site, `the element type of input ${index} is not known`);
  return dtype;
}

/** A value that holds `tensor`, visible to the node: an initializer of the main graph, or in a function body a Constant node. */
export function constantInput(site: StepSite, tensor: Tensor, role: string): Value {
  const { model, node, constants } = site;
  if (rootOf(node) !== model.graph) return constantNode(node, 'value', tensorAttr(tensor), role);
  const key = `${role} ${tensor.fingerprint()}`;
  const value = constants.get(key) ?? model.graph.addInitializer(tensor, role);
  constants.set(key, value);
  return value;
}

/** Makes input `index` another value, or leaves it out, and drops the initializer that nobody reads any more. */
export function replaceInput({ node }: StepSite, index: number, value: Value | undefined): void {
  const old = node.inputs[index];
  graphOf(node).setInput(node, index, value);
  if (old) dropIfUnused(old);
}

/**
 * Makes the attribute `name` input `index`, as `toTensor` writes it; undefined leaves the input out. In a function body the
 * attribute may be the caller's: then a Constant node takes it over.
 */
export function attributeToInput(
  site: StepSite,
  name: string,
  index: number,
  toTensor: (attribute: Attribute) => Tensor | undefined,
): void {
  const attribute = site.node.attribute(name);
  if (attribute === undefined) return;
  const graph = graphOf(site.node);
  const tensor = attribute.kind === 'reference' ? undefined : toTensor(attribute);
  const value =
    attribute.kind === 'reference'
      ? callersConstant(site, name, attribute)
      : tensor && constantInput(site, tensor, name);
  graph.setAttribute(site.node, name, undefined);
  if (value) graph.setInput(site.node, index, value);
}

/** An integer list as an int64 vector; an empty one is none. */
export function intVector(attribute: Attribute): Tensor | undefined {
  return attribute.kind === 'ints' && attribute.value.length > 0 ? Tensor.int64s(attribute.value) : undefined;
}

/** Attributes of Constant (opset 12) that hold what a reference of this AttributeProto.AttributeType stands for. */
const CONSTANT_FORMS: Readonly<Record<number, string>> = { 2: 'value_int', 7: 'value_ints' };

function callersConstant(site: StepSite, name: string, reference: Attribute & { readonly kind: 'reference' }): Value {
  const form = CONSTANT_FORMS[reference.type];
  if (form === undefined || site.version <= 12 || !isAlwaysGiven(site, reference.name)) {
    throw refusal(site, `its attribute "${name}" is given by the caller of the function it stands in`);
  }
  return constantNode(site.node, form, reference, name);
}

/** Whether every call of the function around the node gives the attribute, or the function has a default for it. */
function isAlwaysGiven({ model, node }: StepSite, name: string): boolean {
  const root = rootOf(node);
  const callee = model.functions.find((candidate) => candidate.graph === root);
  if (callee?.attributeDefaults?.has(name)) return true;
  const isGiven = (call: Node): boolean => (call.attribute(name)?.kind ?? 'reference') !== 'reference';
  return callee !== undefined && callsOf(model, callee).every(isGiven);
}

function callsOf(model: Model, callee: LocalFunction): Node[] {
  const bodies = [model.graph, ...model.functions.map((candidate) => candidate.graph)];
  return bodies.flatMap((body) => [...nodesUnder(body)]).filter((node) => model.functionOf(node) === callee);
}

function rootOf(node: Node): Graph {
  let graph = graphOf(node);
  while (graph.owner !== undefined) graph = graphOf(graph.owner);
  return graph;
}

function constantNode(node: Node, form: string, attribute: Attribute, role: string): Value {
  const made = graphOf(node).addNode(
    { opType: 'Constant', inputs: [], outputs: [role], attributes: { [form]: attribute } },
    node,
  );
  return outputOf(made);
}

/** The output of a node that was made with one. */
export function outputOf(node: Node): Value {
  if (node.output === undefined) throw new TypeError(`${node.label} has no output`);
  return node.output;
}

/**
 * Puts two views around what `compute` makes of the input: the input flattened to a matrix at `axis`, and the result in the
 * shape of the input again. The outputs of the node pass to the last Reshape; the node is for `compute` to remove.
 */
export function computeFlattened(site: StepSite, axis: Attribute | undefined, compute: (matrix: Value) => Value): void {
  const { node, facts } = site;
  const [input] = node.inputs;
  const graph = graphOf(node);
  if (input === undefined) throw refusal(site, 'it has no input');
  const hint = node.output?.name ?? node.opType;
  const matrix = outputOf(
    graph.addNode({ opType: 'Flatten', inputs: [input], outputs: [`${hint}_matrix`], attributes: { axis } }, node),
  );
  const { shape } = facts.of(input);
  const at = axis === undefined ? 1 : axis.kind === 'int' && axis.value >= 0 ? axis.value : undefined;
  const rows = shape && at !== undefined ? [productOf(shape.slice(0, at)), productOf(shape.slice(at))] : undefined;
  const target = shape && reshapeTarget(rows, shape);
  const result = compute(matrix);
  const shapeValue = target
    ? constantInput(site, Tensor.int64s(target), 'shape')
    : outputOf(graph.addNode({ opType: 'Shape', inputs: [input], outputs: [`${hint}_shape`] }, node));
  graph.addNode({ opType: 'Reshape', inputs: [result, shapeValue], outputs: node.outputs }, node);
}
