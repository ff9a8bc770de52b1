// The report value of a run of quantization, from what the pipeline hands back.
import type { FusionProof } from '../pipeline/fusion-proof.js';
import type { QuantizedNode, QuantizeOutcome, QuantizeRequest } from '../pipeline/quantization/outcome.js';
import { lossFacts } from './build-eval-report.js';
import { finite, sampledReport, type SampledSetting } from './build-sampled-report.js';
import type { QuantizeLayer, QuantizeReport } from './quantize-report.js';
import { floatReason } from './quantize-words.js';

export interface QuantizeSetting extends SampledSetting {
  readonly requireFused: 'on' | 'off';
}

/** The report of one run. */
export function buildQuantizeReport(
  request: QuantizeRequest,
  outcome: QuantizeOutcome,
  setting: QuantizeSetting,
): QuantizeReport {
  const { proof, gate } = outcome;
  const isFused = proof.nodes.every(({ fused }) => fused);
  return {
    ...sampledReport(request, outcome, setting, outcome.scored),
    kind: 'quantize',
    target: request.target,
    kept: outcome.kept,
    gates: {
      maxDrop: gate && request.maxDrop !== undefined ? { limit: request.maxDrop, verdict: gate } : undefined,
      requireFused: setting.requireFused === 'on' ? { verdict: isFused ? 'met' : 'missed' } : undefined,
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
    calibration: calibrationFacts(outcome, setting.data),
    equalizedLayers: outcome.equalizedLayers,
    correctedBiases: outcome.correctedBiases,
    search: outcome.steps.map(({ float, loss: found, latencyRatio }) => ({
      float,
      loss: lossFacts(found),
      latencyRatio,
    })),
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
