// Second moments of what layers read (and of what they should give), gathered over the samples in as few runs as memory allows.
import { tensorBytes } from '../../analysis/cost.js';
import { layerSizes, type LinearLayer } from '../../fit/patch-geometry.js';
import { momentBytes, patchMomentsSpec, type PatchMoments, type PatchMomentsSpec } from '../../fit/patch-moments.js';
import type { DecodedModel } from '../../onnx/decode.js';
import { observe } from '../../runtime/observe.js';
import { instrument } from '../instrument.js';
import { inParts } from '../pruning/repair-plan.js';
import { benchFacts, type QuantizationBench } from '../quantization/bench.js';
import type { LayerSite } from './layer-sites.js';

export interface ObserveLayersOptions {
  readonly seed: number;
  /** With it, moments have targets: what the layers of the same name give there. */
  readonly teacher?: DecodedModel;
  /** Bytes of the moments, and of the values of one sample, that one run over the samples may hold. */
  readonly momentBytes?: number;
  readonly valueBytes?: number;
}

const MOMENT_BYTES = 384 * 2 ** 20;
const VALUE_BYTES = 96 * 2 ** 20;
/** Rows per column where they are cheap; fewer where sums would take long (`rows * columns^2`), never fewer than one. */
const ROWS_PER_COLUMN = 24;
const FEWEST_ROWS = 2048;
const SUMS_BUDGET = 8e9;

/** Moments of the original that are kept between the study of its layers and the models that are made. */
export interface MomentCache {
  readonly known: Map<string, PatchMoments>;
  bytes: number;
}

export const emptyCache = (): MomentCache => ({ known: new Map(), bytes: 0 });

const CACHE_BYTES = 512 * 2 ** 20;

/** As `observeLayers`, of layers of the original; what there is room for is kept. */
export async function* recallLayers(
  bench: QuantizationBench,
  sites: readonly LayerSite[],
  { seed, cache }: { readonly seed: number; readonly cache: MomentCache },
): AsyncGenerator<readonly [LayerSite, PatchMoments | undefined]> {
  const { known } = cache;
  for (const site of sites) {
    const found = known.get(site.name);
    if (found) yield [site, found];
  }
  const missing = sites.filter(({ name }) => !known.has(name));
  for await (const [site, moments] of observeLayers(bench, missing, { seed })) {
    const bytes = (moments?.parts ?? []).reduce((sum, { gram, cross }) => sum + gram.byteLength + cross.byteLength, 0);
    if (moments && cache.bytes + bytes <= CACHE_BYTES) {
      known.set(site.name, moments);
      cache.bytes += bytes;
    }
    yield [site, moments];
  }
}

interface Wanted {
  readonly site: LayerSite;
  readonly spec: PatchMomentsSpec;
}

/**
 * The moments of each layer, in their order; undefined where a value cannot be looked at. Memory is bounded by the options and
 * by what the largest layer needs, if nobody keeps the moments. The model must stay as it is until the end.
 * @throws InputError as `observe`, and what the feeds throw
 */
export async function* observeLayers(
  bench: QuantizationBench,
  sites: readonly LayerSite[],
  options: ObserveLayersOptions,
): AsyncGenerator<readonly [LayerSite, PatchMoments | undefined]> {
  const facts = benchFacts(bench);
  const wanted = sites.map((site) => ({ site, spec: specOf(site, bench, options) }));
  // The larger of the two shares of what one run may take.
  const shareOf = ({ site, spec }: (typeof wanted)[number]): number => {
    const values = tensorBytes('float32', facts.scope.dims(site.input)) ?? 0;
    const moments = spec ? momentBytes(spec) : 0;
    return Math.max(moments / (options.momentBytes ?? MOMENT_BYTES), values / (options.valueBytes ?? VALUE_BYTES));
  };
  for (const run of inParts(wanted, shareOf, 1)) {
    const known = run.flatMap(({ site, spec }) => (spec ? [{ site, spec }] : []));
    const states = new Map(known.length > 0 ? await observeRun(bench, known, options) : []);
    for (const { site } of run) yield [site, states.get(site)];
  }
}

function specOf(
  site: LayerSite,
  bench: QuantizationBench,
  { seed, teacher }: ObserveLayersOptions,
): PatchMomentsSpec | undefined {
  const { layer, input, output } = site;
  const isVisible = input.graph === bench.decoded.model.graph && (input.producer !== undefined || input.isInput);
  if (!isVisible) return undefined;
  const plan = { samples: bench.samples, seed };
  const fitted = teacher && patchMomentsSpec(layer, [`student/${input.name}`, `teacher/${output.name}`], plan);
  const spec = fitted ?? patchMomentsSpec(layer, [`${teacher ? 'student/' : ''}${input.name}`], plan);
  return spec && { ...spec, positions: positionsOf(layer, bench.samples) };
}

function positionsOf(layer: LinearLayer, samples: number): number {
  const columns = layerSizes(layer).patch + 1;
  const ideal = Math.max(FEWEST_ROWS, ROWS_PER_COLUMN * columns);
  const rows = Math.min(ideal, Math.max(columns, SUMS_BUDGET / columns ** 2));
  return Math.ceil(rows / Math.max(1, samples));
}

async function observeRun(
  bench: QuantizationBench,
  wanted: readonly Wanted[],
  { teacher }: ObserveLayersOptions,
): Promise<(readonly [LayerSite, PatchMoments])[]> {
  const { decoded, host, workspace, feeds, signal } = bench;
  const inputs = [...new Set(wanted.map(({ site }) => site.input))];
  const student = await instrument(decoded, inputs, workspace, { rest: 'drop' });
  const names = new Set(wanted.map(({ site }) => site.output.name));
  const targets = (teacher?.model.graph.nodes() ?? []).flatMap(({ outputs }) =>
    outputs.filter((value) => value !== undefined && names.has(value.name)),
  );
  const watched =
    teacher &&
    (await instrument(
      teacher,
      targets.filter((value) => value !== undefined),
      workspace,
      { rest: 'drop' },
    ));
  const models = watched ? { teacher: watched.path, student: student.path } : { teacher: student.path };
  const specs = wanted.map(({ spec }) => spec);
  const states = await observe(host, models, specs, feeds(), { signal });
  await workspace.remove(student.path);
  if (watched) await workspace.remove(watched.path);
  return wanted.map(({ site }, at) => [site, states[at] as PatchMoments] as const);
}
