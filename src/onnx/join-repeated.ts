// protobuf lets a writer split a message: a field that holds one message and comes twice means both, joined. No exporter
// does that, but the files are valid. They are rewritten with the parts joined before they are decoded, so that nothing
// else has to know.
import { patched } from './patch.js';
import { Rope } from './rope.js';
import {
  ATTRIBUTE,
  FUNCTION,
  GRAPH,
  MODEL,
  NODE,
  SPARSE_TENSOR,
  TENSOR_TYPE,
  TRAINING,
  TYPE,
  VALUE_INFO,
} from './schema.js';
import { WireReader, type Source, type Span } from './wire.js';

/** The messages that may hold a split one, at any depth: what each field of theirs holds, and which come once. */
interface Level {
  readonly children: ReadonlyMap<number, () => Level>;
  readonly single: ReadonlySet<number>;
}

const level = (single: readonly number[], children: ReadonlyArray<readonly [number, () => Level]>): Level => ({
  children: new Map(children),
  single: new Set(single),
});

const LEAF = level([], []);
const tensorType = level([TENSOR_TYPE.shape], []);
const type = level([TYPE.tensorType], [[TYPE.tensorType, () => tensorType]]);
const valueInfo = level([VALUE_INFO.type], [[VALUE_INFO.type, () => type]]);
const sparseTensor = level([SPARSE_TENSOR.values, SPARSE_TENSOR.indices], []);
const attribute = level(
  [ATTRIBUTE.t, ATTRIBUTE.g, ATTRIBUTE.tp, ATTRIBUTE.sparseTensor],
  [
    [ATTRIBUTE.g, () => graph],
    [ATTRIBUTE.graphs, () => graph],
    [ATTRIBUTE.sparseTensor, () => sparseTensor],
    [ATTRIBUTE.sparseTensors, () => sparseTensor],
  ],
);
const node = level([], [[NODE.attribute, () => attribute]]);
const graph: Level = level(
  [],
  [
    [GRAPH.node, () => node],
    [GRAPH.input, () => valueInfo],
    [GRAPH.output, () => valueInfo],
    [GRAPH.valueInfo, () => valueInfo],
    [GRAPH.sparseInitializer, () => sparseTensor],
  ],
);
const localFunction = level(
  [],
  [
    [FUNCTION.node, () => node],
    [FUNCTION.valueInfo, () => valueInfo],
    [FUNCTION.attributeProto, () => attribute],
  ],
);
const training = level(
  [TRAINING.initialization, TRAINING.algorithm],
  [
    [TRAINING.initialization, () => graph],
    [TRAINING.algorithm, () => graph],
  ],
);
const model = level(
  [MODEL.graph],
  [
    [MODEL.graph, () => graph],
    [MODEL.functions, () => localFunction],
    [MODEL.trainingInfo, () => training],
  ],
);

/** The model in `source` with every split message joined. */
export function joinRepeated(source: Source): Buffer {
  return Buffer.concat(joined(source, { start: 0, end: source.bytes.length }, model).chunks());
}

function joined(source: Source, body: Span, { children, single }: Level): Rope {
  const groups = new Map<number, Rope>();
  const parts = new Map<number, Rope>();
  const reader = new WireReader(source, body);
  while (reader.next()) {
    const { number } = reader;
    const child = children.get(number);
    if (single.has(number))
      parts.set(number, (parts.get(number) ?? new Rope()).copy(source, reader.bodyStart, reader.end));
    else if (child)
      groups.set(number, (groups.get(number) ?? new Rope()).field(number, joined(source, reader.body(), child())));
  }
  for (const [number, rope] of parts) {
    // Joined first: the parts of a part may be split as well.
    const whole: Source = { file: source.file, bytes: Buffer.concat(rope.chunks()) };
    groups.set(
      number,
      new Rope().field(number, joined(whole, { start: 0, end: whole.bytes.length }, children.get(number)?.() ?? LEAF)),
    );
  }
  return patched(source, body, groups);
}
