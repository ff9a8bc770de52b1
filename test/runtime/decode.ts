// Nodes of an ONNX file as the attribution takes them: those of the main graph first, then those of subgraphs.
import { readFileSync } from 'node:fs';
import onnxProto, { type onnx as proto } from 'onnx-proto';
import type { GraphNode, SourceGraph } from '../../src/runtime/attribution.js';

const { onnx } = onnxProto;

export function decodeGraph(model: Uint8Array): SourceGraph {
  const graph = onnx.ModelProto.decode(model).graph ?? {};
  const initializers = new Set((graph.initializer ?? []).map((tensor) => tensor.name));
  const inputs = (graph.input ?? []).flatMap((input) => (initializers.has(input.name) ? [] : (input.name ?? [])));
  return { nodes: graphNodes(graph), inputs };
}

/** The model with a name for each node of its main graph, as a caller of the profiler has to give. */
export function withNames(path: string): Uint8Array {
  const model = onnx.ModelProto.decode(readFileSync(path));
  model.graph?.node?.forEach((node, i) => {
    if (!node.name) node.name = `unnamed ${i}`;
  });
  return Uint8Array.from(onnx.ModelProto.encode(model).finish());
}

/** With names as they are, also where there are none. */
export function decodeNodes(model: Uint8Array): GraphNode[] {
  return graphNodes(onnx.ModelProto.decode(model).graph ?? {});
}

function graphNodes(graph: proto.IGraphProto): GraphNode[] {
  const nodes = graph.node ?? [];
  const own = nodes.map(({ name, opType, input, output }) => ({
    name: name ?? '',
    opType: opType ?? '',
    inputs: input ?? [],
    outputs: output ?? [],
  }));
  const inner = nodes.flatMap((node) =>
    (node.attribute ?? []).flatMap((attribute) => (attribute.g ? graphNodes(attribute.g) : [])),
  );
  return [...own, ...inner];
}
