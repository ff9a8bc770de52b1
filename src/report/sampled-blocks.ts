// What the documents of runs that score on samples have in common: speed and loss, the gate on it, how all was measured.
import type { Block, Section } from './document.js';
import { section } from './document.js';
import { faster, type Answer } from './figures.js';
import { figure, given, plural } from './format.js';
import { lossText, lostText, maxDropText, type Judged } from './loss-words.js';
import type { CombineReport } from './combine-report.js';
import type { DeepenReport } from './deepen-report.js';
import type { FactorizeReport } from './factorize-report.js';
import type { PruneReport } from './prune-report.js';
import type { QuantizeReport } from './quantize-report.js';
import { fileRows, machineFacts, recipeBlocks } from './run-blocks.js';

/** What became of the time. Of a processor that is not here nothing is claimed: `elsewhere` says what it is. */
export function speedAnswer(report: Pick<PruneReport, 'speed' | 'figures'>, elsewhere: string): Answer {
  if (report.speed !== 'unmeasured-here') return faster(report);
  return { question: 'Speed', value: 'unmeasured on this machine', detail: elsewhere, tone: 'warn' };
}

/** What became of the answers. */
export function lossAnswer(report: Judged, dataFree: 'yes' | 'no'): Answer {
  const { text, tone } = lossText(report, dataFree);
  return { question: 'As good as the original', value: lostText(report), detail: text, tone };
}

/** What `--max-drop` found, where it was asked for. */
export function maxDropBlocks(report: Judged): Block[] {
  const { maxDrop } = report.gates;
  const tone = maxDrop?.verdict === 'met' ? 'good' : 'bad';
  return maxDrop ? [{ kind: 'text', text: `--max-drop: ${maxDropText(report)}.`, tone }] : [];
}

/** The last section. `own`: what the result rests on; `page`: where the report is explained. */
export function measurementSection(
  report: PruneReport | QuantizeReport | FactorizeReport | DeepenReport | CombineReport,
  { own, preparation }: { readonly own: readonly Fact[]; readonly preparation: readonly string[] },
  page: string,
): Section[] {
  const { accuracy, seed, threads, elapsedMs } = report;
  const facts = [
    ...fileRows(report),
    ...own,
    ...preparation.map((text) => ['prepared', text] as const),
    ['scored on', plural(accuracy.scored, 'sample')] as const,
    ...machineFacts(report),
    ['seed, threads', `${seed}, ${threads}`] as const,
    ...(elapsedMs === undefined ? [] : [['took', figure(elapsedMs, 'time')] as const]),
  ];
  return section('How it was measured', { kind: 'facts', facts }, ...recipeBlocks(report.recipe), {
    kind: 'text',
    text: `${page} says how to read this report, and what to do when accuracy falls.`,
  });
}

/** That of a run whose samples were split in three. `fits`: what the first part was for. */
export function splitMeasurement(
  report: PruneReport | FactorizeReport | DeepenReport | CombineReport,
  { method, fits, more = [] }: { readonly method: string; readonly fits: string; readonly more?: readonly Fact[] },
  page: string,
): Section[] {
  const { fitted, selected, reported, dataName, preparation } = report.samples;
  const parts = `${fitted} for ${fits}, ${selected} for selection, ${reported} for the loss`;
  const samples = `${parts}${given(dataName, (text) => `; data: ${text}`)}`;
  const own = [['method', method] as const, ['samples', samples] as const, ...more];
  return measurementSection(report, { own, preparation }, page);
}

type Fact = readonly [term: string, text: string];
