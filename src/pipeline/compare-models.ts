// Two models on the same feeds: do their outputs agree, and where they do not, which value inside is the first that
// differs. The models run as they are written (no graph optimization); values inside become additional outputs.
import { createFacts, type ModelFacts } from '../analysis/inference.js';
import { tensorBytes } from '../analysis/cost.js';
import { AppError, InputError, InternalError, InterruptError } from '../base/errors.js';
import type { Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import type { DecodedModel } from '../onnx/decode.js';
import { writeModel } from '../onnx/write.js';
import { compareOutputs, type OutputAgreement, type Tolerance } from '../runtime/compare.js';
import type { RuntimeHost } from '../runtime/host.js';
import { readFeedFlags } from '../runtime/user-feeds.js';
import { isCarried, type TensorMap } from '../runtime/wire-tensor.js';
import { namedShapes } from './freeze.js';
import { examinePair, timePair, type Measurement } from './measure.js';
import { assumedSizes, digestFiles, figuresOf, inputSpecs, type FileDigest, type ModelFigures } from './model-facts.js';
import { matchValues, type MatchedValue, type Matching } from './value-matching.js';
import { Reference, type CheckResult } from './verification.js';
import { withRuntimeAndWorkspace } from './with-runtime.js';
import type { Workspace } from './workspace.js';

export interface ComparedFile {
  readonly decoded: DecodedModel;
  readonly path: string;
}

export interface CompareRequest {
  readonly a: ComparedFile;
  readonly b: ComparedFile;
  readonly tolerance: Tolerance;
  /** Whether values inside are compared although the outputs agree. */
  readonly inside: 'always' | 'when-they-differ';
  readonly measure: 'on' | 'off';
  readonly threads: number;
  readonly seed: number;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly feeds: readonly string[];
  readonly signal: AbortSignal;
  readonly onStage?: (text: string, progress?: string) => void;
}

/** A value inside both models. */
export interface ComparedValue {
  readonly match: MatchedValue;
  readonly agreement: OutputAgreement;
  /** It differs, and so does what is computed from it, up to an output: not a value that B scales elsewhere. */
  readonly lasts: boolean;
}

export interface CompareSide {
  readonly file: FileDigest;
  readonly figures: ModelFigures;
}

export interface CompareOutcome {
  readonly a: CompareSide;
  readonly b: CompareSide;
  readonly reference: Reference;
  /** Undefined when A runs on no feed. */
  readonly check: CheckResult | undefined;
  /** Undefined when not compared. */
  readonly inside: InsideComparison | undefined;
  readonly measurement: Measurement | undefined;
}

/** Compares two models. @throws InputError bad-feed; InterruptError; InternalError runtime-crashed */
export async function compareModels(request: CompareRequest): Promise<CompareOutcome> {
  return withRuntimeAndWorkspace(request.signal, (host, workspace) => compare(host, workspace, request));
}

async function compare(host: RuntimeHost, workspace: Workspace, request: CompareRequest): Promise<CompareOutcome> {
  const { a, b, seed, signal, onStage, tolerance } = request;
  const { model } = a.decoded;
  onStage?.('running A');
  const shapes = namedShapes(model, request.shapes);
  const { fixed, samples: given } = readFeedFlags(request.feeds, inputSpecs(model));
  const reference = await Reference.gather(host, a.path, { seed, signal, shapes, fixed, given });
  onStage?.('running B');
  const check = reference.obstacle ? undefined : await reference.check(b.path, tolerance);
  const wanted = check && (request.inside === 'always' || !check.agrees);
  const sizes = assumedSizes(model, shapes, reference);
  const facts = (of: Model): ModelFacts => createFacts(of, { assumedSizes: sizes });
  const inside = wanted
    ? await compareInside(host, workspace, request, { reference, factsA: facts(model), factsB: facts(b.decoded.model) })
    : undefined;
  const measurement = check && (await measure(host, request, reference));
  onStage?.('summing up');
  const side = async ({ decoded, path }: ComparedFile): Promise<CompareSide> => ({
    file: await digestFiles(path, externalBytes(decoded)),
    figures: figuresOf(decoded.model, sizes),
  });
  return { a: await side(a), b: await side(b), reference, check, inside, measurement };
}

/** Bytes of the weights that stand in files of their own. */
export function externalBytes({ document }: DecodedModel): number {
  const external = [...document.records.tensors].filter(([, { isExternal }]) => isExternal);
  return external.reduce((sum, [tensor]) => sum + tensor.byteLength, 0);
}

/** Nothing where B does not run on the feeds of A. */
async function measure(
  host: RuntimeHost,
  { a, b, threads, seed, signal, onStage, measure: asked }: CompareRequest,
  reference: Reference,
): Promise<Measurement | undefined> {
  const [sample] = reference.samples;
  if (asked === 'off' || !sample) return undefined;
  const pair = { before: a.path, after: b.path };
  const options = { threads, seed, signal, onStage: (name: string) => onStage?.(`measuring ${name}`) };
  try {
    const times = await timePair(host, pair, sample.feeds, options);
    return { ...times, ...(await examinePair(host, pair, sample.feeds, options)) };
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

export interface InsideComparison {
  readonly matching: Matching;
  /** In the order of A. Ends behind the first feed on which one differs. */
  readonly values: readonly ComparedValue[];
  /** What was fed. */
  readonly feed: string;
}

interface InsideContext {
  readonly reference: Reference;
  readonly factsA: ModelFacts;
  readonly factsB: ModelFacts;
}

/** Compares all matched values on one feed after the other, until a difference lasts. */
async function compareInside(
  host: RuntimeHost,
  workspace: Workspace,
  { a, b, tolerance, signal, onStage }: CompareRequest,
  { reference, factsA, factsB }: InsideContext,
): Promise<InsideComparison | undefined> {
  onStage?.('comparing node by node');
  const matching = matchValues(a.decoded.model, b.decoded.model, (x, y) => {
    const [one, other] = [factsA.of(x), factsB.of(y)];
    const shapes = [factsA.scope.dims(x), factsB.scope.dims(y)].map((dims) => dims?.join('x'));
    return one.dtype === other.dtype && shapes[0] === shapes[1];
  });
  const carried = matching.matched.filter(({ a: value }) => {
    const { dtype } = factsA.of(value);
    return dtype !== undefined && isCarried(dtype);
  });
  const paths = { a: workspace.path('a.onnx'), b: workspace.path('b.onnx') };
  await writeOpened(
    a.decoded,
    paths.a,
    carried.map((match) => match.a),
  );
  await writeOpened(
    b.decoded,
    paths.b,
    carried.map((match) => match.b),
  );
  const batches = inBatches(carried, factsA);
  let last: InsideComparison | undefined;
  for (const sample of reference.samples) {
    const values: Omit<ComparedValue, 'lasts'>[] = [];
    for (const batch of batches) {
      onStage?.('comparing node by node', `${values.length} of ${carried.length} values`);
      const run = (path: string, outputs: readonly string[]): Promise<TensorMap> =>
        host.run(path, sample.feeds, { optimization: 'disabled', arena: 'off', signal, outputs });
      try {
        const expected = await run(
          paths.a,
          batch.map((match) => match.a.name),
        );
        const actual = await run(
          paths.b,
          batch.map((match) => match.b.name),
        );
        values.push(...compareBatch(batch, expected, actual, tolerance));
      } catch (error) {
        if (!(error instanceof AppError) || error instanceof InterruptError || error instanceof InternalError)
          throw error;
        return last;
      }
    }
    last = { matching, values: withLasting(a.decoded.model, values), feed: sample.label };
    if (last.values.some(({ lasts }) => lasts)) break;
  }
  return last;
}

function compareBatch(
  batch: readonly MatchedValue[],
  expected: TensorMap,
  actual: TensorMap,
  tolerance: Tolerance,
): Omit<ComparedValue, 'lasts'>[] {
  return batch.flatMap((match) => {
    const [one, other] = [expected.get(match.a.name), actual.get(match.b.name)];
    if (!one || !other) return [];
    const pair = compareOutputs(new Map([[match.a.name, one]]), new Map([[match.a.name, other]]), { tolerance });
    return pair.outputs.map((agreement) => ({ match, agreement }));
  });
}

/**
 * A rewritten model may keep the name of a value that it scales or shifts, and make up for it behind: then values agree
 * again further on. A difference lasts when there is a way from it to an output on which no value agrees.
 */
function withLasting(model: Model, values: readonly Omit<ComparedValue, 'lasts'>[]): ComparedValue[] {
  const agrees = new Map(values.map(({ match, agreement }) => [match.a, agreement.agrees]));
  const open = new Map<Value, boolean>();
  for (const node of model.graph.nodes().toReversed()) {
    for (const value of node.outputs) {
      if (!value || agrees.get(value) === true) continue;
      const readers = value.consumers().flatMap((reader) => outermost(reader, model) ?? []);
      const goesOn = readers.some((reader) => reader.outputs.some((output) => output && open.get(output)));
      open.set(value, goesOn || value.outputOf.has(model.graph));
    }
  }
  return values.map((compared) => ({ ...compared, lasts: open.get(compared.match.a) === true }));
}

/** The node of the main graph in which `node` stands. */
function outermost(node: Node, model: Model): Node | undefined {
  let outer: Node | undefined = node;
  while (outer && outer.graph !== model.graph) outer = outer.graph?.owner;
  return outer;
}

/** Writes the model with these values as outputs besides its own, and leaves it as it was. */
async function writeOpened({ model, document }: DecodedModel, path: string, values: readonly Value[]): Promise<void> {
  const mark = model.journal.mark();
  const outputs = new Set(model.graph.outputs);
  model.graph.setOutputs([...model.graph.outputs, ...values.filter((value) => !outputs.has(value))]);
  try {
    await writeModel(document, model, path);
  } finally {
    model.journal.seek(mark);
  }
}

/** Bytes of values that one run returns. */
const BATCH_BYTES = 64 * 2 ** 20;

function inBatches(matches: readonly MatchedValue[], { scope }: ModelFacts): MatchedValue[][] {
  const batches: MatchedValue[][] = [];
  let bytes = Infinity;
  for (const match of matches) {
    const size = tensorBytes(scope.dtype(match.a), scope.dims(match.a)) ?? 0;
    if (bytes + size > BATCH_BYTES) {
      batches.push([]);
      bytes = 0;
    }
    batches.at(-1)?.push(match);
    bytes += size;
  }
  return batches;
}
