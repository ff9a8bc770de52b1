// Makes nodes compute in float16. Every float32 value of a converted node gets a twin of float16; Cast nodes stand where a
// value of one type is read by a node of the other.
import type { Facts } from '../analysis/facts.js';
import { intAttr, tensorAttr, type Attribute } from '../ir/attribute.js';
import type { Graph } from '../ir/graph.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { DTYPES, type DType } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';
import { dropIfUnused, graphOf, removeDead, removeNode } from './edit.js';
import { dimsOnly, halfTensor, isBounding, staysFloat32, tensorOf } from './half-precision.js';

/** The twins made so far, by the value of float32. */
export type Twins = Map<Value, Value>;

/** Makes `node` read and give float16, with Casts back for readers that are not converted (see `dropIdleTwins`). */
export function convertNode(node: Node, twins: Twins, facts: Facts): void {
  const graph = graphOf(node);
  const inputs = node.inputs.map((value, index) =>
    value && facts.of(value).dtype === 'float32' && !staysFloat32(node, index) ? twinOf(value, node, twins) : value,
  );
  const floats = node.outputs.filter((value) => value !== undefined && facts.of(value).dtype === 'float32') as Value[];
  const outputs = node.outputs.map((value) => (value && floats.includes(value) ? `${value.name}_half` : value));
  const { name, opType, domain } = node;
  const converted = graph.addNode({ name, opType, domain, inputs, outputs, attributes: attributesOf(node) }, node);
  for (const [slot, value] of node.outputs.entries()) {
    const twin = converted.outputs[slot];
    if (!value || !twin || !floats.includes(value)) continue;
    twins.set(value, twin);
    graph.addNode({ ...castTo('float32', twin), outputs: [value] }, node);
  }
  const constants = node.inputs.filter((value) => value?.producer?.is('Constant'));
  removeNode(node);
  removeDead(constants);
}

/** Attributes that speak of the element type of the result. */
function attributesOf(node: Node): ReadonlyMap<string, Attribute> {
  const attributes = new Map(node.attributes);
  if (node.is('Cast') && node.int('to', 0) === DTYPES.float32.code) attributes.set('to', intAttr(DTYPES.float16.code));
  if (node.is('ConstantOfShape')) {
    const tensor = node.tensor('value') ?? Tensor.fromNumbers('float32', [1], [0]);
    attributes.set('value', tensorAttr(halfTensor(tensor, node)));
  }
  return attributes;
}

function castTo(dtype: DType, source: Value) {
  return { opType: 'Cast', inputs: [source], attributes: { to: intAttr(DTYPES[dtype].code) } };
}

/** `value` as float16: made by a converted node, a constant stored anew, or cast where it is computed. */
function twinOf(value: Value, reader: Node, twins: Twins): Value {
  const known = twins.get(value);
  const home = value.graph ?? graphOf(reader);
  if (known && !(isBounding(reader) && tensorOf(value))) return known;
  const tensor = tensorOf(value);
  if (tensor) {
    const twin = home.addInitializer(halfTensor(tensor, reader), `${value.name}_half`);
    // Bounds are rounded in their own way.
    if (!isBounding(reader)) twins.set(value, twin);
    return twin;
  }
  const behind = value.producer ? value.producer.next : home.first;
  const cast = home.addNode({ ...castTo('float16', value), outputs: [`${value.name}_half`] }, behind);
  const twin = cast.output ?? value;
  twins.set(value, twin);
  return twin;
}

/** Removes the Casts back to float32 and the constants that nobody reads any more; nodes that read only dims read the twin. */
export function dropIdleTwins(twins: Twins, facts: Facts): void {
  for (const [value, twin] of twins) {
    for (const reader of value.consumers()) {
      if (!dimsOnly(reader, facts) || reader === twin.producer) continue;
      reader.inputs.forEach((input, i) => input === value && graphOf(reader).setInput(reader, i, twin));
    }
  }
  for (const value of twins.keys()) {
    const cast = value.producer;
    if (cast && value.isUnused && !cast.isRemoved && twins.get(value) === cast.inputs[0]) removeNode(cast);
    else dropIfUnused(value);
  }
}

/** Makes the float32 inputs of `graph` float16; readers of float32 read a Cast. */
export function halveInputs(graph: Graph, twins: Twins): void {
  for (const input of graph.inputs) {
    if (input.type?.kind !== 'tensor' || input.type.dtype !== 'float32' || input.initializer) continue;
    const readers = input.consumers();
    graph.setType(input, { ...input.type, dtype: 'float16' });
    const cast = graph.addNode({ ...castTo('float32', input), outputs: [`${input.name}_float`] }, graph.first);
    const float = cast.output;
    if (!float) continue;
    for (const reader of readers)
      reader.inputs.forEach((value, i) => value === input && graphOf(reader).setInput(reader, i, float));
    twins.set(float, input);
  }
}

/** Returns float16 where a converted node computes an output of `graph`. */
export function halveOutputs(graph: Graph, twins: Twins): void {
  for (const output of graph.outputs) {
    const twin = twins.get(output);
    const { type } = output;
    if (!twin?.producer || twin.isGraphOutput || output.outputOf.size !== 1 || type?.kind !== 'tensor') continue;
    if (twin.graph !== graph) continue;
    graph.replaceUses(output, twin);
    graph.setType(twin, { ...type, dtype: 'float16' });
  }
}
