// What must hold for every graph that the exact passes are run on.
import { createFacts } from '../../src/analysis/inference.js';
import { checkModel } from '../../src/ir/check.js';
import type { Model } from '../../src/ir/model.js';
import { parseModel } from '../../src/ir/text/parse.js';
import { printModel } from '../../src/ir/text/print.js';
import { decodeModel } from '../../src/onnx/decode.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { createEvaluator } from '../../src/pipeline/evaluator.js';
import type { ConfiguredPass } from '../../src/pipeline/configured-pass.js';
import type { RewriteLog } from '../../src/pipeline/rewrite-log.js';
import { runPasses } from '../../src/pipeline/run-passes.js';
import type { RuntimeHost } from '../../src/runtime/host.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { nameNodes, sharedNodeNames } from '../passes/node-names.js';
import { runModel, type Feeds } from '../passes/run-model.js';

export type Property = 'agrees' | 'settles' | 'repeats' | 'rolls back' | 'is sound' | 'ends';

export interface Violation {
  readonly property: Property;
  readonly message: string;
}

export interface Verdict {
  readonly violations: readonly Violation[];
  /** Nodes before and after. */
  readonly nodes: readonly [number, number];
  /** Largest difference of an output, relative to its scale or 1. */
  readonly error: number;
  /** ONNX Runtime does not run the original: nothing was checked. */
  readonly isUnrunnable: boolean;
  readonly log: RewriteLog | undefined;
}

/**
 * Difference of outputs that rounding may make, in units of their scale (at least 1, the scale of the activations). Most
 * graphs stay below 1e-6; one of 20,000 divides a small spread and reaches 2e-5.
 */
const TOLERANCE = 5e-5;

const fullText = (model: Model): string => printModel(model, { weights: 'full' });
const bytesOf = (model: Model): Buffer => Buffer.concat(encodeModel(undefined, model));

export interface Trial {
  /** The graph, as IR text with all weights. */
  readonly text: string;
  readonly feeds: readonly Feeds[];
  readonly passes: readonly ConfiguredPass[];
}

/** Runs passes as `slim` does, without the check that takes wrong rewrites back. */
async function slim(model: Model, passes: readonly ConfiguredPass[], host: RuntimeHost): Promise<RewriteLog> {
  const signal = new AbortController().signal;
  return runPasses(model, passes, {
    createFacts: (of) => createFacts(of),
    evaluator: createEvaluator(host, signal),
    seed: 0,
    signal,
  });
}

/** Checks all properties of one graph and list of passes. */
export async function checkProperties(trial: Trial, host: RuntimeHost): Promise<Verdict> {
  const { text, feeds, passes } = trial;
  const original = parseModel(text);
  const expected: (Map<string, Tensor> | undefined)[] = [];
  for (const feed of feeds) expected.push(await runModel(host, original, feed).catch(() => undefined));
  const nodes = original.nodeTotal;
  if (expected.includes(undefined))
    return { violations: [], nodes: [nodes, nodes], error: 0, isUnrunnable: true, log: undefined };
  const violations: Violation[] = [];
  const note = (property: Property, message: string): unknown => violations.push({ property, message });
  const model = parseModel(text);
  let log: RewriteLog | undefined;
  let error = 0;
  try {
    const named = parseModel(text);
    nameNodes(named);
    await slim(named, passes, host);
    sharedNodeNames(named).forEach((name) => note('is sound', `two nodes bear the name ${name}`));
    log = await slim(model, passes, host);
    const slimmed = fullText(model);
    checkModel(model).forEach(({ rule, message }) => note('is sound', `${rule}: ${message}`));
    for (const [i, feed] of feeds.entries()) {
      const worst = difference(expected[i] ?? new Map(), await runModel(host, model, feed));
      error = Math.max(error, worst.error);
      if (worst.error > TOLERANCE) note('agrees', `feed ${i}: output ${worst.name} differs by ${worst.error}`);
    }
    await checkRuns(trial, model, host, note);
    const mark = model.journal.mark();
    model.journal.seek(0);
    if (fullText(model) !== fullText(original)) note('rolls back', 'going back gives another model');
    checkModel(model).forEach(({ rule, message }) => note('is sound', `rolled back: ${rule}: ${message}`));
    model.journal.seek(mark);
    if (fullText(model) !== slimmed) note('rolls back', 'going forward again gives another model');
  } catch (cause) {
    note('ends', cause instanceof Error ? (cause.stack ?? cause.message) : String(cause));
  }
  return { violations, nodes: [nodes, model.nodeTotal], error, isUnrunnable: false, log };
}

/** The result written and read again is left alone by a second run; another run from the start gives the same bytes. */
async function checkRuns(
  { text, passes }: Trial,
  slimmed: Model,
  host: RuntimeHost,
  note: (property: Property, message: string) => unknown,
): Promise<void> {
  const bytes = bytesOf(slimmed);
  const { model: again } = decodeModel(bytes);
  const before = fullText(again);
  const log = await slim(again, passes, host);
  if (fullText(again) !== before)
    note(
      'settles',
      `a second run changes the model: ${log.rewrites.map(({ pass, site }) => `${pass} at ${site}`).join(', ')}`,
    );
  const twin = parseModel(text);
  await slim(twin, passes, host);
  if (!bytesOf(twin).equals(bytes)) note('repeats', 'a run on the same model gives other bytes');
}

function difference(
  expected: ReadonlyMap<string, Tensor>,
  actual: ReadonlyMap<string, Tensor>,
): { name: string; error: number } {
  let worst = { name: '', error: 0 };
  for (const [name, tensor] of expected) {
    const other = actual.get(name);
    const error =
      other && other.dims.join() === tensor.dims.join() && other.dtype === tensor.dtype
        ? distance(tensor, other)
        : Infinity;
    if (error > worst.error) worst = { name, error };
  }
  return worst;
}

/**
 * The largest difference in units of the scale. Where a graph overflows by itself (a maximum over padding alone is
 * -Infinity, which spreads), only elements that stay finite are compared: real arithmetic says nothing of the others.
 */
function distance(a: Tensor, b: Tensor): number {
  const [x, y] = [a.toFloat64(), b.toFloat64()];
  const overflows = x.some((number) => !Number.isFinite(number));
  let scale = 1;
  let worst = 0;
  x.forEach((expected, i) => {
    const error = Math.abs(expected - (y[i] ?? Number.NaN));
    if (Number.isFinite(expected)) scale = Math.max(scale, Math.abs(expected));
    if (Number.isFinite(error)) worst = Math.max(worst, error);
    else if (!overflows) worst = Infinity;
  });
  return worst / scale;
}
