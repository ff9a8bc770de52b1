// Dimensions that may be symbolic: integer polynomials over atoms, kept in a canonical form, so that two expressions
// for the same size compare equal. Atoms are symbols (`batch`) and operations that do not expand (floor division,
// minimum, maximum). floor((n*q + r)/n) is written q + floor(r/n) with the constant part of r in [0, n).

export type Dim = number | SymbolicDim;

/** A sum of terms; `key` is canonical: equal keys mean equal dimensions for every value of the symbols. */
export interface SymbolicDim {
  readonly terms: readonly Term[];
  readonly key: string;
}

interface Term {
  readonly coefficient: number;
  /** Sorted by key; empty for the constant term. */
  readonly atoms: readonly Atom[];
}

type Operation = 'floordiv' | 'min' | 'max';

type Atom =
  | { readonly kind: 'symbol'; readonly name: string; readonly least: 0 | 1; readonly key: string }
  | { readonly kind: Operation; readonly left: Dim; readonly right: Dim; readonly key: string };

/** Names that cannot be mistaken for a formula; others (`batch + 1` is a legal name in a file) are quoted. */
const PLAIN_NAME = /^[\p{L}_?][\p{L}\p{N}_.:$?#-]*$/u;

/**
 * The dimension called `name`. It is at least `least`: 1 for the sizes a caller chooses, 0 for those that data decides
 * (how many boxes were found).
 */
export function symbolDim(name: string, least: 0 | 1 = 1): SymbolicDim {
  const key = PLAIN_NAME.test(name) ? name : JSON.stringify(name);
  return { terms: [{ coefficient: 1, atoms: [{ kind: 'symbol', name, least, key }] }], key };
}

/** True for a number; false for a symbolic or unknown dimension. */
export function isStatic(dim: Dim | undefined): dim is number {
  return typeof dim === 'number';
}

/** Equal for every value of the symbols. */
export function sameDim(a: Dim | undefined, b: Dim | undefined): boolean {
  if (typeof a === 'number' || typeof b === 'number') return a === b;
  return a !== undefined && b !== undefined && a.key === b.key;
}

/** Both shapes are known, of one rank, and equal axis by axis for every value of the symbols. */
export function sameDims(a: readonly Dim[] | undefined, b: readonly Dim[] | undefined): boolean {
  return a !== undefined && b !== undefined && a.length === b.length && a.every((dim, i) => sameDim(dim, b[i]));
}

/** All of `dims` as numbers, or undefined when one is symbolic or missing. */
export function staticDims(dims: readonly Dim[] | undefined): number[] | undefined {
  return dims?.every(isStatic) ? [...(dims as readonly number[])] : undefined;
}

/** All coefficients are integers, so the value is one for every value of the symbols. Shape arithmetic in floats has others. */
export function isIntegral(dim: Dim): boolean {
  return termsOf(dim).every((term) => Number.isInteger(term.coefficient));
}

/** Text of a dimension: `3`, `batch`, `2*batch + 1`, `floor((h + 1)/2)`. */
export function formatDim(dim: Dim): string {
  return typeof dim === 'number' ? String(dim) : dim.key;
}

/** a + b. */
export function addDims(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  return fromTerms([...termsOf(a), ...termsOf(b)]);
}

/** a - b. */
export function subDims(a: Dim, b: Dim): Dim {
  return addDims(a, mulDims(b, -1));
}

/** a b, multiplied out. */
export function mulDims(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return a * b;
  const products = termsOf(a).flatMap((x) =>
    termsOf(b).map((y) => ({ coefficient: x.coefficient * y.coefficient, atoms: sortAtoms([...x.atoms, ...y.atoms]) })),
  );
  return fromTerms(products);
}

/** The product of all `dims`: 1 for none, the element count of a shape. */
export function productOf(dims: readonly Dim[]): Dim {
  return dims.reduce<Dim>((product, dim) => mulDims(product, dim), 1);
}

/** floor(a / b); exact where the terms divide. A zero divisor gives 0 for numbers. */
export function floorDivDims(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return b === 0 ? 0 : Math.floor(a / b);
  if (sameDim(a, b)) return 1;
  const exact = divideExactly(a, b);
  if (exact !== undefined) return exact;
  if (typeof b !== 'number' || b <= 0 || !isIntegral(a)) return operation('floordiv', a, b);
  const whole: Term[] = [];
  const rest: Term[] = [];
  for (const term of termsOf(a)) {
    const quotient = term.atoms.length === 0 ? Math.floor(term.coefficient / b) : Math.trunc(term.coefficient / b);
    const remainder = term.coefficient - quotient * b;
    if (quotient !== 0) whole.push({ coefficient: quotient, atoms: term.atoms });
    if (remainder !== 0) rest.push({ coefficient: remainder, atoms: term.atoms });
  }
  return addDims(fromTerms(whole), reducedFloor(rest, b));
}

/** floor(sum of `terms` / divisor) with the common factor g of divisor and atoms taken out: floor((g x + c)/(g n)) = floor((x + floor(c/g))/n). */
function reducedFloor(terms: readonly Term[], divisor: number): Dim {
  const factor = terms.reduce((g, term) => (term.atoms.length === 0 ? g : gcd(g, term.coefficient)), divisor);
  const remainder = fromTerms(
    terms.map(({ coefficient, atoms }) => ({ coefficient: Math.floor(coefficient / factor), atoms })),
  );
  if (typeof remainder === 'number') return Math.floor((remainder * factor) / divisor);
  return factor === divisor ? remainder : operation('floordiv', remainder, divisor / factor);
}

function gcd(a: number, b: number): number {
  return b === 0 ? Math.abs(a) : gcd(b, a % b);
}

/** ceil(a / b) = -floor(-a / b), written as floor((a + b - 1)/b). */
export function ceilDivDims(a: Dim, b: Dim): Dim {
  return floorDivDims(addDims(a, subDims(b, 1)), b);
}

/** a / b when it is a polynomial again, else undefined. */
export function divideExactly(a: Dim, b: Dim): Dim | undefined {
  if (sameDim(a, b)) return 1;
  const divisors = termsOf(b);
  const divisor = divisors[0];
  if (divisors.length !== 1 || divisor === undefined || divisor.coefficient === 0) return undefined;
  const quotients: Term[] = [];
  for (const term of termsOf(a)) {
    const coefficient = term.coefficient / divisor.coefficient;
    const atoms = removeAtoms(term.atoms, divisor.atoms);
    if (!Number.isInteger(coefficient) || atoms === undefined) return undefined;
    quotients.push({ coefficient, atoms });
  }
  return fromTerms(quotients);
}

/** min(a, b), which is one of them where bounds decide. */
export function minDims(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return Math.min(a, b);
  if (isAtLeast(a, b)) return b;
  return isAtLeast(b, a) ? a : operation('min', a, b);
}

/** max(a, b), which is one of them where bounds decide. */
export function maxDims(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return Math.max(a, b);
  if (isAtLeast(a, b)) return a;
  return isAtLeast(b, a) ? b : operation('max', a, b);
}

/** a >= b for every value of the symbols, as far as interval arithmetic can tell. */
export function isAtLeast(a: Dim, b: Dim): boolean {
  return boundsOf(subDims(a, b)).low >= 0;
}

interface Bounds {
  readonly low: number;
  readonly high: number;
}

/** An interval that holds every value of `dim`. */
export function boundsOf(dim: Dim): Bounds {
  if (typeof dim === 'number') return { low: dim, high: dim };
  let low = 0;
  let high = 0;
  for (const { coefficient, atoms } of dim.terms) {
    const product = atoms.map(atomBounds).reduce(productBounds, { low: 1, high: 1 });
    low += coefficient * (coefficient > 0 ? product.low : product.high);
    high += coefficient * (coefficient > 0 ? product.high : product.low);
  }
  return { low, high };
}

const ANYTHING: Bounds = { low: -Infinity, high: Infinity };

function productBounds(a: Bounds, b: Bounds): Bounds {
  if (a.low < 0 || b.low < 0) return ANYTHING;
  return { low: a.low * b.low, high: a.high === 0 || b.high === 0 ? 0 : a.high * b.high };
}

function atomBounds(atom: Atom): Bounds {
  if (atom.kind === 'symbol') return { low: atom.least, high: Infinity };
  const left = boundsOf(atom.left);
  const right = boundsOf(atom.right);
  if (atom.kind === 'min') return { low: Math.min(left.low, right.low), high: Math.min(left.high, right.high) };
  if (atom.kind === 'max') return { low: Math.max(left.low, right.low), high: Math.max(left.high, right.high) };
  if (typeof atom.right === 'number' && atom.right > 0)
    return { low: Math.floor(left.low / atom.right), high: Math.floor(left.high / atom.right) };
  return left.low >= 0 && right.low >= 1 ? { low: 0, high: left.high } : ANYTHING;
}

/** The number a dimension takes when symbols have these values; undefined when one is missing. */
export function evaluateDim(dim: Dim, values: ReadonlyMap<string, number>): number | undefined {
  if (typeof dim === 'number') return dim;
  let sum = 0;
  for (const term of dim.terms) {
    let product = term.coefficient;
    for (const atom of term.atoms) {
      const factor = evaluateAtom(atom, values);
      if (factor === undefined) return undefined;
      product *= factor;
    }
    sum += product;
  }
  return sum;
}

/** Names of all symbols in `dim`. */
export function symbolsOf(dim: Dim): Set<string> {
  const names = new Set<string>();
  const visit = (d: Dim): void => {
    if (typeof d === 'number') return;
    for (const atom of d.terms.flatMap((term) => term.atoms)) {
      if (atom.kind === 'symbol') names.add(atom.name);
      else [atom.left, atom.right].forEach(visit);
    }
  };
  visit(dim);
  return names;
}

const OPERATIONS: Readonly<Record<Operation, (a: number, b: number) => number>> = {
  floordiv: (a, b) => (b === 0 ? 0 : Math.floor(a / b)),
  min: Math.min,
  max: Math.max,
};

function evaluateAtom(atom: Atom, values: ReadonlyMap<string, number>): number | undefined {
  if (atom.kind === 'symbol') return values.get(atom.name);
  const left = evaluateDim(atom.left, values);
  const right = evaluateDim(atom.right, values);
  return left === undefined || right === undefined ? undefined : OPERATIONS[atom.kind](left, right);
}

function operation(kind: Operation, left: Dim, right: Dim): SymbolicDim {
  const [a, b] = kind !== 'floordiv' && formatDim(left) > formatDim(right) ? [right, left] : [left, right];
  const key = kind === 'floordiv' ? `floor(${operand(a)}/${operand(b)})` : `${kind}(${formatDim(a)}, ${formatDim(b)})`;
  return { terms: [{ coefficient: 1, atoms: [{ kind, left: a, right: b, key }] }], key };
}

/** A number or a symbol as it is, formulas in parentheses. */
function operand(dim: Dim): string {
  const text = formatDim(dim);
  return /^\w+$/.test(text) ? text : `(${text})`;
}

function termsOf(dim: Dim): readonly Term[] {
  if (typeof dim !== 'number') return dim.terms;
  return dim === 0 ? [] : [{ coefficient: dim, atoms: [] }];
}

function sortAtoms(atoms: Atom[]): Atom[] {
  return atoms.sort((x, y) => (x.key < y.key ? -1 : x.key > y.key ? 1 : 0));
}

const atomsKey = (atoms: readonly Atom[]): string => atoms.map((atom) => atom.key).join('*');

/** Collects equal terms, drops zeros, sorts (constant last) and names the sum. */
function fromTerms(terms: readonly Term[]): Dim {
  const byAtoms = new Map<string, Term>();
  for (const term of terms) {
    const key = atomsKey(term.atoms);
    const coefficient = (byAtoms.get(key)?.coefficient ?? 0) + term.coefficient;
    byAtoms.set(key, { coefficient, atoms: term.atoms });
  }
  const kept = [...byAtoms]
    .filter(([, term]) => term.coefficient !== 0)
    .sort(([x], [y]) => (x === '' ? 1 : y === '' ? -1 : x < y ? -1 : 1));
  const only = kept[0];
  if (only === undefined) return 0;
  if (kept.length === 1 && only[0] === '') return only[1].coefficient;
  const words = kept.map(([key, { coefficient }], i) => {
    const sign = coefficient < 0 ? (i === 0 ? '-' : ' - ') : i === 0 ? '' : ' + ';
    const size = Math.abs(coefficient);
    return sign + (key === '' ? String(size) : size === 1 ? key : `${size}*${key}`);
  });
  return { terms: kept.map(([, term]) => term), key: words.join('') };
}

function removeAtoms(atoms: readonly Atom[], divisor: readonly Atom[]): Atom[] | undefined {
  const left = [...atoms];
  for (const atom of divisor) {
    const at = left.findIndex((candidate) => candidate.key === atom.key);
    if (at < 0) return undefined;
    left.splice(at, 1);
  }
  return left;
}
