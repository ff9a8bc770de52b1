// Comparison of a report with an earlier one of its kind: is what was reached before still reached?
import type { Figures, Timing } from './facts.js';
import { figure } from './format.js';
import type { SlimReport } from './report.js';
import type { BaselineComparison } from './run-facts.js';

/** What a report needs to be compared with another. */
type Comparable = Pick<SlimReport, 'figures' | 'machine' | 'versions' | 'input'>;

type Verdict = BaselineComparison['figures'][number];

interface Gate {
  readonly key: 'nodes' | 'fileBytes' | 'gzipBytes' | 'parameters' | 'macs' | 'peakActivationBytes';
  readonly label: string;
  /** Growth that is no regression: names and version strings move a file by some bytes, retrained weights a gzip. */
  readonly slack: number;
}
const GATES: readonly Gate[] = [
  { key: 'nodes', label: 'nodes', slack: 0 },
  { key: 'fileBytes', label: 'file', slack: 0.001 },
  { key: 'gzipBytes', label: 'file, gzip', slack: 0.005 },
  { key: 'parameters', label: 'parameters', slack: 0 },
  { key: 'macs', label: 'MACs', slack: 0 },
  { key: 'peakActivationBytes', label: 'memory', slack: 0 },
];

function judge(gate: Gate, earlier: Figures, now: Figures): Verdict {
  const { key: name, label, slack } = gate;
  const before = earlier[name]?.after;
  const after = now[name]?.after;
  const uncounted = [earlier, now].map(({ nodesNotCounted }) => nodesNotCounted?.after ?? 0);
  if (name === 'macs' && before !== undefined && after !== undefined && uncounted[0] !== uncounted[1]) {
    const reason = `they leave out ${uncounted[0]} nodes of unknown cost then, ${uncounted[1]} now`;
    return { figure: name, label, earlier: before, now: after, verdict: 'not-compared', reason };
  }
  if (before === undefined || after === undefined) {
    const reason = `not known ${after === undefined ? 'now' : 'in the earlier report'}`;
    return { figure: name, label, earlier: before, now: after, verdict: 'not-compared', reason };
  }
  const verdict = after > before * (1 + slack) ? 'worse' : after < before ? 'better' : 'same';
  return { figure: name, label, earlier: before, now: after, verdict };
}

/** Why the times of two reports cannot be compared, or nothing. */
function unlike(earlier: Comparable, now: Comparable): string | undefined {
  const a = earlier.figures.latency;
  const b = now.figures.latency;
  if (!a || !b) return `not measured ${b ? 'in the earlier report' : 'now'}`;
  if (earlier.machine.fingerprint !== now.machine.fingerprint)
    return `another machine: ${earlier.machine.cpu} then, ${now.machine.cpu} now`;
  if (a.threads !== b.threads) return `${a.threads} threads then, ${b.threads} now`;
  return undefined;
}

/**
 * Same input: the ratios to the original are compared, as both were measured in turn with it, so that a busier machine
 * moves neither; worse when the 95 % intervals do not meet. Another input: medians are compared; worse only when the
 * median now exceeds both the earlier 90th percentile and the earlier median by the noise of the two runs.
 */
function slowdown(
  earlier: Timing,
  now: Timing,
  input: 'same-input' | 'other-input',
): Pick<Verdict, 'verdict'> & { readonly reason: string } {
  if (input === 'same-input') {
    const verdict =
      now.ratio.low > earlier.ratio.high ? 'worse' : now.ratio.high < earlier.ratio.low ? 'better' : 'same';
    return {
      verdict,
      reason: `to the original: ${earlier.ratio.value.toFixed(3)} then, ${now.ratio.value.toFixed(3)} now`,
    };
  }
  const noise = Math.hypot(halfWidth(earlier), halfWidth(now));
  const slower = now.after.p50Ms > Math.max(earlier.after.p90Ms, earlier.after.p50Ms * (1 + noise));
  const quicker = earlier.after.p50Ms > Math.max(now.after.p90Ms, now.after.p50Ms * (1 + noise));
  const medians = `${figure(earlier.after.p50Ms, 'time')} then, ${figure(now.after.p50Ms, 'time')} now`;
  return {
    verdict: slower ? 'worse' : quicker ? 'better' : 'same',
    reason: `the input changed, so medians decide: ${medians}`,
  };
}

const halfWidth = ({ ratio }: Timing): number => (ratio.value > 0 ? (ratio.high - ratio.low) / 2 / ratio.value : 0);

function judgeLatency(earlier: Comparable, now: Comparable): Verdict {
  const a = earlier.figures.latency;
  const b = now.figures.latency;
  const common = {
    figure: 'latency',
    label: 'latency',
    ...(a ? { earlier: a.after.p50Ms } : {}),
    ...(b ? { now: b.after.p50Ms } : {}),
  };
  const obstacle = unlike(earlier, now);
  if (obstacle !== undefined || !a || !b)
    return { ...common, verdict: 'not-compared', ...(obstacle === undefined ? {} : { reason: obstacle }) };
  const { verdict, reason } = slowdown(a, b, earlier.input.sha256 === now.input.sha256 ? 'same-input' : 'other-input');
  const [then, today] = [earlier.versions.onnxruntime, now.versions.onnxruntime];
  return { ...common, verdict, reason: then === today ? reason : `${reason}; ONNX Runtime ${then} then, ${today} now` };
}

/**
 * The figures of the slimmed model in `now` against those in `earlier`, which was read from the file `name`.
 * One figure that is worse makes the verdict `regressed`.
 */
export function compareWithBaseline(earlier: Comparable, now: Comparable, name: string): BaselineComparison {
  const figures = [...GATES.map((gate) => judge(gate, earlier.figures, now.figures)), judgeLatency(earlier, now)];
  return { name, verdict: figures.some(({ verdict }) => verdict === 'worse') ? 'regressed' : 'met', figures };
}
