// Figures of an evaluation in words, the same wherever they are said: shares, losses, what a paired test found.
import type { LossFacts, PairedFacts, ProportionFacts } from './eval-report.js';
import { given, plural } from './format.js';

const MANY = 2000;
/** A sample must show: of many samples it is less than a tenth of a percent. */
const decimals = (total: number): number => (total >= MANY ? 2 : 1);

const withoutMinusZero = (text: string): string => (/^-0(?:\.0*)?$/.test(text) ? text.slice(1) : text);
const fixed = (value: number, digits: number): string => withoutMinusZero(value.toFixed(digits));

/** `91.5 %`; two decimals of 2000 samples and more. */
export const shareText = ({ value, total }: ProportionFacts): string => `${fixed(value * 100, decimals(total))} %`;

/** `95 %: 89.6 … 93.1 %`. */
export const shareInterval = ({ low, high, total }: ProportionFacts): string =>
  `95 %: ${fixed(low * 100, decimals(total))} … ${fixed(high * 100, decimals(total))} %`;

/** A loss with its unit: `1.1 points`, `0.034 %`; small errors keep two digits. */
export function lossValue({ value, unit }: Pick<LossFacts, 'value' | 'unit'>): string {
  if (value === undefined) return 'not a number';
  if (unit === 'points') return `${fixed(value, Math.abs(value) < 0.1 && value !== 0 ? 2 : 1)} points`;
  return `${percentText(value)} %`;
}

/** A percentage of two or three digits, without a power of ten where it is short: `12.3`, `0.034`, `1.2e-7`. */
export function percentText(value: number): string {
  if (value === 0) return '0';
  if (value < 1e-3) return value.toExponential(1);
  return value >= 100 ? value.toFixed(0) : Number(value.toPrecision(value >= 10 ? 3 : 2)).toString();
}

const probability = (p: number): string => (p < 0.001 ? 'p below 0.001' : `p = ${Number(p.toPrecision(2))}`);

/** The difference of two models on the same labelled samples, and whether it is more than chance. */
export function pairedSentence({ lost, gained, samples, drop, p, verdict }: PairedFacts): string {
  const digits = decimals(samples);
  const points = (share: number): string => fixed(share * 100, digits);
  const reach = `95 %: ${points(drop.low)} … ${points(drop.high)} points lost`;
  if (lost + gained === 0) return `Both are right on the same samples of ${samples}: no difference (${reach}).`;
  const changed = `Of ${plural(samples, 'sample')} ${lost} were lost and ${gained} gained`;
  const figures = `(${reach}; McNemar ${probability(p)})`;
  if (verdict === 'not-significant') return `${changed}: no significant difference, it may be chance ${figures}.`;
  return `${changed}: significantly ${drop.value > 0 ? 'worse' : 'better'} ${figures}.`;
}

/** What `--max-drop` found. The loss as measured decides; the sentence says how sure that is. */
export function gateSentence(
  loss: LossFacts,
  gate: { readonly maxDrop: number; readonly verdict: 'met' | 'missed' },
): string {
  const allowed = lossValue({ value: gate.maxDrop, unit: loss.unit });
  const { interval, verdict } = loss;
  const doubt = given(interval, ({ low, high }) => {
    if (gate.verdict === 'met')
      return high > gate.maxDrop ? `; it may be up to ${lossValue({ value: high, unit: loss.unit })}` : '';
    if (verdict === 'not-significant') return '; the difference is not significant: more samples would tell';
    return low <= gate.maxDrop
      ? `; it may be as little as ${lossValue({ value: Math.max(0, low), unit: loss.unit })}`
      : '';
  });
  return `${loss.measure}: ${lossValue(loss)} of ${allowed} allowed${doubt}.`;
}
