// Constant nodes become initializers: weights then stand where every other rewrite, and the runtime, looks for them.
import type { Node } from '../../ir/node.js';
import { Tensor } from '../../tensor/tensor.js';
import { becomeConstants } from '../constants.js';
import { defineLocalPass } from '../pass.js';

export const liftConstants = defineLocalPass({
  name: 'lift-constants',
  category: 'exact',
  exactness: 'exact',
  needs: [],
  summary: 'Turn Constant nodes into initializers',
  details: `A \`Constant\` node holds its tensor in an attribute. It becomes an initializer of the main graph under the name of its
output; a constant of a subgraph is then visible to all subgraphs, so that equal ones can be merged. Every form of the
attribute is read: \`value\`, \`value_int\`, \`value_ints\`, \`value_float\`, \`value_floats\`, \`value_string\` and \`value_strings\`; a sparse
constant stays a node.`,
  options: {},
  declines: {
    'graph-output': 'The constant is itself an output of a graph, and an output must be computed by a node.',
  },
  stats: { lifted: 'Constant nodes made initializers' },
  roots: ['Constant'],
  rewrite(node, ctx) {
    const output = node.output;
    if (!node.is('Constant') || output === undefined || node.outputs.length > 1) return false;
    const tensor = constantTensor(node);
    if (tensor === undefined) return false;
    if (output.isGraphOutput) return ctx.decline(node, 'graph-output');
    becomeConstants(node, new Map([[output, tensor]]));
    ctx.count('lifted');
    return true;
  },
});

/** The tensor a Constant node gives: a list is 1-D, a single number or text a scalar. */
function constantTensor(node: Node): Tensor | undefined {
  const tensor = node.tensor('value');
  if (tensor) return tensor;
  for (const [name, attribute] of node.attributes) {
    if (name === 'value_int' && attribute.kind === 'int') return Tensor.scalar('int64', attribute.value);
    if (name === 'value_ints' && attribute.kind === 'ints') return Tensor.int64s(attribute.value);
    if (name === 'value_float' && attribute.kind === 'float') return Tensor.scalar('float32', attribute.value);
    if (name === 'value_floats' && attribute.kind === 'floats')
      return Tensor.fromNumbers('float32', [attribute.value.length], attribute.value);
    if (name === 'value_string' && attribute.kind === 'string') return textTensor([], [attribute.value]);
    if (name === 'value_strings' && attribute.kind === 'strings')
      return textTensor([attribute.value.length], attribute.value);
  }
  return undefined;
}

function textTensor(dims: readonly number[], texts: readonly string[]): Tensor {
  const utf8 = new TextEncoder();
  return new Tensor(
    'string',
    dims,
    texts.map((text) => utf8.encode(text)),
  );
}
