// Axis facts of operators that give the same elements other dims. Sizes are matched from the front: where the products of
// some axes of the input and some of the output agree, these hold the same elements. Row-major order then says which
// indices of a long axis belong to which of a short one: floor(index / inner) mod size, `inner` being the product of the
// axes after the short one.
import { divideExactly, isStatic, mulDims, sameDim, type Dim } from '../ir/dim.js';
import type { AxisFacts, AxisFreeze, AxisRef, AxisTie } from './axes.js';
import { axisNumbers, carried, inputAxis, outputAxis, tie } from './axis-ties.js';
import { shapeOf, type Dims } from './inputs.js';
import type { CostSite } from './record.js';

/** Axes of the input and of the output that hold the same elements. */
interface Block {
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

/** The blocks as far as they can be told, axes of size 1 left out. */
function blocksOf(input: Dims, output: Dims): Block[] {
  const long = (dims: Dims): number[] => axisNumbers(dims.length).filter((axis) => dims[axis] !== 1);
  const [from, to] = [long(input), long(output)];
  const blocks: Block[] = [];
  let [i, j] = [0, 0];
  while (i < from.length && j < to.length) {
    const [firstInput, firstOutput] = [i, j];
    let left: Dim = input[from[i++] ?? 0] ?? 1;
    let right: Dim = output[to[j++] ?? 0] ?? 1;
    while (!sameDim(left, right)) {
      const next = extension(left, right);
      if (next === 'left' && i < from.length) left = mulDims(left, input[from[i++] ?? 0] ?? 1);
      else if (next === 'right' && j < to.length) right = mulDims(right, output[to[j++] ?? 0] ?? 1);
      else return blocks;
    }
    blocks.push({ inputs: from.slice(firstInput, i), outputs: to.slice(firstOutput, j) });
  }
  return blocks;
}

/** Which of two products needs another factor. */
function extension(left: Dim, right: Dim): 'left' | 'right' | undefined {
  if (left === 0 || right === 0) return undefined;
  if (isStatic(left) && isStatic(right)) return left < right ? 'left' : 'right';
  if (divideExactly(right, left) !== undefined) return 'left';
  return divideExactly(left, right) === undefined ? undefined : 'right';
}

/** The index along axis `short` of `parts` that an index along their product has; nothing where a size is not known. */
function partOf(dims: Dims, parts: readonly number[], short: number): AxisTie['map'] {
  const size = dims[short];
  const inner = parts
    .filter((axis) => axis > short)
    .reduce<Dim>((product, axis) => mulDims(product, dims[axis] ?? 1), 1);
  return (index) => (isStatic(size) && isStatic(inner) ? Math.floor(index / inner) % size : undefined);
}

/**
 * Facts of a view. Axes that are joined or split allow one tie of several: joined, the outermost that can leave comes
 * first (channels before positions); split, the innermost (all groups of channels lose the same).
 */
export function viewAxes(site: CostSite): AxisFacts | undefined {
  const input = shapeOf(site, 0);
  const output = site.output(0)?.shape;
  if (input === undefined || output === undefined) return undefined;
  const ties: AxisTie[] = [];
  const choices: AxisTie[][] = [];
  for (const { inputs, outputs } of blocksOf(input, output)) {
    const [from, to] = [inputs[0] ?? 0, outputs[0] ?? 0];
    if (inputs.length === 1 && outputs.length === 1) ties.push(carried(0, from, to));
    else if (outputs.length === 1)
      choices.push(inputs.map((axis) => carried(0, axis, to, partOf(input, inputs, axis))));
    else if (inputs.length === 1)
      choices.push(
        outputs
          .map((axis) => tie('carry', outputAxis(0, axis), inputAxis(0, from), partOf(output, outputs, axis)))
          .reverse(),
      );
  }
  return { ties, choices };
}

/** Facts of Reshape: a target that nodes compute is replaced by numbers where units leave, which one open size allows. */
export function reshapeAxes(site: CostSite): AxisFacts | undefined {
  const facts = viewAxes(site);
  const input = shapeOf(site, 0);
  const output = site.output(0)?.shape;
  if (facts === undefined || output === undefined || site.node.ints('shape') || site.constant(1)) return facts;
  const open = output.filter((dim, axis) => !isStatic(dim) && !sameDim(dim, input?.[axis]));
  if (open.length <= 1) return facts;
  const at = [...facts.ties, ...(facts.choices ?? []).flat()]
    .flatMap(({ from, to }) => [from, to])
    .filter(({ side }) => side === 'output');
  const frozen = at.map((axis: AxisRef): AxisFreeze => ({ at: axis, code: 'fixed-index' }));
  return { ...facts, frozen };
}
