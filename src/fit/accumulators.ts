// Every kind of accumulator, by the name that specs use.
import type { AccumulatorKind } from './accumulator.js';
import { CHANNEL_MAGNITUDES } from './channel-magnitudes.js';
import { CHANNEL_STATISTICS } from './channel-statistics.js';
import { PATCH_MOMENTS } from './patch-moments.js';
import { RANGE } from './range.js';
import { SAMPLED_RANGE } from './sampled-range.js';
import { SIGNAL_ERROR } from './signal-error.js';

export const ACCUMULATORS: Readonly<Record<string, AccumulatorKind>> = {
  range: RANGE,
  'sampled-range': SAMPLED_RANGE,
  'channel-statistics': CHANNEL_STATISTICS,
  'channel-magnitudes': CHANNEL_MAGNITUDES,
  'patch-moments': PATCH_MOMENTS,
  'signal-error': SIGNAL_ERROR,
};
