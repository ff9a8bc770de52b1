// Einstein summation: the equation read, the shape of its result and its MACs (the product of all index sizes, counted
// once per element of the full index space, as one pairwise product of two operands costs).
import { productOf, type Dim } from '../ir/dim.js';
import type { AxisFacts, AxisTie } from './axes.js';
import { inputAxis, outputAxis, tie } from './axis-ties.js';
import { broadcastDims, broadcastShapes } from './broadcast.js';
import { shapeOf, type Dims } from './inputs.js';
import type { CostSite, OpSite } from './record.js';

interface Subscripts {
  /** Sizes per index letter. */
  readonly sizes: ReadonlyMap<string, Dim>;
  /** Broadcast sizes of the axes under the ellipsis. */
  readonly ellipsis: Dims;
  readonly output: string;
}

const ELLIPSIS = '.';

/** Undefined when the equation and the shapes disagree, or a shape is unknown. */
function readEquation(site: OpSite): Subscripts | undefined {
  const equation = site.node.string('equation', '').replaceAll(' ', '').replaceAll('...', ELLIPSIS);
  const [left = '', right] = equation.split('->');
  const terms = left.split(',');
  const sizes = new Map<string, Dim>();
  let ellipsis: Dims = [];
  for (const [index, term] of terms.entries()) {
    const shape = shapeOf(site, index);
    if (shape === undefined) return undefined;
    const letters = [...term];
    const hidden = shape.length - letters.filter((letter) => letter !== ELLIPSIS).length;
    if (hidden < 0 || (hidden > 0 && !letters.includes(ELLIPSIS))) return undefined;
    let axis = 0;
    for (const letter of letters) {
      if (letter === ELLIPSIS) {
        ellipsis = broadcastShapes(site, [ellipsis, shape.slice(axis, axis + hidden)]) ?? [];
        axis += hidden;
        continue;
      }
      const size = shape[axis++];
      const before = sizes.get(letter);
      if (size !== undefined)
        sizes.set(letter, before === undefined ? size : (broadcastDims(site, before, size) ?? size));
    }
  }
  return { sizes, ellipsis, output: right ?? implicitOutput(left) };
}

/** Without an arrow: the ellipsis, then the letters that occur once, in alphabetical order. */
function implicitOutput(left: string): string {
  const letters = [...left].filter((letter) => letter !== ',' && letter !== ELLIPSIS);
  const once = letters.filter((letter) => letters.indexOf(letter) === letters.lastIndexOf(letter)).sort();
  return (left.includes(ELLIPSIS) ? ELLIPSIS : '') + once.join('');
}

/** Output shape of Einsum; undefined when the equation does not fit the inputs or a size is unknown. */
export function einsumShape(site: OpSite): Dims | undefined {
  const read = readEquation(site);
  if (read === undefined) return undefined;
  const shape: Dim[] = [];
  for (const letter of read.output) {
    const size = read.sizes.get(letter);
    if (letter === ELLIPSIS) shape.push(...read.ellipsis);
    else if (size === undefined) return undefined;
    else shape.push(size);
  }
  return shape;
}

/** Counted for two operands; longer chains depend on the order of products. */
export function einsumMacs(site: CostSite): Dim | undefined {
  const read = site.node.inputs.length === 2 ? readEquation(site) : undefined;
  return read && productOf([...read.sizes.values(), ...read.ellipsis]);
}

/** Facts of equations without an ellipsis or a diagonal: letters are axes, and those that the result lacks are summed over. */
export function einsumAxes(site: CostSite): AxisFacts | undefined {
  const equation = site.node.string('equation', '').replaceAll(' ', '');
  const [left = '', right] = equation.split('->');
  const terms = left.split(',');
  const output = right ?? implicitOutput(left);
  const isPlain = [...terms, output].every((term) => !term.includes(ELLIPSIS) && new Set(term).size === term.length);
  if (!isPlain || terms.length > 2 || terms.some((term, slot) => shapeOf(site, slot)?.length !== term.length))
    return undefined;
  const ties: AxisTie[] = [];
  for (const letter of new Set(terms.join(''))) {
    const at = terms.flatMap((term, slot) =>
      term.includes(letter) && shapeOf(site, slot)?.[term.indexOf(letter)] !== 1
        ? [inputAxis(slot, term.indexOf(letter))]
        : [],
    );
    const [first, second] = at;
    if (output.includes(letter)) {
      const kind = at.length === 1 ? 'make' : 'carry';
      ties.push(...at.map((from) => tie(kind, from, outputAxis(0, output.indexOf(letter)))));
    } else if (first && second) ties.push(tie('contract', first, second));
  }
  return { ties };
}
