// What a choice among all passes has to say, in words, the same in every form: what was done, why the rest was not, gates.
import type { ChangeKind } from '../pipeline/combining/settings.js';
import type { IdleReason, StepFate } from '../pipeline/combining/outcome.js';
import type { CombineReport, CombineStepReport } from './combine-report.js';
import { BLOCK_WORDS } from './deepen-words.js';
import { STAY_WORDS } from './factorize-words.js';
import type { Tone } from './figures.js';
import { plural } from './format.js';
import { lostOf, maxDropText } from './loss-words.js';
import { KEEP_WORDS } from './prune-words.js';
import { FLOAT_WORDS } from './quantize-words.js';
import { budgetText } from './trade-words.js';

type Said = { readonly text: string; readonly tone: Tone };

/** Why a change was not made on top of a step, as a clause about it. */
const IDLE_WORDS: Readonly<Record<IdleReason, string>> = {
  nothing: 'it found nothing that pays within the loss',
  'no-gain': 'what it gives is not faster, or not smaller in what the budget is of',
  lossy: 'what it gives loses too much',
  unsupported: 'it does not take this model',
  'no-time': 'the time for looking was over (--effort)',
  'not-here': 'integers for this processor cannot be timed on it',
  'not-asked': 'left out by --try',
};

export const idleReason = (code: IdleReason): string => IDLE_WORDS[code];

/** What runs say of what they left alone, by code. */
const STAY_REASONS: Readonly<Record<ChangeKind, Readonly<Record<string, string>>>> = {
  deepen: BLOCK_WORDS,
  prune: KEEP_WORDS,
  factorize: STAY_WORDS,
  int8: FLOAT_WORDS,
};

/** What a run within says of itself: a sentence, or the code of the reason that most of what it left alone has. */
export function idleDetail(kind: ChangeKind, message: string | undefined): string | undefined {
  const words = message === undefined ? undefined : STAY_REASONS[kind][message];
  return words === undefined ? message : `mostly: ${words} [${message}]`;
}

/** What became of a step. */
export const FATE_WORDS: Readonly<Record<StepFate, string>> = {
  taken: 'in the result',
  beaten: 'another is better',
  over: 'loses too much',
  slower: 'slower than the original',
};

/** The steps that the result is made of, in their order, without the exact passes. */
export function takenSteps({ steps, result, kept }: CombineReport): CombineStepReport[] {
  const byName = new Map(steps.map((step) => [step.name, step]));
  const chain: CombineStepReport[] = [];
  let step = kept === 'original' ? undefined : byName.get(result ?? '');
  // A step that is there already would lead round in a circle.
  while (step && step.kind !== 'slim' && !chain.includes(step)) {
    chain.unshift(step);
    step = byName.get(step.on ?? '');
  }
  return chain;
}

/** `deepen, then prune, then int8`. */
export function doneText(report: CombineReport): string {
  const taken = takenSteps(report);
  return taken.length === 0 ? 'nothing beyond the exact passes' : taken.map(({ kind }) => kind).join(', then ');
}

/** What each change did: `5 of 9 blocks replaced; 12 % of channels removed`. */
export const whatText = (report: CombineReport): string =>
  takenSteps(report)
    .map(({ what }) => what)
    .join('; ');

export const NOTHING_TEXT = 'nothing beyond the exact passes was kept';

/** What is written where nothing was changed. */
export function keptText({ kept, steps, idle, result, subset }: CombineReport): Said | undefined {
  if (kept === 'changed') return undefined;
  const failed = steps.find(({ fate }) => fate === 'over' || fate === 'slower');
  const why = failed
    ? `what was found ${failed.fate === 'over' ? 'loses too much' : 'is slower than the original'}`
    : (soleReason(idle) ?? 'no change pays within what may be lost');
  const same = result === undefined ? 'the original' : 'the same model, slimmed';
  const cut = subset ? ', its head cut to the classes' : '';
  return { text: `${capital(NOTHING_TEXT)}: ${why}. What is written is ${same}${cut}.`, tone: 'warn' };
}

/** The reason, where it is one for all changes that were asked for. */
function soleReason(idle: CombineReport['idle']): string | undefined {
  const [first, ...others] = new Map(
    idle.filter(({ code }) => code !== 'not-asked').map((one) => [one.code, one]),
  ).values();
  return first && others.length === 0 ? `of every change that was tried, ${first.message}` : undefined;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** The line to beat: what integers alone give, and what the result has over them. */
export function int8Text({ int8Alone, idle, result }: CombineReport): Said | undefined {
  if (!int8Alone) {
    const why = idle.find(({ kind, code }) => kind === 'int8' && code !== 'not-asked');
    return why && { text: `8-bit integers alone: ${why.message}`, tone: 'plain' };
  }
  const { name, loss, latencyRatio, resultRatio } = int8Alone;
  const alone = `8-bit integers alone: ${(1 / latencyRatio).toFixed(2)}x as fast, ${lostOf(loss)}`;
  if (!resultRatio) return { text: name === result ? `${alone}; they are the result` : alone, tone: 'plain' };
  const { value, low, high } = resultRatio;
  return {
    text: `${alone}; the result runs in ${value.toFixed(2)} of their time (95 %: ${low.toFixed(2)} … ${high.toFixed(2)})`,
    tone: high < 1 ? 'good' : low > 1 ? 'bad' : 'plain',
  };
}

/** Which classes stayed. */
export function subsetText({ subset }: CombineReport): string | undefined {
  if (!subset) return undefined;
  const { kept, of, by } = subset;
  const names = (subset.names ?? kept.map(String)).slice(0, 8).join(', ');
  const more = kept.length > 8 ? ', …' : '';
  const classes = `${plural(kept.length, 'class', 'classes')} of ${of}: ${names}${more} (samples by ${by})`;
  return `${classes}; what is lost is against the original restricted to them.`;
}

/** Which gate was missed; undefined when all were met. `strict`: a result that nothing could be said of is a miss, too. */
export function missedText(report: CombineReport, mode: 'strict' | 'usual'): string | undefined {
  const { gates, accuracy, baseline, kept } = report;
  if (gates.budget?.verdict === 'missed') return `${gates.budget.asked}: ${budgetText(report, NOTHING_TEXT)}`;
  if (gates.maxDrop?.verdict === 'missed') return `--max-drop: ${maxDropText(report)}`;
  if (baseline?.verdict === 'regressed') return `worse than ${baseline.name}`;
  if (mode === 'usual') return undefined;
  if (accuracy.loss === undefined) return '--strict: what is lost could not be measured';
  return kept === 'original' ? `--strict: ${NOTHING_TEXT}` : undefined;
}

const MINUTE = 60;
const HOUR = 3600;

/** `45 s`, `12 min`, `1.5 h`. */
export function spanText(seconds: number): string {
  if (seconds < 2 * MINUTE) return `${Number(seconds.toFixed(seconds < 10 ? 1 : 0))} s`;
  return seconds < 2 * HOUR ? `${Math.round(seconds / MINUTE)} min` : `${Number((seconds / HOUR).toFixed(1))} h`;
}

/** How it was chosen, in a few words. */
export function methodText({ method, samples, effort, steps }: CombineReport): string {
  const { aim, tried } = method;
  const judged = steps.filter(({ kind }) => kind !== 'slim').length;
  return [
    `chosen for ${aim} among ${tried.join(', ')} on ${plural(samples.fitted + samples.selected, 'sample')}`,
    `${plural(judged, 'model')} in ${spanText(effort.takenSeconds)} (${spanText(effort.allowedSeconds)} to look)`,
  ].join(', ');
}
