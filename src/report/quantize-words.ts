// What a quantization run has to say, in words, the same in every form: why layers are float, gates, what was kept.
import type { FloatReason } from '../pipeline/quantization/outcome.js';
import type { Tone } from './figures.js';
import { maxDropText } from './loss-words.js';
import { change, figure, given, plural } from './format.js';
import type { QuantizeLayer, QuantizeReport } from './quantize-report.js';

/** Why a layer stays in float, as a clause about it. */
export const FLOAT_WORDS: Readonly<Record<FloatReason, string>> = {
  'no-int8-kernel': 'ONNX Runtime has no integer kernel for this operator',
  'weights-not-constant': 'its weights are computed while the model runs',
  grouped: 'a convolution of many groups is slower on integers than in float',
  bias: 'its bias is no constant, or not one number per output channel',
  attributes: 'no integer kernel takes these attributes or operands',
  'resize-mode': 'only Resize with mode nearest runs on integers',
  'float-neighbours': 'what it reads or what reads it is float: the way to integers and back would cost more than it',
  'not-float32': 'it does not compute in float32',
  asked: 'kept in float as asked (--float)',
  'last-activation': 'it gives the last scores: as float it costs little and keeps their digits',
  'slower-on-integers': 'the integer kernel was measured slower than the float one',
  'no-range': 'a value that it needs was not seen in calibration',
  slower: 'given back to float: the model was measured slower with it on integers',
  loss: 'given back to float to hold --max-drop',
  unsound: 'the model prepared for integers computes something else',
};

/** Reasons that figures of the run stand for; the others are rules of the runtime, or of what stands around a layer. */
const MEASURED_REASONS: ReadonlySet<string> = new Set<FloatReason>(['grouped', 'slower', 'loss']);

type Measured = Pick<QuantizeLayer, 'form' | 'code' | 'int8Us' | 'floatUs' | 'outputsDb'>;

/** What float rests on: `float 31 µs, int8 44 µs`, `outputs at 12.1 dB with only it on integers`; empty for rules. */
export function measuredText({ form, code = '', int8Us, floatUs, outputsDb }: Measured): string {
  if (form !== 'float' || !MEASURED_REASONS.has(code)) return '';
  const times = int8Us === undefined || floatUs === undefined ? [] : [timesText(floatUs, int8Us)];
  const noise = outputsDb === undefined ? [] : [`outputs at ${outputsDb.toFixed(1)} dB with only it on integers`];
  const figures = code === 'loss' ? [...noise, ...times] : times;
  return figures.length === 0 ? 'not measured' : figures.join('; ');
}

const microseconds = (us: number): string => `${us < 10 ? us.toFixed(1) : us.toFixed(0)} µs`;
const timesText = (float: number, int8: number): string => `float ${microseconds(float)}, int8 ${microseconds(int8)}`;

export const floatReason = (code: keyof typeof FLOAT_WORDS): string => FLOAT_WORDS[code];

export const DATA_FREE_TEXT =
  'NO DATA was used: the loss above is that of random inputs, and says nothing of real ones. Score the model before it ships: ' +
  'mcompress eval OUT --reference MODEL --data PATH';

/** `all 54 layers`, `53 of 54 layers`. */
export const fusedCount = ({ fusion: { fused, planned } }: QuantizeReport): string =>
  fused === planned ? `all ${plural(planned, 'layer')}` : `${fused} of ${plural(planned, 'layer')}`;

/** Layers in float for one reason. */
export interface FloatGroup {
  readonly code: string;
  readonly message: string;
  readonly layers: readonly QuantizeLayer[];
  readonly opTypes: readonly string[];
}

/** Float layers by reason, most layers first. */
export function floatGroups({ layers }: QuantizeReport): FloatGroup[] {
  const groups = new Map<string, { code: string; message: string; layers: QuantizeLayer[]; opTypes: string[] }>();
  for (const layer of layers) {
    const { opType, form, code = 'unknown', message = 'no reason is known' } = layer;
    if (form !== 'float') continue;
    const group = groups.get(code) ?? { code, message, layers: [], opTypes: [] };
    group.layers.push(layer);
    if (!group.opTypes.includes(opType)) group.opTypes.push(opType);
    groups.set(code, group);
  }
  return [...groups.values()].toSorted((a, b) => b.layers.length - a.layers.length);
}

/** What was measured of a group: its figures where it is one layer, the sum of the times of more. */
export function groupMeasuredText({ layers }: FloatGroup): string {
  const [first, ...others] = layers;
  if (!first || others.length === 0) return first ? measuredText(first) : '';
  const timed = layers.filter(({ int8Us, floatUs }) => int8Us !== undefined && floatUs !== undefined);
  const sum = (key: 'int8Us' | 'floatUs'): number => timed.reduce((total, layer) => total + (layer[key] ?? 0), 0);
  if (timed.length === 0)
    return layers.some((layer) => layer.outputsDb !== undefined) ? 'layer by layer below' : measuredText(first);
  return `${timed.length === layers.length ? 'all of them' : `${timed.length} of them`}: ${timesText(sum('floatUs'), sum('int8Us'))}`;
}

/** What became of the model, where it is not simply int8; undefined where it is. */
export function keptText({
  kept,
  layers,
  search,
}: QuantizeReport): { readonly text: string; readonly tone: Tone } | undefined {
  switch (kept) {
    case 'int8':
      return undefined;
    case 'mixed': {
      const back = layers.filter(({ code }) => code === 'slower' || code === 'loss').length;
      const tried = search.length > 1 ? `; ${search.length} candidates were scored` : '';
      return { text: `Mixed precision: ${plural(back, 'layer')} went back to float${tried}.`, tone: 'plain' };
    }
    case 'original': {
      const codes = new Set(layers.map(({ code }) => code));
      const why = codes.has('loss')
        ? `none of the ${plural(search.length, 'candidate')} that were scored was faster and held --max-drop`
        : codes.has('slower')
          ? `with any of it the model was measured slower${given(search[0]?.latencyRatio, (ratio) => ` (time ${change(1, ratio)})`)}`
          : 'the warnings say why';
      return { text: `Nothing of int8 was kept: ${why}. What is written is the float model, slimmed.`, tone: 'warn' };
    }
    default:
      return kept satisfies never;
  }
}

/** Where the ranges come from. */
export function calibrationText(report: QuantizeReport): string {
  const { calibration, layers, values, equalizedLayers, correctedBiases } = report;
  const { samples, seconds, dataFree, cache } = calibration;
  const what = dataFree === 'yes' ? 'random inputs' : plural(samples, 'sample');
  const done = [
    `calibrated on ${dataFree === 'yes' ? `${samples} ${what}` : what} in ${figure(seconds * 1000, 'time')}`,
    ...(cache
      ? [
          `ranges of ${cache.values} of ${plural(values.length, 'value')} from the cache, made of ${plural(cache.samples, 'sample')}`,
        ]
      : []),
    ...(equalizedLayers > 0 ? [`${plural(equalizedLayers, 'layer')} equalized`] : []),
    ...(correctedBiases > 0 ? [`${plural(correctedBiases, 'bias', 'biases')} corrected`] : []),
  ];
  return layers.length === 0 ? 'nothing to quantize was found' : done.join(', ');
}

/** Which gate was missed; undefined when all were met. `strict`: a result that nothing could be said of is a miss, too. */
export function missedText(report: QuantizeReport, mode: 'strict' | 'usual'): string | undefined {
  const { gates, fusion, accuracy, baseline, kept } = report;
  if (gates.maxDrop?.verdict === 'missed') return `--max-drop: ${maxDropText(report)}`;
  if (gates.requireFused?.verdict === 'missed') {
    const missed = plural(fusion.planned - fusion.fused, 'layer');
    const example = given(fusion.misses[0], ({ node, detail }) => {
      return `, ${node} for one${given(detail, (why) => ` (${why})`)}`;
    });
    return `--require-fused: ONNX Runtime runs ${missed} in float${example}`;
  }
  if (baseline?.verdict === 'regressed') return `worse than ${baseline.name}`;
  if (mode === 'usual') return undefined;
  if (accuracy.loss === undefined) return '--strict: what is lost could not be measured';
  return kept === 'original' ? '--strict: nothing of int8 was kept' : undefined;
}

/** Whether weights can overflow where x86 has no VNNI; undefined where the question does not arise. */
export function saturationText({
  layers,
  target,
}: QuantizeReport): { readonly text: string; readonly tone: Tone } | undefined {
  const known = layers.flatMap(({ saturating }) => saturating ?? []);
  if (known.length === 0 || target === 'arm64') return undefined;
  const risky = known.filter((part) => part > 0).length;
  if (risky === 0) return { text: 'On x86 without VNNI no sum of two products can pass 16 bits.', tone: 'plain' };
  const where = `${risky} of ${plural(known.length, 'layer')} have channels whose sums of two products can pass 16 bits`;
  return target === 'x64-avx2'
    ? { text: `${where}, which x86 without VNNI cuts off.`, tone: 'warn' }
    : {
        text: `On x86 without VNNI ${where} and would be cut off: make another model for it with --target x64-avx2.`,
        tone: 'plain',
      };
}
