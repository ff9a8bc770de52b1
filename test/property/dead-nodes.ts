// Drops nodes, initializers and inputs that no output needs: independent of the passes under test.
import type { Model } from '../../src/ir/model.js';

export function eliminateDeadNodes(model: Model): void {
  const { graph } = model;
  for (const node of graph.nodes().reverse()) {
    if (node.outputs.every((value) => !value || value.isUnused)) graph.removeNode(node);
  }
  for (const value of [...graph.initializers]) if (value.isUnused && !value.isInput) graph.removeInitializer(value);
  for (const value of [...graph.inputs]) if (value.isUnused && graph.inputs.length > 1) graph.removeInput(value);
}
