// Every score by its name.
import { APOZ } from './apoz.js';
import { DROPNET_MINIMUM_LAYER } from './dropnet-minimum-layer.js';
import { DROPNET_MINIMUM } from './dropnet-minimum.js';
import { FOLDING } from './folding.js';
import { GAMMA } from './gamma.js';
import { GEOMETRIC_MEDIAN } from './geometric-median.js';
import { L1 } from './l1.js';
import { L2 } from './l2.js';
import { LIN_DEPS } from './lin-deps.js';
import { MAXIMUM } from './maximum.js';
import { OBS } from './obs.js';
import { RANDOM } from './random.js';
import type { Score } from './score.js';

export const SCORES = {
  'dropnet-minimum': DROPNET_MINIMUM,
  'dropnet-minimum-layer': DROPNET_MINIMUM_LAYER,
  maximum: MAXIMUM,
  random: RANDOM,
  apoz: APOZ,
  l1: L1,
  l2: L2,
  gamma: GAMMA,
  'geometric-median': GEOMETRIC_MEDIAN,
  obs: OBS,
  'lin-deps': LIN_DEPS,
  folding: FOLDING,
} as const satisfies Readonly<Record<string, Score>>;

export type ScoreName = keyof typeof SCORES;
