// The worklist of local rewrites: each node is tried with every pass that roots at its operator, and tried again only
// when something nearby changed, so that the time grows linearly with the number of nodes.
import { setImmediate } from 'node:timers/promises';
import { InterruptError, invariant } from '../base/errors.js';
import type { Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import type { LocalPass, PassContext } from '../passes/pass.js';
import { rewriteKey, siteName, type RewriteLog } from './rewrite-log.js';

/** A local pass with its context. */
export interface BoundPass {
  readonly pass: LocalPass;
  readonly context: PassContext;
}

interface WorklistOptions {
  readonly log: RewriteLog;
  readonly signal: AbortSignal;
  readonly vetoes: ReadonlySet<string>;
}

/** Of values with more readers, and nodes with more inputs, the neighbours are not requeued: the closing sweep finds them. */
const MAX_NEIGHBOURS = 32;
/** Time between turns of the event loop, so that Ctrl-C is heard. */
const YIELD_MS = 50;

/**
 * Rewrites until a sweep over all nodes changes nothing.
 * @throws InterruptError; InternalError invariant when the rewrites do not come to an end
 */
export async function runWorklist(model: Model, passes: readonly BoundPass[], options: WorklistOptions): Promise<void> {
  const byRoot = indexByRoot(passes);
  const limit = 1000 + 50 * model.nodeTotal;
  let rewrites = 0;
  let turn = performance.now();
  for (let changed = true; changed;) {
    changed = false;
    model.touched.clear();
    const queue = new Set<Node>(model.allNodes());
    for (const node of queue) {
      queue.delete(node);
      if (performance.now() - turn > YIELD_MS) {
        await setImmediate();
        if (options.signal.aborted) throw new InterruptError('interrupted');
        turn = performance.now();
      }
      while (!node.isRemoved && tryPasses(model, node, byRoot, options)) {
        changed = true;
        requeue(model, queue);
        invariant(++rewrites < limit, `rewrites do not end: the last was at ${node.label}`);
      }
    }
  }
}

function indexByRoot(passes: readonly BoundPass[]): (node: Node) => readonly BoundPass[] {
  const byRoot = new Map<string, BoundPass[]>();
  const everywhere = passes.filter(({ pass }) => pass.roots.includes('*'));
  for (const root of new Set(passes.flatMap(({ pass }) => pass.roots))) {
    byRoot.set(
      root,
      passes.filter(({ pass }) => pass.roots.includes(root) || pass.roots.includes('*')),
    );
  }
  return (node) => byRoot.get(node.opType) ?? everywhere;
}

/** Tries the passes in order; true as soon as one rewrote. */
function tryPasses(
  model: Model,
  node: Node,
  byRoot: (node: Node) => readonly BoundPass[],
  { log, vetoes }: WorklistOptions,
): boolean {
  for (const { pass, context } of byRoot(node)) {
    const site = siteName(node);
    if (vetoes.size > 0 && vetoes.has(rewriteKey(pass.name, site))) continue;
    log.forget(pass.name, node);
    const before = model.journal.mark();
    const { nodeTotal, parameterTotal } = model;
    const start = performance.now();
    const done = pass.rewrite(node, context);
    const tally = log.tally(pass.name);
    tally.milliseconds += performance.now() - start;
    if (!done) {
      invariant(model.journal.mark() === before, `${pass.name} changed the graph and said it did not`, { node: site });
      continue;
    }
    tally.rewrites++;
    tally.nodes += model.nodeTotal - nodeTotal;
    tally.parameters += model.parameterTotal - parameterTotal;
    log.rewrites.push({ pass: pass.name, site, before });
    return true;
  }
  return false;
}

/** Queues what was touched, with its neighbours. */
function requeue(model: Model, queue: Set<Node>): void {
  for (const node of model.touched) {
    if (node.isRemoved) continue;
    queue.add(node);
    if (node.inputs.length <= MAX_NEIGHBOURS)
      for (const value of node.inputs) if (value?.producer) queue.add(value.producer);
    for (const value of node.outputs) {
      if (value && value.slots.size <= MAX_NEIGHBOURS) for (const reader of value.slots.keys()) queue.add(reader);
    }
  }
  model.touched.clear();
}
