// What a recipe says about factorization: everything that decides what comes out, nothing about files, data or measuring.
import type { FactorScheme } from '../../fit/low-rank/factors.js';
import type { MetricName } from '../../fit/low-rank/metric.js';
import {
  LATENCY_FIELD,
  lossField,
  numberIn,
  oneOf,
  partField,
  settingTable,
  wholeFrom,
  type Fail,
} from '../setting-table.js';
import { AIMS, aimOf, countedBudgets, type Budgets } from '../trading/budgets.js';

export const SCHEMES = [
  'svd',
  'channel-svd',
  'spatial-svd',
  'tucker-2',
  'cp',
  'tucker-cp',
] as const satisfies readonly FactorScheme[];
export const METRICS = ['outputs', 'diagonal', 'plain'] as const satisfies readonly MetricName[];
export const RANK_RULES = ['auto', 'evbmf', 'sensitivity'] as const;
export const LAYERS = ['all', 'conv', 'dense'] as const;

export interface FactorizeSettings extends Budgets {
  /** Of every layer, the part of its multiplications that its chain may have. */
  readonly ratio: number | undefined;
  /** Of every layer, the part of the variance of its outputs that its chain keeps. */
  readonly energy: number | undefined;
  /** `auto`: the ranks that together lose least. */
  readonly ranks: (typeof RANK_RULES)[number];
  readonly metric: MetricName;
  /** Convolutions, or Gemm and MatMul. */
  readonly layers: (typeof LAYERS)[number];
  /** Empty: those that are worth their time. */
  readonly schemes: readonly FactorScheme[];
  /** Convolutions that are factorized together before the next are looked at again; 0: all. */
  readonly groupSize: number;
  /** Samples for statistics and refits; the others judge. Undefined: half of them, and no more than 1000. */
  readonly samples: number | undefined;
  readonly repair: 'on' | 'off';
}

export const DEFAULT_FACTORIZING: FactorizeSettings = {
  macs: undefined,
  params: undefined,
  size: undefined,
  latency: undefined,
  maxDrop: undefined,
  ratio: undefined,
  energy: undefined,
  ranks: 'auto',
  for: 'auto',
  metric: 'outputs',
  layers: 'all',
  schemes: [],
  groupSize: 0,
  samples: undefined,
  repair: 'on',
};

/** What says how much goes: a budget, a rule for every layer, or (`loss`) only what may be lost. */
export function howMuch(
  settings: FactorizeSettings,
): 'counted' | 'latency' | 'ratio' | 'energy' | 'evbmf' | 'loss' | undefined {
  if (settings.latency !== undefined) return 'latency';
  if (countedBudgets(settings).length > 0) return 'counted';
  if (settings.ratio !== undefined) return 'ratio';
  if (settings.energy !== undefined) return 'energy';
  if (settings.ranks === 'evbmf') return 'evbmf';
  return settings.maxDrop === undefined ? undefined : 'loss';
}

/** Refuses two things that both say how much goes. */
export function refuseTwoMeasures(settings: FactorizeSettings, fail: Fail): void {
  const { latency, ratio, energy, ranks } = settings;
  const said = [
    latency === undefined ? undefined : 'latency',
    countedBudgets(settings)[0]?.[0],
    ratio === undefined ? undefined : 'ratio',
    energy === undefined ? undefined : 'energy',
    ranks === 'evbmf' ? 'ranks evbmf' : undefined,
  ].filter((one) => one !== undefined);
  const [first, second] = said;
  if (first !== undefined && second !== undefined)
    fail(`${first} and ${second} both say how much goes`, 'leave one of them out');
  if (latency !== undefined && aimOf(settings) !== 'latency')
    fail(`a budget of time cannot be for ${settings.for}`, 'leave "for" out');
}

/** How settings of factorization are read and written. */
export const FACTORIZE_SETTINGS = settingTable<FactorizeSettings>({
  key: 'factorize',
  pass: 'factorize-conv',
  what: 'factorization',
  example: ['macs', '0.7x'],
  description: 'Replace layers by chains of smaller ones behind the passes, before pruning and quantization',
  defaults: DEFAULT_FACTORIZING,
  fields: {
    macs: partField('What is left of the multiplications, as 0.7x'),
    params: partField('What is left of the parameters, as 0.7x'),
    size: partField('What is left of the bytes of all weights, as 0.7x'),
    latency: LATENCY_FIELD,
    maxDrop: lossField('Largest loss: points of classifiers, percent of other outputs; alone it says how much goes'),
    ratio: numberIn({ above: 0, below: 1 }, 'Of every layer, the part of its multiplications that its chain may have'),
    energy: numberIn({ above: 0, below: 1 }, 'Of every layer, the part of the variance of its outputs that is kept'),
    ranks: oneOf(RANK_RULES, 'How ranks are found'),
    for: oneOf(AIMS, 'What has to get smaller for a layer to stay factorized'),
    metric: oneOf(METRICS, 'What counts as a small error'),
    layers: oneOf(LAYERS, 'Layers that are looked at: convolutions, or Gemm and MatMul'),
    schemes: {
      expected: `a list of ${SCHEMES.join(', ')}`,
      schema: { type: 'array', items: { enum: SCHEMES }, description: 'Schemes to choose from' },
      read: (value) =>
        Array.isArray(value) && value.length > 0 && value.every((one) => SCHEMES.some((scheme) => scheme === one))
          ? value
          : undefined,
      from: 'list',
    },
    groupSize: wholeFrom(0, 'Convolutions that are factorized together; 0: all'),
    samples: wholeFrom(1, 'Samples for statistics and refits; the others judge'),
    repair: oneOf(['on', 'off'], 'Refit chains and what lies behind them to the outputs of the original'),
  },
  check: refuseTwoMeasures,
});
