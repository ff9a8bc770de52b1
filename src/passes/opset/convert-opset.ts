// Converts a model to a newer operator set, one version after the other, or refuses and leaves it as it is.
import { InputError } from '../../base/errors.js';
import { int } from '../../base/option.js';
import type { Graph } from '../../ir/graph.js';
import { nodesUnder, type Model } from '../../ir/model.js';
import type { Node } from '../../ir/node.js';
import { defineGlobalPass, type PassContext } from '../pass.js';
import { MINIMUM_IR } from './operator-versions.js';
import { changeAt, NEWEST_OPSET, OLDEST_OPSET, versionsOf } from './steps.js';
import { refusal, type Conversion } from './step.js';

/** A graph with its subgraphs that is written in opset `from`: the main graph, or the body of a function. */
interface Body {
  readonly graph: Graph;
  readonly from: number;
}

/** Since opset 21 (2024) all element types of quantized nets are there, and runtimes of the last years read it. */
const DEFAULT_VERSION = 21;

export const convertOpset = defineGlobalPass({
  name: 'convert-opset',
  category: 'opset',
  exactness: 'rounding',
  needs: [],
  summary: 'Convert the model to a newer operator set',
  details: `Every operator of ai.onnx goes through the versions between the model's opset and the wanted one. For most of them an operator
only accepts more element types, or has a new attribute whose default is what it did before. The others are rewritten so that
the result stays the same:

| opset | operators | what is done |
| --- | --- | --- |
| 9 | BatchNormalization | \`spatial\` goes; with 0 the input is normalized as a matrix |
| 9, 10 | Upsample | scales become an input, then Resize takes its place |
| 10 | Slice, TopK | starts, ends and axes, or the count, become inputs |
| 11 | Clip, Pad | bounds, widths and value become inputs |
| 11 | Resize | gets \`asymmetric\` coordinates and the rounding it had |
| 11 | Scatter | becomes ScatterElements |
| 12 | Dropout | the ratio becomes an input |
| 13 | Softmax, LogSoftmax, Hardmax | flattened to a matrix at \`axis\`, unless one axis alone is meant |
| 13 | Squeeze, Unsqueeze, ReduceSum, Split | axes or sizes become an input |
| 13 | Resize | empty inputs are left out; \`tf_half_pixel_for_nn\` is put in other words |
| 16 | RoiAlign | \`output_half_pixel\`, as before |
| 18 | the other reductions | axes become an input |
| 18 | Split | the number of parts is written down |
| 20 | DFT, GridSample | the axis becomes an input; modes have new names |
| 21 | GroupNormalization | scale and bias per channel instead of per group |

The operators of subgraphs and of local functions are converted too; other domains stay as they are. The IR version is raised
where the opset demands it. A model that cannot be converted is refused and stays as it was: an operator that ai.onnx does not
have, one whose meaning cannot be kept (Scan of opset 8, Dropout whose mask is used, BatchNormalization in training mode), an
opset below ${OLDEST_OPSET} or above the wanted one.

ONNX Runtime computes some operators by other kernels in newer opsets (average pooling since 19), so results may differ by
rounding. Source: the operator schemas of ONNX (\`onnx.defs\`), version by version; each rule was compared on ONNX Runtime.`,
  options: {
    version: int({
      default: DEFAULT_VERSION,
      min: OLDEST_OPSET,
      max: NEWEST_OPSET,
      help: 'Operator set to convert to',
    }),
  },
  declines: {},
  stats: { rewritten: 'nodes rewritten for a newer operator set' },
  run(model, ctx) {
    const { version } = ctx.options;
    const bodies = bodiesBelow(model, version);
    if (bodies.length === 0) return;
    requireKnownOperators(model, bodies, version);
    const start = model.journal.mark();
    try {
      convert(model, bodies, ctx);
    } catch (error) {
      model.journal.seek(start);
      throw error;
    }
  },
});

type Context = PassContext<typeof convertOpset.options, typeof convertOpset.declines, typeof convertOpset.stats>;

/** The bodies written in an older opset than `version`. @throws InputError unsupported, when one is too old or the model too new */
function bodiesBelow(model: Model, version: number): Body[] {
  const main = model.opsets.get('');
  if (main !== undefined && main > version) {
    throw new InputError(
      'unsupported',
      `the model is written in opset ${main} and cannot be converted down to ${version}`,
      { fix: `ask for opset ${main} or a newer one` },
    );
  }
  if (main !== undefined && main < version && model.outside.outputs.length > 0) {
    throw new InputError(
      'unsupported',
      'the model holds training information (training_info), which is written in its opset too',
      { fix: 'leave the opset as it is, or export the model for inference' },
    );
  }
  const all = [
    { graph: model.graph, from: main },
    ...model.functions.map(({ graph, opsets }) => ({ graph, from: opsets.get('') })),
  ];
  const bodies = all.filter((body): body is Body => body.from !== undefined && body.from < version);
  const oldest = bodies.find(({ from }) => from < OLDEST_OPSET);
  if (oldest) {
    throw new InputError(
      'unsupported',
      `opset ${oldest.from} cannot be converted: before ${OLDEST_OPSET}, operators broadcast by attributes`,
      { at: { graph: oldest.graph.name }, fix: `export the model again in opset ${OLDEST_OPSET} or a newer one` },
    );
  }
  return bodies;
}

/** Nodes that the standard operator set defines: of the domain ai.onnx, and no calls of local functions. */
function* operatorsIn(model: Model, graph: Graph): Generator<Node> {
  for (const node of nodesUnder(graph)) if (node.domain === '' && model.functionOf(node) === undefined) yield node;
}

/** @throws InputError unsupported, naming the first node whose operator its opset does not have, or whose meaning is lost on the way */
function requireKnownOperators(model: Model, bodies: readonly Body[], target: number): void {
  for (const { graph, from } of bodies) {
    for (const node of operatorsIn(model, graph)) {
      const [oldest] = versionsOf(node.opType) ?? [];
      if (oldest === undefined || oldest.since > from)
        throw unknownOperator(node, { from, target, since: oldest?.since });
      for (let version = from + 1; version <= target; version++) {
        const change = changeAt(node.opType, version);
        if (typeof change === 'object') throw refusal({ node, version }, change.refuse);
      }
    }
  }
}

function unknownOperator(
  node: Node,
  { from, target, since }: { from: number; target: number; since: number | undefined },
): InputError {
  const reason = since === undefined ? 'ai.onnx has no such operator' : `ai.onnx has it since opset ${since} only`;
  return new InputError(
    'unsupported',
    `${node.opType} cannot be converted from opset ${from} to ${target}: ${reason}`,
    { at: { node: node.label, ...(node.graph ? { graph: node.graph.name } : {}) }, fix: 'leave the opset as it is' },
  );
}

function convert(model: Model, bodies: readonly Body[], ctx: Context): void {
  const target = ctx.options.version;
  const conversion: Conversion = { model, facts: ctx.facts, target, constants: new Map(), enlarging: new Set() };
  inferOperands(model, bodies, conversion);
  for (const { graph, from } of bodies) {
    for (let version = from + 1; version <= target; version++) {
      for (const node of operatorsIn(model, graph)) {
        const change = changeAt(node.opType, version);
        const before = model.journal.mark();
        if (typeof change === 'function' && !node.isRemoved) change({ ...conversion, node, version });
        if (model.journal.mark() !== before) ctx.count('rewritten');
      }
    }
  }
  raiseVersions(model, bodies, target);
}

/** Facts of what rules look at, while all nodes are still those of the old opset: inference reads a node by its opset. */
function inferOperands(model: Model, bodies: readonly Body[], { facts, target }: Conversion): void {
  for (const { graph, from } of bodies) {
    for (const node of operatorsIn(model, graph)) {
      const versions = Array.from({ length: target - from }, (_, i) => from + 1 + i);
      if (!versions.some((version) => typeof changeAt(node.opType, version) === 'function')) continue;
      for (const value of node.inputs) if (value) facts.of(value);
    }
  }
}

function raiseVersions(model: Model, bodies: readonly Body[], target: number): void {
  const graphs = new Set(bodies.map(({ graph }) => graph));
  if (graphs.has(model.graph)) model.setOpsets(new Map(model.opsets).set('', target));
  if (model.functions.some(({ graph }) => graphs.has(graph))) {
    model.setFunctions(
      model.functions.map((f) => (graphs.has(f.graph) ? { ...f, opsets: new Map(f.opsets).set('', target) } : f)),
    );
  }
  const minimum = MINIMUM_IR[target] ?? model.irVersion;
  if (model.irVersion < minimum) model.setIrVersion(minimum);
}
