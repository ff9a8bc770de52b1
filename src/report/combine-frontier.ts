// The picture of a choice among all passes: loss against time of all that was looked at, the result, and integers alone.
import type { CombineReport } from './combine-report.js';
import type { FrontierBlock } from './document.js';
import type { LossFacts } from './eval-report.js';
import { lossValue } from './eval-words.js';

type Point = FrontierBlock['points'][number];

/** Models that lose more than so many times what may be lost, or what any model that was made loses, would squash the rest. */
const REACH = 3;

/** The words of one dot. */
const say = (name: string, loss: LossFacts, ratio: number): string =>
  `${name}: ${lossValue(loss)} lost at ${ratio.toFixed(2)}x`;

function dot(name: string, loss: LossFacts, ratio: number | undefined, look: Point['look']): Point[] {
  if (loss.value === undefined || ratio === undefined) return [];
  return [{ x: ratio, y: loss.value, label: say(name, loss, ratio), look }];
}

/** Nothing where nothing was judged. */
export function frontierBlock(report: CombineReport): FrontierBlock | undefined {
  const { steps, explored, gates } = report;
  const made = steps.flatMap(({ name, loss, latencyRatio }) => dot(name, loss, latencyRatio, 'tried'));
  const looked = explored.flatMap(({ label, loss, latencyRatio }) => dot(label, loss, latencyRatio, 'tried'));
  if (made.length + looked.length === 0) return undefined;
  const limit = gates.maxDrop?.limit;
  const reach = REACH * Math.max(limit ?? 0, ...made.map(({ y }) => y), 0.1);
  const near = looked.filter(({ y }) => y <= reach);
  const beyond = looked.length - near.length;
  return {
    kind: 'frontier',
    caption: 'Loss against time of what was looked at',
    description:
      'One dot per model, judged on the samples for selection; the ring is the result and the dot with words 8-bit integers alone, both on ' +
      `the samples that are reported.${beyond > 0 ? ` ${beyond} that lose far more are not drawn.` : ''}`,
    x: 'time of one run against the original',
    y: `lost, in ${(steps[0] ?? explored[0])?.loss.unit ?? 'points'}`,
    points: [
      { x: 1, y: 0, label: 'the original', look: 'original' },
      ...near,
      ...made,
      ...rival(report),
      ...taken(report),
    ],
    limit,
  };
}

function rival({ int8Alone }: CombineReport): Point[] {
  if (!int8Alone) return [];
  const { loss, latencyRatio } = int8Alone;
  const tag = '8-bit integers alone';
  return dot(`${tag}, on the reported samples`, loss, latencyRatio, 'rival').map((point) => ({ ...point, tag }));
}

function taken({ kept, result, accuracy: { loss }, figures: { latency } }: CombineReport): Point[] {
  if (kept === 'original' || !loss || !latency) return [];
  return dot(`the result (${result ?? ''}), on the reported samples`, loss, latency.ratio.value, 'taken');
}
