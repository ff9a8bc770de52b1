// Control flow: If, Loop, Scan. Facts of a branch or body come from walking it with what is known of its inputs.
import { isStatic, maxDims, sameDim, symbolsOf, type Dim } from '../ir/dim.js';
import type { Graph } from '../ir/graph.js';
import { axisOf, dtypeOf, scalarOf, shapeOf, UNKNOWN, type Dims } from './inputs.js';
import { defineOp, type OpSite, type OpRecord, type ValueInfo } from './record.js';

const PLUMBING = { layer: 'plumbing' } as const;

function bodyOf(site: OpSite, name: string): Graph | undefined {
  const attribute = site.node.attribute(name);
  return attribute?.kind === 'graph' ? attribute.value : undefined;
}

/** What holds of a value that is either `a` or `b`: dims that differ are unknown, ranks that differ leave no shape. */
function mergeInfos(site: OpSite, a: ValueInfo, b: ValueInfo): ValueInfo {
  const shape =
    a.shape?.length === b.shape?.length
      ? a.shape?.map((dim, i) => (sameDim(dim, b.shape?.[i]) ? dim : site.unknownDim()))
      : undefined;
  const same =
    a.data !== undefined && a.data.length === b.data?.length && a.data.every((dim, i) => sameDim(dim, b.data?.[i]));
  return { dtype: a.dtype === b.dtype ? a.dtype : undefined, shape, data: same ? a.data : undefined };
}

/** A condition that is known picks its branch; both are walked, for the sake of the values inside. */
const branch = defineOp({
  opType: 'If',
  traits: PLUMBING,
  infer: (site) => {
    const [yes, no] = ['then_branch', 'else_branch'].map((name) => {
      const graph = bodyOf(site, name);
      return graph ? site.subgraph(graph, []) : [];
    });
    const condition = scalarOf(site, 0);
    if (isStatic(condition)) return (condition === 0 ? no : yes) ?? [];
    return site.node.outputs.map((_, i) => mergeInfos(site, yes?.[i] ?? UNKNOWN, no?.[i] ?? UNKNOWN));
  },
});

/** Facts that hold in every iteration of a body: of the variables it carries, and of all it returns. */
interface Invariant {
  readonly carried: readonly ValueInfo[];
  readonly returned: readonly ValueInfo[];
  /** Symbols of sizes that one iteration may change: outside the body they mean nothing. */
  readonly changing: ReadonlySet<string>;
}

/** Rounds of widening before shapes of all carried variables are given up. */
const MAX_ROUNDS = 8;

/**
 * Widens what is known of carried variables until the body keeps it: a dim that an iteration changes gets a symbol of
 * its own (its size at the start of an iteration), a rank that changes leaves no shape. Values always differ.
 * `walk` gives the facts of what the body returns, carried variables first.
 */
function findInvariant(
  site: OpSite,
  initial: readonly ValueInfo[],
  walk: (carried: readonly ValueInfo[]) => readonly ValueInfo[],
): Invariant {
  const changing = new Set<string>();
  let carried = initial.map(({ dtype, shape }): ValueInfo => ({ dtype, shape }));
  for (let round = 0; ; round++) {
    const returned = walk(carried);
    let stable = true;
    const next = carried.map((info, i): ValueInfo => {
      const after = returned[i]?.shape;
      if (info.shape === undefined) return info;
      if (after?.length !== info.shape.length || round === MAX_ROUNDS) {
        stable = false;
        return { dtype: info.dtype };
      }
      const shape = info.shape.map((dim, axis) => {
        if (sameDim(dim, after[axis]) || isOneOf(dim, changing)) return dim;
        stable = false;
        const widened = site.unknownDim();
        for (const name of symbolsOf(widened)) changing.add(name);
        return widened;
      });
      return { dtype: info.dtype, shape };
    });
    if (stable) return { carried, returned, changing };
    carried = next;
  }
}

const isOneOf = (dim: Dim, symbols: ReadonlySet<string>): boolean =>
  [...symbolsOf(dim)].some((name) => symbols.has(name));

/** Dims as seen from outside of the body. */
function settledShape(site: OpSite, shape: Dims | undefined, changing: ReadonlySet<string>): Dims | undefined {
  return shape?.map((dim) => (isOneOf(dim, changing) ? site.unknownDim() : dim));
}

/** Inputs: trip count, condition, carried variables. The body adds the iteration number, and returns a condition first. */
const loop = defineOp({
  opType: 'Loop',
  traits: PLUMBING,
  infer: (site) => {
    const body = bodyOf(site, 'body');
    if (body === undefined) return [];
    const initial = Array.from({ length: Math.max(0, body.inputs.length - 2) }, (_, i) => site.input(i + 2) ?? UNKNOWN);
    let condition: ValueInfo = UNKNOWN;
    const { carried, returned, changing } = findInvariant(site, initial, (state) => {
      const results = site.subgraph(body, [
        { dtype: 'int64', shape: [] },
        { dtype: 'bool', shape: [], data: [1] },
        ...state,
      ]);
      condition = results[0] ?? UNKNOWN;
      return results.slice(1);
    });
    const trips = tripCount(site, condition) ?? site.unknownDim();
    const scans = returned
      .slice(carried.length)
      .map(({ dtype, shape }): ValueInfo => ({
        dtype,
        shape: shape && [trips, ...(settledShape(site, shape, changing) ?? [])],
      }));
    return [...carried.map(({ dtype, shape }) => ({ dtype, shape: settledShape(site, shape, changing) })), ...scans];
  },
});

/** The given trip count, where no condition ever ends the loop earlier. Inside the body the condition is true. */
function tripCount(site: OpSite, condition: ValueInfo): Dim | undefined {
  const first = site.input(1) === undefined ? 1 : scalarOf(site, 1);
  const trips = scalarOf(site, 0);
  return first === 1 && condition.data?.[0] === 1 && trips !== undefined ? maxDims(trips, 0) : undefined;
}

/** Inputs: carried variables, then tensors taken apart along an axis; outputs: carried variables, then stacked ones. */
const scan = defineOp({
  opType: 'Scan',
  traits: PLUMBING,
  infer: (site) => {
    const body = bodyOf(site, 'body');
    if (body === undefined) return [];
    if (site.opset < 9) return unbatchedScan(site, body);
    const scanned = site.node.int('num_scan_inputs', 0);
    const states = Math.max(0, site.node.inputs.length - scanned);
    const axes = site.node.ints('scan_input_axes');
    let length: Dim | undefined;
    const slices = Array.from({ length: scanned }, (_, i): ValueInfo => {
      const shape = shapeOf(site, states + i);
      const axis = shape && axisOf(axes?.[i] ?? 0, shape.length);
      if (axis !== undefined) length ??= shape?.[axis];
      return { dtype: dtypeOf(site, states + i), shape: axis === undefined ? undefined : shape?.toSpliced(axis, 1) };
    });
    const initial = Array.from({ length: states }, (_, i) => site.input(i) ?? UNKNOWN);
    const { carried, returned, changing } = findInvariant(site, initial, (state) =>
      site.subgraph(body, [...state, ...slices]),
    );
    const stacked = returned.slice(states).map(({ dtype, shape }, i): ValueInfo => {
      const settled = settledShape(site, shape, changing);
      const axis = settled && axisOf(site.node.ints('scan_output_axes')?.[i] ?? 0, settled.length + 1);
      return {
        dtype,
        shape: axis === undefined ? undefined : settled?.toSpliced(axis, 0, length ?? site.unknownDim()),
      };
    });
    return [...carried.map(({ dtype, shape }) => ({ dtype, shape: settledShape(site, shape, changing) })), ...stacked];
  },
});

/** Opset 8: an optional first input of lengths and a batch axis in front. Only element types are followed. */
function unbatchedScan(site: OpSite, body: Graph): readonly ValueInfo[] {
  const inputs = site.node.inputs.slice(1).map((_, i): ValueInfo => ({ dtype: dtypeOf(site, i + 1) }));
  return site.subgraph(body, inputs).map(({ dtype }) => ({ dtype }));
}

export const CONTROL_FLOW: readonly OpRecord[] = [branch, loop, scan];
