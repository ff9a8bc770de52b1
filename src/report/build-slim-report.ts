// The report value of a run of `slim`, from what the pipeline hands back.
import type { LayerTimes } from '../pipeline/layer-times.js';
import { findPass } from '../passes/registry.js';
import { recipeDocument } from '../pipeline/recipe.js';
import type { Checked, Side, SlimOutcome, SlimRequest } from '../pipeline/slim.js';
import type { TimedPair } from '../pipeline/measure.js';
import { isSlower, type Rejected } from '../pipeline/speed-gate.js';
import type { TimingComparison } from '../runtime/latency.js';
import { commandLine } from './command-line.js';
import type { Figures, FileFacts, LayerFacts, Share, Timing } from './facts.js';
import { change, interval } from './format.js';
import { layerFacts } from './layer-facts.js';
import type { DeclineReport, LayerReport, PassReport, SlimReport, Verification } from './report.js';
import type { JsonValue } from './shape.js';
import { surroundings } from './surroundings.js';

/** `elapsedMs`: duration of the run so far. */
export function buildSlimReport(request: SlimRequest, outcome: SlimOutcome, elapsedMs: number): SlimReport {
  const { before, after, measurement } = outcome;
  return {
    version: 1,
    kind: 'slim',
    input: 'path' in request.input ? fileFacts(before) : { ...fileFacts(before), name: '-' },
    output: fileFacts(after),
    figures: pairFigures(outcome, request.threads),
    timeShare: measurement?.profiles ? [{ fusion: 'on', before: timeShare(before), after: timeShare(after) }] : [],
    verification: verification(outcome.checked),
    passes: passReports(outcome),
    declines: declineReports(outcome),
    layers: layerReports(before, after),
    operators: operatorCounts(before, after),
    recipe: { commandLine: slimCommand(request), document: recipeDocument(request.recipe) as unknown as JsonValue },
    baseline: undefined,
    ...surroundings(),
    seed: request.seed,
    threads: request.threads,
    createdAt: undefined,
    elapsedMs,
    warnings: [...outcome.checked.warnings, ...speedWarnings(outcome)],
  };
}

type Pair<T> = { readonly before: T; readonly after: T };

/** A file as every report shows it. */
export function fileFacts({ file }: Omit<Side, 'times' | 'figures'>): FileFacts {
  return { name: file.name, bytes: file.bytes, gzipBytes: file.gzipBytes, sha256: file.sha256 };
}

/** The figures of two models side by side, and what was measured of them. */
export function pairFigures(
  { before, after, measurement }: Pick<SlimOutcome, 'measurement'> & Pair<Omit<Side, 'times'>>,
  threads: number,
): Figures {
  const [a, b] = [before.figures, after.figures];
  const gzip =
    before.file.gzipBytes !== undefined && after.file.gzipBytes !== undefined
      ? { before: before.file.gzipBytes, after: after.file.gzipBytes }
      : undefined;
  const skipped = { before: a.cost.notCounted, after: b.cost.notCounted };
  return {
    nodes: { before: a.cost.nodes, after: b.cost.nodes },
    fileBytes: { before: before.file.bytes, after: after.file.bytes },
    gzipBytes: gzip,
    parameters: { before: a.cost.parameters, after: b.cost.parameters },
    weightBytes: { before: a.cost.weightBytes, after: b.cost.weightBytes },
    macs: { before: a.cost.macs, after: b.cost.macs },
    peakActivationBytes: { before: a.peakActivationBytes, after: b.peakActivationBytes },
    bytesMoved: { before: a.cost.bytesMoved, after: b.cost.bytesMoved },
    energyPj: { before: a.cost.energyPj, after: b.cost.energyPj },
    nodesNotCounted: skipped.before + skipped.after > 0 ? skipped : undefined,
    latency: measurement && timing(measurement.latency, threads),
    load: measurement && timing(measurement.load, threads),
    peakProcessBytes: measurement && { before: measurement.memory.before.added, after: measurement.memory.after.added },
  };
}

/** A timing as reports show it. */
export function timing(comparison: TimingComparison, threads: number): Timing {
  const { before, after, decidedBy, verdict, rounds, contended, cpuShare, settled } = comparison;
  const spread = ({ wall }: TimingComparison['before']) => ({ p50Ms: wall.p50, p90Ms: wall.p90, p99Ms: wall.p99 });
  const warnings = [
    ...(contended
      ? [
          `other programs took ${Math.round(100 * (1 - cpuShare))} % of the processor: run it again on a quiet machine for a narrower interval`,
        ]
      : []),
    ...(settled ? [] : ['the time budget ended before the interval was as narrow as wanted']),
  ];
  const { value, low, high } = comparison[decidedBy];
  return {
    before: spread(before),
    after: spread(after),
    rounds,
    threads,
    ratio: { value, low, high },
    verdict,
    clock: decidedBy,
    warnings,
  };
}

function timeShare({ figures: { layers }, times }: Side): Share {
  const share = { tensorUs: 0, nonTensorUs: 0, runtimeUs: 0 };
  for (const { node, kind } of layers)
    share[kind === 'tensor' ? 'tensorUs' : 'nonTensorUs'] += times?.of.get(node)?.us ?? 0;
  share.runtimeUs = runtimeUs(times);
  return share;
}

/** Microseconds in nodes that the runtime added, or that could not be traced back. */
function runtimeUs(times: LayerTimes | undefined): number {
  const { inserted = [], unknown = [] } = times?.attribution ?? {};
  return [...inserted, ...unknown].reduce((sum, { us }) => sum + us, 0);
}

function verification(checked: Checked): Verification {
  const { verdict, check, reference, tolerance, undone, reason } = checked;
  const finite = (error: number | undefined): number | undefined =>
    error !== undefined && Number.isFinite(error) ? error : undefined;
  return {
    verdict,
    worstRelative: finite(check?.worstRelative),
    tolerance,
    feeds: check ? (reference?.samples.length ?? 0) : 0,
    feedKinds: check && reference ? reference.samples.map((sample) => sample.label).join('; ') : undefined,
    outputs: check?.outputs.map((output) => ({ name: output.name, worstRelative: finite(output.relativeError) })) ?? [],
    reason,
    undone: undone.map((one) => ({
      pass: one.rewrite.pass,
      node: one.rewrite.site,
      worstRelative: finite(one.check.worstRelative),
      reproducer: one.reproducer?.split('/').at(-1),
    })),
  };
}

function passReports({ log, checked, rejected }: SlimOutcome): PassReport[] {
  const ran = [...log.tallies].map(([name, tally]): PassReport => {
    const pass = findPass(name);
    const wrong = checked.undone.filter(({ rewrite }) => rewrite.pass === name);
    return {
      pass: name,
      exactness: pass?.exactness ?? 'lossy',
      outcome: tally.rewrites > 0 ? 'changed' : wrong.length > 0 ? 'undone' : 'no-change',
      reason: wrong[0]?.check.reason,
      sites: tally.rewrites,
      nodesRemoved: -tally.nodes,
      parametersDelta: tally.parameters,
      macsDelta: undefined,
      stats: [...tally.stats].map(([key, count]) => ({ key, label: pass?.stats[key] ?? key, count })),
      ms: tally.milliseconds,
    };
  });
  return [...ran, ...rejected.map(rejectedReport)];
}

/** The row of a pass that was left out: it changed nothing in the end. */
function rejectedReport({ pass, timing: pair }: Rejected): PassReport {
  return {
    pass,
    exactness: findPass(pass)?.exactness ?? 'lossy',
    outcome: 'rejected',
    reason: slowerBy(pair),
    sites: 0,
    nodesRemoved: 0,
    parametersDelta: 0,
    macsDelta: undefined,
    stats: [],
    ms: 0,
  };
}

/** `runs 4 % slower (95 %: +3 … +6 %)` */
function slowerBy({ latency, load }: TimedPair): string {
  const [does, comparison] = latency.verdict === 'slower' ? ['runs', latency] : ['loads', load];
  const { value, ...ratio } = comparison[comparison.decidedBy];
  return `the model ${does} ${change(1, value).replace('+', '')} slower with it (${interval(ratio)})`;
}

function speedWarnings({ log, rejected, measurement }: SlimOutcome): string[] {
  return [
    ...rejected.map(({ pass, timing: pair }) => `${pass} was left out: ${slowerBy(pair)}`),
    ...(measurement && log.rewrites.length > 0 && isSlower(measurement)
      ? ['the model is slower than the original, with nothing left in it but what was asked for']
      : []),
  ];
}

/** More sites than this are listed by their reasons, each with its first node. */
const MAX_SITES = 2000;

/** One line per site. */
function declineReports({ log }: SlimOutcome): DeclineReport[] {
  const groups = new Map<string, { pass: string; code: string; message: string; node: string; count: number }>();
  const declines = [...log.declines()];
  for (const decline of declines) {
    // Declarations break long texts over lines.
    const message = decline.message.replace(/\s+/g, ' ');
    const site = declines.length > MAX_SITES ? '' : decline.node;
    const key = `${decline.pass}/${decline.code}/${message}/${site}`;
    const group = groups.get(key);
    if (group) group.count++;
    else groups.set(key, { ...decline, message, count: 1 });
  }
  return [...groups.values()];
}

/** Layers of both models, matched by name: first those of the original in order, new ones where they stand. */
function layerReports(before: Side, after: Side): LayerReport[] {
  const left = byName(before);
  const right = byName(after);
  const rows: LayerReport[] = [];
  const seen = new Set<string>();
  for (const [name, facts] of left) {
    rows.push({ name, before: facts, after: right.get(name) });
    seen.add(name);
  }
  for (const [name, facts] of right) if (!seen.has(name)) rows.push({ name, before: undefined, after: facts });
  return rows;
}

function byName(side: Side): Map<string, LayerFacts> {
  const rows = new Map<string, LayerFacts>();
  for (const layer of side.figures.layers) {
    let { name } = layer;
    for (let copy = 2; rows.has(name); copy++) name = `${layer.name} (${copy})`;
    rows.set(name, layerFacts(layer, side.times));
  }
  return rows;
}

/** Nodes by operator in both models. */
export function operatorCounts(before: Omit<Side, 'times'>, after: Omit<Side, 'times'>): SlimReport['operators'] {
  const [a, b] = [before.figures.cost.histogram, after.figures.cost.histogram];
  return [...new Set([...a.keys(), ...b.keys()])].map((opType) => ({
    opType,
    before: a.get(opType) ?? 0,
    after: b.get(opType) ?? 0,
  }));
}

/** The command that does the same again. */
function slimCommand(request: SlimRequest): string {
  const { input, recipe, seed, threads, verify, keepOverridable, externalData, shapes, feeds, measure } = request;
  const words: string[] = [];
  for (const [name, shape] of shapes) words.push('--input', `${name}:${shape.join('x')}`);
  for (const feed of feeds) words.push('--feed', feed);
  if (verify !== 'end') words.push('--verify', verify);
  if (measure === 'off') words.push('--no-profile');
  if (keepOverridable) words.push('--keep-overridable');
  if (externalData === 'always') words.push('--external-data');
  if (threads !== 1) words.push('--threads', String(threads));
  if (seed !== 0) words.push('--seed', String(seed));
  return commandLine('slim', 'path' in input ? input.path : '-', recipe, words);
}
