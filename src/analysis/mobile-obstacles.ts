// What keeps a model, as it stands, from running well on mobile devices: operators that a runtime lacks, sizes that are
// not fixed, 64-bit elements. Only names of operators are compared, so a model without obstacles here may still meet some.
import { staticDims } from '../ir/dim.js';
import type { Graph } from '../ir/graph.js';
import { nodesUnder, type Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { opKey } from '../ops/registry.js';
import { DTYPES } from '../tensor/dtype.js';
import type { Facts } from './facts.js';
import { MOBILE_RUNTIMES, ORT_MOBILE_OPSET, type MobileRuntime } from './mobile-operators.js';

/** Kinds of obstacles. */
export type ObstacleCode = 'unknown-operator' | 'missing-operator' | 'old-opset' | 'dynamic-shape' | '64-bit-type';

export interface Obstacle {
  /** A runtime of `MOBILE_RUNTIMES`, or `any`. */
  readonly target: string;
  readonly code: ObstacleCode;
  readonly message: string;
  /** Nodes or values. */
  readonly count: number;
  /** Some of them, at most `MAX_EXAMPLES`. */
  readonly examples: readonly string[];
}

const MAX_EXAMPLES = 5;

/** All obstacles: those that hold everywhere first, then by runtime. */
export function mobileObstacles(model: Model, facts: Facts): Obstacle[] {
  const nodes = [...nodesUnder(model.graph)];
  const operations = operationsOf(model, nodes);
  const unknown = operations.filter((node) => facts.record(node) === undefined);
  return [
    ...nodeObstacle(unknown, {
      target: 'any',
      code: 'unknown-operator',
      message: `not among the operators that mcompress knows: ${tally(unknown)}`,
    }),
    ...MOBILE_RUNTIMES.flatMap((runtime) => [
      ...missingOperators(operations, runtime),
      ...oldOpset(model, runtime),
      ...dynamicShapes(model, nodes, facts, runtime),
      ...wideTypes(model, nodes, facts, runtime),
    ]),
  ];
}

/** Nodes that a runtime has to know: those of the bodies of called functions in the place of the calls. */
function operationsOf(model: Model, nodes: readonly Node[]): Node[] {
  const entered = new Set<Graph>();
  const pending = [...nodes];
  const found: Node[] = [];
  for (const node of pending) {
    const body = model.functionOf(node)?.graph;
    if (body === undefined && !node.is('Constant')) found.push(node);
    if (body === undefined || entered.has(body)) continue;
    entered.add(body);
    pending.push(...nodesUnder(body));
  }
  return found;
}

type Head = Pick<Obstacle, 'target' | 'code' | 'message'>;

function nodeObstacle(nodes: readonly Node[], head: Head): Obstacle[] {
  const examples = nodes.slice(0, MAX_EXAMPLES).map(({ label }) => label);
  return nodes.length === 0 ? [] : [{ ...head, count: nodes.length, examples }];
}

function valueObstacle(values: readonly Value[], head: Head): Obstacle[] {
  const examples = values.slice(0, MAX_EXAMPLES).map(({ name }) => name);
  return values.length === 0 ? [] : [{ ...head, count: values.length, examples }];
}

function missingOperators(nodes: readonly Node[], { name, operators, others }: MobileRuntime): Obstacle[] {
  const missing = nodes.filter(({ opType, domain }) => !operators.has(opKey(opType, domain)));
  const outcome = others === 'do not load' ? 'the reduced package does not load them' : 'they run on the CPU instead';
  return nodeObstacle(missing, {
    target: name,
    code: 'missing-operator',
    message: `lacks ${tally(missing)}: ${outcome}`,
  });
}

/** `Resize (3), HardSwish (2) and 4 other operators`, most frequent first. */
function tally(nodes: readonly Node[]): string {
  const counts = new Map<string, number>();
  for (const { opType, domain } of nodes)
    counts.set(opKey(opType, domain), (counts.get(opKey(opType, domain)) ?? 0) + 1);
  const sorted = [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  const shown = sorted.slice(0, MAX_EXAMPLES).map(([operator, count]) => `${operator} (${count})`);
  const rest = sorted.length - shown.length;
  return shown.join(', ') + (rest > 0 ? ` and ${rest} other ${rest === 1 ? 'operator' : 'operators'}` : '');
}

function oldOpset(model: Model, { name, others }: MobileRuntime): Obstacle[] {
  if (others !== 'do not load' || model.opset >= ORT_MOBILE_OPSET) return [];
  const message =
    `the reduced package has operators of opset ${ORT_MOBILE_OPSET} and later, the model has opset ${model.opset}: ` +
    `mcompress slim --opset ${ORT_MOBILE_OPSET}`;
  return [{ target: name, code: 'old-opset', message, count: 1, examples: [] }];
}

/** Names the inputs that open sizes come from, or, where there are none, the values that have them. */
function dynamicShapes(model: Model, nodes: readonly Node[], facts: Facts, runtime: MobileRuntime): Obstacle[] {
  if (runtime.shapes === 'any') return [];
  const open = (value: Value | undefined): value is Value => value !== undefined && !staticDims(facts.of(value).shape);
  const inputs = model.graph.inputs.filter((input) => input.constant === undefined && open(input));
  const affected = nodes.filter((node) => node.outputs.some(open));
  if (affected.length === 0) return [];
  const cure =
    inputs.length === 0
      ? 'they are computed from data'
      : 'fix those of the inputs with mcompress slim --freeze NAME:SHAPE';
  const many = `${affected.length} ${affected.length === 1 ? 'node' : 'nodes'}`;
  return valueObstacle(inputs.length === 0 ? affected.flatMap((node) => node.outputs.filter(open)) : inputs, {
    target: runtime.name,
    code: 'dynamic-shape',
    message: `takes fixed sizes only, and those of ${many} are open, which run on the CPU instead: ${cure}`,
  });
}

/** Weights are left out: those of 64 bits are axes and shapes, which become settings of the layers that read them. */
function wideTypes(model: Model, nodes: readonly Node[], facts: Facts, runtime: MobileRuntime): Obstacle[] {
  if (runtime.wideTypes === 'yes') return [];
  const inputs = model.graph.inputs.filter((input) => input.constant === undefined);
  const computed = nodes.flatMap((node) =>
    node.is('Constant') ? [] : node.outputs.filter((value) => value !== undefined),
  );
  const wide = [...inputs, ...computed].filter((value) => {
    const { dtype } = facts.of(value);
    return dtype !== undefined && DTYPES[dtype].bits === 64;
  });
  const types = [...new Set(wide.map((value) => facts.of(value).dtype))].join(', ');
  return valueObstacle(wide, {
    target: runtime.name,
    code: '64-bit-type',
    message: `has no tensors of ${types}: what computes with them runs on the CPU`,
  });
}
