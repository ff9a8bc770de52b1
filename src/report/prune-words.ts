// What a pruning run has to say, in words, the same in every form: why groups kept their channels, gates, what was kept.
import type { KeepReason } from '../pipeline/pruning/outcome.js';
import { FREEZE_WORDS } from './channel-groups.js';
import type { Tone } from './figures.js';
import { maxDropText } from './loss-words.js';
import { change, given, plural, share } from './format.js';
import type { PruneGroupReport, PruneReport } from './prune-report.js';

/** Why a group kept all its channels, as a clause about it or the node to blame. */
export const KEEP_WORDS: Readonly<Record<KeepReason, string>> = {
  ...FREEZE_WORDS,
  'not-observed': 'what the score needs could not be observed on samples',
  'too-few-samples': 'there are fewer observed positions than two per channel',
  'not-finite': 'observed values are infinite or no numbers',
  'weights-not-constant': 'weights of a layer are computed, not stored',
  'unsupported-reader': 'an operator that reads the units is no linear layer with stored weights',
  'unsupported-layout': 'the units do not lie along the channel axis of a value',
  'no-filters': 'no layer makes the units from filters of its own',
  'no-normalization': 'no normalization with a scale per channel stands in the group',
  'one-unit': 'it has one channel',
  worth: 'its channels are worth more than those that left',
  defect: 'a defect of mcompress: without some of its channels the model computed something else',
  slower: 'the pruned model was measured slower',
  loss: 'nothing could leave within the loss that is allowed',
  'all-units': 'nothing would be left of it',
  'uneven-groups': 'parts of a grouped layer would be of different width',
  'no-range': 'what a Slice takes would be no range any more',
  'read-by-index': 'an index that stays reads a channel that would go',
  'computed-size': 'a size is computed that would not follow',
  'not-constant': 'weights are not in the model as numbers',
  'no-level': 'no smaller width suits the kernels',
  met: 'the budget is met without',
  'no-gain': 'a smaller width costs more than it saves',
};

export const keepReason = (code: KeepReason): string => KEEP_WORDS[code];

export const WEIGHTS_ONLY_TEXT =
  'NO DATA was used: channels were judged by weights, and the loss above is that of random inputs. Score the model before it ships: ' +
  'mcompress eval OUT --reference MODEL --data PATH';

/** `112 of 560 channels left`. */
export const unitsText = ({ units: { before, after } }: PruneReport): string =>
  before === 0 ? 'no channel could leave' : `${before - after} of ${plural(before, 'channel')} removed`;

/** Groups that kept all their channels for one reason. */
export interface KeptGroups {
  readonly code: string;
  readonly message: string;
  readonly groups: readonly PruneGroupReport[];
}

/** Groups that kept all their channels, by reason; the most frequent first. */
export function keptGroups({ groups }: PruneReport): KeptGroups[] {
  const byCode = new Map<string, PruneGroupReport[]>();
  for (const group of groups)
    if (group.code !== undefined) byCode.set(group.code, [...(byCode.get(group.code) ?? []), group]);
  return [...byCode]
    .map(([code, found]) => ({ code, message: found[0]?.message ?? '', groups: found }))
    .toSorted((a, b) => b.groups.length - a.groups.length);
}

/** What is written where it is not the pruned model. */
export function keptText({ kept, groups }: PruneReport): { readonly text: string; readonly tone: Tone } | undefined {
  if (kept === 'pruned') return undefined;
  const codes = new Set(groups.map(({ code }) => code));
  const why = codes.has('slower')
    ? 'the pruned model was measured slower'
    : codes.has('loss')
      ? 'nothing that was tried held --max-drop'
      : codes.has('met')
        ? 'the budget is met without'
        : 'no channel could leave';
  return { text: `Nothing was pruned: ${why}. What is written is the same model, slimmed.`, tone: 'warn' };
}

/** `SLOWER than the original by 4 %, which --macs allows`; undefined where it is not slower. */
export function slowerText({
  figures: { latency },
  gates,
}: PruneReport): { readonly text: string; readonly tone: Tone } | undefined {
  if (latency?.verdict !== 'slower') return undefined;
  const by = change(1, latency.ratio.value).replace('+', '');
  return {
    text: `SLOWER than the original by ${by}${given(gates.budget, ({ asked }) => `, which ${asked} allows`)}.`,
    tone: 'bad',
  };
}

/** Which gate was missed; undefined when all were met. `strict`: a result that nothing could be said of is a miss, too. */
export function missedText(report: PruneReport, mode: 'strict' | 'usual'): string | undefined {
  const { gates, accuracy, baseline, kept } = report;
  if (gates.budget?.verdict === 'missed') return `${gates.budget.asked}: ${budgetText(report)}`;
  if (gates.maxDrop?.verdict === 'missed') return `--max-drop: ${maxDropText(report)}`;
  if (baseline?.verdict === 'regressed') return `worse than ${baseline.name}`;
  if (mode === 'usual') return undefined;
  if (accuracy.loss === undefined) return '--strict: what is lost could not be measured';
  return kept === 'original' ? '--strict: nothing was pruned' : undefined;
}

/** By how much a share may be missed without a word. */
const SHORT_BY = 0.015;

/** What was reached of the budget. */
export function budgetText({ kept, figures, units, gates: { budget } }: PruneReport): string {
  const asked = budget?.asked ?? '';
  if (kept === 'original') return 'nothing was pruned';
  const part = (values: { readonly before: number; readonly after: number } | undefined): string =>
    values === undefined ? 'not known' : `${share(values.after, values.before)} left`;
  if (asked.startsWith('--macs')) return part(figures.macs);
  if (asked.startsWith('--params')) return part(figures.parameters);
  if (asked.startsWith('--memory')) return part(figures.peakActivationBytes);
  if (asked.startsWith('--latency'))
    return given(figures.latency, ({ ratio, after }) => `${ratio.value.toFixed(3)}x, ${after.p50Ms.toFixed(3)} ms`);
  const removed = units.before - units.after;
  const isShort = removed < units.before * Number(asked.split(' ')[1]) - SHORT_BY * units.before;
  return `${share(removed, units.before)} removed${isShort ? ', as near as widths come that are allowed (--widths)' : ''}`;
}

/** How channels left, in a few words. */
export function methodText({ method, samples, units }: PruneReport): string {
  const { score, scope, schedule, repair, refitted, removalError } = method;
  const looked = samples.dataFree === 'yes' ? 'weights alone' : plural(samples.fitted, 'sample');
  const done = [
    `channels ranked by ${score} (${scope}) on ${looked}`,
    ...(schedule === 'dropnet' ? ['in cycles'] : []),
    ...(repair === 'on' && refitted > 0 ? [`${plural(refitted, 'layer')} refitted`] : []),
    ...(removalError === undefined || units.after === units.before
      ? []
      : ['before that equal to the original with the same channels at zero']),
  ];
  return done.join(', ');
}

/** Of a subset of classes: what of the gain is more than the cut head. */
export function subsetText({ subset, figures }: PruneReport): string | undefined {
  if (!subset) return undefined;
  const { kept, of, by, restrictedMacs, restrictedRatio } = subset;
  const names = (subset.names ?? kept.map(String)).slice(0, 8).join(', ');
  const more = kept.length > 8 ? ', …' : '';
  const macs = given(figures.macs, ({ after }) => `${share(restrictedMacs - after, restrictedMacs)} fewer MACs`);
  const time = given(restrictedRatio, (ratio) => `${(1 / ratio).toFixed(2)}x as fast`);
  const beyond = [macs, time].filter((text) => text !== '').join(', ');
  return `${plural(kept.length, 'class', 'classes')} of ${of}: ${names}${more} (samples by ${by}); beyond the cut head ${beyond}.`;
}
