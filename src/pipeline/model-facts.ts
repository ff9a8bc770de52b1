// The figures of one model: what the before and after columns of a report are made of.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { createGzip } from 'node:zlib';
import { modelCost, nodeCosts, type ModelCost, type NodeCost } from '../analysis/cost.js';
import { createFacts } from '../analysis/inference.js';
import { peakActivations } from '../analysis/liveness.js';
import { symbolOf } from '../analysis/sizes.js';
import { formatDim, isStatic } from '../ir/dim.js';
import type { Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import { opKey } from '../ops/registry.js';
import { bindSizes, symbolKey, type InputSpec } from '../runtime/feeds.js';
import { realInputs } from './freeze.js';
import type { Reference } from './verification.js';

/** A model as files on disk. */
export interface FileDigest {
  readonly name: string;
  /** External data included. */
  readonly bytes: number;
  /** After gzip, level 9; undefined for models too large to be worth the time. */
  readonly gzipBytes: number | undefined;
  /** Of the model file, hexadecimal. */
  readonly sha256: string;
}

/** One node, as plain data: the model may change afterwards. */
export interface LayerFigures {
  /** The node it was taken of, as a key only. */
  readonly node: Node;
  readonly name: string;
  readonly opType: string;
  readonly kind: 'tensor' | 'non-tensor';
  /** Of the first output. */
  readonly shape: readonly (number | string)[] | undefined;
  /** Of one run of the model, as `bytesMoved`; undefined when a size or the operator is unknown. */
  readonly macs: number | undefined;
  /** Inputs, weights and outputs. */
  readonly bytesMoved: number | undefined;
  readonly parameters: number;
}

export interface ModelFigures {
  readonly cost: ModelCost;
  readonly peakActivationBytes: number;
  readonly layers: readonly LayerFigures[];
}

/** Gzip takes a second per 20 MB: larger files are left out of it. */
const GZIP_LIMIT = 256 * 2 ** 20;
const CHUNK_BYTES = 2 ** 20;

/** Costs, peak memory and layers of the model as it stands, with symbols at `sizes` (1 where none is given). */
export function figuresOf(model: Model, sizes: ReadonlyMap<string, number>): ModelFigures {
  const facts = createFacts(model, { assumedSizes: sizes });
  const costs = nodeCosts(model, facts);
  return {
    cost: modelCost(model, facts, costs),
    peakActivationBytes: peakActivations(model, facts).bytes,
    layers: costs.map((cost) => layerFigures(cost, facts.of)),
  };
}

function layerFigures(
  { node, kind, runs, macs, parameters, counted, weightBytes, activationBytes }: NodeCost,
  of: ReturnType<typeof createFacts>['of'],
): LayerFigures {
  const shape = node.output && of(node.output).shape;
  return {
    node,
    name: node.label,
    opType: opKey(node.opType, node.domain),
    kind: kind === 'tensor' ? 'tensor' : 'non-tensor',
    shape: shape?.map((dim) => (isStatic(dim) ? dim : formatDim(dim))),
    macs: counted ? runs * macs : undefined,
    bytesMoved: counted ? runs * (weightBytes + activationBytes) : undefined,
    parameters,
  };
}

/** Whether the size after gzip is wanted: on large weights it takes longer than the rest of a run without checks. */
export type Compression = 'measure' | 'skip';

/** Sizes, digest and compressed size of a model file with its external data, read once. */
export async function digestFiles(
  path: string,
  dataBytes: number,
  compression: Compression = 'measure',
): Promise<FileDigest> {
  const hash = createHash('sha256');
  const { size } = await stat(path);
  const isWanted = compression === 'measure' && size <= GZIP_LIMIT && dataBytes === 0;
  const gzip = isWanted ? createGzip({ level: 9 }) : undefined;
  const compressed = gzip && countBytes(gzip);
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
    if (gzip?.write(chunk) === false) await new Promise((resolve) => gzip.once('drain', resolve));
  }
  gzip?.end();
  return { name: basename(path), bytes: bytes + dataBytes, gzipBytes: await compressed, sha256: hash.digest('hex') };
}

async function countBytes(stream: AsyncIterable<Buffer>): Promise<number> {
  let bytes = 0;
  for await (const chunk of stream) bytes += chunk.length;
  return bytes;
}

/** Inputs that have to be fed, as the runtime layer names them. */
export function inputSpecs(model: Model): InputSpec[] {
  return realInputs(model).flatMap((input) =>
    input.type?.kind === 'tensor' && input.type.dtype
      ? [{ name: input.name, dtype: input.type.dtype, dims: (input.type.shape ?? []).map((dim) => dim ?? '') }]
      : [],
  );
}

/** The same, with the sizes of `shapes`, by name. */
export function sizedInputs(model: Model, shapes: ReadonlyMap<string, readonly number[]>): InputSpec[] {
  return inputSpecs(model).map((spec) => ({ ...spec, dims: shapes.get(spec.name) ?? spec.dims }));
}

/**
 * Sizes that symbols take for costs: those of the shapes the user gave, else those on which the reference ran, so that
 * costs and times speak of the same run. @throws InputError bad-feed when shapes do not fit the inputs
 */
export function assumedSizes(
  model: Model,
  shapes: ReadonlyMap<string, readonly number[]>,
  reference: Pick<Reference, 'search'> | undefined,
): Map<string, number> {
  const specs = inputSpecs(model);
  const ran = reference?.search.verdict === 'found' ? reference.search.sizes : bindSizes(specs, shapes);
  const sizes = new Map<string, number>();
  for (const spec of specs) {
    spec.dims.forEach((dim, axis) => {
      const size = ran[symbolKey(spec, axis)];
      if (typeof dim === 'string' && size !== undefined) sizes.set(symbolOf(spec.name, axis, dim), size);
    });
  }
  return sizes;
}
