// The fixed point of passes: joint, counted, ended by a defect and not by a hang, and heard when interrupted.
import { describe, expect, it } from 'vitest';
import { createFacts } from '../../src/analysis/inference.js';
import { InternalError, InterruptError } from '../../src/base/errors.js';
import type { Node } from '../../src/ir/node.js';
import { parseModel } from '../../src/ir/text/parse.js';
import { printModel } from '../../src/ir/text/print.js';
import { graphOf, replaceNode } from '../../src/passes/edit.js';
import { defineGlobalPass, defineLocalPass, type AnyPass } from '../../src/passes/pass.js';
import { configure } from '../../src/pipeline/configured-pass.js';
import { RewriteLog } from '../../src/pipeline/rewrite-log.js';
import { runPasses, type PassEnvironment } from '../../src/pipeline/run-passes.js';
import type { Model } from '../../src/ir/model.js';
import { becomes, growsForever, vanishes } from './wrong-passes.js';

const HEAD = {
  category: 'exact',
  exactness: 'exact',
  needs: [],
  summary: '',
  details: '',
  options: {},
  declines: { busy: 'the value {name} has {count} readers, {unknown}' },
  stats: { done: 'done' },
} as const;

type Rewrite = Parameters<
  typeof defineLocalPass<Record<never, never>, typeof HEAD.declines, typeof HEAD.stats>
>[0]['rewrite'];

const local = (name: string, roots: readonly string[], rewrite: Rewrite): AnyPass =>
  defineLocalPass({ ...HEAD, name, roots, rewrite });
const global = (name: string, act: (model: Model) => void | Promise<void>): AnyPass =>
  defineGlobalPass({ ...HEAD, name, run: act });

async function run(
  text: string,
  passes: readonly AnyPass[],
  changes: Partial<PassEnvironment> = {},
): Promise<{ readonly model: Model; readonly log: RewriteLog; readonly ops: string }> {
  const model = parseModel(text);
  const environment = { createFacts: (of: Model) => createFacts(of), seed: 0, signal: new AbortController().signal };
  const log = await runPasses(
    model,
    passes.map((pass) => configure(pass)),
    { ...environment, ...changes },
  );
  return { model, log, ops: [...model.graph.nodes()].map(({ opType }) => opType).join(' ') };
}

const chain = (ops: readonly string[]): string =>
  `g (float[4] x0) => (float[4] x${ops.length}) { ${ops.map((op, i) => `x${i + 1} = ${op} (x${i})`).join('\n')} }`;

/** Exp behind Log goes with it. */
const cancel = local('cancel', ['Exp'], (node) => {
  const log = node.inputs[0]?.producer;
  if (!log?.is('Log') || node.output?.isGraphOutput) return false;
  const source = log.inputs[0];
  if (!source || !node.output) return false;
  graphOf(node).replaceUses(node.output, source);
  graphOf(node).removeNode(node);
  if (log.output?.isUnused) graphOf(log).removeNode(log);
  return true;
});

describe('the fixed point', () => {
  it('takes up again what a rewrite made possible nearby', async () => {
    // The outer pairs become neighbours when the inner ones are gone.
    const { ops, log } = await run(chain(['Log', 'Log', 'Log', 'Exp', 'Exp', 'Exp', 'Neg']), [cancel]);
    expect(ops).toBe('Neg');
    expect(log.rewrites).toHaveLength(3);
    expect(log.tallies.get('cancel')).toMatchObject({ rewrites: 3, nodes: -6, parameters: 0 });
  });

  it('is joint: local passes before and behind a global one see what the others made', async () => {
    const rename = global('rename', (model) => {
      for (const node of model.graph.nodes()) if (node.is('Tanh')) becomes('Log')(node);
    });
    const unpack = local('unpack', ['Softsign'], becomes('Exp'));
    const { ops } = await run(chain(['Tanh', 'Softsign', 'Neg']), [cancel, rename, unpack]);
    expect(ops).toBe('Neg');
  });

  it('reaches nodes of subgraphs', async () => {
    const text = `g (bool c, float[2] x) => (float[2] y) {
      y = If (c) <then_branch = t () => (a) { a = Softsign (x) }, else_branch = e () => (b) { b = Neg (x) }> }`;
    const { model } = await run(text, [local('swap', ['Softsign'], becomes('Tanh'))]);
    expect(printModel(model, { weights: 'brief' })).toContain('Tanh');
  });

  it('tries a pass rooted at * at every node, beside those rooted at the operator, in the order of the list', async () => {
    const seen: string[] = [];
    const note = (name: string, roots: readonly string[]): AnyPass =>
      local(name, roots, (node) => {
        seen.push(`${name} ${node.opType}`);
        return false;
      });
    await run(chain(['Neg', 'Abs']), [note('any', ['*']), note('abs', ['Abs'])]);
    expect(seen).toEqual(['any Neg', 'any Abs', 'abs Abs']);
  });

  it('tries a node far away once per sweep, and one beside a change again', async () => {
    const tries = new Map<string, number>();
    const watch = local('watch', ['Abs', 'Neg'], (node) => {
      const name = node.output?.name ?? '';
      tries.set(name, (tries.get(name) ?? 0) + 1);
      return false;
    });
    const ops = [...Array<string>(11).fill('Neg'), 'Log', 'Exp', 'Abs'];
    await run(chain(ops), [watch, cancel]);
    // One sweep that changes something, one that does not, one in the closing round.
    expect(tries.get('x3')).toBe(3);
    expect(tries.get('x11')).toBe(4);
  });

  it('takes as many tries per node in a large model as in a small one', async () => {
    const triesPerNode = async (pairs: number): Promise<number> => {
      let tries = 0;
      const watch = local('watch', ['*'], () => {
        tries++;
        return false;
      });
      const ops = [...Array<string>(pairs).fill('Log'), ...Array<string>(pairs).fill('Exp'), 'Neg'];
      const { log } = await run(chain(ops), [watch, cancel]);
      expect(log.rewrites).toHaveLength(pairs);
      return tries / ops.length;
    };
    expect(await triesPerNode(1000)).toBeLessThan(1.2 * (await triesPerNode(100)));
  });

  it('leaves a settled model alone, and calls it settled', async () => {
    const { model } = await run(chain(['Log', 'Exp', 'Neg']), [cancel]);
    const { revision } = model;
    const stages: string[] = [];
    const signal = new AbortController().signal;
    await runPasses(model, [configure(cancel)], {
      createFacts: (of) => createFacts(of),
      seed: 0,
      signal,
      onStage: (names, round) => stages.push(`${names.join()} ${round}`),
    });
    expect(model.revision).toBe(revision);
    expect(stages).toEqual(['cancel 1']);
  });

  it('gives each pass a random stream that follows from the seed and its name', async () => {
    const draws: number[] = [];
    const draw = (name: string): AnyPass =>
      defineGlobalPass({ ...HEAD, name, run: (_model, { rng }) => void draws.push(rng.uniform()) });
    await run(chain(['Neg']), [draw('one'), draw('two')], { seed: 1 });
    await run(chain(['Neg']), [draw('two'), draw('one')], { seed: 1 });
    await run(chain(['Neg']), [draw('one')], { seed: 2 });
    expect(draws[0]).toBe(draws[3]);
    expect(draws[1]).toBe(draws[2]);
    expect(new Set(draws).size).toBe(3);
  });
});

describe('vetoes', () => {
  it('keep a local pass from one site only', async () => {
    const swap = local('swap', ['Abs'], becomes('Relu'));
    const { ops, log } = await run(chain(['Abs', 'Abs', 'Abs']), [swap], { vetoes: new Set(['swap@x2', 'other@x1']) });
    expect(ops).toBe('Relu Abs Relu');
    expect(log.rewrites.map(({ site }) => site)).toEqual(['x1', 'x3']);
  });

  it('keep a global pass from a site it asks for, or from running at all', async () => {
    const asking = defineGlobalPass({
      ...HEAD,
      name: 'ask',
      run: (model, ctx) => {
        for (const node of model.graph.nodes()) if (node.is('Abs') && ctx.permit(node)) becomes('Relu')(node);
      },
    });
    expect((await run(chain(['Abs', 'Abs']), [asking], { vetoes: new Set(['ask@x1']) })).ops).toBe('Abs Relu');
    const blunt = global('blunt', (model) => {
      for (const node of model.graph.nodes()) if (node.is('Abs')) becomes('Relu')(node);
    });
    const { log } = await run(chain(['Abs', 'Abs']), [blunt]);
    expect(log.rewrites).toMatchObject([{ pass: 'blunt', site: 'g', before: 0 }]);
    expect((await run(chain(['Abs', 'Abs']), [blunt], { vetoes: new Set(['blunt@g']) })).ops).toBe('Abs Abs');
  });

  it('reach what a global pass changed before it first asked', async () => {
    const half = defineGlobalPass({
      ...HEAD,
      name: 'half',
      run: (model, ctx) => {
        for (const node of model.graph.nodes()) if (node.is('Neg')) becomes('Exp')(node);
        for (const node of model.graph.nodes()) if (node.is('Abs') && ctx.permit(node)) becomes('Relu')(node);
      },
    });
    const { log } = await run(chain(['Neg', 'Abs']), [half]);
    expect(log.rewrites.map(({ site }) => site)).toEqual(['g', 'x2']);
    expect(log.rewrites[0]?.before).toBe(0);
    expect(log.tallies.get('half')?.rewrites).toBe(2);
  });
});

describe('defects of passes', () => {
  const swap = (from: string, to: string): AnyPass => local(`${from}-to-${to}`, [from], becomes(to));

  it.each([
    ['two local passes that undo each other', [swap('Abs', 'Neg'), swap('Neg', 'Abs')]],
    ['a local pass that always finds something', [local('grow', ['Abs'], growsForever)]],
    [
      'two global passes that undo each other',
      [
        global('there', (model) => void model.graph.nodes().forEach((node) => node.is('Abs') && becomes('Neg')(node))),
        global('back', (model) => void model.graph.nodes().forEach((node) => node.is('Neg') && becomes('Abs')(node))),
      ],
    ],
    [
      'a local and a global pass that undo each other',
      [
        swap('Abs', 'Neg'),
        global('back', (model) => void model.graph.nodes().forEach((node) => node.is('Neg') && becomes('Abs')(node))),
      ],
    ],
  ])('end the run with an internal error: %s', async (_what, passes) => {
    const error = await run(chain(['Abs', 'Tanh']), passes).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(InternalError);
    expect(error).toMatchObject({ code: 'invariant', message: expect.stringMatching(/do not end|no fixed point/) });
  });

  it('name a pass that changes the graph and says it did not', async () => {
    const sly = local('sly', ['Abs'], (node) => {
      replaceNode(node, { opType: 'Relu', inputs: node.inputs });
      return false;
    });
    await expect(run(chain(['Neg', 'Abs']), [sly])).rejects.toMatchObject({
      code: 'invariant',
      message: 'sly changed the graph and said it did not',
      at: { node: 'x2' },
    });
  });
});

describe('an interruption', () => {
  const busy = (milliseconds: number): void => {
    for (const end = performance.now() + milliseconds; performance.now() < end;);
  };

  it('is heard between the nodes of one worklist', async () => {
    const abort = new AbortController();
    let tried = 0;
    const slow = local('slow', ['Neg'], () => {
      busy(30);
      tried++;
      return false;
    });
    setTimeout(() => abort.abort(), 0);
    await expect(run(chain(Array<string>(200).fill('Neg')), [slow], { signal: abort.signal })).rejects.toBeInstanceOf(
      InterruptError,
    );
    expect(tried).toBeLessThan(20);
  });

  it('is heard between passes', async () => {
    const abort = new AbortController();
    const ran: string[] = [];
    const stop = global('stop', () => {
      ran.push('stop');
      abort.abort();
    });
    const after = global('after', () => void ran.push('after'));
    await expect(run(chain(['Neg']), [stop, after], { signal: abort.signal })).rejects.toBeInstanceOf(InterruptError);
    expect(ran).toEqual(['stop']);
  });
});

describe('the log', () => {
  const decliner = (limit: { open: boolean }): AnyPass =>
    defineLocalPass({
      ...HEAD,
      name: 'decliner',
      roots: ['Abs'],
      rewrite: (node: Node, ctx) =>
        limit.open ? vanishes(node) : ctx.decline(node, 'busy', { name: node.output?.name ?? '', count: 2 }),
    });

  it('holds reasons with their details, for nodes that are still there, once', async () => {
    const { log } = await run(chain(['Abs', 'Neg', 'Abs']), [decliner({ open: false })]);
    expect(log.declines()).toEqual([
      { pass: 'decliner', code: 'busy', message: 'the value x1 has 2 readers, {unknown}', node: 'Abs -> x1' },
      { pass: 'decliner', code: 'busy', message: 'the value x3 has 2 readers, {unknown}', node: 'Abs -> x3' },
    ]);
  });

  it('forgets a reason when the pass has its way later, and when the node goes', async () => {
    const limit = { open: false };
    const opener = global('opener', () => {
      limit.open = true;
    });
    // Only a change makes a second round.
    const change = local('change', ['Neg'], becomes('Exp'));
    const { log, ops } = await run(chain(['Abs', 'Neg', 'Tanh']), [decliner(limit), opener, change]);
    expect(ops).toBe('Exp Tanh');
    expect(log.declines()).toEqual([]);
  });

  it('joins the log of a later run: newer reasons replace older ones of the same pass', () => {
    const model = parseModel(chain(['Abs', 'Neg']));
    const [abs, neg] = model.graph.nodes();
    if (!abs || !neg) throw new Error('no nodes');
    const [first, second] = [new RewriteLog(), new RewriteLog()];
    first.decline('a', abs, 'old', 'old', {});
    first.decline('b', neg, 'kept', 'kept', {});
    first.count('a', 'done', 2);
    first.tally('a').rewrites = 1;
    first.tally('a').nodes = -1;
    second.decline('a', neg, 'new', 'new', {});
    second.count('a', 'done', 3);
    second.tally('a').rewrites = 2;
    first.absorb(second);
    expect(
      first
        .declines()
        .map(({ pass, code }) => `${pass} ${code}`)
        .sort(),
    ).toEqual(['a new', 'b kept']);
    expect(first.tallies.get('a')).toMatchObject({ rewrites: 3, nodes: -1, stats: new Map([['done', 5]]) });
  });
});
