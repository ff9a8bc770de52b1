// What a factorization run has to say, in words, the same in every form: why layers stayed whole, gates, what was kept.
import type { StayReason } from '../pipeline/factorizing/outcome.js';
import type { FactorizeLayerReport, FactorizeReport } from './factorize-report.js';
import type { Tone } from './figures.js';
import { plural } from './format.js';
import { maxDropText } from './loss-words.js';
import { budgetText } from './trade-words.js';

/** Why a layer stayed whole, as a clause about it. */
export const STAY_WORDS: Readonly<Record<StayReason, string>> = {
  grouped: 'each group of its channels has weights of its own: there is little to share between them',
  transposed: 'transposed convolutions are not factorized',
  'computed-weights': 'its weights are computed, or given by the caller',
  'shared-weights': 'other nodes read its weights, or they are an output of the graph',
  'unsupported-type': 'its weights are not float32',
  'unsupported-layer': 'its geometry depends on sizes that are not known, or its input is transposed',
  'unsupported-bias': 'its bias is not one number per output',
  'inner-graph': 'it stands in a graph within a node, where samples cannot be looked at',
  depthwise: 'it is depthwise: with one input per output there is no rank to lower',
  'no-kernel': 'its kernel has one position',
  'has-kernel': 'its kernel has several positions',
  'one-axis': 'its kernel is longer than 1 along one axis only',
  'one-channel': 'it has a single input or output',
  'unknown-size': 'the size of its input is not known',
  'not-asked': 'layers of its kind, or schemes that suit it, were not asked for',
  'no-moments': 'what it reads cannot be looked at',
  'not-finite': 'its weights, or values that it reads, are infinite or no numbers',
  'no-saving': 'no chain costs less',
  'slower-chain': 'every chain that was timed took longer than the layer',
  worth: 'other layers lose less by what they save',
  met: 'the budget is met without',
  'no-gain': 'within the model its chain took no less time, and the layer was put back',
  slower: 'the factorized model was not measured faster',
  loss: 'no chain keeps the loss within what is allowed',
};

export const stayReason = (code: StayReason): string => STAY_WORDS[code];

export const WEIGHTS_ONLY_TEXT =
  'NO DATA was used: chains were judged by weights, and the loss above is that of random inputs. Score the model before it ships: ' +
  'mcompress eval OUT --reference MODEL --data PATH';

/** `9 of 55 layers are chains now`. */
export const chainsText = ({ layers }: FactorizeReport): string =>
  `${layers.filter(({ chain }) => chain).length} of ${plural(layers.length, 'layer')} factorized`;

/** Layers that stayed whole for one reason. */
export interface StayedLayers {
  readonly code: string;
  readonly message: string;
  readonly layers: readonly FactorizeLayerReport[];
}

/** Layers that stayed whole, by reason; the most frequent first. */
export function stayedLayers({ layers }: FactorizeReport): StayedLayers[] {
  const byCode = new Map<string, FactorizeLayerReport[]>();
  for (const layer of layers)
    if (layer.code !== undefined) byCode.set(layer.code, [...(byCode.get(layer.code) ?? []), layer]);
  return [...byCode]
    .map(([code, found]) => ({ code, message: found[0]?.message ?? '', layers: found }))
    .toSorted((a, b) => b.layers.length - a.layers.length);
}

/** Reasons that say why nothing came of a run, the first that applies. */
const WHY: readonly StayReason[] = ['slower', 'loss', 'no-gain', 'met', 'slower-chain'];

/** What is written where it is not a factorized model. */
export function keptText({
  kept,
  layers,
}: FactorizeReport): { readonly text: string; readonly tone: Tone } | undefined {
  if (kept === 'factorized') return undefined;
  const why = WHY.find((code) => layers.some((layer) => layer.code === code));
  const words = why === undefined ? 'no layer could become a chain that is worth it' : STAY_WORDS[why];
  return { text: `Nothing was factorized: ${words}. What is written is the same model, slimmed.`, tone: 'warn' };
}

/** Which gate was missed; undefined when all were met. `strict`: a result that nothing could be said of is a miss, too. */
export function missedText(report: FactorizeReport, mode: 'strict' | 'usual'): string | undefined {
  const { gates, accuracy, baseline, kept } = report;
  if (gates.budget?.verdict === 'missed') return `${gates.budget.asked}: ${budgetText(report, NOTHING_TEXT)}`;
  if (gates.maxDrop?.verdict === 'missed') return `--max-drop: ${maxDropText(report)}`;
  if (baseline?.verdict === 'regressed') return `worse than ${baseline.name}`;
  if (mode === 'usual') return undefined;
  if (accuracy.loss === undefined) return '--strict: what is lost could not be measured';
  return kept === 'original' ? '--strict: nothing was factorized' : undefined;
}

export const NOTHING_TEXT = 'nothing was factorized';

/** How layers became chains, in a few words. */
export function methodText({ method, samples, kept }: FactorizeReport): string {
  const { aim, metric, ranks, groupSize, repair, refitted } = method;
  const looked = samples.dataFree === 'yes' ? 'weights alone' : plural(samples.fitted, 'sample');
  return [
    `chains chosen for ${aim} by ${metric} on ${looked}`,
    ...(ranks === 'auto' ? [] : [`ranks by ${ranks}`]),
    ...(groupSize > 0 ? [`${groupSize} convolutions at a time`] : []),
    ...(repair === 'on' && refitted > 0 && kept === 'factorized' ? [`${plural(refitted, 'layer')} refitted`] : []),
  ].join(', ');
}
