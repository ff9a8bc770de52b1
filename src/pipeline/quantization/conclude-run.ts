// The end of a quantization run: what is published, and all that is said of it.
import type { DecodedModel } from '../../onnx/decode.js';
import { openModel } from '../../onnx/open.js';
import { writeModel, type WrittenModel } from '../../onnx/write.js';
import { dropBest } from '../best-so-far.js';
import { gateVerdict } from '../evaluation/evaluate-model.js';
import type { FusionProof } from '../fusion-proof.js';
import { layerTimes } from '../layer-times.js';
import { measureTimed, type TimedPair } from '../measure.js';
import { assumedSizes, digestFiles, figuresOf } from '../model-facts.js';
import type { SlimOutcome } from '../slim.js';
import { isSlower } from '../speed-gate.js';
import { resultName } from '../run-request.js';
import { modelPath, publishModel } from '../written-model.js';
import { makeCandidate } from './candidate.js';
import { findingOf, nodeRows, proveCandidate, valueRows } from './node-rows.js';
import type { QuantizeOutcome, QuantizeRequest } from './outcome.js';
import type { QuantizationRun } from './quantization-run.js';
import type { Score, Scorer } from './score-candidate.js';
import { NOTHING_CHOSEN, type Choice } from './search.js';
import { timeCandidate } from './speed.js';

export interface Conclusion {
  readonly choice: Choice;
  readonly scorer: Scorer;
  readonly original: DecodedModel;
  readonly slimmed: SlimOutcome;
}

/** What will be published. */
interface Kept {
  readonly decoded: DecodedModel;
  readonly written: WrittenModel;
  readonly score: Score | undefined;
  readonly timing: TimedPair | undefined;
  readonly details: Pick<
    QuantizeOutcome,
    'kept' | 'nodes' | 'values' | 'proof' | 'equalizedLayers' | 'correctedBiases'
  >;
}

const NOTHING_PROVED: FusionProof = { nodes: [], conversions: [], quantizedAtLoad: [] };

/** Writes what was chosen, and sums the run up. */
export async function concludeRun(run: QuantizationRun, conclusion: Conclusion): Promise<QuantizeOutcome> {
  const { request, bench, split, preparation, warnings } = run;
  const { choice, original, slimmed } = conclusion;
  const kept = (await keepCandidate(run, choice)) ?? (await keepFloat(run, conclusion));
  const path = modelPath(kept.written);
  const { timing } = kept;
  const pair = { before: run.files.original, after: path };
  const measurement = timing && (await measureTimed(bench.host, pair, split.first, { timing, request }));
  request.onStage?.('summing up');
  const sizes = assumedSizes(kept.decoded.model, bench.shapes, undefined);
  const figures = figuresOf(kept.decoded.model, sizes);
  const { profiles } = measurement ?? {};
  return {
    ...kept.details,
    before: { ...slimmed.before, times: profiles && layerTimes(original.model, profiles.before) },
    after: {
      file: await digestFiles(path, kept.written.externalBytes, request.compression),
      figures,
      times: profiles && layerTimes(kept.decoded.model, profiles.after),
    },
    comparison: kept.score?.comparison,
    loss: kept.score?.loss,
    steps: choice.steps,
    gate: gateOf(request, kept),
    measurement,
    speedMeasured: run.timed,
    calibration: {
      samples: split.calibrated,
      seconds: run.calibrationSeconds,
      dataFree: split.dataFree,
      cache: run.cache && {
        values: kept.details.values.filter(({ value }) => preparation.cached.has(value)).length,
        samples: run.cache.samples,
      },
    },
    scored: kept.score?.comparison.samples ?? 0,
    warnings: [
      ...warnings,
      ...conclusion.scorer.warnings,
      ...split.warnings(),
      ...unknownLabels(request, preparation.plan),
    ],
    path,
    publish: async (to) => {
      await publishModel(kept.written, to, { workspace: bench.workspace, externalData: request.externalData });
      // Without a search none was kept.
      if (request.maxDrop !== undefined) await dropBest(request, to);
    },
    dispose: () => bench.workspace.dispose(),
  };
}

/** The chosen candidate, made again unless the model stands in its form. */
async function keepCandidate(
  run: QuantizationRun,
  { candidate, score, speed, found }: Choice,
): Promise<Kept | undefined> {
  if (!candidate) return undefined;
  const { bench, preparation } = run;
  const made = run.standing.candidate === candidate ? candidate : await makeCandidate(run, candidate.float);
  run.request.onStage?.('proving fusion');
  const proof = await proveCandidate(run, made);
  const hasFloats = found.size > 0;
  return {
    decoded: bench.decoded,
    written: made.written,
    score,
    timing: speed?.original,
    details: {
      kept: hasFloats ? 'mixed' : 'int8',
      nodes: await nodeRows(run, made, { proof, found }),
      values: valueRows(run, made),
      proof,
      equalizedLayers: preparation.equalized,
      correctedBiases: made.correctedBiases,
    },
  };
}

/** The slimmed model, or the original where slimming made it slower. */
async function keepFloat(run: QuantizationRun, conclusion: Conclusion): Promise<Kept> {
  const { request, bench, files, journal } = run;
  const { original, scorer, choice } = conclusion;
  const speed = run.timed
    ? await timeCandidate(run, () => Promise.resolve(files.slimmed), 'the slimmed model')
    : undefined;
  const isSlimmed = speed === undefined || !isSlower(speed.original);
  const score = isSlimmed
    ? await journal.recall('score of the slimmed model', () => scorer.score(files.slimmed))
    : undefined;
  const decoded = isSlimmed ? await openModel(files.slimmed, { keepOverridable: request.keepOverridable }) : original;
  const written = await writeModel(decoded.document, decoded.model, bench.workspace.path(resultName(request)), {
    externalData: request.externalData,
  });
  return {
    decoded,
    written,
    score,
    timing: isSlimmed ? speed?.original : undefined,
    details: {
      kept: 'original',
      nodes: floatRows(run, choice),
      values: [],
      proof: NOTHING_PROVED,
      equalizedLayers: 0,
      correctedBiases: 0,
    },
  };
}

/** Every node that could have run on integers, and why it does not. */
function floatRows(run: QuantizationRun, choice: Choice): QuantizeOutcome['nodes'] {
  const { plan } = run.preparation;
  const otherwise = choice === NOTHING_CHOSEN ? 'unsound' : 'slower';
  const row = { form: 'float', fused: undefined, signalToNoise: undefined } as const;
  return [
    ...plan.nodes.map(({ node: { label, opType } }) => ({
      node: label,
      opType,
      ...row,
      ...findingOf(run, label, { found: choice.found, otherwise }),
    })),
    ...[...plan.floats].map(([{ label, opType }, reason]) => ({ node: label, opType, ...row, reason })),
  ];
}

/** The original loses nothing. */
function gateOf({ maxDrop }: QuantizeRequest, { score }: Kept): QuantizeOutcome['gate'] {
  if (maxDrop === undefined) return undefined;
  return score ? gateVerdict(score.loss, maxDrop) : 'met';
}

function unknownLabels({ float }: QuantizeRequest, plan: QuantizationRun['preparation']['plan']): string[] {
  const known = new Set([
    ...plan.nodes.map(({ node }) => node.label),
    ...[...plan.floats.keys()].map(({ label }) => label),
  ]);
  const unknown = float.filter((label) => !known.has(label));
  return unknown.length === 0
    ? []
    : [`asked to stay in float, but nothing that could be quantized: ${unknown.join(', ')}`];
}
