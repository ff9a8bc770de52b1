// What is said alike of runs that trade accuracy for cost: budgets, and a result that is slower.
import type { FactorizeReport } from './factorize-report.js';
import type { Tone } from './figures.js';
import { change, given, share } from './format.js';

type Said = { readonly text: string; readonly tone: Tone };

/** `SLOWER than the original by 4 %, which a run for macs allows.`; undefined where it is not slower. */
export function slowerText({
  figures: { latency },
  method,
}: Pick<FactorizeReport, 'figures'> & { readonly method: Pick<FactorizeReport['method'], 'aim'> }): Said | undefined {
  if (latency?.verdict !== 'slower') return undefined;
  const by = change(1, latency.ratio.value).replace('+', '');
  return { text: `SLOWER than the original by ${by}, which a run for ${method.aim} allows.`, tone: 'bad' };
}

/** What was reached of the budgets; `idle`: what is said where nothing was changed. */
export function budgetText(
  { figures, gates: { budget }, kept }: Pick<FactorizeReport, 'figures' | 'gates'> & { readonly kept: string },
  idle: string,
): string {
  const asked = budget?.asked ?? '';
  if (kept === 'original') return idle;
  const part = (name: string, values: { readonly before: number; readonly after: number } | undefined): string[] =>
    asked.includes(`--${name}`)
      ? [values === undefined ? `${name} not known` : `${share(values.after, values.before)} of ${name} left`]
      : [];
  return [
    ...part('macs', figures.macs),
    ...part('params', figures.parameters),
    ...part('size', figures.fileBytes),
    ...(asked.includes('--latency')
      ? [given(figures.latency, ({ ratio, after }) => `${ratio.value.toFixed(3)}x, ${after.p50Ms.toFixed(3)} ms`)]
      : []),
  ].join(', ');
}
