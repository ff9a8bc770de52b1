// Removes nodes that give back one of their inputs, bit by bit: by what they are (Identity, idle Dropout), by type (Cast
// to the same), by number of inputs (Sum of one), by a neutral constant (x * 1, x - 0) or by undoing the node before.
import { isFloat } from '../../tensor/dtype.js';
import { usedOutputs } from '../constants.js';
import { bypass, removeDead } from '../edit.js';
import { neutralOperand, reducesNothing, type IdleRule } from '../idle-nodes.js';
import { isIdleDropout } from '../node-kinds.js';
import { defineLocalPass } from '../pass.js';

export const removeIdentity = defineLocalPass({
  name: 'remove-identity',
  category: 'exact',
  exactness: 'exact',
  needs: [],
  summary: 'Remove nodes that return an input unchanged',
  details: `Identity; Dropout outside training; Cast and CastLike to the type there is already; Sum, Max, Min, Mean and Concat of one input;
Neg of Neg and Not of Not; Abs, Ceil, Floor, Round and Sign of themselves; ReduceMax and ReduceMin over axes of size 1
that are kept; and neutral constants: \`x * 1\`, \`x / 1\`, \`x ^ 1\`, \`x - 0\`, \`x and true\`, \`x or false\`, \`x xor false\`, and for
integers \`x + 0\`. A neutral constant must not change the shape by broadcasting. \`x + 0\` of floats turns -0 into 0, so it
belongs to remove-neutral-sums.`,
  options: {},
  declines: {
    'graph-output':
      'The node gives the output of a graph its name, and its input is an input, an initializer or another output.',
    training: 'The Dropout trains, or may be told to.',
    'mask-used': 'The mask of the Dropout is read.',
  },
  stats: { removed: 'nodes that return an input unchanged removed' },
  roots: [
    'Identity',
    'Dropout',
    'Cast',
    'CastLike',
    'Sum',
    'Max',
    'Min',
    'Mean',
    'Concat',
    'Neg',
    'Not',
    'Abs',
    'Ceil',
    'Floor',
    'Round',
    'Sign',
    'ReduceMax',
    'ReduceMin',
    'Mul',
    'Div',
    'Pow',
    'Sub',
    'Add',
    'And',
    'Or',
    'Xor',
  ],
  rewrite(node, ctx) {
    if (node.domain !== '') return false;
    if (node.opType === 'Dropout' && !isIdleDropout(node, ctx.facts)) return ctx.decline(node, 'training');
    const source = RULES[node.opType]?.(node, ctx.facts);
    if (source === undefined) return false;
    if (usedOutputs(node).some((value) => value !== node.output)) return ctx.decline(node, 'mask-used');
    const { inputs } = node;
    if (!bypass(node, source)) return ctx.decline(node, 'graph-output');
    removeDead(inputs);
    ctx.count('removed');
    return true;
  },
});

const first: IdleRule = (node) => node.inputs[0];
const only: IdleRule = (node) => (node.inputs.length === 1 ? node.inputs[0] : undefined);

const sameType: IdleRule = (node, facts) => {
  const input = node.inputs[0];
  const dtype = input && facts.of(input).dtype;
  return dtype !== undefined && node.output && facts.of(node.output).dtype === dtype ? input : undefined;
};

/** f(f(x)) = x. */
const inverse: IdleRule = (node) => {
  const before = node.inputs[0]?.producer;
  return before?.is(node.opType) ? before.inputs[0] : undefined;
};

/** f(f(x)) = f(x). */
const repeated: IdleRule = (node) => (node.inputs[0]?.producer?.is(node.opType) ? node.inputs[0] : undefined);

/** -0 is the neutral element of addition of floats; integers have one zero. */
const plusZero: IdleRule = (node, facts) => {
  const dtype = node.output && facts.of(node.output).dtype;
  return dtype && neutralOperand(isFloat(dtype) ? -0 : 0, [0, 1])(node, facts);
};

const RULES: Readonly<Record<string, IdleRule>> = {
  Identity: first,
  Dropout: first,
  Cast: sameType,
  CastLike: sameType,
  Sum: only,
  Max: only,
  Min: only,
  Mean: only,
  Concat: only,
  Neg: inverse,
  Not: inverse,
  Abs: repeated,
  Ceil: repeated,
  Floor: repeated,
  Round: repeated,
  Sign: repeated,
  ReduceMax: reducesNothing,
  ReduceMin: reducesNothing,
  Mul: neutralOperand(1, [0, 1]),
  Div: neutralOperand(1, [1]),
  Pow: neutralOperand(1, [1]),
  Sub: neutralOperand(0, [1]),
  Add: plusZero,
  And: neutralOperand(1, [0, 1]),
  Or: neutralOperand(0, [0, 1]),
  Xor: neutralOperand(0, [0, 1]),
};
