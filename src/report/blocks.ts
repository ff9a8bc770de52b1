// Blocks that several report documents share: figures, timings, layers by cost, kinds of layers, operators.
import type { Figures, Histogram, LayerFacts, Share } from './facts.js';
import {
  MAX_BARS,
  left,
  name,
  operatorNote,
  right,
  tableBlock,
  warningBlocks,
  type BarsBlock,
  type Block,
  type IntervalBlock,
  type StackBlock,
} from './document.js';
import { timingConditions, type FigureRow } from './figures.js';
import { dimensions, figure, figurePair, given, interval, share } from './format.js';

/** `conv1, conv2 and 5 more`. `count`: how many there are, where `names` are only some of them. */
export const someNames = (names: readonly string[], most: number, count = names.length): string =>
  names.slice(0, most).join(', ') + (count > most ? ` and ${count - Math.min(most, names.length)} more` : '');

/** The before/after table; `titles` name its two columns. */
export function figureTable(
  caption: string,
  rows: readonly FigureRow[],
  titles: readonly [string, string],
): Block | undefined {
  return tableBlock(
    caption,
    'open',
    [left('figure'), right(titles[0]), right(titles[1]), right('change'), left('note', 1)],
    rows.map((row) => [
      row.label,
      row.before,
      row.after,
      { text: row.change === '' ? 'none' : row.change, tone: row.tone, ratio: row.ratio },
      row.note,
    ]),
  );
}

/** Latency and load as intervals around "no difference", and their spread. */
export function timingBlocks(figures: Figures, titles: readonly [string, string]): Block[] {
  const timings = (['latency', 'load'] as const).flatMap((label) => {
    const timing = figures[label];
    return timing ? [{ label, timing }] : [];
  });
  if (timings.length === 0) return [];
  const rows: IntervalBlock['rows'] = timings.map(({ label, timing: { ratio, verdict } }) => ({
    label,
    ...ratio,
    text: verdict === 'no-difference' ? `no difference (${interval(ratio)})` : `${verdict} (${interval(ratio)})`,
    tone: verdict === 'faster' ? 'good' : verdict === 'slower' ? 'bad' : 'plain',
  }));
  const columns = [left(''), right('p50'), right('p90'), right('p99'), left('conditions', 1)];
  const spread = timings.flatMap(({ label, timing }) => {
    const p = (key: 'p50Ms' | 'p90Ms' | 'p99Ms'): readonly [string, string] =>
      figurePair(timing.before[key], timing.after[key], 'time');
    const pairs = [p('p50Ms'), p('p90Ms'), p('p99Ms')];
    const conditions = [timingConditions(timing), ''];
    return ([0, 1] as const).map((which) => [
      `${label} ${titles[which]}`,
      ...pairs.map((pair) => pair[which]),
      conditions[which] ?? '',
    ]);
  });
  return [
    {
      kind: 'intervals',
      caption: `Time ${titles[1]} relative to ${titles[0]}: median ratio and its 95 % interval`,
      rows,
    },
    ...[tableBlock('Spread of the single runs', 'open', columns, spread)].filter((one) => one !== undefined),
    ...warningBlocks(timings.flatMap(({ label, timing }) => timing.warnings.map((text) => `${label}: ${text}`))),
  ];
}

/** What the bars of layers show. */
export type Cost = 'timeUs' | 'macs';
export const COST_WORDS: { readonly [C in Cost]: string } = {
  timeUs: 'time per run on ONNX Runtime',
  macs: 'multiply-accumulates',
};

/** Caption of a chart that shows `shown` of `all` layers. */
export const layerCaption = (shown: number, all: number): string =>
  shown < all ? `The ${shown} dearest of ${all} layers, in order of execution` : 'Layers in order of execution';

export const countText = (value: number): string => figure(value, 'count');
/** Microseconds with their unit. */
export const time = (us: number): string => figure(us / 1000, 'time');

/** The cost that a chart of layers shows: profiled time where there is any, else MACs. */
export function layerCost(layers: readonly (LayerFacts | undefined)[]): Cost {
  return layers.some((layer) => layer?.timeUs !== undefined) ? 'timeUs' : 'macs';
}

interface CostedLayer {
  readonly name: string;
  readonly facts: LayerFacts;
}

/** The dearest `most` layers as bars, in order of execution. */
export function costBars(layers: readonly CostedLayer[], most = MAX_BARS): BarsBlock | undefined {
  const cost = layerCost(layers.map(({ facts }) => facts));
  const show = cost === 'timeUs' ? time : countText;
  const total = layers.reduce((sum, { facts }) => sum + (facts[cost] ?? 0), 0);
  const costly = layers.filter(({ facts }) => (facts[cost] ?? 0) > 0);
  const dearest = new Set([...costly].sort((a, b) => (b.facts[cost] ?? 0) - (a.facts[cost] ?? 0)).slice(0, most));
  const rows = costly
    .filter((layer) => dearest.has(layer))
    .map(({ name: label, facts }) => {
      const value = facts[cost] ?? 0;
      const text = `${show(value)} · ${share(value, total)}`;
      return { label, note: operatorNote(label, facts.opType), before: value, text };
    });
  if (rows.length === 0) return undefined;
  return {
    kind: 'bars',
    caption: layerCaption(rows.length, costly.length),
    measure: COST_WORDS[cost],
    series: [''],
    rows,
  };
}

/** All layers as a folded table. */
export function layerTable(layers: readonly CostedLayer[]): Block | undefined {
  const cost = layerCost(layers.map(({ facts }) => facts));
  const show = cost === 'timeUs' ? time : countText;
  const total = layers.reduce((sum, { facts }) => sum + (facts[cost] ?? 0), 0);
  const timed = cost === 'timeUs';
  const timeColumns = timed ? [right('time'), right('share'), left('runs as', 2)] : [];
  const columns = [
    left('layer'),
    left('operator', 2),
    left('output', 3),
    right('MACs'),
    right('params', 3),
    ...timeColumns,
  ];
  return tableBlock(
    `All ${layers.length} layers`,
    'folded',
    columns,
    layers.map(({ name: label, facts }) => [
      name(label),
      name(facts.opType),
      given(facts.shape, dimensions),
      given(facts.macs, countText),
      countText(facts.parameters),
      ...(timed
        ? [
            given(facts.timeUs || undefined, show),
            given(facts.timeUs || undefined, (value) => share(value, total)),
            facts.ranAs ?? '',
          ]
        : []),
    ]),
  );
}

/** Tensor, non-tensor and runtime time as stacked bars. */
export function shareBlock(rows: readonly { readonly label: string; readonly share: Share }[]): StackBlock | undefined {
  if (rows.length === 0) return undefined;
  return {
    kind: 'stack',
    caption: 'Time by kind of layer',
    measure: 'per run',
    series: ['tensor layers (convolution, fully connected)', 'non-tensor layers', 'added by the runtime'],
    rows: rows.map(({ label, share: { tensorUs, nonTensorUs, runtimeUs } }) => {
      const values = [tensorUs, nonTensorUs, runtimeUs];
      const total = tensorUs + nonTensorUs + runtimeUs;
      return {
        label,
        values,
        texts: values.map((value) => `${share(value, total)} (${time(value)})`),
        total: time(total),
      };
    }),
  };
}

/** Nodes by operator; `series` name the two models. */
export function operatorBars(
  operators: Histogram,
  series: readonly [string, string],
  caption = 'By operator',
): BarsBlock | undefined {
  const rows = operators
    .filter(({ before, after }) => before > 0 || after > 0)
    .sort((a, b) => b.before - a.before || b.after - a.after);
  if (rows.length === 0) return undefined;
  return {
    kind: 'bars',
    caption: rows.length > MAX_BARS ? `The ${MAX_BARS} most frequent of ${rows.length} operators` : caption,
    measure: 'nodes',
    series,
    rows: rows
      .slice(0, MAX_BARS)
      .map(({ opType, before, after }) => ({
        label: opType,
        note: '',
        before,
        after,
        text: before === after ? String(before) : `${before} → ${after}`,
      })),
  };
}
