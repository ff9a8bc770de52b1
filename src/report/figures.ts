// The figures of a report in words: the rows of the before/after table and the four answers a reader wants first.
// Every output form takes its words from here.
import type { Figures, Timing } from './facts.js';
import { change, figure, figurePair, given, interval, plural, scientific, type Quantity, countOf } from './format.js';
import type { SlimReport, Verification } from './report.js';
import type { BaselineComparison } from './run-facts.js';

export type Tone = 'good' | 'bad' | 'warn' | 'plain';

export interface FigureRow {
  readonly key: keyof Figures;
  readonly label: string;
  readonly before: string;
  readonly after: string;
  /** Relative change; empty where the measurement shows no difference. */
  readonly change: string;
  readonly note: string;
  readonly tone: Tone;
  /** after / before, for a bar. */
  readonly ratio: number;
  /** `main` rows are shown in the terminal, all of them in the report files. */
  readonly rank: 'main' | 'more';
}

type CountedKey = Exclude<keyof Figures, 'latency' | 'load'>;
interface Counted {
  readonly key: CountedKey;
  readonly label: string;
  readonly quantity: Quantity;
  readonly note: string;
  readonly rank: 'main' | 'more';
  /** Relative change that says nothing, for a figure that is measured and not counted. */
  readonly noise?: number;
}
const COUNTED: readonly Counted[] = [
  { key: 'nodes', label: 'nodes', quantity: 'whole', note: '', rank: 'main' },
  { key: 'fileBytes', label: 'file', quantity: 'bytes', note: '', rank: 'main' },
  { key: 'gzipBytes', label: 'file, gzip', quantity: 'bytes', note: 'what a download costs', rank: 'more' },
  { key: 'parameters', label: 'parameters', quantity: 'count', note: '', rank: 'main' },
  { key: 'weightBytes', label: 'weights', quantity: 'bytes', note: '', rank: 'more' },
  { key: 'macs', label: 'MACs', quantity: 'count', note: '', rank: 'main' },
  { key: 'peakActivationBytes', label: 'memory', quantity: 'bytes', note: 'peak of activations', rank: 'main' },
  {
    key: 'bytesMoved',
    label: 'bytes moved',
    quantity: 'bytes',
    note: 'inputs, weights and outputs of all nodes',
    rank: 'more',
  },
  {
    key: 'energyPj',
    label: 'energy proxy',
    quantity: 'energy',
    note: '45 nm table: a ranking, not joules',
    rank: 'more',
  },
  {
    key: 'nodesNotCounted',
    label: 'nodes not counted',
    quantity: 'whole',
    note: 'unknown operator or shape: left out of the costs',
    rank: 'more',
  },
  {
    key: 'peakProcessBytes',
    label: 'process memory',
    quantity: 'bytes',
    note: 'peak, runtime included',
    rank: 'more',
    noise: 0.05,
  },
];

/** Tone of a figure of which less is better. */
function lessIsBetter(before: number, after: number): Tone {
  if (change(before, after) === '0 %') return 'plain';
  return after < before ? 'good' : 'bad';
}

function countedRow({ key, label, quantity, note, rank, noise = 0 }: Counted, figures: Figures): FigureRow[] {
  const values = figures[key];
  if (!values) return [];
  if (key === 'nodesNotCounted' && values.before === 0 && values.after === 0) return [];
  const [before, after] = figurePair(values.before, values.after, quantity);
  const ratio = values.before === 0 ? 1 : values.after / values.before;
  const tone = values.before === 0 || Math.abs(ratio - 1) > noise ? lessIsBetter(values.before, values.after) : 'plain';
  return [{ key, label, before, after, change: change(values.before, values.after), note, tone, ratio, rank }];
}

const TIMING_TONES: { readonly [V in Timing['verdict']]: Tone } = {
  faster: 'good',
  slower: 'bad',
  'no-difference': 'plain',
};

/** `1 thread, 61 rounds`, and the clock where it was not the wall clock. */
export function timingConditions({ threads, rounds, clock }: Timing): string {
  return `${plural(threads, 'thread')}, ${plural(rounds, 'round')}${clock === 'cpu' ? ', processor time' : ''}`;
}

function timingRow(key: 'latency' | 'load', timing: Timing | undefined): FigureRow[] {
  if (!timing) return [];
  const { ratio, verdict } = timing;
  const [before, after] = figurePair(timing.before.p50Ms, timing.after.p50Ms, 'time');
  const same = verdict === 'no-difference';
  const spread = same
    ? `no difference (${interval(ratio)})`
    : `${verdict === 'slower' ? 'SLOWER ' : ''}(${interval(ratio)})`;
  const note = key === 'latency' ? `${spread}, ${timingConditions(timing)}` : spread;
  const relative = same ? '' : change(1, ratio.value);
  return [
    {
      key,
      label: key,
      before,
      after,
      change: relative,
      note,
      tone: TIMING_TONES[verdict],
      ratio: ratio.value,
      rank: 'main',
    },
  ];
}

/** Rows of the before/after table, for all figures that are known. */
export function figureRows(figures: Figures): FigureRow[] {
  return [
    ...COUNTED.flatMap((counted) => countedRow(counted, figures)),
    ...timingRow('latency', figures.latency),
    ...timingRow('load', figures.load),
  ];
}

/** `gzip 12.6 → 12.5 MiB`, or nothing. */
export function gzipNote({ gzipBytes }: Figures): string {
  if (!gzipBytes) return '';
  const [before, after] = figurePair(gzipBytes.before, gzipBytes.after, 'bytes');
  const unit = / \S+$/.exec(after)?.[0] ?? '';
  return `gzip ${before.endsWith(unit) ? before.slice(0, -unit.length) : before} → ${after}`;
}

/** What the comparison with the original found, in one sentence. */
export function verificationText(check: Verification): { readonly text: string; readonly tone: Tone } {
  const worst = given(check.worstRelative, (error) =>
    error === 0 ? 'equal outputs, ' : `worst ${scientific(error)} of scale, `,
  );
  const measured = `${worst}${plural(check.feeds, 'feed')}`;
  switch (check.verdict) {
    case 'agrees':
      return { text: `agrees with the original: ${measured}`, tone: 'good' };
    case 'mismatch-undone':
      return {
        text: `agrees with the original, ${plural(check.undone.length, 'wrong rewrite')} undone: ${measured}`,
        tone: 'warn',
      };
    case 'unverified':
      return {
        text: `UNVERIFIED: ${check.reason ?? 'the result could not be compared with the original'}`,
        tone: 'warn',
      };
    case 'skipped':
      return { text: `not compared with the original${given(check.reason, (why) => `: ${why}`)}`, tone: 'warn' };
    default:
      return check.verdict satisfies never;
  }
}

/** One line on the comparison with an earlier report. */
export function baselineText(baseline: BaselineComparison): { readonly text: string; readonly tone: Tone } {
  const worse = baseline.figures.filter(({ verdict }) => verdict === 'worse');
  const skippedOnes = baseline.figures.filter(({ verdict }) => verdict === 'not-compared');
  const left = skippedOnes.map(({ label, reason }) => label + given(reason, (why) => ` (${why})`));
  const uncompared = left.length === 0 ? '' : `; not compared: ${left.join(', ')}`;
  if (worse.length === 0) return { text: `no regression against ${baseline.name}${uncompared}`, tone: 'good' };
  return {
    text: `WORSE than ${baseline.name}: ${worse.map(({ label }) => label).join(', ')}${uncompared}`,
    tone: 'bad',
  };
}

export interface Answer {
  readonly question: string;
  readonly value: string;
  readonly detail: string;
  readonly tone: Tone;
}

/** What became of the size. */
export function smaller({ figures }: Pick<SlimReport, 'figures'>): Answer {
  const { fileBytes, nodes } = figures;
  const [before, after] = figurePair(fileBytes.before, fileBytes.after, 'bytes');
  const relative = change(fileBytes.before, fileBytes.after);
  const gzip = gzipNote(figures);
  const nodeCount = `${nodes.before} → ${nodes.after} nodes (${change(nodes.before, nodes.after)})`;
  const parts = [`${before} → ${after}`, ...(gzip === '' ? [] : [gzip]), nodeCount];
  const grown = fileBytes.after > fileBytes.before;
  return {
    question: relative === '0 %' ? 'File size' : grown ? 'Larger by' : 'Smaller by',
    value: relative === '0 %' ? 'same' : relative.replace(/^[-+]/, ''),
    detail: parts.join(' · '),
    tone: lessIsBetter(fileBytes.before, fileBytes.after),
  };
}

/** What became of the time. */
export function faster({ figures: { latency } }: Pick<SlimReport, 'figures'>): Answer {
  if (!latency)
    return { question: 'Speed', value: 'not measured', detail: 'this run did not time the models', tone: 'plain' };
  const [before, after] = figurePair(latency.before.p50Ms, latency.after.p50Ms, 'time');
  const same = latency.verdict === 'no-difference';
  return {
    question: SPEED[latency.verdict],
    value: same ? 'no difference' : change(1, latency.ratio.value).replace(/^[-+]/, ''),
    detail: `${before} → ${after} · ${interval(latency.ratio)} · ${timingConditions(latency)}`,
    tone: TIMING_TONES[latency.verdict],
  };
}

const SPEED: { readonly [V in Timing['verdict']]: string } = {
  faster: 'Faster by',
  slower: 'Slower by',
  'no-difference': 'Speed',
};

const AGREEMENT: { readonly [V in Verification['verdict']]: string } = {
  agrees: 'agrees',
  'mismatch-undone': 'agrees',
  unverified: 'unverified',
  skipped: 'not checked',
};

function asGood({ verification }: SlimReport): Answer {
  const { text, tone } = verificationText(verification);
  const detail = text.replace(/^(agrees with the original[:,] |UNVERIFIED: )/, '');
  return { question: 'As good as the original', value: AGREEMENT[verification.verdict], detail, tone };
}

const BRIEF = 80;

/** The first statement of a reason: the whole of it stands in the section on what was skipped. */
function brief(message: string): string {
  const [first = ''] = message.split(/[.;:](?= |$)/, 1);
  return first.length <= BRIEF ? first : `${first.slice(0, BRIEF).replace(/\s\S*$/, '')} …`;
}

function skipped({ declines }: SlimReport): Answer {
  const sites = declines.reduce((sum, { count }) => sum + count, 0);
  const reasons = new Map<string, number>();
  for (const { message, count } of declines) reasons.set(brief(message), (reasons.get(brief(message)) ?? 0) + count);
  const [first, ...rest] = [...reasons].sort(([, a], [, b]) => b - a);
  const more = rest.length === 0 ? '' : ` · ${plural(rest.length, 'other reason')} below`;
  const detail = first ? `${first[0]}${more}` : 'every site where a pass could fire was rewritten';
  return { question: 'Skipped', value: sites === 0 ? 'nothing' : plural(sites, 'site'), detail, tone: 'plain' };
}

/** Smaller by, faster by, as good as, what was skipped. */
export const answers = (report: SlimReport): Answer[] => [
  smaller(report),
  faster(report),
  asGood(report),
  skipped(report),
];

/** The counts of all passes, `52 BatchNormalization folded into Conv`; those that removed most nodes first. */
export function achievements({ passes }: SlimReport): string[] {
  const stats = passes
    .flatMap(({ stats: counts, nodesRemoved }) => counts.map((one) => ({ ...one, nodesRemoved })))
    .filter(({ count }) => count > 0);
  return stats
    .sort((a, b) => b.nodesRemoved - a.nodesRemoved || b.count - a.count)
    .map(({ label, count }) => countOf(count, label));
}

/** `12.5 s`. */
export const duration = (ms: number): string => figure(ms, 'time');
