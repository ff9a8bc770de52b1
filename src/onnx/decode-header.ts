// The parts of ModelProto around the graph: versions, operator sets, metadata, and the names that training_info uses.
import type { OnnxHeader } from './document.js';
import { readEntry } from './decode-tensor.js';
import { decodeValueInfo } from './decode-type.js';
import { ATTRIBUTE, GRAPH, MODEL, NODE, OPSET, TENSOR, TRAINING } from './schema.js';
import { bodyOf, fieldsByNumber, textOf, VarintReader, WireReader, type FieldSpan, type Source } from './wire.js';

/** Domain ('' for ai.onnx) and version. */
export function decodeOpset(source: Source, field: FieldSpan): [domain: string, version: number] {
  const of = fieldsByNumber(new WireReader(source, bodyOf(field), OPSET.schema));
  const domain = textOf(source, of(OPSET.domain).at(-1));
  return [domain === 'ai.onnx' ? '' : domain, intOf(source, of(OPSET.version).at(-1))];
}

/** The number in a varint field; 0 when there is none. */
export function intOf(source: Source, field: FieldSpan | undefined): number {
  return field ? new VarintReader(source, field.bodyStart, field.end).varint() : 0;
}

/** Who made the file, and its metadata. */
export function decodeHeader(source: Source, of: (number: number) => readonly FieldSpan[]): OnnxHeader {
  const text = (number: number): string => textOf(source, of(number).at(-1));
  return {
    producerName: text(MODEL.producerName),
    producerVersion: text(MODEL.producerVersion),
    domain: text(MODEL.domain),
    modelVersion: intOf(source, of(MODEL.modelVersion).at(-1)),
    docString: text(MODEL.docString),
    metadata: new Map(of(MODEL.metadataProps).map((field) => readEntry(source, bodyOf(field)))),
  };
}

/**
 * The names that training_info uses: both sides of its bindings, and what its graphs read, compute and declare. The graphs
 * themselves are not decoded: they are kept as bytes, and so the names in them must go on to mean what they mean.
 */
export function trainingNames(source: Source, fields: readonly FieldSpan[]): ReadonlySet<string> {
  const names = new Set<string>();
  const add = (field: FieldSpan): void => {
    names.add(textOf(source, field));
  };
  const graphs: FieldSpan[] = [];
  for (const field of fields) {
    const of = fieldsByNumber(new WireReader(source, bodyOf(field), TRAINING.schema));
    for (const binding of [...of(TRAINING.initializationBinding), ...of(TRAINING.updateBinding)])
      readEntry(source, bodyOf(binding)).forEach((name) => names.add(name));
    for (const graph of [...of(TRAINING.initialization), ...of(TRAINING.algorithm)]) graphs.push(graph);
  }
  for (const graph of graphs) {
    const of = fieldsByNumber(new WireReader(source, bodyOf(graph), GRAPH.schema));
    for (const value of [...of(GRAPH.input), ...of(GRAPH.output)]) names.add(decodeValueInfo(source, value).name);
    for (const tensor of of(GRAPH.initializer))
      fieldsByNumber(new WireReader(source, bodyOf(tensor), TENSOR.schema))(TENSOR.name).forEach(add);
    for (const node of of(GRAPH.node)) {
      const parts = fieldsByNumber(new WireReader(source, bodyOf(node), NODE.schema));
      [...parts(NODE.input), ...parts(NODE.output)].forEach(add);
      for (const attribute of parts(NODE.attribute)) {
        const values = fieldsByNumber(new WireReader(source, bodyOf(attribute), ATTRIBUTE.schema));
        for (const inner of [...values(ATTRIBUTE.g), ...values(ATTRIBUTE.graphs)]) graphs.push(inner);
      }
    }
  }
  names.delete('');
  return names;
}
