// A Cast of a Cast is one Cast where the first loses nothing.
import { type DType, DTYPES } from '../../tensor/dtype.js';
import { removeDead, replaceNode } from '../edit.js';
import { defineLocalPass } from '../pass.js';

export const mergeCasts = defineLocalPass({
  name: 'merge-casts',
  category: 'exact',
  exactness: 'exact',
  needs: [],
  summary: 'Merge a Cast of a Cast when the first loses nothing',
  details: `When every value of the first type is a value of the second (bool and short integers to longer ones, integers to floats with
enough bits, float16 and bfloat16 to float32), the second Cast can read the input of the first. Casts through a narrower
type round or wrap, and stay.`,
  options: {},
  declines: { narrowing: 'The Cast before it from {from} to {to} may change values.' },
  stats: { merged: 'Casts merged' },
  roots: ['Cast'],
  rewrite(node, ctx) {
    const before = node.inputs[0]?.producer;
    const source = before?.inputs[0];
    if (node.domain !== '' || !before?.is('Cast') || !source || !before.output) return false;
    const from = ctx.facts.of(source).dtype;
    const to = ctx.facts.of(before.output).dtype;
    if (!from || !to) return false;
    if (!holdsAll(to, from)) return ctx.decline(node, 'narrowing', { from, to });
    const { inputs } = node;
    replaceNode(node, { opType: 'Cast', inputs: [source], attributes: node.attributes });
    removeDead(inputs);
    ctx.count('merged');
    return true;
  },
});

/** Whole numbers up to 2^n are exact in a float with n bits of precision. */
const PRECISION: Partial<Record<DType, number>> = { float16: 11, bfloat16: 8, float32: 24, float64: 53 };

const WIDER_FLOATS: Partial<Record<DType, readonly DType[]>> = {
  float16: ['float32', 'float64'],
  bfloat16: ['float32', 'float64'],
  float32: ['float64'],
};

/** Every value of `from` is a value of `to`. */
function holdsAll(to: DType, from: DType): boolean {
  if (to === from) return true;
  const [source, target] = [DTYPES[from], DTYPES[to]];
  if (target.kind === 'string' || source.kind === 'string' || target.kind === 'bool') return false;
  const precision = PRECISION[to] ?? 0;
  if (source.kind === 'bool') return target.kind === 'int' || target.kind === 'uint' || precision > 0;
  if (source.kind === 'float') return WIDER_FLOATS[from]?.includes(to) ?? false;
  const bits = source.kind === 'int' ? source.bits - 1 : source.bits;
  if (target.kind === 'float') return bits <= precision;
  return target.kind === 'int'
    ? bits <= target.bits - 1
    : target.kind === 'uint' && source.kind === 'uint' && source.bits <= target.bits;
}
