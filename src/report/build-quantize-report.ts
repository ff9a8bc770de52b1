// The report value of a run of quantization, from what the pipeline hands back.
import type { FusionProof } from '../pipeline/fusion-proof.js';
import type { QuantizedNode, QuantizeOutcome, QuantizeRequest } from '../pipeline/quantization/outcome.js';
import { recipeDocument } from '../pipeline/recipe.js';
import { lossFacts } from './build-eval-report.js';
import { fileFacts, operatorCounts, pairFigures } from './build-slim-report.js';
import type { QuantizeLayer, QuantizeReport } from './quantize-report.js';
import { floatReason } from './quantize-words.js';
import type { JsonValue } from './shape.js';
import { surroundings } from './surroundings.js';

/** What the run itself does not know. */
export interface QuantizeSetting {
  readonly commandLine: string;
  /** Undefined without data. */
  readonly data: { readonly name: string; readonly preparation: readonly string[] } | undefined;
  readonly requireFused: 'on' | 'off';
  /** Duration of the run so far. */
  readonly elapsedMs: number;
}

/** The report of one run. */
export function buildQuantizeReport(
  request: QuantizeRequest,
  outcome: QuantizeOutcome,
  { commandLine, data, requireFused, elapsedMs }: QuantizeSetting,
): QuantizeReport {
  const { before, after, comparison, loss, proof, gate } = outcome;
  const measurement = outcome.speedMeasured ? outcome.measurement : undefined;
  return {
    version: 1,
    kind: 'quantize',
    input: 'path' in request.input ? fileFacts(before) : { ...fileFacts(before), name: '-' },
    output: fileFacts(after),
    target: request.target,
    kept: outcome.kept,
    figures: pairFigures({ before, after, measurement }, request.threads),
    speed: speedOf(request, outcome),
    accuracy: {
      scored: outcome.scored,
      loss: loss && lossFacts(loss),
      paired: comparison?.paired,
      agreement: comparison?.agreement,
    },
    gates: {
      maxDrop: gate && request.maxDrop !== undefined ? { limit: request.maxDrop, verdict: gate } : undefined,
      requireFused:
        requireFused === 'on' ? { verdict: proof.nodes.every(({ fused }) => fused) ? 'met' : 'missed' } : undefined,
    },
    fusion: fusionFacts(proof),
    layers: outcome.nodes.map(layerReport),
    values: outcome.values.map(({ value, observed, range, calibrator, scale, zeroPoint }) => ({
      name: value,
      observed,
      range,
      calibrator,
      scale,
      zeroPoint,
    })),
    calibration: calibrationFacts(outcome, data),
    equalizedLayers: outcome.equalizedLayers,
    correctedBiases: outcome.correctedBiases,
    search: outcome.steps.map(({ float, loss: found, latencyRatio }) => ({
      float,
      loss: lossFacts(found),
      latencyRatio,
    })),
    operators: operatorCounts(before, after),
    recipe: { commandLine, document: recipeDocument(request.recipe) as unknown as JsonValue },
    baseline: undefined,
    ...surroundings(),
    seed: request.seed,
    threads: request.threads,
    elapsedMs,
    warnings: outcome.warnings,
  };
}

function fusionFacts({ nodes, conversions, quantizedAtLoad }: FusionProof): QuantizeReport['fusion'] {
  const misses = nodes.filter(({ fused }) => !fused);
  return {
    planned: nodes.length,
    fused: nodes.length - misses.length,
    misses: misses.map(({ planned, cause, detail, ranAs }) => ({
      node: planned.node === '' ? planned.output : planned.node,
      opType: planned.opType,
      cause: cause ?? 'unknown',
      detail,
      ranAs,
    })),
    conversionsInside: conversions.filter(({ kind, place }) => kind !== 'weights' && place === 'inside').length,
    weightsDequantized: conversions.filter(({ kind }) => kind === 'weights').length,
    quantizedAtLoad: quantizedAtLoad.map(({ node }) => node),
  };
}

function calibrationFacts(
  { calibration: { samples, seconds, dataFree, cache } }: QuantizeOutcome,
  data: QuantizeSetting['data'],
): QuantizeReport['calibration'] {
  const { name: dataName, preparation = [] } = data ?? {};
  return { samples, seconds, dataFree: dataFree ? 'yes' : 'no', cache, dataName, preparation };
}

function speedOf(
  { measure }: QuantizeRequest,
  { speedMeasured, measurement }: QuantizeOutcome,
): QuantizeReport['speed'] {
  if (measure === 'off') return 'not-measured';
  if (!speedMeasured) return 'unmeasured-here';
  return measurement ? 'measured' : 'not-measured';
}

const finite = (value: number | undefined): number | undefined =>
  value !== undefined && Number.isFinite(value) ? value : undefined;

function layerReport(layer: QuantizedNode): QuantizeLayer {
  const { node, opType, form, reason, measured, fused, signalToNoise, saturating } = layer;
  return {
    name: node,
    opType,
    form,
    code: reason,
    message: reason && floatReason(reason),
    int8Us: measured?.us?.int8,
    floatUs: measured?.us?.float,
    outputsDb: finite(measured?.outputsDb),
    fused: fused === undefined ? undefined : fused ? 'fused' : 'not-fused',
    signalToNoiseDb: finite(signalToNoise),
    saturating,
  };
}
